"""The last step of every reader: a `ViT` from a trunk, its weights and its preprocessing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from backbones.checkpoints.keys import KeyReport, fill
from backbones.layout import Layout
from backbones.preprocessing import Preprocessing
from backbones.trunk import build_trunk
from backbones.vit import SynsetClassifier, ViT

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
HALF = (0.5, 0.5, 0.5)


class _WithoutInit(TorchFunctionMode):
    """Leaves out `torch.nn.init`: on the meta device it draws nothing, and it takes half of the time."""

    def __torch_function__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        kwargs = kwargs or {}
        if getattr(func, "__module__", None) == "torch.nn.init":
            return kwargs["tensor"] if "tensor" in kwargs else args[0]
        return func(*args, **kwargs)


def empty_trunk(layout: Layout) -> nn.Module:
    """A trunk without memory; `fill` or `adopt` puts the file's tensors in."""
    with torch.device("meta"), _WithoutInit():
        return build_trunk(layout, draw=False)


def assemble(
    trunk: Layout | nn.Module,
    tensors: dict[str, Tensor],
    report: KeyReport,
    path: Path,
    preprocessing: Preprocessing,
    classifier: SynsetClassifier | None = None,
) -> ViT:
    """Fill the trunk and wrap it, in evaluation mode.

    Raises:
        UserError: the tensors do not fit.
    """
    if isinstance(trunk, Layout):
        trunk = empty_trunk(trunk)
    fill(trunk, tensors, report, path)
    return ViT(trunk, preprocessing, classifier, report).eval()
