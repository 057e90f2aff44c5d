"""Files that are no weights, the wrong weights, or weights that want to run code."""

import pickle
import re
import subprocess
import sys
import zipfile

import pytest
import torch
from safetensors.torch import save_file
from small import FILES, open_clip_model, refused, refused_at_once, timm_model

from backbones import UserError, empty_backbone
from backbones.catalog import backbone_digest
from backbones.checkpoints.files import read_state


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


@pytest.mark.parametrize("source", FILES)
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


@pytest.mark.parametrize("source", FILES)
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


@pytest.mark.parametrize("source", FILES)
def test_what_is_cheap_to_know_is_told_before_anything_is_loaded(source, tmp_path):
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


@pytest.mark.parametrize("ending", ["safetensors", "pt", "old.pt"])
def test_without_weights_a_file_tells_the_shapes_and_types_of_its_tensors(ending, tmp_path):
    state = {"a": torch.rand(3, 4).half(), "b": torch.tensor([1, 2]), "c": torch.rand(2, 8)[:, ::2]}
    path = tmp_path / f"weights.{ending}"
    if ending == "safetensors":
        save_file({key: value.contiguous() for key, value in state.items()}, path)
    else:
        torch.save({"state_dict": state}, path, _use_new_zipfile_serialization=ending == "pt")
    whole, empty = read_state(path, "timm"), read_state(path, "timm", weights=False)
    assert whole.keys() == empty.keys() == state.keys()
    for key, tensor in empty.items():
        assert tensor.is_meta and not whole[key].is_meta
        assert (tensor.shape, tensor.dtype) == (state[key].shape, state[key].dtype)


@pytest.mark.parametrize("ending", ["safetensors", "pt"])
def test_without_weights_their_values_are_not_read(ending, tmp_path):
    """Much less memory is filled than the file is long; in a process of its own, which has no peak yet."""
    path, size = tmp_path / f"weights.{ending}", 200 * 2**20
    state = {"a": torch.ones(size // 4)}
    save_file(state, path) if ending == "safetensors" else torch.save(state, path)
    code = (
        "import sys, resource, torch\n"
        "from pathlib import Path\n"
        "from backbones.checkpoints.files import read_state\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "state = read_state(Path(sys.argv[1]), 'timm', weights=False)\n"
        "print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)\n"
    )
    out = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
    assert int(out.stdout) < size / 4


def test_backbones_without_weights_are_refused_for_the_same_reasons(tmp_path):
    for name in (f"corenet:{tmp_path / 'nothing.pt'}", "run:/no/such/folder", "timm:vit_no_such_model"):
        with pytest.raises(UserError) as without:
            empty_backbone(name)
        refused(name, re.escape(str(without.value)))
