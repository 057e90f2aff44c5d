"""Taking times in turns, so that whatever else the machine does falls on all alike."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from benchmark.speed.energy import Meter
from common.progress import Report, silent
from common.training import group

ROUNDS = 7
"""Turns of each contender; the fastest and the slowest are dropped."""
TURN = 1.5
"""Seconds that a turn is to take: long beside the clock and beside what a step may be interrupted by."""


@dataclass
class Series:
    """Turns of one contender.

    Attributes:
        steps: of each turn.
        seconds: per step, of each turn.
        joules: per step, of each turn; empty where the machine does not tell.
    """

    steps: int
    seconds: list[float] = field(default_factory=list)
    joules: list[float] = field(default_factory=list)


def take_turns(
    contenders: Mapping[str, Callable[[int], None]],
    rounds: int = ROUNDS,
    turn: float = TURN,
    report: Report = silent,
    stage: str = "turns",
    clock: Callable[[], float] = time.perf_counter,
    meter: Meter | None = None,
    before: Mapping[str, Callable[[], None]] | None = None,
) -> dict[str, Series]:
    """Time contenders in turns: A B C A B C ..., every second round the other way round.

    Each is warmed up first, which also says how many steps its turns have. Processes that train together
    take every turn together, and the first one's clock counts.

    Args:
        contenders: name -> a function that makes so many steps, and returns when the device has done them.
        rounds: turns of each.
        turn: seconds that a turn should take; a step that takes longer is a turn.
        report: told of every turn.
        stage: what it is told.
        clock: seconds from some moment on.
        meter: of energy, where there is one.
        before: name -> what it does before each of its turns, untimed.

    Returns:
        name -> its turns, one per round.
    """
    ready = before or {}
    series = {}
    for name, make in contenders.items():
        ready.get(name, _nothing)()
        series[name] = Series(_steps_of_a_turn(make, turn, clock))
    done, total = 0, rounds * len(contenders)
    for number in range(rounds):
        order = list(contenders)
        # Whoever always came second would have a warmer, or a more crowded, machine.
        for name in order if number % 2 == 0 else reversed(order):
            report(stage, done, total)
            row = series[name]
            ready.get(name, _nothing)()
            group.wait()
            joules, begin = meter.joules() if meter else None, clock()
            contenders[name](row.steps)
            row.seconds.append((clock() - begin) / row.steps)
            if joules is not None:
                row.joules.append((meter.joules() - joules) / row.steps)
            done += 1
    return series


def _nothing() -> None:
    """What most do before a turn."""


def _steps_of_a_turn(make: Callable[[int], None], turn: float, clock: Callable[[], float]) -> int:
    """Warm up, and find how many steps take so long."""
    make(2)  # kernels are chosen, memory is taken
    group.wait()
    begin = clock()
    make(1)
    steps = max(1, math.ceil(turn / max(clock() - begin, 1e-9)))
    return group.gather(steps)[0]  # all make as many
