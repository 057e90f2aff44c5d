"""Phases of a step: they are all there, in the time that the step takes, and nothing is left behind."""

import time

import pytest
import torch
from gpu_steps import MINIATURE

from benchmark.speed.contenders import contender_of
from benchmark.speed.phases import PHASES, Timeline, watched

CPU = torch.device("cpu")


@pytest.mark.parametrize(("name", "missing"), [("clip", set()), ("catlip", {"text tower"})])
def test_the_phases_make_up_the_step(one_thread, name, missing):
    training, batch = contender_of(name, MINIATURE, CPU, "float32", 4)
    training.train([batch])
    timeline = Timeline(CPU)
    begin = time.perf_counter()
    with watched(training, timeline):
        for _ in range(3):
            timeline.begin("data")
            training.step(batch)
            timeline.begin(None)
    whole = time.perf_counter() - begin
    found = timeline.seconds()
    assert found.keys() == set(PHASES) - missing
    assert 0 < sum(found.values()) <= whole
    assert "backward" not in vars(training.wrapper)
    training.step(batch)  # nobody watches any more
    assert timeline.seconds() == found


def test_time_between_steps_is_nobodys():
    timeline = Timeline(CPU)
    timeline.begin("data")
    timeline.begin(None)
    time.sleep(0.05)
    timeline.begin("data")
    timeline.begin(None)
    assert timeline.seconds()["data"] < 0.05


def test_a_hook_is_removed_when_a_step_fails(one_thread):
    training, _ = contender_of("clip", MINIATURE, CPU, "float32", 4)
    with pytest.raises(RuntimeError), watched(training, Timeline(CPU)):
        raise RuntimeError
    assert not training.model.vit._forward_hooks and not training.model.objective.text._forward_pre_hooks
