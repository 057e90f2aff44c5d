"""A training step at ViT-B/16 against what others would need: the bare ViT, and OpenCLIP's own CLIP.

    python tests/performance/bench_step.py [BATCH]

CatLIP's head and loss are to cost next to nothing beside the ViT; our CLIP no more than OpenCLIP's at the
same geometry. Steps are forward, backward and AdamW on synthetic images, in the precision that this machine
trains in, in turns; ratios are of steps that followed each other, and their median counts.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable

import open_clip
import torch
from torch import Tensor

from backbones.architectures import ARCHITECTURES
from backbones.precision import autocast, resolve
from backbones.vit import build_vit, tune
from pretraining.model import ImageTextModel
from pretraining.objectives.base import ImageTextBatch
from pretraining.objectives.catlip import CatLIP
from pretraining.objectives.clip import CLIP

ROUNDS = 5
CLASSES, LABELS = 24_320, 4  # the largest vocabulary that CoreNet publishes; labels per image
WIDTH, CONTEXT = 768, 77


def step_of(model: torch.nn.Module, loss: Callable[[], Tensor], precision: str) -> Callable[[], float]:
    """A function that makes one step and says how many seconds it took."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5, weight_decay=0.2, fused=True)

    def step() -> float:
        start = time.perf_counter()
        with autocast("cpu", precision):
            value = loss()
        value.backward()
        optimizer.step()
        optimizer.zero_grad()
        return time.perf_counter() - start

    return step


def main() -> None:
    batch = int(sys.argv[1]) if len(sys.argv) > 1 else 32
    precision = resolve("auto", "cpu", WIDTH)
    layout = ARCHITECTURES["vit_base_patch16"]
    rows = torch.arange(batch).repeat_interleave(LABELS)
    data = ImageTextBatch(
        torch.randint(0, 256, (batch, 3, 224, 224), dtype=torch.uint8),
        ["a caption"] * batch,
        text=torch.randint(1, 49_000, (batch, CONTEXT)),
        label_rows=rows,
        label_classes=torch.randint(0, CLASSES, rows.shape),
    )

    def ours(objective: torch.nn.Module) -> Callable[[], float]:
        model = ImageTextModel(tune(build_vit(layout), "cpu"), objective).train()
        return step_of(model, lambda: model(data)["loss"], precision)

    bare = tune(build_vit(layout), "cpu").train()
    images = data.images.float() / 255
    clip = open_clip.CLIP(
        512,
        vision_cfg={"layers": 12, "width": WIDTH, "patch_size": 16, "image_size": 224},
        text_cfg={"layers": 12, "width": 512, "heads": 8, "context_length": CONTEXT, "vocab_size": 49_408},
    ).train()
    contrast = open_clip.ClipLoss()
    counts = [1000] * CLASSES
    steps = {
        "ViT": step_of(bare, lambda: bare(images).class_token.square().mean(), precision),
        "CatLIP": ours(CatLIP(WIDTH, class_counts=counts, num_captions=1_000_000)),
        "OpenCLIP": step_of(clip, lambda: contrast(*clip(images, data.text)[:3]), precision),
        "CLIP": ours(CLIP(WIDTH)),
    }
    for step in steps.values():
        step()
    seconds = {name: [] for name in steps}
    for _ in range(ROUNDS):
        for name, step in steps.items():
            seconds[name].append(step())
    print(f"batch {batch}, {precision}")
    for name, taken in seconds.items():
        print(f"{name}: {batch / statistics.median(taken):.2f} images/s")
    for name, reference, goal in (("CatLIP", "ViT", 0.95), ("CLIP", "OpenCLIP", 1.0)):
        ratios = [theirs / ours for ours, theirs in zip(seconds[name], seconds[reference], strict=True)]
        spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
        print(f"{name} : {reference} in images/s: {statistics.median(ratios):.2f} ({spread}; goal {goal})")


if __name__ == "__main__":
    main()
