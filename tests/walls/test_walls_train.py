"""Hostile and clumsy input of labelling and pre-training: one line each, and nothing of anybody's is lost."""

from __future__ import annotations

import copy
import errno
import gzip
import io
import json
import os
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest
import torch
from PIL import Image

from backbones import catalog
from backbones.architectures import ARCHITECTURES
from backbones.card import Card
from backbones.checkpoints import run as run_folder
from backbones.vit import build_vit
from benchmark.cli import main
from common.errors import UserError
from common.files import replacing
from common.pictures import BadPicture, opened
from common.processes import Workers, program
from common.training.checkpoints import BadCheckpoint, candidates, check_fits, read_checkpoint
from pretraining import folder
from pretraining.data.shards import caption_of, decode_image, raw_samples
from pretraining.labels.rule import reference_label
from pretraining.labels.sidecars import label_shards, read_facts, read_sidecar, sidecar_path
from pretraining.labels.sources import read_captions
from pretraining.labels.synsets import label
from pretraining.labels.vocabulary import Vocabulary

CATLIP = """
architecture = "vit_nano_conv16"
objective = dict(type="catlip")
optimizer = dict(lr=1e-3)
image_size = 32
samples = 96
batch_size = 8
"""


def one_line(error: BaseException) -> str:
    assert "\n" not in str(error) and "Traceback" not in str(error)
    return str(error)


def picture(kind: str, size: tuple[int, int] = (8, 8)) -> bytes:
    data = io.BytesIO()
    Image.new("RGB", size, "red").save(data, kind)
    return data.getvalue()


def shard(path: Path, files: list[tuple[str, bytes]]) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, data in files:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path


def claiming(path: Path, size: int, kind: bytes = tarfile.REGTYPE, name: str = "a.txt") -> Path:
    """A tar file of one member that claims a size it does not have."""
    header = tarfile.TarInfo(name)
    header.size, header.type = size, kind
    path.write_bytes(header.tobuf(tarfile.GNU_FORMAT) + bytes(4096))
    return path


# Descriptions of backbones: what is put where.
CARDS = {
    "heads-0": ("architecture", "num_heads", 0),
    "heads-do-not-share": ("architecture", "num_heads", 3),
    "heads-negative": ("architecture", "num_heads", -2),
    "width-absurd": ("architecture", "embed_dim", 10**9),
    "width-a-list": ("architecture", "embed_dim", [32]),
    "depth-absurd": ("architecture", "depth", 10**7),
    "depth-text": ("architecture", "depth", "deep"),
    "patch-0": ("architecture", "patch_size", 0),
    "patch-of-other-size": ("architecture", "patch_size", 5),
    "image-absurd": ("architecture", "image_size", 10**9),
    "registers-absurd": ("architecture", "registers", 10**10),
    "ratio-nan": ("architecture", "mlp_ratio", float("nan")),
    "size-0": ("preprocessing", "size", 0),
    "std-0": ("preprocessing", "std", [0, 1, 1]),
    "architecture-a-list": (None, "architecture", [1]),
    "cost-text": (None, "cost", {"seconds": "long"}),
    "format-a-list": (None, "format", []),
    "format-of-tomorrow": (None, "format", 99),
}


@pytest.fixture(scope="module")
def described(tmp_path_factory) -> tuple[Path, dict]:
    place = tmp_path_factory.mktemp("backbone")
    run_folder.save(place, build_vit(ARCHITECTURES["vit_nano_conv16"]), Card(objective="clip"))
    return place, json.loads((place / "backbone.json").read_text())


@pytest.mark.parametrize(("part", "name", "value"), CARDS.values(), ids=CARDS)
def test_an_edited_description_is_refused(described, part, name, value):
    place, good = described
    edited = copy.deepcopy(good)
    (edited if part is None else edited[part])[name] = value
    (place / "backbone.json").write_text(json.dumps(edited))
    with pytest.raises(UserError, match=r"backbone\.json") as caught:
        catalog.load(f"run:{place}")
    one_line(caught.value)


