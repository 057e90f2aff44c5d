"""Files that are no weights, the wrong weights, or weights that want to run code."""

import pickle
import subprocess
import sys
import zipfile

import pytest
import torch
from safetensors.torch import save_file
from small import open_clip_model, timm_model

from backbones import UserError, load_backbone
from backbones.catalog import backbone_digest

SOURCES = ("corenet", "openclip", "openai", "superclass", "timm:vit_tiny_patch16_224")


def refused(name, match):
    with pytest.raises(UserError, match=match) as caught:
        load_backbone(name)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 600
    return str(caught.value)


class Call:
    """A pickle of this calls a function when it is read the ordinary way."""

    def __init__(self, function, *arguments):
        self.what = (function, arguments)

    def __reduce__(self):
        return self.what


def gadgets(target):
    """Ways to run code from a pickle; each would leave `target` behind."""
    import builtins
    import functools
    import importlib
    import operator
    import os
    import pathlib
    import runpy
    import shutil
    import subprocess
    import timeit

    path, touch = str(target), f"open({str(target)!r}, 'w')"
    return {
        "os.system": Call(os.system, f"touch {path}"),
        "os.popen": Call(os.popen, f"touch {path}"),
        "os.mkdir": Call(os.mkdir, path),
        "os.open": Call(os.open, path, os.O_CREAT),
        "subprocess.call": Call(subprocess.call, ["touch", path]),
        "subprocess.Popen": Call(subprocess.Popen, ["touch", path]),
        "builtins.exec": Call(builtins.exec, touch),
        "builtins.eval": Call(builtins.eval, touch),
        "builtins.open": Call(builtins.open, path, "w"),
        "builtins.getattr": Call(getattr, pathlib.Path(path), "touch"),
        "pathlib.touch": Call(pathlib.Path.touch, pathlib.Path(path)),
        "functools.partial": Call(functools.partial(os.mkdir, path)),
        "importlib": Call(importlib.import_module, "antigravity"),
        "operator.methodcaller": Call(operator.methodcaller("touch"), pathlib.Path(path)),
        "runpy": Call(runpy.run_path, path),
        "shutil.copy": Call(shutil.copy, __file__, path),
        "timeit": Call(timeit.timeit, touch, "pass", timeit.default_timer, 1),
        "pickle.loads": Call(pickle.loads, pickle.dumps(Call(os.mkdir, path))),
        "torch.load": Call(torch.load, path),
        "torch.save": Call(torch.save, {}, path),
        "map": Call(list, Call(map, os.mkdir, [path])),
    }


NAMES = tuple(gadgets("x"))


def test_there_are_twenty_malicious_pickles():
    assert len(NAMES) >= 20


@pytest.mark.parametrize(
    "gadget", ["os.mkdir", "os.system", "builtins.exec", "subprocess.call", "torch.save"]
)
def test_the_pickles_do_run_code_where_they_are_trusted(gadget, tmp_path):
    pickle.loads(pickle.dumps({"w": gadgets(tmp_path / "ran")[gadget]}, protocol=2))
    assert (tmp_path / "ran").exists()


@pytest.mark.parametrize("gadget", NAMES)
def test_no_pickle_with_code_is_run(gadget, tmp_path):
    target = tmp_path / "target" / "ran"
    target.parent.mkdir()
    what = gadgets(target)[gadget]
    plain, zipped, hidden = tmp_path / "plain.pt", tmp_path / "zip.pt", tmp_path / "archive.pt"
    plain.write_bytes(pickle.dumps({"w": what}, protocol=2))
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({"state_dict": what}, protocol=2))
        archive.writestr("archive/version", "3\n")
    with zipfile.ZipFile(hidden, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(what, protocol=2))
        archive.writestr("archive/constants.pkl", pickle.dumps(what, protocol=2))
    for path in (plain, zipped):
        refused(f"corenet:{path}", "pickle can run any code|damaged")
        refused(f"openai:{path}", "pickle can run any code|damaged")
    refused(f"openai:{hidden}", "needs more than tensors")
    refused(f"openclip:{hidden}", "TorchScript archive")
    assert list(target.parent.iterdir()) == []


def test_a_pickle_in_an_openai_archive_cannot_reach_a_file_outside_its_data(tmp_path):
    class Outside:
        def __reduce__(self):
            return (torch.FloatStorage, ())

    class Pickler(pickle.Pickler):
        def persistent_id(self, value):
            return ("storage", "no class", "../../etc/passwd", "cpu", 4) if value == "tensor" else None

    path = tmp_path / "archive.pt"
    with zipfile.ZipFile(path, "w") as archive:
        with archive.open("archive/data.pkl", "w") as file:
            Pickler(file, protocol=2).dump(["tensor"])
        archive.writestr("archive/constants.pkl", b"")
    refused(f"openai:{path}", "something that is no tensor")


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"<!DOCTYPE html><html><body>Sign in</body></html>", "is a web page, not weights"),
        (b"\n  <html lang='en'>", "is a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "is a Git LFS pointer"),
        (b"", "is empty"),
        (b"just words", "not a file of PyTorch weights"),
        (b"PK\x03\x04 but no more", "damaged or truncated"),
        (b"\x80\x02 broken", "more than tensors|damaged"),
    ],
    ids=["html", "html2", "lfs", "empty", "text", "zip", "pickle"],
)
def test_what_is_no_weights_file(source, content, message, tmp_path):
    path = tmp_path / "weights.pt"
    path.write_bytes(content)
    assert "weights.pt" in refused(f"{source}:{path}", message)


