"""Checkpoints of a training: tensors and plain values, written and read as nothing else."""

from __future__ import annotations

import re
import shutil
from collections import Counter, OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import nn


class BadCheckpoint(Exception):
    """A file that a training cannot go on from; the message says why."""


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint of `ResumableRunner`, running none of its content.

    Raises:
        BadCheckpoint: the file is missing, torn, no checkpoint, or holds more than tensors and plain values.
    """
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise BadCheckpoint("it does not exist") from None
    except MemoryError:
        raise
    except Exception as error:  # a damaged file can fail in any way
        reason = "it is damaged, or holds more than tensors and plain values"
        raise BadCheckpoint(f"{reason} ({type(error).__name__})") from error
    parts = ("meta", "state_dict", "message_hub", "optimizer")
    if not isinstance(checkpoint, dict) or not all(isinstance(checkpoint.get(key), dict) for key in parts):
        raise BadCheckpoint("it is no checkpoint of a training")
    meta, hub = checkpoint["meta"], checkpoint["message_hub"]
    numbers = all(isinstance(meta.get(key), int) for key in ("epoch", "iter"))
    if not numbers or not {"log_scalars", "runtime_info", "resumed_keys"} <= hub.keys():
        raise BadCheckpoint("it is no checkpoint of a training")
    meta.pop("config", None)  # MMEngine would run it: to it this entry is a config file written in Python
    return checkpoint


def candidates(folder: Path) -> list[Path]:
    """The checkpoint that ``last_checkpoint`` names, then those before it, newest first."""
    try:
        pointer = (folder / "last_checkpoint").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []  # nothing was saved, or what is left is a failed training's
    name = re.split(r"[/\\]", pointer.strip())[-1]
    numbered = {path: number for path in folder.glob("*_*.pth") if (number := _number(path.name)) is not None}
    last = _number(name)
    before = [path for path, number in numbered.items() if last is None or number < last]
    first = [folder / name] if name.endswith(".pth") else []
    return first + sorted((path for path in before if path.name != name), key=numbered.get, reverse=True)


def _number(name: str) -> int | None:
    match = re.fullmatch(r"(?:iter|epoch)_(\d+)\.pth", name)
    return int(match[1]) if match else None


def check_fits(checkpoint: dict[str, Any], model: nn.Module, optim_wrapper: Any) -> None:
    """Refuse another model's checkpoint before anything is loaded from it.

    Raises:
        BadCheckpoint: it is another model's, or its optimizer trains other parameters.
    """
    check_state(checkpoint["state_dict"], model, "its weights")
    groups = checkpoint["optimizer"].get("param_groups")
    groups = groups if isinstance(groups, list) else None
    expected = [len(group["params"]) for group in optim_wrapper.optimizer.param_groups]
    found = [group.get("params") if isinstance(group, dict) else None for group in groups or ()]
    if any(type(params) is not list for params in found) or list(map(len, found)) != expected:
        raise BadCheckpoint("its optimizer trains other parameters")


def check_state(loaded: Any, model: nn.Module, what: str) -> None:
    """Raise `BadCheckpoint` unless `loaded` has the names and shapes of the model's state."""
    state = model.state_dict()
    if not isinstance(loaded, dict) or loaded.keys() != state.keys():
        raise BadCheckpoint(f"{what} are another model's")
    for name, value in state.items():
        if not isinstance(loaded[name], torch.Tensor) or loaded[name].shape != value.shape:
            raise BadCheckpoint(f"{what} are another model's")


def forget_checkpoints(work_dir: Path) -> None:
    """Remove the checkpoints of a training, the pointer to the last one first."""
    (work_dir / "last_checkpoint").unlink(missing_ok=True)
    for path in work_dir.glob("*.pth"):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


class PlainCheckpointHook(Hook):
    """Reduces a checkpoint to what `read_checkpoint` accepts, after all other hooks added to it."""

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        hub = checkpoint["message_hub"]
        # Histories of logged values only smooth the log, and grow with the training.
        info = hub["runtime_info"]
        kept = {key: value for key, value in hub["resumed_keys"].items() if key in info}
        checkpoint["message_hub"] = {"log_scalars": {}, "runtime_info": info, "resumed_keys": kept}
        for key, value in checkpoint.items():
            checkpoint[key] = _plain(value)


_OTHER = object()


def _plain(value: Any) -> Any:
    """A copy in tensors and plain values. Entries that are neither are left out.

    What is left out of a scheduler's or hook's state keeps the value that its constructor gave it.
    """
    if value is None or isinstance(value, bool | torch.Tensor | torch.Size | torch.dtype | torch.device):
        return value
    for kind in (int, float, str):
        if isinstance(value, kind):
            return kind(value)
    if isinstance(value, np.generic | np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, dict):
        copy = type(value)() if type(value) in (OrderedDict, Counter) else {}
        for key, item in value.items():
            if (plain := _plain(item)) is not _OTHER:
                copy[key] = plain
        if hasattr(value, "_metadata"):
            copy._metadata = value._metadata  # of a module's state: versions of its layers
        return copy
    if isinstance(value, list | tuple | set | frozenset) or hasattr(value, "popleft"):
        items = [plain for item in value if (plain := _plain(item)) is not _OTHER]
        return tuple(items) if isinstance(value, tuple) else items
    return _OTHER
