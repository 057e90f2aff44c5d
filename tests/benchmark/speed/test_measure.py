"""Turns against a clock of our own: what the machine does to all cancels, what one contender does shows."""

import numpy as np
import pytest

from benchmark.speed.measure import take_turns
from benchmark.statistics.trimmed import paired_ratio


class Machine:
    """A machine whose pace wanders, and which is now and then busy with something else."""

    def __init__(self, seed: int = 0) -> None:
        self.now, self.log = 0.0, []
        self._random = np.random.default_rng(seed)
        self._pace = 1.0

    def clock(self) -> float:
        return self.now

    def contender(self, name: str, seconds: float):
        def steps(count: int) -> None:
            self.log.append((name, count))
            for _ in range(count):
                self._pace *= np.exp(self._random.normal(0, 0.002))
                burst = 5.0 if self._random.random() < 0.002 else 1.0
                self.now += seconds * self._pace * burst * self._random.lognormal(0, 0.02)

        return steps


def turns(machine: Machine, rounds: int = 7, turn: float = 5.0, **seconds: float):
    contenders = {name: machine.contender(name, value) for name, value in seconds.items()}
    return take_turns(contenders, rounds, turn, clock=machine.clock)


def test_a_planted_slow_down_is_found_within_five_percent():
    found = []
    for seed in range(40):
        series = turns(Machine(seed), plain=0.1, slow=0.13)
        found.append(paired_ratio(series["slow"].seconds, series["plain"].seconds).value)
    assert np.mean(np.abs(np.array(found) / 1.3 - 1) <= 0.05) >= 0.95


def test_a_step_against_itself_shows_no_difference():
    held = 0
    for seed in range(100):
        series = turns(Machine(seed), one=0.1, other=0.1)
        interval = paired_ratio(series["one"].seconds, series["other"].seconds)
        held += interval.low <= 1 <= interval.high
    assert held >= 90


def test_contenders_take_turns_and_every_second_round_the_other_way_round():
    machine = Machine()
    series = turns(machine, rounds=3, turn=0.0, a=1.0, b=1.0)
    warming, measured = machine.log[:4], machine.log[4:]
    assert [name for name, _ in warming] == ["a", "a", "b", "b"]
    assert [name for name, _ in measured] == ["a", "b", "b", "a", "a", "b"]
    assert all(len(row.seconds) == 3 and row.steps == 1 for row in series.values())


def test_a_turn_is_as_many_steps_as_fill_it():
    series = turns(Machine(), turn=5.0, quick=0.01, slow=20.0)
    assert 400 <= series["quick"].steps <= 600 and series["slow"].steps == 1


def test_what_comes_before_a_turn_is_not_timed():
    machine, readied = Machine(), []

    def ready():
        readied.append(machine.now)
        machine.now += 1000.0

    contenders = {"a": machine.contender("a", 0.1), "b": machine.contender("b", 0.1)}
    series = take_turns(contenders, 5, 1.0, clock=machine.clock, before={"b": ready})
    assert len(readied) == 6 and max(series["b"].seconds) < 10


def test_energy_is_that_of_the_turns():
    machine = Machine()

    class Meter:
        def joules(self) -> float:
            return 3.0 * machine.now

    series = take_turns({"a": machine.contender("a", 0.1)}, 5, 1.0, clock=machine.clock, meter=Meter())["a"]
    assert series.joules == pytest.approx([3 * seconds for seconds in series.seconds])


def test_every_turn_is_told():
    told, machine = [], Machine()
    take_turns(
        {"a": machine.contender("a", 1.0)}, 5, 0.0, clock=machine.clock, stage="here",
        report=lambda stage, done, total: told.append((stage, done, total)),
    )  # fmt: skip
    assert told == [("here", done, 5) for done in range(5)]
