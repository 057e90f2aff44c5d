"""How fast the demo's pre-training is: against other ways to use the cores, and against the machine itself.

    python tests/performance/bench_pretraining.py [PAIRS]

PAIRS are the embedded pairs, labelled (default: results/data/demo/pairs; `python run_suite.py prepare demo`
draws them). Every figure is of whole runs of the command, in turns, without their first steps; ratios are of
runs that followed each other, and their median counts.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import pandas as pd
import torch

from backbones.precision import cpu_speeds, resolve
from common.machine import cores
from pretraining.data.augment import train_transform
from pretraining.data.batches import BatchMaker
from pretraining.data.shards import pair_splits
from pretraining.data.stream import TrainLoader, TrainStream
from pretraining.objectives.catlip import CatLIP

ROOT = Path(__file__).parents[2]
ROUNDS, STEPS, FIRST = 3, 24, 6
BATCH, WIDTH = 128, 192
GFLOP_PER_IMAGE = 0.63  # forward and backward of the demo's CatLIP, as its backbone.json counts them

# one process of all threads, and another one that loads: how the demo trained before
BEFORE = ["--processes", "1", "--set", "num_workers=1"]
EACH_CORE = ["--processes", str(cores())]
ONE_CORE = ["--processes", "1"]


def images_per_second(pairs: Path, options: list[str], threads: int) -> float:
    """Of one run of the demo's CatLIP, after its first steps."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, str(ROOT / "run_suite.py"), "pretrain", "pretraining/demo_catlip.py"]
        command += ["--out", folder, "--data", f"pairs={pairs}", "--set", f"samples={STEPS * BATCH}"]
        command += ["--set", "val_interval=100000", *options]
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
        subprocess.run(command, check=True, capture_output=True, cwd=ROOT, env=environment)
        history = pd.read_csv(Path(folder) / "history.csv").set_index("step")
    return (STEPS - FIRST) * BATCH / (history.seconds[STEPS] - history.seconds[FIRST])


@contextmanager
def busy_neighbour() -> Iterator[None]:
    """A process that keeps one core busy."""
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def compare(title: str, goal: str, first: list[float], second: list[float]) -> None:
    ratios = [a / b for a, b in zip(first, second, strict=True)]
    print(
        f"{title}: {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}; goal {goal}); "
        f"{statistics.median(first):.0f} and {statistics.median(second):.0f} images/s",
        flush=True,
    )


def product_rate() -> float:
    """GFLOP/s of a large float32 product on all cores."""
    matrix = torch.randn(2048, 2048)
    seconds = []
    for _ in range(8):
        start = time.perf_counter()
        matrix @ matrix
        seconds.append(time.perf_counter() - start)
    return 2 * 2048**3 / min(seconds) / 1e9


def loading_rate(pairs: Path) -> float:
    """Images per second that one process decodes and augments with CatLIP's labels."""
    maker = BatchMaker(train_transform(96, (0.8, 1.0)), CatLIP.reads(pairs, {}))
    batches = iter(TrainLoader(TrainStream(pair_splits(pairs)[0], maker, BATCH, 100, shuffle_buffer=4000)))
    list(islice(batches, 4))
    start = time.perf_counter()
    list(islice(batches, 16))
    return 16 * BATCH / (time.perf_counter() - start)


def main() -> None:
    pairs = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "results" / "data" / "demo" / "pairs"
    precision = resolve("auto", "cpu", WIDTH)
    speeds = cpu_speeds(WIDTH)
    print(
        f"{cores()} cores; precision {precision} (layers of one core: float32 {speeds.float32:.0f}, "
        f"bf16 {speeds.bf16:.0f} GFLOP/s)"
    )
    each, before, one, disturbed, disturbed_before, products = ([] for _ in range(6))
    for _ in range(ROUNDS):
        products.append(product_rate())
        each.append(images_per_second(pairs, EACH_CORE, 1))
        before.append(images_per_second(pairs, BEFORE, cores()))
        one.append(images_per_second(pairs, ONE_CORE, 1))
        with busy_neighbour():
            disturbed.append(images_per_second(pairs, EACH_CORE, 1))
            disturbed_before.append(images_per_second(pairs, BEFORE, cores()))
    compare("a process per core : one process of all threads and a loader", "1.3", each, before)
    compare("a process per core : one process of one thread", "1.6 on two cores", each, one)
    compare("with a busy neighbour : without", "0.5", disturbed, each)
    compare("the same of one process of all threads", "none", disturbed_before, before)
    of_products = [rate * GFLOP_PER_IMAGE / product for rate, product in zip(each, products, strict=True)]
    print(
        f"share of the machine's float32 product rate: {statistics.median(of_products):.2f} (goal 0.5); "
        f"{statistics.median(products):.0f} GFLOP/s"
    )
    loading, training = loading_rate(pairs), statistics.median(one)
    print(f"one process loads {loading:.0f} images/s, and trains on {training:.0f} with loading them")


if __name__ == "__main__":
    main()
