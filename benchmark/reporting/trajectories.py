"""Quality by cost: what the points of a suite's curve say, backbone by backbone, before it is laid out."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations
from typing import TYPE_CHECKING

from backbones.card import Card, TrainingCost
from benchmark.records.schema import Metric, Record
from benchmark.reporting.results import Results

if TYPE_CHECKING:
    from benchmark.statistics.crossing import Comparison, Curve

COSTS = {"samples": "samples", "flops": "FLOPs", "seconds": "wall seconds"}
"""What quality is drawn and compared against: fields of `backbones.card.TrainingCost` -> words."""

_Z = 1.959964


@dataclass(frozen=True)
class Point:
    """A backbone at one place on its way, or at its end.

    Attributes:
        records: pre-training seed -> the records of its transfers, at least one.
        metric: that is looked at.
    """

    records: dict[int, list[Record]]
    metric: str

    def cost(self, kind: str, seed: int | None = None) -> float:
        """What pre-training had cost by then: of one seed, or the mean over seeds.

        Args:
            kind: a key of `COSTS`.
        """
        costs = [
            getattr(cost_of(self.records[s][0]), kind) for s in ([seed] if seed is not None else self.records)
        ]
        return sum(costs) / len(costs)

    def metrics(self) -> list[Metric]:
        return [record.metrics[self.metric] for records in self.records.values() for record in records]

    def value(self, seed: int | None = None) -> float:
        """The figure: of one pre-training seed, mean over its transfers, or the mean over seeds."""
        if seed is None:
            return sum(map(self.value, self.records)) / len(self.records)
        values = [record.metrics[self.metric].value for record in self.records[seed]]
        return sum(values) / len(values)

    @property
    def interval(self) -> tuple[float, float] | None:
        """Of the test set, mean over runs; None where one has none."""
        metrics = self.metrics()
        if any(metric.low is None or metric.high is None for metric in metrics):
            return None
        return tuple(sum(getattr(m, end) for m in metrics) / len(metrics) for end in ("low", "high"))

    @property
    def error(self) -> float:
        """Standard error by the test set, as the interval's width tells; 0 where there is none."""
        low, high = self.interval or (0.0, 0.0)
        return (high - low) / (2 * _Z)


@dataclass(frozen=True)
class Trajectory:
    """One backbone's points on a task, by rising cost, the end the last; at least two.

    Attributes:
        name: of the backbone.
        metric: the task's primary one.
        seeds: of pre-training, the same at every point.
    """

    name: str
    task: str
    metric: str
    points: list[Point]
    seeds: list[int]

    @property
    def sample(self) -> Metric:
        """Any of the metrics: unit and direction are the same in all."""
        return self.points[-1].metrics()[0]

    @property
    def best(self) -> float:
        """The best figure of a point, mean over seeds."""
        return (max if self.sample.higher_is_better else min)(point.value() for point in self.points)

    @property
    def has_intervals(self) -> bool:
        return all(point.interval for point in self.points)

    def curve(self, kind: str, stream: int = 0, seed: int | None = None) -> Curve:
        """As numbers, larger the better.

        Args:
            kind: of cost.
            stream: of the draws.
            seed: of pre-training; None: all of them.
        """
        import numpy as np

        from benchmark.statistics.crossing import Curve

        sign = 1 if self.sample.higher_is_better else -1
        seeds = self.seeds if seed is None else [seed]
        return Curve(
            costs=np.array([point.cost(kind, seed) for point in self.points], dtype=float),
            qualities=np.array([[sign * point.value(s) for point in self.points] for s in seeds]),
            errors=np.array([point.error for point in self.points]),
            stream=stream,
        )

    def cost_of(self, quality: float, kind: str, seed: int | None = None) -> tuple[str, float | None]:
        """What a quality cost: ``reached`` and the cost, or ``at most``, or ``never reached`` and None."""
        import numpy as np

        from benchmark.statistics.crossing import first_reached

        curve = self.curve(kind, seed=seed)
        level = quality if self.sample.higher_is_better else -quality
        cost = float(first_reached(curve.costs, curve.mean[None], np.array([[level]]))[0, 0])
        if cost == float("inf"):
            return "never reached", None
        return ("at most" if level < curve.mean[0] else "reached"), cost