@pytest.mark.parametrize("text", ["[]", "null", "{", "[" * 100_000, "{}"], ids=lambda text: text[:4])
def test_a_description_of_another_kind_is_refused(described, text):
    place, _ = described
    (place / "backbone.json").write_text(text)
    with pytest.raises(UserError, match=r"backbone\.json") as caught:
        catalog.load(f"run:{place}")
    one_line(caught.value)


VOCABULARIES = {
    "empty": b"",
    "binary": b"\x80\x04\x95",
    "no-header": b"2084071,dog.n.01,5\n",
    "text-for-a-count": b"synset,name,count\n2084071,dog.n.01,many\n",
    "digits-of-other-scripts": "synset,name,count\n2084071,dog.n.01,\u00b2\n".encode(),
    "endless-count": b"synset,name,count\n2084071,dog.n.01," + b"9" * 5000 + b"\n",
    "stranger": b"synset,name,count\n1,dog.n.01,5\n",
    "field-without-end": b'synset,name,count\n"' + b"x" * 200_000,
    "nul": b"synset,name,count\n\x00\n",
}


@pytest.mark.parametrize("data", VOCABULARIES.values(), ids=VOCABULARIES)
def test_a_broken_vocabulary_is_refused(tmp_path, data):
    path = tmp_path / "vocabulary.csv"
    path.write_bytes(data)
    with pytest.raises(UserError, match=r"vocabulary\.csv") as caught:
        Vocabulary.load(path)
    assert one_line(caught.value) and path.read_bytes() == data


@pytest.mark.parametrize("unit", ["<", "<a ", "<<>", "a<b\n", "&lt;", "%3C", "''", ". ", "(", "é<"])
def test_no_caption_takes_long(unit):
    caption = unit * (200_000 // len(unit))
    start = time.process_time()
    label(caption)
    assert time.process_time() - start < 10
    assert label(caption[:300]) == reference_label(caption[:300])


CAPTIONS = {
    "caption-of-2-MiB": (("a.txt", b"x" * (2 << 20)), "2,097,152 characters"),
    "deep-json": (("a.json", b"[" * 200_000), "its JSON cannot be read"),
    "json-a-list": (("a.json", b"[]"), "its JSON is not an object"),
    "caption-a-number": (("a.json", b'{"caption": 3}'), "int, not text"),
    "not-utf-8": (("a.txt", b"\xff"), "not UTF-8"),
    "no-caption": (("a.jpg", b"x"), "no .txt and no .json"),
}


@pytest.mark.parametrize(("file", "problem"), CAPTIONS.values(), ids=CAPTIONS)
def test_a_bad_caption_is_counted_where_it_is_labelled_and_where_it_is_read(tmp_path, file, problem):
    path = shard(tmp_path / "0.tar", [file, ("b.txt", b"a dog")])
    summary = label_shards([path], workers=1)
    assert (summary.captions, summary.bad) == (1, 1) and problem in summary.problems[0]
    first, second = raw_samples([path], lambda error: False)
    with pytest.raises(ValueError, match=problem[:10]):
        caption_of(first)
    assert caption_of(second) == "a dog"


HEADERS = {
    "member-of-a-terabyte": (1 << 40, tarfile.REGTYPE),
    "name-of-8-GiB": ((1 << 33) - 1, tarfile.GNUTYPE_LONGNAME),
    "pax-of-8-GiB": ((1 << 33) - 1, tarfile.XHDTYPE),
    "size-negative": (-1024, tarfile.REGTYPE),
}


@pytest.mark.parametrize(("size", "kind"), HEADERS.values(), ids=HEADERS)
def test_a_header_is_believed_only_as_far_as_a_sample_goes(tmp_path, size, kind):
    path = claiming(tmp_path / "0.tar", size, kind)
    with pytest.raises(UserError, match=r"0\.tar") as caught:
        list(read_captions(path))
    one_line(caught.value)
    broken = []
    list(raw_samples([path], lambda error: broken.append(error) or True))
    assert len(broken) == 1


def test_a_line_without_end_is_one_bad_sample(tmp_path):
    path = tmp_path / "captions.txt"
    with path.open("wb") as file:
        file.write(b"a dog\n")
        file.seek(40 << 20)
        file.write(b"\na cat\n")
    problems = [(caption, problem) for _, caption, problem in read_captions(path)]
    assert problems == [("a dog", None), (None, "it takes more than 16 MiB"), ("a cat", None)]


def test_a_packed_bomb_is_one_bad_sample(tmp_path):
    path = tmp_path / "0.tar.gz"
    with gzip.open(path, "wb") as packed, tarfile.open(fileobj=packed, mode="w|") as tar:
        member = tarfile.TarInfo("a.txt")
        member.size = 64 << 20
        tar.addfile(member, _Zeros())
        tar.addfile(member := tarfile.TarInfo("b.txt"))
    assert [problem for *_, problem in read_captions(path)] == ["it takes more than 16 MiB", None]


class _Zeros:
    def read(self, size: int) -> bytes:
        return bytes(size)


PICTURES = {
    "eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
    "nothing": b"",
    "text": b"no picture",
    "torn": picture("png")[:40],
    "torn-tiff": picture("tiff")[:60],
    "other-format": picture("ppm"),
}


@pytest.mark.parametrize("data", PICTURES.values(), ids=PICTURES)
def test_no_picture_starts_a_program_or_raises_a_decoders_error(data, monkeypatch):
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("a program was started"))
    with pytest.raises(BadPicture) as caught:
        decode_image({"jpg": data})
    one_line(caught.value)
    with pytest.raises(BadPicture), opened(data) as image:
        image.load()


