"""The smallest difference that a test set could tell from none, before anything is run."""

from __future__ import annotations

from typing import NamedTuple

from benchmark.statistics.coverage import simulated_widths

POWER = 0.8
DISAGREEMENT = 0.2
"""Share of test images on which exactly one of two backbones is right, where it is not yet known."""
OF_CLASSES = 0.2
"""Standard deviation over classes of the difference of two accuracies, where it is not yet known."""

# 97.5 % and POWER of the normal distribution: what a two-sided test at 5 % needs
_FACTOR = 1.959964 + 0.841621
_WIDTH = 2 * 1.959964


class Detectable(NamedTuple):
    """A difference that would be found with a chance of `POWER`.

    Attributes:
        points: of the metric.
        assuming: what it rests on, in words.
    """

    points: float
    assuming: str


def smallest_difference(metric: str, units: int, over: str = "images") -> Detectable | None:
    """For two backbones on the same test images, with one seed each: other seeds add to it.

    Args:
        metric: ``accuracy``, or ``mAP`` (of boxes or masks), ``mIoU``, ``multi-label mAP``.
        units: test images, or classes where `over` says so.
        over: ``images``, or ``classes``, of each of which all images share a drawing.

    Returns:
        None where nothing is known of such differences.
    """
    if units < 2:
        return None
    if metric == "accuracy" and over == "classes":
        error = OF_CLASSES / units**0.5
        assumed = f"differences vary by {100 * OF_CLASSES:.0f} points over classes"
        return Detectable(100 * _FACTOR * error, assumed)
    if metric == "accuracy":
        error = (DISAGREEMENT / units) ** 0.5
        assumed = f"they disagree on {100 * DISAGREEMENT:.0f} % of the images"
        return Detectable(100 * _FACTOR * error, assumed)
    found = simulated_widths(f"difference of {metric}")
    if not found:
        return None
    near = min(found, key=lambda entry: abs(entry[0] - units))[0]
    width = max(width for number, width in found if number == near)
    error = width / _WIDTH * (near / units) ** 0.5
    return Detectable(_FACTOR * error, f"they differ as the models of simulated worlds of {near} images do")