def cost_of(record: Record) -> TrainingCost | None:
    """What the pre-training of a record's backbone had cost."""
    return Card.from_record(record.backbone.description).cost


def trajectories(results: Results) -> dict[str, list[Trajectory]]:
    """Task -> the trajectories of its backbones, for tasks where there are any."""
    found = {}
    for task in dict.fromkeys(row.task for row in results.points):
        ways = [way for name in results.backbones if (way := _trajectory(results, name, task))]
        if ways:
            found[task] = ways
    return found


def kinds(ways: list[Trajectory]) -> list[str]:
    """Kinds of cost that are known of every point of all of them."""
    every = [cost_of(r) for way in ways for point in way.points for rs in point.records.values() for r in rs]
    return [kind for kind in COSTS if all(getattr(cost, kind) for cost in every)]


def comparisons(ways: list[Trajectory], kind: str) -> dict[tuple[str, str], Comparison]:
    """(backbone, baseline) -> how much more the baseline cost; both directions of every pair."""
    from benchmark.statistics.crossing import compare

    curves = {way.name: way.curve(kind, stream) for stream, way in enumerate(ways)}
    return {(one, other): compare(curves[one], curves[other]) for one, other in permutations(curves, 2)}


def floors(results: Results, way: Trajectory) -> dict[str, Metric]:
    """What backbones of random weights have on the same task: what a curve begins at, at no cost."""
    random = [name for name in results.backbones if results.card(name).source == "random"]
    scores = {name: results.score(name, way.task, way.metric).metric for name in random}
    return {name: metric for name, metric in scores.items() if metric}


def is_learnt(results: Results, way: Trajectory, quality: float) -> bool:
    """Whether a quality is beyond what random weights may have; where none are there, it counts as such."""
    if way.sample.higher_is_better:
        ends = (m.value if m.high is None else max(m.value, m.high) for m in floors(results, way).values())
        return all(quality > end for end in ends)
    ends = (m.value if m.low is None else min(m.value, m.low) for m in floors(results, way).values())
    return all(quality < end for end in ends)


def covered(ways: list[Trajectory]) -> str:
    """What intervals of a comparison are of, in words."""
    fewest, most = (pick(len(way.seeds) for way in ways) for pick in (min, max))
    seeds = f"{most} seed{'' if most == 1 else 's'}" if fewest == most else f"{fewest} to {most} seeds"
    if not all(way.has_intervals for way in ways):
        return seeds if fewest > 1 else f"nothing, {seeds}"
    return f"the test set alone, {seeds}" if most == 1 else f"the test set and {seeds}"


def _trajectory(results: Results, name: str, task: str) -> Trajectory | None:
    rows = [row for row in results.rows + results.points if (row.name, row.task) == (name, task)]
    primary = next((row.record.primary for row in rows if row.status == "done"), None)
    places: dict[int | None, dict[int, list[Record]]] = {}
    for row in rows:
        if row.status != "done" or row.pretraining_seed is None or primary not in row.record.metrics:
            continue
        if (cost := cost_of(row.record)) and cost.samples:
            seeds = places.setdefault(row.pretraining_samples, {})
            seeds.setdefault(row.pretraining_seed, []).append(row.record)
    end = places.get(None, {})
    # a point that some seed lacks would move the mean by the seeds that it has
    points = [Point(records, primary) for records in places.values() if records.keys() == end.keys()]
    points.sort(key=lambda point: point.cost("samples"))
    return Trajectory(name, task, primary, points, sorted(end)) if len(points) > 1 else None