SIDECARS = {
    "torn": lambda data: data[: len(data) // 2],
    "other-middle": lambda data: data[:60] + bytes(20) + data[80:],
    "text": lambda data: b"mine",
    "empty": lambda data: b"",
}


@pytest.mark.parametrize("damage", SIDECARS.values(), ids=SIDECARS)
def test_a_damaged_sidecar_is_named(tmp_path, damage):
    words = ("dog", "cat", "horse", "tree", "house", "car")
    files = [(f"{n}.txt", f"a {words[n % 6]} and a {words[n % 5]}".encode()) for n in range(200)]
    path = shard(tmp_path / "0.tar", files)
    label_shards([path], workers=1)
    sidecar = sidecar_path(path)
    sidecar.write_bytes(damage(sidecar.read_bytes()))
    with pytest.raises(UserError, match=r"0\.synsets\.parquet") as caught:
        read_sidecar(path)
    assert "move it away" in one_line(caught.value) and sidecar.exists()


COMMANDS = {
    "a-shard-for-labels": (["vocabulary", "0.tar", "--out", "v.csv"], "is no file of labels"),
    "over-a-shard": (["vocabulary", "0.synsets.parquet", "--min-count", "1", "--out", "0.tar"], "0.tar"),
    "over-its-input": (["match", "labels.txt", "--vocabulary", "v.csv", "--out", "labels.txt"], "reads"),
    "missing-captions": (["label", "nothing.tar"], "nothing.tar does not exist"),
    "unknown-ending": (["label", "notes.doc"], "notes.doc"),
    "data-mistyped": (["pretrain", "recipe.py", "--data", "pair=."], "pair"),
}


@pytest.mark.parametrize(("words", "message"), COMMANDS.values(), ids=COMMANDS)
def test_a_command_refuses_in_one_line_and_leaves_files_as_they_are(
    tmp_path, monkeypatch, capsys, words, message
):
    monkeypatch.chdir(tmp_path)
    label_shards([shard(tmp_path / "0.tar", [("a.txt", b"a dog")])], workers=1)
    (tmp_path / "labels.txt").write_text("dog\n")
    (tmp_path / "notes.doc").write_text("notes")
    (tmp_path / "recipe.py").write_text(CATLIP)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert main(words) == 2
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert said.startswith("error: ") and message in said and "delete" not in said
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


class _Bomb:
    def __reduce__(self):
        return os.mkdir, ("executed",)


CHECKPOINTS = {
    "code": _Bomb(),
    "code-within": {"meta": {"epoch": 0, "iter": 1}, "state_dict": {"x": _Bomb()}},
    "a-list": [1],
    "text-for-a-number": {
        **{"meta": {"epoch": 0, "iter": "50"}, "state_dict": {}, "optimizer": {}},
        "message_hub": {"log_scalars": {}, "runtime_info": {}, "resumed_keys": {}},
    },
}


@pytest.mark.parametrize("content", CHECKPOINTS.values(), ids=CHECKPOINTS)
def test_a_planted_checkpoint_is_left_aside(tmp_path, monkeypatch, content):
    monkeypatch.chdir(tmp_path)
    torch.save(content, "iter_50.pth")
    with pytest.raises(BadCheckpoint) as caught:
        read_checkpoint(tmp_path / "iter_50.pth")
    assert one_line(caught.value) and not (tmp_path / "executed").exists()
    assert candidates(tmp_path) == []  # nothing points to it


@pytest.mark.parametrize("groups", [None, 3, [3], [{}], [{"params": 3}]], ids=repr)
def test_a_checkpoint_of_no_optimizer_is_left_aside(groups):
    model = torch.nn.Linear(2, 1)
    wrapper = type("Wrapper", (), {"optimizer": torch.optim.SGD(model.parameters(), 0.1)})
    checkpoint = {"state_dict": model.state_dict(), "optimizer": {"param_groups": groups}}
    with pytest.raises(BadCheckpoint, match="its optimizer"):
        check_fits(checkpoint, model, wrapper)


def test_what_lies_in_the_current_folder_is_not_imported(tmp_path):
    for name in ("random", "numpy", "json", "runpy"):
        (tmp_path / f"{name}.py").write_text("open('executed', 'w')\n")
    script = f"import sys; sys.path[:] = [{str(Path(__file__).parents[2])!r}, *filter(None, sys.path)]\n"
    script += "from common.processes import Workers\nwith Workers(2) as pool: print(*pool.map(abs, [-1]))\n"
    found = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True)
    assert found.stdout == "1\n"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    subprocess.run(program("common.digest"), cwd=tmp_path, check=True, env=environment)
    assert not (tmp_path / "executed").exists() and Workers(1).count == 1


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "full"),
        OSError(errno.EROFS, "read-only"),
        RuntimeError("[enforce fail] . PytorchStreamWriter failed writing file data/0"),
        ValueError("I/O error: No space left on device (os error 28)"),
    ],
    ids=["full", "read-only", "torch", "safetensors"],
)
def test_a_full_disk_is_one_line_and_what_was_written_stays(tmp_path, error):
    path = tmp_path / "backbone.json"
    path.write_text("finished")
    with pytest.raises(UserError, match=r"backbone\.json cannot be written") as caught, replacing(path):
        raise error
    assert one_line(caught.value) and path.read_text() == "finished" and len(list(tmp_path.iterdir())) == 1


def test_labelling_on_a_full_disk_keeps_what_is_labelled(tmp_path, monkeypatch):
    shards = [shard(tmp_path / f"{n}.tar", [("a.txt", b"a dog")]) for n in range(2)]
    label_shards(shards[:1], workers=1)

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr("tempfile.mkstemp", full)
    with pytest.raises(UserError, match=r"1\.synsets\.parquet cannot be written .*1 of 2 files"):
        label_shards(shards, workers=1)
    assert read_facts(sidecar_path(shards[0]))["count"] == 1


def test_two_trainings_do_not_share_a_folder_and_superseded_ones_do_not_collide(tmp_path):
    out = tmp_path / "out"
    (out / ".superseded" / "\u00b2").mkdir(parents=True)
    (out / ".superseded" / "7").mkdir()
    with folder.held(out):
        with pytest.raises(UserError, match="is at it") as caught, folder.held(out):
            pass
        one_line(caught.value)
        folder.claim(out, "this")
        folder.claim(out, "another")
    assert (out / ".superseded" / "8" / "training").is_dir()
