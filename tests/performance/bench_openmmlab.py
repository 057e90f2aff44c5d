"""Iteration time of our Mask R-CNN and DeepLabv3 against stock MMDetection and MMSegmentation, in turns.

    python tests/performance/bench_openmmlab.py

The reference is the same model around timm's bare ViT: no wrapper of ours, one parameter group, no progress
hook. On a machine without a compiled mmcv both use `backbones.openmmlab.ops`; both compute in float32.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

import torch
from dense_batches import detection_batch, segmentation_batch
from mmengine.config import Config
from mmengine.optim import OptimWrapper
from mmengine.registry import MODELS
from mmengine.runner import Runner
from timm.models.vision_transformer import VisionTransformer
from torch import nn

import backbones.openmmlab  # noqa: F401
from backbones import load_backbone
from benchmark.tasks.openmmlab_runner import ProgressHook

ROOT = Path(__file__).parents[2] / "task_configs"
ROUNDS, STEPS, BATCH = 21, 1, 4


@MODELS.register_module()
class BareViT(nn.Module):
    """timm's trunk, its tokens reshaped, and nothing else."""

    def __init__(self, weights: str, output_stride: int = 16) -> None:
        super().__init__()
        self.trunk: VisionTransformer = load_backbone(weights).trunk
        if output_stride == 8:
            self.trunk.patch_embed.conv1.stride = (2, 2)
        self.output_stride = output_stride
        for block in self.trunk.blocks:
            block.attn.fused_attn = False

    def init_weights(self) -> None:
        pass

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor]:
        height, width = (side // self.output_stride for side in images.shape[-2:])
        tokens = self.trunk.forward_features(images)[:, 1:]
        return (tokens.transpose(1, 2).unflatten(2, (height, width)).contiguous(),)


def build(path: str, reference: bool, folder: str) -> tuple[Runner, OptimWrapper]:
    cfg = Config.fromfile(ROOT / path)
    cfg.work_dir = folder
    cfg.model.backbone.weights = "random:vit_mini_conv16"
    cfg.train_dataloader = cfg.val_dataloader = cfg.test_dataloader = None
    cfg.train_cfg = cfg.val_cfg = cfg.test_cfg = None
    cfg.val_evaluator = cfg.test_evaluator = cfg.param_scheduler = None
    cfg.optim_wrapper.type, cfg.log_level = "OptimWrapper", "ERROR"
    cfg.optim_wrapper.pop("precision")
    if reference:
        stride = cfg.model.backbone.get("output_stride", 16)
        cfg.model.backbone = {
            "type": "BareViT",
            "weights": "random:vit_mini_conv16",
            "output_stride": stride,
        }
        cfg.optim_wrapper.pop("constructor")
        cfg.optim_wrapper.pop("paramwise_cfg")
    optim_wrapper = cfg.pop("optim_wrapper")
    runner = Runner.from_cfg(cfg)
    runner.model.init_weights()
    return runner, runner.build_optim_wrapper(optim_wrapper)


def seconds(runner: _Counted, wrapper: OptimWrapper, batch: dict, hook: ProgressHook | None) -> float:
    begin = time.perf_counter()
    for step in range(STEPS):
        outputs = runner.model.train_step(batch, wrapper)
        if hook is not None:
            hook.after_train_iter(runner, step, batch, outputs)
    return (time.perf_counter() - begin) / STEPS


class _Counted:
    """What the hook asks of a runner."""

    iter, max_iters = 0, 1

    def __init__(self, runner: Runner) -> None:
        self.model = runner.model


def main() -> None:
    torch.manual_seed(0)
    hook = ProgressHook(lambda *state: None)
    tasks = {
        "Mask R-CNN": ("detection/demo_mask_rcnn.py", lambda: detection_batch(BATCH, 160)),
        "DeepLabv3": ("segmentation/demo_deeplabv3.py", lambda: segmentation_batch(BATCH, 128)),
    }
    for name, (path, make) in tasks.items():
        with tempfile.TemporaryDirectory() as folder:
            (ours, our_wrapper), (stock, stock_wrapper) = (
                build(path, reference, folder) for reference in (False, True)
            )
            batch = make()
            ours, stock = _Counted(ours), _Counted(stock)
            for runner, wrapper, kept in ((ours, our_wrapper, hook), (stock, stock_wrapper, None)):
                runner.model.train()
                seconds(runner, wrapper, batch, kept)
            ratios, times = [], []
            for turn in range(ROUNDS):
                pair = {}
                order = [("stock", stock, stock_wrapper, None), ("ours", ours, our_wrapper, hook)]
                for label, runner, wrapper, kept in order if turn % 2 else order[::-1]:
                    pair[label] = seconds(runner, wrapper, batch, kept)
                ratios.append(pair["ours"] / pair["stock"])
                times.append(pair["ours"])
        print(
            f"{name}: {1000 * statistics.median(times):.0f} ms per iteration of {BATCH} images, "
            f"{statistics.median(ratios):.2f} x stock ({min(ratios):.2f} to {max(ratios):.2f})"
        )


if __name__ == "__main__":
    main()
