"""Training images/s of the demo's ViT on CPU: our settings against timm's defaults, in turns in one run.

python tests/performance/bench_cpu_attention.py
"""

from __future__ import annotations

import statistics
import time

import torch

from backbones import load_backbone
from backbones.precision import autocast, resolve
from backbones.vit import ViT, tune

BATCH, STEPS, ROUNDS = 64, 5, 5


def seconds_per_step(vit: ViT) -> float:
    images = torch.rand(BATCH, 3, 96, 96)
    begin = time.perf_counter()
    for _ in range(STEPS):
        with autocast("cpu", resolve("auto", "cpu", vit.embed_dim)):
            loss = vit(images).class_token.float().square().mean()
        loss.backward()
        vit.zero_grad()
    return (time.perf_counter() - begin) / STEPS


def main() -> None:
    name = "random:vit_mini_conv16"
    default, tuned = load_backbone(name).train(), tune(load_backbone(name).train(), "cpu")
    for vit in (default, tuned):
        seconds_per_step(vit)
    ratios, rates = [], []
    for _ in range(ROUNDS):
        reference, ours = seconds_per_step(default), seconds_per_step(tuned)
        ratios.append(reference / ours)
        rates.append(BATCH / ours)
    print(
        f"tuned: {statistics.median(rates):.0f} images/s; {statistics.median(ratios):.2f} x timm's defaults"
    )


if __name__ == "__main__":
    main()
