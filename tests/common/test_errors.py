"""Exceptions as one line."""

from common.errors import one_line


def test_one_line():
    worker = (
        "Caught UserError in DataLoader worker process 0.\nOriginal Traceback (most recent call last):\n  x\n"
    )
    assert one_line(ValueError(worker + "common.errors.UserError: a.tar: it is torn")) == "a.tar: it is torn"
    assert one_line(ValueError("a\n b")) == "a b"
    assert one_line(KeyboardInterrupt()) == "KeyboardInterrupt"
