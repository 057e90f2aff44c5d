"""What k-NN, few-shot, calibration, retrieval and the probe cost beyond one forward pass of the images.

    python tests/performance/bench_features.py [ARCHITECTURE]

1,800 drawn images of 40 classes at 224 px (train 1,000, val 200, test 600), ViT-S/16 unless another
architecture is named; one process. The goal is a tenth of the forward pass for all of them together.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from mmengine.config import Config
from PIL import Image

from benchmark.tasks import load_task
from benchmark.tasks.base import TaskContext
from common.progress import silent

CLASSES, SIZE = 40, 224
COUNTS = {"train": 25, "val": 5, "test": 15}
TASKS = {
    "knn": {},
    "fewshot": {"shots": (1, 2, 4, 8, 16), "draws": 10},
    "retrieval": {},
    "linear_probe": {},
}


def draw(root: Path) -> Path:
    """Noisy gratings, whose direction and colour are their class."""
    generator = np.random.default_rng(0)
    y, x = np.mgrid[0:SIZE, 0:SIZE] / SIZE
    for split, count in COUNTS.items():
        for label in range(CLASSES):
            folder = root / split / f"class{label:02}"
            folder.mkdir(parents=True)
            angle, colour = np.pi * label / CLASSES, generator.uniform(0.3, 1, 3)
            for number in range(count):
                wave = np.sin(40 * (x * np.cos(angle) + y * np.sin(angle)) + generator.uniform(0, 6))
                pixels = 127 + 60 * wave[..., None] * colour + generator.normal(0, 40, (SIZE, SIZE, 3))
                file = folder / f"{number}.jpg"
                Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(file, quality=90)
    return root


def main() -> None:
    architecture = sys.argv[1] if len(sys.argv) > 1 else "vit_small_conv16"
    with tempfile.TemporaryDirectory() as folder:
        data, results = draw(Path(folder) / "data"), Path(folder) / "results"
        results.mkdir()

        def seconds(kind: str, settings: dict) -> float:
            cfg = Config({"task": {"type": kind, "data": "drawn", "workers": 1, **settings}})
            context = TaskContext(
                cfg, data, Path(folder), f"random:{architecture}", 0, silent, results=results
            )
            begin = time.perf_counter()
            load_task(kind).run(context)
            return time.perf_counter() - begin

        first = seconds("knn", {})  # extracts everything that the others read
        beyond = {kind: seconds(kind, settings) for kind, settings in TASKS.items()}
        forward = first - beyond["knn"]
        print(f"{architecture}: forward pass of {sum(COUNTS.values()) * CLASSES:,} images {forward:.1f} s")
        for kind, taken in beyond.items():
            print(f"  {kind:13} {taken:6.2f} s, {taken / forward:6.1%} of the forward pass")
        print(f"  together      {sum(beyond.values()):6.2f} s, {sum(beyond.values()) / forward:6.1%}")


if __name__ == "__main__":
    main()
