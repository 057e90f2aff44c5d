"""What a training step spends its time on."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from benchmark.speed.contenders import Training

PHASES = ("data", "image tower", "text tower", "loss", "backward", "optimizer")
"""``loss`` is the rest of the objective: classifier, projections, similarities, gathering features. The
``optimizer`` clips, steps and averages."""


class Timeline:
    """Moments at which phases begin, on the device's own time line: nothing waits for being timed."""

    def __init__(self, device: torch.device) -> None:
        self._cuda = device.type == "cuda"
        self._moments: list[tuple[str | None, float | torch.cuda.Event]] = []

    def begin(self, phase: str | None) -> None:
        """From here on it is another phase; None: nobody's time."""
        if self._cuda:
            moment = torch.cuda.Event(enable_timing=True)
            moment.record()
        else:
            moment = time.perf_counter()
        self._moments.append((phase, moment))

    def seconds(self) -> dict[str, float]:
        """phase -> seconds, summed over all the times that it was on; those that were not are left out."""
        found: dict[str, float] = defaultdict(float)
        if self._cuda:
            torch.cuda.synchronize()
        for (phase, start), (_, end) in zip(self._moments, self._moments[1:], strict=False):
            if phase is not None:
                found[phase] += start.elapsed_time(end) / 1e3 if self._cuda else end - start
        return dict(found)


@contextmanager
def watched(training: Training, timeline: Timeline) -> Iterator[None]:
    """A block in which every step of a training tells the time line of its phases.

    The step is taken to begin in phase ``data``; whoever makes it says so, and says when it has ended.
    """
    model, wrapper = training.model, training.wrapper
    marks = [
        model.vit.register_forward_pre_hook(lambda *_: timeline.begin("image tower")),
        model.vit.register_forward_hook(lambda *_: timeline.begin("loss")),
    ]
    if (tower := model.objective.text_tower) is not None:
        marks.append(tower.register_forward_pre_hook(lambda *_: timeline.begin("text tower")))
        marks.append(tower.register_forward_hook(lambda *_: timeline.begin("loss")))
    backward = wrapper.backward

    def timed_backward(*args: object, **kwargs: object) -> None:
        timeline.begin("backward")
        backward(*args, **kwargs)
        timeline.begin("optimizer")

    wrapper.backward = timed_backward
    try:
        yield
    finally:
        del wrapper.backward
        for mark in marks:
            mark.remove()