@pytest.mark.parametrize("source", SOURCES)
def test_truncated_files_folders_and_missing_files(source, tmp_path):
    state = {f"layer{i}": torch.rand(100) for i in range(20)}
    torch.save(state, tmp_path / "whole.pt")
    save_file(state, tmp_path / "whole.safetensors")
    for ending in ("pt", "safetensors"):
        data = (tmp_path / f"whole.{ending}").read_bytes()
        (tmp_path / f"half.{ending}").write_bytes(data[: len(data) // 2])
        refused(f"{source}:{tmp_path / f'half.{ending}'}", "damaged or truncated")
    refused(f"{source}:{tmp_path}", "folder|config.json")
    refused(f"{source}:{tmp_path / 'nothing.pt'}", "does not exist")
    torch.save([1, 2], tmp_path / "list.pt")
    refused(f"{source}:{tmp_path / 'list.pt'}", "not a state dict")
    torch.save({"epoch": 3}, tmp_path / "numbers.pt")
    refused(f"{source}:{tmp_path / 'numbers.pt'}", "holds no tensors")
    refused(f"{source}:{tmp_path / 'whole.pt'}", "holds no .* ViT")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    torch.save(open_clip_model().state_dict(), folder / "openclip.pt")
    torch.save(timm_model().state_dict(), folder / "timm.pt")
    torch.save({"patch_emb.0.block.conv.weight": torch.ones(1)}, folder / "corenet.pt")
    torch.save({"vit.embeddings.patch_embeddings.projection.weight": torch.ones(1)}, folder / "hf.pt")
    return folder


@pytest.mark.parametrize("written", ["openclip", "timm", "corenet", "hf"])
@pytest.mark.parametrize("read", SOURCES)
def test_the_wrong_source_is_told_the_right_one(written, read, files):
    if read.partition(":")[0] == written or (written, read) == ("openclip", "openai"):
        return
    words = {
        "openclip": "OpenCLIP or OpenAI CLIP",
        "corenet": "CoreNet",
        "hf": "transformers",
        "timm": "timm",
    }
    message = refused(f"{read}:{files / written}.pt", f"holds {words[written]} weights, not ")
    assert f"name it {written}:" in message


def refused_at_once(name, match):
    with pytest.raises(UserError, match=match) as caught:
        backbone_digest(name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("source", SOURCES)
def test_what_is_cheap_to_know_is_told_before_anything_is_loaded(source, files, tmp_path):
    refused_at_once(f"{source}:{tmp_path / 'nothing.pt'}", "does not exist")
    folder = "does not exist|is a folder" if source != "openclip" else None
    if folder:
        refused_at_once(f"{source}:{tmp_path}", folder)
    for content, message in (
        (b"<!DOCTYPE html><html>", "is a web page"),
        (b"", "is empty"),
        (b"version https://git-lfs.github.com/spec/v1", "is a Git LFS pointer"),
        (b"PK\x03\x04 but no more", "damaged or truncated"),
    ):
        (tmp_path / "weights.pt").write_bytes(content)
        refused_at_once(f"{source}:{tmp_path / 'weights.pt'}", message)
    save_file(timm_model().state_dict(), tmp_path / "vit.safetensors")
    if not source.startswith("timm"):
        refused_at_once(
            f"{source}:{tmp_path / 'vit.safetensors'}", "holds timm weights, not .* name it timm:"
        )
    save_file(open_clip_model().state_dict(), tmp_path / "clip.safetensors")
    if source in ("openclip", "openai"):
        assert backbone_digest(f"{source}:{tmp_path / 'clip.safetensors'}")
    else:
        refused_at_once(f"{source}:{tmp_path / 'clip.safetensors'}", "holds OpenCLIP or OpenAI CLIP weights")
    for cut in (-1, 100, 9, 4):
        data = (tmp_path / "vit.safetensors").read_bytes()[:cut]
        (tmp_path / "cut.safetensors").write_bytes(data)
        refused_at_once(f"{source}:{tmp_path / 'cut.safetensors'}", "damaged or truncated")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("random:vit_mnii_conv16", "did you mean vit_mini_conv16"),
        ("random:vit_no_such_thing", "unknown architecture 'vit_no_such_thing', here or in timm"),
        ("random:resnet50", "unknown architecture 'resnet50'"),
        ("timm:vit_no_such_model", "timm has no model"),
        ("timm:resnet50", "not a plain VisionTransformer"),
        ("timm:swin_tiny_patch4_window7_224:/no/file", "does not exist"),
        ("hf:/no/such/folder", "does not exist"),
        ("run:/no/such/folder", "pre-train it first"),
    ],
)
def test_unknown_names_are_told_before_anything_is_loaded(name, message):
    refused_at_once(name, message)


def test_most_names_are_checked_without_torch(tmp_path):
    """In a process of its own: here torch is imported already."""
    save_file(timm_model().state_dict(), tmp_path / "vit.safetensors")
    code = (
        "import sys\n"
        "from backbones import UserError\n"
        "from backbones.catalog import backbone_digest\n"
        "for name in sys.argv[1:]:\n"
        "    try:\n"
        "        backbone_digest(name)\n"
        "    except UserError:\n"
        "        pass\n"
        "print('torch' in sys.modules)\n"
    )
    names = ["random:vit_base_conv16", "random:vit_bsae_conv16", f"corenet:{tmp_path / 'vit.safetensors'}"]
    out = subprocess.run([sys.executable, "-c", code, *names], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "False"


def test_what_an_archive_may_name_is_inert():
    from backbones.checkpoints.archive import _Module

    module = _Module()
    module.__dict__.update({"forward": "anything"})
    assert not callable(module)
