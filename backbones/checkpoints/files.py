"""Files of weights: read safely, refused for what they are not, told apart by their digest."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from common.digest import digest as digest_of
from common.digest import file_digest
from common.errors import UserError, first_line

if TYPE_CHECKING:
    from torch import Tensor

# Where training programs put the weights in what they save; averaged weights are what is released and tested.
_CONTAINERS = (
    "ema_model_state_dict",
    "state_dict_ema",
    "model_ema",
    "model_state_dict",
    "state_dict",
    "model",
)
_WRAPPERS = ("module.", "_orig_mod.")
FOLDERS = ("openclip", "hf", "timm")
"""Sources whose weights may be a folder."""


def split_options(rest: str, known: Iterable[str] = ()) -> tuple[Path, dict[str, str]]:
    """``FILE?key=value&key=value`` -> path and options.

    Raises:
        UserError: an option that is not known, or without value.
    """
    if Path(rest).expanduser().exists():
        return Path(rest).expanduser(), {}
    file, _, query = rest.partition("?")
    options: dict[str, str] = {}
    known = tuple(known)
    for part in filter(None, query.split("&")):
        key, _, value = part.partition("=")
        if key not in known or not value:
            names = ", ".join(f"{name}=VALUE" for name in known) or "none"
            raise UserError(f"{rest!r} has option {part!r}: the options here are {names}")
        options[key] = value
    return Path(file).expanduser(), options


def weights_digest(source: str, rest: str, options: Iterable[str] = ()) -> str:
    """Digest of a file (or of the weights and configs of a folder) and of the options. Light.

    Raises:
        UserError: there is no such file, or it is one that `check_file` refuses.
    """
    path, chosen = split_options(rest, options)
    if path.is_dir() and source not in FOLDERS:
        read_head(path, source)
    chosen = {
        key: file_digest(Path(value)) if Path(value).is_file() else value for key, value in chosen.items()
    }
    if path.is_dir():
        endings = {".json", ".safetensors", ".bin", ".pt", ".csv"}
        files = sorted(file for file in path.iterdir() if file.is_file() and file.suffix in endings)
        content = [[file.name, file_digest(file)] for file in files]
    elif path.is_file():
        check_file(path, source)
        beside = [file for file in (path.parent / "vocabulary.csv",) if file.is_file()]
        content = [file_digest(file) for file in (path, *beside)]
    else:
        raise UserError(f"{path} does not exist: name the weights as {source}:FILE")
    return digest_of([source, chosen, content])


def read_state(path: Path, source: str, weights: bool = True) -> dict[str, Tensor]:
    """The tensors of a ``.safetensors``, ``.pt``, ``.pth`` or ``.bin`` file, without running any code.

    Args:
        path: the file.
        source: as which it is to be read, for messages.
        weights: False: tensors on the meta device, which have shapes and no values. The values are not read
            then, but for files in the format of PyTorch before 1.6.

    Raises:
        UserError: no such file, a folder, HTML, a damaged file, or a pickle that needs more than tensors.
    """
    import pickle

    path = Path(path)
    head = read_head(path, source)
    if path.suffix == ".safetensors":
        return _read_safetensors(path, weights)
    if not zipfile.is_zipfile(path) and head[:1] not in (b"\x80", b"("):
        if head[8:9] == b"{":
            return _read_safetensors(path, weights)
        state = "a damaged or truncated archive" if head[:2] == b"PK" else "not a file of PyTorch weights"
        raise UserError(f"{path} is {state}: download it again")
    import torch

    from backbones.checkpoints.archive import is_torchscript

    try:
        if is_torchscript(path):
            raise UserError(f"{path} is a TorchScript archive: name it openai:{path}")
        mapped = not weights and zipfile.is_zipfile(path)
        loaded = torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except UserError:
        raise
    except pickle.UnpicklingError as error:
        raise UserError(
            f"{path} holds more than tensors and is not opened, because a pickle can run any code "
            f"({_needed(str(error))}): save its state dict as safetensors and name that"
        ) from None
    except Exception as error:  # a damaged file makes zipfile, pickle and torch raise many kinds
        raise UserError(f"{path} is damaged or truncated ({first_line(error)}): download it again") from None
    return _loaded(_tensors(loaded, path), weights)


def check_file(path: Path, source: str) -> None:
    """Refuse what a look at a file's first bytes and its length tell is no weights of `source`. No torch.

    Raises:
        UserError: a folder, empty, a web page, cut short, or safetensors of another source.
    """
    from backbones.checkpoints.recognise import advice, recognise

    head = read_head(path, source)
    if head[:2] == b"PK" and not zipfile.is_zipfile(path):
        raise UserError(f"{path} is a damaged or truncated archive: download it again")
    if path.suffix != ".safetensors" and head[8:9] != b"{":
        return
    keys = _safetensors_keys(path)
    found = recognise(keys)
    if found not in {None, source} and (source, found) != ("openai", "openclip"):
        raise UserError(advice(keys, source, path))


def _safetensors_keys(path: Path) -> list[str]:
    """Names of the tensors; the header says where each ends, so a file that was cut short is noticed."""
    size = path.stat().st_size
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(length)) if length <= size - 8 else {}
        header.pop("__metadata__", None)
        end = max((entry["data_offsets"][1] for entry in header.values()), default=-1)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError, MemoryError):
        end = -1
    if end < 0 or 8 + length + end != size:
        raise UserError(f"{path} is damaged or truncated: download it again")
    return list(header)


def read_head(path: Path, source: str) -> bytes:
    """The first bytes of a file that may be weights.

    Raises:
        UserError: no such file, a folder, empty, a web page or a pointer of Git LFS.
    """
    if path.is_dir():
        raise UserError(f"{path} is a folder: name the file of weights in it ({source}:FILE)")
    if not path.is_file():
        raise UserError(f"{path} does not exist: name the weights as {source}:FILE")
    with path.open("rb") as file:
        head = file.read(512)
    if not head:
        raise UserError(f"{path} is empty: download it again")
    text = head.lstrip().lower()
    if text.startswith((b"<!doctype", b"<html", b"<?xml", b"<head")):
        raise UserError(f"{path} is a web page, not weights: download the file that the page links to")
    if text.startswith(b"version https://git-lfs"):
        raise UserError(f"{path} is a Git LFS pointer, not weights: run git lfs pull")
    return head


def _read_safetensors(path: Path, weights: bool) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return _loaded(load_file(path), weights)
    except (OSError, SafetensorError, ValueError) as error:
        raise UserError(f"{path} is damaged or truncated ({first_line(error)}): download it again") from None


def _loaded(state: dict[str, Tensor], weights: bool) -> dict[str, Tensor]:
    """The tensors, or their shapes alone; what is mapped into memory is not read for these."""
    return state if weights else {key: tensor.to("meta") for key, tensor in state.items()}


def _tensors(loaded: object, path: Path) -> dict[str, Tensor]:
    """The state dict in what a training program saved."""
    from torch import Tensor

    for _ in range(3):
        if not isinstance(loaded, dict):
            break
        inner = next((loaded[name] for name in _CONTAINERS if isinstance(loaded.get(name), dict)), None)
        if inner is None:
            break
        loaded = inner
    if not isinstance(loaded, dict):
        raise UserError(f"{path} holds a {type(loaded).__name__}, not a state dict: save model.state_dict()")
    state = {str(key): value for key, value in loaded.items() if isinstance(value, Tensor)}
    if not state:
        raise UserError(f"{path} holds no tensors: name a file of a model's weights")
    return unwrapped(state)


def unwrapped(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Without the prefixes that data parallelism and compilation put before every key."""
    for _ in _WRAPPERS:
        for prefix in _WRAPPERS:
            if all(key.startswith(prefix) for key in state):
                state = {key[len(prefix) :]: value for key, value in state.items()}
    return state


def _needed(message: str) -> str:
    """What torch's refusal says the pickle wants, in a few words."""
    for line in message.splitlines():
        if "GLOBAL" in line or "Unsupported" in line or "global" in line.lower():
            return line.strip()[:140].rstrip(".: ")
    return message.strip().splitlines()[0][:140].rstrip(".: ") if message.strip() else "not tensors"
