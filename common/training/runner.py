"""MMEngine's Runner, resuming from checkpoints that cannot run code."""

from __future__ import annotations

import re
from collections import Counter, OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch import nn


class BadCheckpoint(Exception):
    """A file that a training cannot go on from; the message says why."""


class ResumableRunner(Runner):
    """A Runner whose checkpoints hold tensors and plain values only, and are read as nothing else.

    MMEngine's own unpickles a checkpoint that holds more, which runs whatever code somebody put there. This
    one leaves the file aside, says so in the log, and goes on from the one before; where none is usable,
    training starts over. Only the work folder is looked into, whatever path ``last_checkpoint`` holds: the
    folder may have been moved.
    """

    def register_hooks(self, *args: Any, **kwargs: Any) -> None:
        super().register_hooks(*args, **kwargs)
        self.register_hook(_PlainCheckpoint(), priority="LOWEST")

    def load_or_resume(self) -> None:
        """Go on from the last usable checkpoint of the work folder, if the runner is to resume."""
        if self._has_loaded or not self._resume or self._load_from is not None:
            super().load_or_resume()
            return
        for path in _candidates(Path(self.work_dir)):
            try:
                self.resume(str(path))
                break
            except BadCheckpoint as error:
                self.logger.warning(f"{path.name} is left aside: {error}")
        else:
            self.logger.info("There is no checkpoint to resume from: training starts at its beginning.")
        self._has_loaded = True  # a test after training is of this model, not of what it has saved

    def load_checkpoint(self, filename: str, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Load weights, and whatever the hooks keep, from a checkpoint of this very model.

        Whatever device is asked for, the checkpoint is read into the CPU's memory: its values are copied to
        the model's device in any case.

        Raises:
            BadCheckpoint: the file cannot be read, or is another model's. Nothing has changed then.
        """
        checkpoint = read_checkpoint(Path(filename))
        model = self.model.module if is_model_wrapper(self.model) else self.model
        _check_fits(checkpoint, model, self.optim_wrapper)
        for hook in self.hooks:
            if hasattr(hook, "ema_model"):
                _check_state(checkpoint.get("ema_state_dict"), hook.ema_model, "its averaged weights")
        self.call_hook("after_load_checkpoint", checkpoint=checkpoint)
        model.load_state_dict(checkpoint["state_dict"])
        self._has_loaded = True
        return checkpoint


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


class _PlainCheckpoint(Hook):
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


def _candidates(folder: Path) -> list[Path]:
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


def _check_fits(checkpoint: dict[str, Any], model: nn.Module, optim_wrapper: Any) -> None:
    """Refuse another model's checkpoint before anything is loaded from it."""
    _check_state(checkpoint["state_dict"], model, "its weights")
    groups = checkpoint["optimizer"].get("param_groups")
    expected = [len(group["params"]) for group in optim_wrapper.optimizer.param_groups]
    if not isinstance(groups, list) or [len(group["params"]) for group in groups] != expected:
        raise BadCheckpoint("its optimizer trains other parameters")


def _check_state(loaded: Any, model: nn.Module, what: str) -> None:
    state = model.state_dict()
    if not isinstance(loaded, dict) or loaded.keys() != state.keys():
        raise BadCheckpoint(f"{what} are another model's")
    for name, value in state.items():
        if not isinstance(loaded[name], torch.Tensor) or loaded[name].shape != value.shape:
            raise BadCheckpoint(f"{what} are another model's")
