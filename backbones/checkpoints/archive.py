"""Tensors of a TorchScript archive, read without running any of its code.

Such an archive (`torch.jit.save`) is a zip file: ``data.pkl`` describes a tree of modules, ``data/<n>`` are
the tensors' bytes and ``code/`` the program, which is not touched here. ``torch.jit.load`` would compile that
program, and a plain unpickler would call whatever ``data.pkl`` names. The unpickler below knows four names:
modules become empty records, tensors are rebuilt from their bytes, everything else is refused.
"""

from __future__ import annotations

import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path, PurePosixPath

import torch
from torch import Tensor

_DTYPES = {
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "DoubleStorage": torch.float64,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}


class _Module:
    """Stands for any module of the archive; holds attributes, does nothing."""


class _Storage:
    """Name of a dtype, as ``data.pkl`` writes it."""

    def __init__(self, dtype: torch.dtype) -> None:
        self.dtype = dtype


class _Unpickler(pickle.Unpickler):
    def __init__(self, archive: zipfile.ZipFile, root: str, weights: bool) -> None:
        super().__init__(archive.open(f"{root}/data.pkl"))
        self._archive, self._root, self._weights = archive, root, weights

    def find_class(self, module: str, name: str) -> object:
        if module == "__torch__" or module.startswith("__torch__."):
            return _Module
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _rebuild
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if module == "torch" and name in _DTYPES:
            return _Storage(_DTYPES[name])
        raise pickle.UnpicklingError(f"it calls {module}.{name}")

    def persistent_load(self, pid: object) -> Tensor:
        kind, storage, key, _, size = pid
        if kind != "storage" or not isinstance(storage, _Storage) or PurePosixPath(str(key)).name != key:
            raise pickle.UnpicklingError("it refers to something that is no tensor")
        member = self._archive.getinfo(f"{self._root}/data/{key}")
        if member.file_size != size * storage.dtype.itemsize:
            raise pickle.UnpicklingError(f"tensor {key} has {member.file_size} bytes")
        if not self._weights or not size:
            return torch.empty(size, dtype=storage.dtype, device="cpu" if self._weights else "meta")
        return torch.frombuffer(bytearray(self._archive.read(member)), dtype=storage.dtype)


def _rebuild(storage: Tensor, offset: int, size: tuple, stride: tuple, *_: object) -> Tensor:
    return torch.as_strided(storage, size, stride, offset).clone()


def is_torchscript(path: Path) -> bool:
    """Whether the file is a zip archive with a TorchScript program in it."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(PurePosixPath(name).name == "constants.pkl" for name in archive.namelist())


def read_torchscript(path: Path, weights: bool = True) -> dict[str, Tensor]:
    """State dict of the archived module: parameters and buffers by their dotted names.

    Args:
        path: the archive.
        weights: False: tensors on the meta device, without reading their bytes.

    Raises:
        pickle.UnpicklingError: the archive needs more than modules and tensors.
        Exception: it is damaged; zipfile, pickle and torch raise many kinds.
    """
    with zipfile.ZipFile(path) as archive:
        roots = [name.rpartition("/")[0] for name in archive.namelist() if name.endswith("/data.pkl")]
        if len(roots) != 1:
            raise pickle.UnpicklingError("it has no single data.pkl")
        module = _Unpickler(archive, roots[0], weights).load()
    state: dict[str, Tensor] = {}
    _collect(module, "", state, set())
    return state


def _collect(module: object, prefix: str, state: dict[str, Tensor], seen: set[int]) -> None:
    if not isinstance(module, _Module) or id(module) in seen:
        return
    seen.add(id(module))
    for name, value in vars(module).items():
        if isinstance(value, Tensor):
            state[f"{prefix}{name}"] = value
        else:
            _collect(value, f"{prefix}{name}.", state, seen)
