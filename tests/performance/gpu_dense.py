"""One iteration of Mask R-CNN and of DeepLabv3 by the paper's configs, on noise. Parts of gpu_check.py."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice, repeat
from pathlib import Path
from typing import Any

import torch
from dense_batches import detection_batch, segmentation_batch
from gpu_steps import Note
from mmengine.config import Config
from mmengine.model import ExponentialMovingAverage
from mmengine.optim import OptimWrapper, build_optim_wrapper
from mmengine.registry import MODELS, init_default_scope
from torch import nn

from common.machine import forget_peak_memory, peak_memory_bytes

CONFIGS = Path(__file__).parents[2] / "task_configs"


class Step:
    """One step as a training has it: forward, backward, optimizer, moving average, a look at the loss."""

    def __init__(self, model: nn.Module, wrapper: OptimWrapper, average: ExponentialMovingAverage) -> None:
        self.model = model.train()
        self.wrapper = wrapper
        self.average = average

    def __call__(self, batch: Any) -> float:
        """The loss of the batch; the device has done the step when it is known.

        Raises:
            FloatingPointError: it is not finite.
        """
        outputs = self.model.train_step(batch, self.wrapper)
        self.average.update_parameters(self.model)
        loss = outputs["loss"].item()
        if not math.isfinite(loss):
            raise FloatingPointError(f"the loss is {loss}")
        return loss

    def timed(self, batches: Iterator[Any], warmup: int, steps: int, device: torch.device) -> dict[str, Any]:
        """Seconds per step and the most memory (bytes, warming up included)."""
        forget_peak_memory(device)
        begin = time.perf_counter()
        for batch in islice(batches, warmup):
            self(batch)
        warm = time.perf_counter()
        for batch in islice(batches, steps):
            self(batch)
        return {
            "seconds_warming_up": warm - begin,
            "seconds_per_step": (time.perf_counter() - warm) / steps,
            "peak_memory_bytes": peak_memory_bytes(device),
        }


@dataclass(frozen=True)
class Dense:
    """A dense task's iteration.

    Attributes:
        config: of `task_configs`.
        size: pixels per side: of the training's crop, or the size that is tested at, which lies in the middle
            of those trained at.
        noise: a batch of so many images of such a size.
        smaller: what makes a miniature of the config, on the CPU: values by their keys.
    """

    config: str
    size: int
    noise: Callable[[int, int], dict[str, Any]]
    smaller: dict[str, Any]


DENSE = {
    # COCO has seven objects a picture
    "mask_rcnn": Dense(
        "detection/coco_mask_rcnn_vit_base.py",
        1024,
        lambda images, size: detection_batch(images, size, objects=7, classes=80),
        {
            "model.neck.in_channels": 32,
            "model.neck.out_channels": 32,
            "model.rpn_head.in_channels": 32,
            "model.rpn_head.feat_channels": 32,
            "model.roi_head.bbox_roi_extractor.out_channels": 32,
            "model.roi_head.mask_roi_extractor.out_channels": 32,
            "model.roi_head.bbox_head.in_channels": 32,
            "model.roi_head.bbox_head.conv_out_channels": 32,
            "model.roi_head.bbox_head.fc_out_channels": 32,
            "model.roi_head.mask_head.in_channels": 32,
            "model.roi_head.mask_head.conv_out_channels": 32,
            "model.train_cfg.rpn_proposal.max_per_img": 20,
            "model.train_cfg.rcnn.sampler.num": 8,
        },
    ),
    "deeplabv3": Dense(
        "segmentation/ade20k_deeplabv3_vit_base.py",
        512,
        lambda images, size: segmentation_batch(images, size, classes=150),
        {
            "model.data_preprocessor.size": (64, 64),
            "model.decode_head.in_channels": 32,
            "model.decode_head.channels": 16,
        },
    ),
}


def iteration(name: str, miniature: bool, device: torch.device, note: Note) -> None:
    """Time an iteration of the config's batch per GPU in float32, as the config has it, weights random.

    Args:
        name: a key of `DENSE`.
        miniature: a tiny backbone, small heads and images of 64 pixels.
        device: where.
        note: told ``batch_size``, ``image_size``, ``precision``, and what was measured.
    """
    dense = DENSE[name]
    cfg = Config.fromfile(CONFIGS / dense.config)
    cfg.model.backbone.weights = f"random:vit_{'nano' if miniature else 'base'}_conv16"
    if miniature:
        cfg.merge_from_dict(dense.smaller)
    images, size = cfg.train_dataloader.batch_size, 64 if miniature else dense.size
    note("config", f"task_configs/{dense.config}")
    note("batch_size", images)
    note("image_size", size)
    if cfg.optim_wrapper.type != "OptimWrapper":
        raise ValueError(f"{dense.config} does not train in float32: say in what here")
    note("precision", "float32")
    torch.manual_seed(0)
    init_default_scope(cfg.default_scope)
    model = MODELS.build(cfg.model)
    model.init_weights()
    model.to(device)
    wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    (average,) = (hook for hook in cfg.custom_hooks if hook.type == "EMAHook")
    settings = {key: value for key, value in average.items() if key != "type"}
    step = Step(model, wrapper, ExponentialMovingAverage(model, **settings))
    warmup, steps = (1, 1) if miniature else (2, 5)
    found = step.timed(repeat(dense.noise(images, size)), warmup, steps, device)
    for key, value in found.items():
        note(key, value)
