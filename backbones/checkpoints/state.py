"""Reading weights safely, and accounting for every key of a file."""

from __future__ import annotations

import json
import logging
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from common.digest import digest as digest_of
from common.digest import file_digest
from common.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor, nn

_log = logging.getLogger(__name__)

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


class Dropped(NamedTuple):
    """Answer of a renaming rule: the tensor is not used, for this reason."""

    reason: str


@dataclass
class KeyReport:
    """What became of a file's keys.

    Attributes:
        used: keys that are in the backbone (or its synset classifier) now.
        dropped: key -> why it is not.
        missing: tensors of the backbone that the file lacks; a reader raises when there are any.
        notes: choices that were made, in words.
    """

    used: list[str] = field(default_factory=list)
    dropped: dict[str, str] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """The report in a few lines: dropped keys are counted by reason."""
        reasons: dict[str, int] = {}
        for reason in self.dropped.values():
            reasons[reason] = reasons.get(reason, 0) + 1
        lines = [f"{len(self.used)} tensors used, {len(self.dropped)} dropped, {len(self.missing)} missing"]
        lines += [f"dropped {count}: {reason}" for reason, count in reasons.items()]
        return lines + self.notes


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
        _head(path, source)
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


def read_state(path: Path, source: str) -> dict[str, Tensor]:
    """The tensors of a ``.safetensors``, ``.pt``, ``.pth`` or ``.bin`` file, without running any code.

    Raises:
        UserError: no such file, a folder, HTML, a damaged file, or a pickle that needs more than tensors.
    """
    import pickle

    path = Path(path)
    head = _head(path, source)
    if path.suffix == ".safetensors":
        return _read_safetensors(path)
    if not zipfile.is_zipfile(path) and head[:1] not in (b"\x80", b"("):
        if head[8:9] == b"{":
            return _read_safetensors(path)
        state = "a damaged or truncated archive" if head[:2] == b"PK" else "not a file of PyTorch weights"
        raise UserError(f"{path} is {state}: download it again")
    import torch

    from backbones.checkpoints.archive import is_torchscript

    try:
        if is_torchscript(path):
            raise UserError(f"{path} is a TorchScript archive: name it openai:{path}")
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except UserError:
        raise
    except pickle.UnpicklingError as error:
        raise UserError(
            f"{path} holds more than tensors and is not opened, because a pickle can run any code "
            f"({_needed(str(error))}): save its state dict as safetensors and name that"
        ) from None
    except Exception as error:  # a damaged file makes zipfile, pickle and torch raise many kinds
        raise UserError(f"{path} is damaged or truncated ({_first_line(error)}): download it again") from None
    return _tensors(loaded, path)


def check_file(path: Path, source: str) -> None:
    """Refuse what a look at a file's first bytes and its length tell is no weights of `source`. No torch.

    Raises:
        UserError: a folder, empty, a web page, cut short, or safetensors of another source.
    """
    from backbones.checkpoints.recognise import advice, recognise

    head = _head(path, source)
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
    except (ValueError, KeyError, TypeError, AttributeError, IndexError):
        end = -1
    if end < 0 or 8 + length + end != size:
        raise UserError(f"{path} is damaged or truncated: download it again")
    return list(header)


def _head(path: Path, source: str) -> bytes:
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


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (OSError, SafetensorError, ValueError) as error:
        raise UserError(f"{path} is damaged or truncated ({_first_line(error)}): download it again") from None


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


def rename(
    state: dict[str, Tensor], rule: Callable[[str], str | Dropped | None], path: Path, source: str
) -> tuple[dict[str, Tensor], KeyReport]:
    """Apply a renaming rule to every key.

    Args:
        state: the file's tensors.
        rule: key -> name in the trunk, or `Dropped`, or None when the reader does not know the key.

    Raises:
        UserError: a key the reader does not know, or two keys for one tensor.
    """
    report, renamed = KeyReport(), {}
    for key, tensor in state.items():
        target = rule(key)
        if target is None:
            raise UserError(
                f"{path} has {key!r}, which no ViT of {source} that is known here has: "
                "its architecture is not supported"
            )
        if isinstance(target, Dropped):
            report.dropped[key] = target.reason
            continue
        if target in renamed:
            raise UserError(f"{path} has two tensors for {target} (one is {key!r}): keep one ViT in the file")
        renamed[target] = tensor
        report.used.append(key)
    return renamed, report


