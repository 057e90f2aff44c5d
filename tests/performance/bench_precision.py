"""The demo ViT's training step in the precision that 'auto' takes, against the other, in turns in one run.

python tests/performance/bench_precision.py
"""

from __future__ import annotations

import statistics
import time

import torch

from backbones import load_backbone
from backbones.precision import autocast, cpu_speeds, resolve, time_cpu
from backbones.vit import ViT, tune

BATCH, ROUNDS = 64, 9


def seconds(vit: ViT, images: torch.Tensor, precision: str) -> float:
    begin = time.perf_counter()
    with autocast("cpu", precision):
        loss = vit(images).class_token.float().square().mean()
    loss.backward()
    vit.zero_grad()
    return time.perf_counter() - begin


def main() -> None:
    vit = tune(load_backbone("random:vit_mini_conv16").train(), "cpu")
    images = torch.rand(BATCH, 3, 96, 96)
    chosen = resolve("auto", "cpu", vit.embed_dim)
    other = "float32" if chosen == "bf16" else "bf16"
    pairs = [[seconds(vit, images, precision) for precision in (chosen, other)] for _ in range(1 + ROUNDS)][
        1:
    ]
    ratios = [slow / fast for fast, slow in pairs]
    begin = time.perf_counter()
    time_cpu(vit.embed_dim)
    timing = time.perf_counter() - begin
    float32, bf16 = cpu_speeds(vit.embed_dim)
    print(
        f"auto is {chosen} (float32 {float32:.0f}, bf16 {bf16:.0f} GFLOP/s on one core; "
        f"timing takes {1000 * timing:.0f} ms): a step of {BATCH} images is "
        f"{statistics.median(ratios):.2f} x as fast as in {other} ({min(ratios):.2f} to {max(ratios):.2f})"
    )


if __name__ == "__main__":
    main()
