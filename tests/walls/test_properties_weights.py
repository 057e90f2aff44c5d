"""Whatever a file of weights holds, it is read as tensors or refused in one line; nothing in it is run."""

from __future__ import annotations

import io
import json
import pickle
import struct

import pytest
import torch
from examples import QUICK
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save

from backbones.checkpoints.files import check_file, read_state
from common.errors import UserError

pytestmark = pytest.mark.filterwarnings("ignore:Detected pickle protocol")
STATE = {"a.weight": torch.arange(6.0).reshape(2, 3), "a.bias": torch.zeros(2)}


def _zipped() -> bytes:
    file = io.BytesIO()
    torch.save(STATE, file)
    return file.getvalue()


@st.composite
def changed(draw: st.DrawFn, whole: bytes) -> bytes:
    """A file with some bytes changed, its end cut off, or something put in."""
    data = bytearray(whole)
    for place, value in draw(
        st.lists(st.tuples(st.integers(0, len(data) - 1), st.integers(0, 255)), max_size=6)
    ):
        data[place] = value
    if draw(st.booleans()):
        del data[draw(st.integers(0, len(data))) :]
    if draw(st.booleans()):
        place = draw(st.integers(0, len(data)))
        data[place:place] = draw(st.binary(max_size=40))
    return bytes(data)


def headers() -> st.SearchStrategy[bytes]:
    """Safetensors whose header says anything."""
    values = st.recursive(
        st.none() | st.integers() | st.text(max_size=6) | st.sampled_from(["F32", "BF16", "data_offsets"]),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
        max_leaves=8,
    )

    def file(value: object, rest: bytes) -> bytes:
        head = json.dumps(value).encode()
        return struct.pack("<Q", len(head)) + head + rest

    return st.builds(file, values, st.binary(max_size=64))


def read_or_refused(path: object) -> None:
    for act in (lambda: check_file(path, "timm"), lambda: read_state(path, "timm")):
        try:
            found = act()
        except UserError as error:
            assert str(error).startswith(str(path)) and "\n" not in str(error)
        else:
            assert found is None or all(isinstance(tensor, torch.Tensor) for tensor in found.values())


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
@QUICK
@given(data=changed(_zipped()) | changed(save(STATE)) | headers() | st.binary(max_size=200))
def test_weights_are_read_or_refused(tmp_path, suffix, data):
    file = tmp_path / f"weights{suffix}"
    file.write_bytes(data)
    read_or_refused(file)


class Planted:
    """What writes a file when it is unpickled."""

    def __init__(self, file: str) -> None:
        self.file = file

    def __reduce__(self) -> tuple:
        return open, (self.file, "w")


@QUICK
@given(protocol=st.integers(0, 5), depth=st.integers(0, 3), key=st.text(max_size=5))
def test_nothing_planted_is_run(tmp_path, protocol, depth, key):
    value: object = Planted(str(tmp_path / "planted"))
    for _ in range(depth):
        value = {key: value, "state_dict": dict(STATE)}
    for suffix in (".pt", ".bin", ".safetensors"):
        file = tmp_path / f"weights{suffix}"
        file.write_bytes(pickle.dumps(value, protocol=protocol))
        with pytest.raises(UserError):
            read_state(file, "timm")
        torch.save(value, file)
        with pytest.raises(UserError):
            read_state(file, "timm")
    assert not (tmp_path / "planted").exists()


@pytest.mark.parametrize("depth", [100_000])
def test_a_header_of_lists_within_lists_is_refused(tmp_path, depth):
    file = tmp_path / "deep.safetensors"
    head = b"[" * depth + b"]" * depth
    file.write_bytes(struct.pack("<Q", len(head)) + head)
    with pytest.raises(UserError, match="damaged or truncated"):
        check_file(file, "timm")
