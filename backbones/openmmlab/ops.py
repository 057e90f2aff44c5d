"""The mmcv operators Mask R-CNN needs, on torchvision's kernels, where mmcv was installed without compiled
ones.

mmcv's compiled module `mmcv._ext` takes a compiler and a quarter of an hour to build. `install` puts a
Python module in its place that hands non-maximum suppression and RoIAlign to torchvision, on CPU and GPU.
Every other operator raises an error that names itself once it is called. A compiled mmcv is never replaced.
"""

from __future__ import annotations

import importlib
import importlib.machinery
import logging
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import torch
import torchvision  # noqa: F401  registers torch.ops.torchvision
from torch import Tensor

logger = logging.getLogger(__name__)

NAME = "mmcv._ext"
_HALF = (torch.float16, torch.bfloat16)


def install() -> bool:
    """Make `mmcv.ops` usable. Idempotent.

    Returns:
        True when torchvision's kernels serve, False when a compiled mmcv does.
    """
    loaded = sys.modules.get(NAME)
    if loaded is not None:
        return isinstance(loaded, _Extension)
    try:
        importlib.import_module(NAME)
        return False
    except ModuleNotFoundError as error:
        if error.name != NAME:
            raise
    except ImportError as error:
        # Compiled, but for another torch: its symbols are missing.
        logger.warning("mmcv's compiled operators cannot be loaded (%s); torchvision's are used", error)
    sys.modules[NAME] = module = _Extension()
    importlib.import_module("mmcv")._ext = module
    _mend_placeholders()
    return True


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float, offset: int) -> Tensor:
    """Greedy non-maximum suppression.

    Args:
        boxes: [N, 4] as x1, y1, x2, y2.
        scores: [N].
        iou_threshold: boxes that overlap a better one by more than this are dropped.
        offset: 1 where the corners are inclusive pixels (a box is x2 - x1 + 1 wide), else 0.

    Returns:
        Indices of the boxes that stay, by falling score.
    """
    boxes, scores = _float(boxes, scores)
    if offset:
        boxes = boxes + boxes.new_tensor([0.0, 0.0, offset, offset])
    return torch.ops.torchvision.nms(boxes, scores, iou_threshold)


def roi_align_forward(
    input: Tensor,
    rois: Tensor,
    output: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """RoIAlign by averaging (arXiv 1703.06870), written into `output`.

    Args:
        input: [B, C, H, W].
        rois: [K, 5] as image index, x1, y1, x2, y2 in pixels of the image.
        output: [K, C, aligned_height, aligned_width], filled here.
        argmax_y, argmax_x: of max pooling; not used.
        pool_mode: 1 for averaging, the only mode there is.

    Raises:
        NotImplementedError: max pooling is asked for.
    """
    _check_mode(pool_mode)
    features, boxes = _float(input, rois)
    result = torch.ops.torchvision.roi_align(
        features, boxes, spatial_scale, aligned_height, aligned_width, sampling_ratio, aligned
    )
    output.copy_(result)


def roi_align_backward(
    grad_output: Tensor,
    rois: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    grad_input: Tensor,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """Gradient of `roi_align_forward` with respect to its input, written into `grad_input` [B, C, H, W]."""
    _check_mode(pool_mode)
    gradient, boxes = _float(grad_output, rois)
    result = torch.ops.torchvision._roi_align_backward(
        gradient,
        boxes,
        spatial_scale,
        aligned_height,
        aligned_width,
        *grad_input.shape,
        sampling_ratio,
        aligned,
    )
    grad_input.copy_(result)


class _Extension(ModuleType):
    """Stands where `mmcv._ext` would. Any name is there, because mmcv asks for all of them on import."""

    nms = staticmethod(nms)
    roi_align_forward = staticmethod(roi_align_forward)
    roi_align_backward = staticmethod(roi_align_backward)

    def __init__(self) -> None:
        super().__init__(NAME, __doc__)
        self.__spec__ = importlib.machinery.ModuleSpec(NAME, None, origin=__file__)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("__"):
            raise AttributeError(name)
        return _missing(name)


def _missing(name: str) -> Callable[..., Any]:
    def operator(*args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(
            f"mmcv's operator {name!r} is not among those that torchvision replaces (nms, roi_align): "
            "compile mmcv (pip install --force-reinstall --no-deps --no-build-isolation onedl-mmcv: a C++ "
            "compiler and some minutes) or use a model without it"
        )

    operator.__name__ = name
    return operator


def _check_mode(pool_mode: int) -> None:
    if pool_mode != 1:
        raise NotImplementedError(
            "mmcv's operator 'roi_align' with pool_mode='max' is not among those that torchvision replaces: "
            "use pool_mode='avg', or compile mmcv"
        )


def _float(values: Tensor, others: Tensor) -> tuple[Tensor, Tensor]:
    """Both in one type that the kernels know: half precision becomes float32."""
    dtype = torch.float32 if values.dtype in _HALF else values.dtype
    return values.to(dtype), others.to(dtype)


def _mend_placeholders() -> None:
    """Replace the stand-ins that MMDetection's modules defined when they were imported before `install`.

    They read ``try: from mmcv.ops import nms / except ImportError: def nms(...): raise ...``; some of them
    are loaded by `mmdet.utils`, which the stock training script imports before it reads a config.
    """
    stale = []
    for module_name, module in list(sys.modules.items()):
        if not module_name.startswith(("mmdet.", "mmseg.")):
            continue
        for name in ("nms", "batched_nms", "roi_align"):
            value = vars(module).get(name)
            if callable(value) and getattr(value, "__module__", None) == module_name:
                stale.append((module, name))
    if stale:
        operators = importlib.import_module("mmcv.ops")
        for module, name in stale:
            setattr(module, name, getattr(operators, name))
