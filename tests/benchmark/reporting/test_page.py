"""The page: whole in itself, escaped, its numbers those of the records, and sound to a browser."""

from __future__ import annotations

import re
import shutil
import subprocess
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from test_comparisons import cell
from test_speed import write as write_speed

from benchmark import reporting
from benchmark.records.store import read_record, write_record
from benchmark.reporting import page
from benchmark.reporting.names import figure_text
from benchmark.reporting.page.blocks import Grid
from benchmark.reporting.page.speed import speed_ups
from benchmark.reporting.results import of_folder

EVIL = '<script>alert("x")</script><img src=x onerror=alert(1)>'
EMPTY = {"meta", "link", "img", "input", "br"}
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Outline(HTMLParser):
    """What a page is made of: tags in order with their attributes, its text, and whether tags are closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.open: list[str] = []
        self.text: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-3:]}"
        self.open.pop()

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("script", "style"):
            self.text.append(data)

    def named(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


def suite_in(root):
    for backbone in ("random", "clip", "catlip"):
        cell(root / "toy", backbone)
        cell(root / "toy", backbone, task="other")
    return root / "toy"


@pytest.fixture
def folder(tmp_path):
    return suite_in(tmp_path)


@pytest.fixture(scope="module")
def reported(tmp_path_factory):
    """A suite with its page, which nobody changes."""
    folder = suite_in(tmp_path_factory.mktemp("reported"))
    reporting.update(of_folder(folder))
    return folder


@pytest.fixture
def outline(reported):
    text = (reported / "report.html").read_text(encoding="utf-8")
    found = Outline(text)
    assert not found.open
    return found


def test_nothing_is_fetched_and_everything_has_a_name(outline):
    for tag, attributes in outline.tags:
        for key in ("src", "href", "srcset", "data", "action"):
            value = attributes.get(key)
            assert value is None or value.startswith(("data:", "#")), (tag, key, value)
    assert all(attributes["alt"] for attributes in outline.named("img")) and outline.named("img")
    assert outline.tags[0] == ("html", {"lang": "en"})
    policy = next(a["content"] for a in outline.named("meta") if "http-equiv" in a)
    assert "default-src 'none'" in policy


def test_headings_and_tables_can_be_listened_to(outline):
    headings = [int(tag[1]) for tag, _ in outline.tags if re.fullmatch(r"h\d", tag)]
    assert headings[0] == 1 and headings.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(headings))
    tables = outline.named("table")
    assert len(outline.named("caption")) == len(tables) > 2
    assert all(attributes.get("scope") in ("col", "row") for attributes in outline.named("th"))
    ids = [attributes["id"] for _, attributes in outline.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = {a["href"][1:] for a in outline.named("a")}
    assert links <= set(ids)


def test_every_figure_is_the_records_and_leads_to_its_run(reported, outline):
    text = " ".join(" ".join(outline.text).split())
    for path in reported.glob("*/*/*/record.json"):
        record = read_record(path.parent)
        value = record.metrics["top1"].value
        assert figure_text(value) in text and f"{value:.6g}" in text
        assert record.command in text
    assert "better" in text and "none is a finding" in text


def test_names_of_strangers_stay_text(folder):
    for path in folder.glob("catlip/*/*/record.json"):
        record = read_record(path.parent)
        changed = record.model_copy(
            update={
                "backbone": record.backbone.model_copy(update={"name": EVIL}),
                "notes": [EVIL],
                "command": EVIL,
                "error": EVIL,
            }
        )
        write_record(path.parent, changed)
    text = page.render(of_folder(folder))
    assert "<img src=x" not in text and "<script>alert" not in text
    found = Outline(text)
    assert not found.open and any(EVIL in part for part in found.text)
    assert len(found.named("script")) == 1


def test_half_a_suite_has_a_page_that_says_what_is_missing(folder):
    (folder / "clip" / "probe" / "pretraining0-seed0" / "per_image.parquet").write_bytes(b"torn")
    record = read_record(folder / "random" / "other" / "pretraining0-seed0")
    failure = {"metrics": {}, "primary": None, "status": "failed", "error": "killed by SIGKILL"}
    write_record(folder / "random" / "other" / "pretraining0-seed0", record.model_copy(update=failure))
    results = of_folder(folder)
    reporting.update(results)
    text = " ".join(Outline((folder / "report.html").read_text(encoding="utf-8")).text)
    assert "Not done" in text and "killed by SIGKILL" in text


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here (Debian: apt install chromium)")
def test_a_browser_shows_it_without_a_complaint(reported, tmp_path):
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--v=0"]
    command += [f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=2000", "--dump-dom"]
    done = subprocess.run(
        [*command, (reported / "report.html").as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert "CONSOLE" not in done.stderr, done.stderr
    shown = Outline(done.stdout)
    # the script has run: heads of columns can be pressed
    assert len(shown.named("button")) == sum(a.get("scope") == "col" for a in shown.named("th"))


def test_speed_that_was_measured_beside_the_suite_is_shown(folder):
    assert speed_ups(of_folder(folder)) is None
    for name in ("catlip", "clip"):
        write_speed(folder.parent / "speed", name)
    section = speed_ups(of_folder(folder))
    (grid,) = [block for block in section.blocks if isinstance(block, Grid)]
    assert [row[0].text for row in grid.rows] == ["catlip", "clip"] and "1.30" in str(grid.rows[0])
    assert "Speed of a step" in page.render(of_folder(folder))
