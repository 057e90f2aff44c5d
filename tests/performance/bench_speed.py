"""Whether the speed command's turns find a slow-down that was planted, and none where there is none.

    python tests/performance/bench_speed.py [BATCH]

The demo's CatLIP step takes turns with itself, and with one that makes 13 steps where the other makes 10. The
first ratio is to be 1 within its interval, the second 1.30 within 5 %, on a busy machine, too.
"""

from __future__ import annotations

import sys

import torch

from backbones.precision import resolve
from benchmark.speed.contenders import contender_of
from benchmark.speed.geometry import load_geometry
from benchmark.speed.measure import take_turns
from benchmark.speed.study import again, steps_of
from benchmark.statistics.trimmed import paired_ratio

ROUNDS, TURN = 9, 3.0
PLANTED = 1.3


def main() -> None:
    size = int(sys.argv[1]) if len(sys.argv) > 1 else 16
    device, geometry = torch.device("cpu"), load_geometry("demo")
    precision = resolve("auto", device, geometry.layout.embed_dim)
    contender, batch = contender_of("catlip", geometry, device, precision, size)
    step = steps_of(contender, again(batch, device), device)

    def slower(count: int) -> None:
        step(round(PLANTED * count))

    # Turns of tens of steps, so that 1.3 times as many are a whole number.
    contenders = {"step": lambda count: step(10 * count), "itself": lambda count: step(10 * count)}
    contenders["slower"] = lambda count: slower(10 * count)
    turns = take_turns(contenders, ROUNDS, TURN)
    for name, truth in (("itself", 1.0), ("slower", PLANTED)):
        ratio = paired_ratio(turns[name].seconds, turns["step"].seconds)
        holds = "holds" if ratio.low <= truth <= ratio.high else "does not hold"
        print(
            f"{name} : step in seconds: {ratio.value:.3f} [{ratio.low:.3f}, {ratio.high:.3f}] "
            f"(planted: {truth}, {100 * (ratio.value / truth - 1):+.1f} %, the interval {holds} it)"
        )


if __name__ == "__main__":
    main()
