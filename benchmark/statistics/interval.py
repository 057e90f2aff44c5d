"""What every construction of an interval gives back."""

from __future__ import annotations

from typing import NamedTuple


class Interval(NamedTuple):
    """An estimate and its 95 % interval, in the unit of the values that went in.

    Attributes:
        value: the plain estimate, as the literature quotes it.
        low, high: interval of the *population's* value: what an endless test set of the same kind would give.
            Where the estimate is biased the interval is not centred on it, and need not hold it.
        bias: estimated bias of `value`, positive where it is too high; None where none was estimated.
    """

    value: float
    low: float
    high: float
    bias: float | None = None
