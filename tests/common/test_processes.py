"""The pool of processes: order, errors, and a process that is killed."""

import math
import os

import pytest

from common.errors import UserError
from common.processes import Workers


def _square(number):
    if number < 0:
        raise UserError("negative")
    return number * number


@pytest.mark.parametrize("count", [1, 2])
def test_results_keep_the_order_of_the_jobs_and_errors_are_passed_on(count):
    with Workers(count, fork=True) as workers:
        assert list(workers.map(_square, range(50), chunk=3)) == [number**2 for number in range(50)]
        with pytest.raises(UserError, match="negative"):
            list(workers.map(_square, [1, -1]))


def test_processes_may_be_started_afresh():
    with Workers(2) as workers:
        assert list(workers.map(math.sqrt, [9, 16, 25], chunk=1)) == [3, 4, 5]


def test_a_killed_process_is_explained():
    with Workers(2, fork=True) as workers, pytest.raises(UserError, match=r"was killed.*repeat the command"):
        list(workers.map(os._exit, [1] * 4))
