"""From a file's keys to a trunk's tensors, with an account of every key."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from common.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor, nn


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
