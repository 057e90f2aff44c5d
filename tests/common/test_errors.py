"""Exceptions in one line."""

from common.errors import first_line, one_line


def test_a_message_becomes_one_line():
    assert one_line(ValueError("one\n  two")) == "one two"
    assert one_line(KeyError()) == "KeyError"


def test_a_quoted_message_is_the_beginning_of_it():
    assert first_line(ValueError("\none.\ntwo")) == "one"
    assert len(first_line(ValueError("x" * 1000))) == 160
    assert first_line(KeyError()) == "KeyError"


def test_one_line():
    worker = (
        "Caught UserError in DataLoader worker process 0.\nOriginal Traceback (most recent call last):\n  x\n"
    )
    assert one_line(ValueError(worker + "common.errors.UserError: a.tar: it is torn")) == "a.tar: it is torn"
    assert one_line(ValueError("a\n b")) == "a b"
    assert one_line(KeyboardInterrupt()) == "KeyboardInterrupt"
