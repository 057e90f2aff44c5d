"""How well the cost model holds here: predicted against measured steps and memory.

    python tests/performance/bench_cost_model.py [--precision float32 bf16] [--device cuda]

Goals: memory within 10 %, seconds within 20 %. On a CPU it is one thread whose own time counts. Operators
are timed in another batch than is predicted, before and after the steps are, and the best of either counts:
all have then met the same neighbours. A step is a whole one: forward, backward, clipping, AdamW, average.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace

import torch
from torch.profiler import ProfilerActivity, profile

from benchmark.speed.calibration import calibrate
from benchmark.speed.contenders import Contender, contender_of
from benchmark.speed.cost_model import TERMS, step_terms
from benchmark.speed.counting import count
from benchmark.speed.devices import Device
from benchmark.speed.geometry import Geometry, load_geometry
from pretraining.objectives.base import ImageTextBatch

STEPS = 6
_TEXT = {"embed_dim": 256, "text_width": 256, "text_layers": 6, "text_heads": 4, "context_length": 48}


def other(architecture: str, image_size: int) -> Geometry:
    """A shape that is no default of anything."""
    objectives = {"catlip": {}, "clip": _TEXT}
    return Geometry(
        architecture=architecture,
        image_size=image_size,
        classes=1000,
        objectives=objectives,
        batch_size=8,
        samples=1000,
    )


CASES = (
    ("demo", load_geometry("demo"), 32, (16, 64, 128)),
    ("ViT-Ti/16 at 224 px", other("vit_tiny_conv16", 224), 4, (8,)),
    ("ViT-S/16 at 160 px", other("vit_small_conv16", 160), 4, (8,)),
    ("ViT-B/16 at 224 px", load_geometry("vit_b16"), 2, (4,)),
)
"""Name, geometry, the batch whose operators are timed, batches to predict."""


def step_seconds(contender: Contender, batch: ImageTextBatch, device: torch.device) -> float:
    """The least of a few steps, the first not among them."""
    clock = time.thread_time if device.type == "cpu" else time.perf_counter
    took = []
    for _ in range(STEPS + 1):
        begin = clock()
        contender.train([batch])
        if device.type == "cuda":
            torch.cuda.synchronize()
        took.append(clock() - begin)
    return min(took[1:])


def step_memory(contender: Contender, batch: ImageTextBatch, device: torch.device) -> int:
    """The most that a step holds, what lives between steps included."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
        contender.train([batch])
        return torch.cuda.max_memory_allocated()
    before = contender.state_bytes()
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as found:
        contender.train([batch])
    live = peak = 0
    events = [event for event in found.profiler.kineto_results.events() if event.name() == "[memory]"]
    for event in sorted(events, key=lambda event: event.start_ns()):
        live += event.nbytes()
        peak = max(peak, live)
    return before + peak


def best(one: Device, two: Device) -> Device:
    """Of two calibrations the faster rates."""
    rates = {operator: max(rate, two.rates.get(operator, 0.0)) for operator, rate in one.rates.items()}
    return replace(
        one, rates=rates, overhead=min(one.overhead, two.overhead), fresh=min(one.fresh, two.fresh)
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--precision", nargs="+", default=["float32"], choices=("float32", "bf16"))
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    given = parser.parse_args()
    torch.set_num_threads(1)
    device = torch.device(given.device)
    print("| geometry | precision | objective | batch | s | predicted | ratio | MB | predicted |")
    print("| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    worst_time = worst_memory = 0.0
    for title, geometry, known, sizes in CASES:
        for precision in given.precision:
            works = [count(name, geometry, known, precision, device.type) for name in geometry.objectives]
            here = calibrate(works, device)
            measured = {}
            for name in geometry.objectives:
                for size in sizes:
                    contender, batch = contender_of(name, geometry, device, precision, size)
                    if device.type == "cuda":
                        batch = batch.to(device)
                    seconds = step_seconds(contender, batch, device)
                    measured[name, size] = seconds, step_memory(contender, batch, device)
            here = best(here, calibrate(works, device))
            for (name, size), (seconds, memory) in measured.items():
                work = count(name, geometry, size, precision, device.type)
                terms = step_terms(work, here)
                ratio = terms.seconds / seconds
                worst_time = max(worst_time, abs(ratio - 1))
                worst_memory = max(worst_memory, abs(work.memory / memory - 1))
                print(
                    f"| {title} | {precision} | {name} | {size} | {seconds:.3f} | {terms.seconds:.3f} | "
                    f"{ratio:.2f} | {memory / 1e6:.1f} | {work.memory / 1e6:.1f} |",
                    flush=True,
                )
            parts = ", ".join(f"{term} {getattr(terms, term) / terms.seconds:.0%}" for term in TERMS[:5])
            print(f"<!-- the last one: {parts} -->", flush=True)
    print(f"\nAt most {worst_time:.0%} off in seconds (goal 20 %), {worst_memory:.1%} in memory (goal 10 %).")


if __name__ == "__main__":
    main()