def fill(trunk: nn.Module, tensors: dict[str, Tensor], report: KeyReport, path: Path) -> None:
    """Put tensors into a trunk that was built on the meta device, as float32; every one must be there.

    Raises:
        UserError: a tensor is missing, superfluous or of another shape.
    """
    import torch

    expected = trunk.state_dict()
    # BatchNorm's counter of training steps: inference does not use it, and older files lack it
    for key in expected:
        if key.endswith("num_batches_tracked") and key not in tensors:
            tensors[key] = torch.tensor(0)
            report.notes.append(f"{key} starts at 0")
    report.missing = [key for key in expected if key not in tensors]
    if report.missing:
        raise UserError(
            f"{path} lacks {len(report.missing)} tensors of the backbone, first {report.missing[0]}: "
            "the file is incomplete or of another architecture"
        )
    if surplus := [key for key in tensors if key not in expected]:
        raise UserError(
            f"{path} has {len(surplus)} tensors too many, first {surplus[0]}: it is another architecture"
        )
    for key, tensor in tensors.items():
        if tensor.shape != expected[key].shape:
            raise UserError(
                f"{path}: {key} is {tuple(tensor.shape)} where the architecture has "
                f"{tuple(expected[key].shape)}: it is another architecture"
            )
    adopt(trunk, {key: _owned(tensor) for key, tensor in tensors.items()})
    _log.info("%s: %s", path, "; ".join(report.lines()))


def adopt(trunk: nn.Module, tensors: dict[str, Tensor]) -> None:
    """Make tensors the trunk's own, without a copy: a strict `load_state_dict(assign=True)`, but faster.

    Raises:
        ValueError: a tensor is missing, superfluous or of another shape; the message names the first.
    """
    from torch import nn

    left = dict(tensors)
    for prefix, module in trunk.named_modules():
        for slots in (module._parameters, module._buffers):
            for name, slot in slots.items():
                if slot is None or name in module._non_persistent_buffers_set:
                    continue
                key = f"{prefix}.{name}" if prefix else name
                tensor = left.pop(key, None)
                if tensor is None:
                    raise ValueError(f"{key} is missing")
                if tensor.shape != slot.shape:
                    raise ValueError(f"{key} is {tuple(tensor.shape)} where {tuple(slot.shape)} is described")
                is_parameter = slots is module._parameters
                slots[name] = nn.Parameter(tensor, slot.requires_grad) if is_parameter else tensor
    if left:
        raise ValueError(f"{min(left)} is not described")


def _owned(tensor: Tensor) -> Tensor:
    """In float32, contiguous, and not a part of a larger tensor's memory."""
    if tensor.is_floating_point():
        tensor = tensor.float()
    whole = tensor.untyped_storage().nbytes() == tensor.numel() * tensor.element_size()
    return tensor if tensor.is_contiguous() and whole else tensor.contiguous().clone()


def square_grid(count: int, path: Path) -> int:
    """Side of a square grid of `count` positions.

    Raises:
        UserError: the grid is not square.
    """
    side = round(count**0.5)
    if side * side != count:
        raise UserError(f"{path} has {count} positions, no square grid: such weights are not supported")
    return side


def depth_of(keys: Iterable[str], before: str) -> int:
    """Number of blocks: one more than the highest number after `before`."""
    numbers = [
        key[len(before) :].split(".")[0]
        for key in keys
        if key.startswith(before) and key[len(before) :].split(".")[0].isdigit()
    ]
    return max((int(number) for number in numbers), default=-1) + 1


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return (lines[0] if lines else type(error).__name__)[:160].rstrip(".:")


def _needed(message: str) -> str:
    """What torch's refusal says the pickle wants, in a few words."""
    for line in message.splitlines():
        if "GLOBAL" in line or "Unsupported" in line or "global" in line.lower():
            return line.strip()[:140].rstrip(".: ")
    return message.strip().splitlines()[0][:140].rstrip(".: ") if message.strip() else "not tensors"
