"""Errors for people: the one exception that is the user's to mend, and any exception as one line."""

from __future__ import annotations


class UserError(Exception):
    """Bad input: the message is one line that names the file or value and the remedy.

    The command line prints it without a traceback and exits with code 2.
    """


class JobFailed(Exception):
    """Processes that a command started have failed: the message is a line that says which, and its log.

    The command line prints it without a traceback and exits with code 1.
    """


def one_line(error: BaseException) -> str:
    """The message of an exception in one line.

    Exceptions from the workers of a DataLoader arrive with the worker's traceback as their message; what the
    worker said is the last part of it.
    """
    text = str(error).strip()
    if text.startswith("Caught ") and "Original Traceback" in text:
        last = text.splitlines()[-1]
        name, colon, rest = last.partition(": ")
        text = rest if colon and " " not in name else last
    return " ".join(text.split()) or type(error).__name__


def first_line(error: BaseException) -> str:
    """How the message of an exception begins, to be quoted within a message of ours.

    At most 160 characters of its first line, without a stop at the end; libraries go on for pages.
    """
    lines = str(error).strip().splitlines()
    return (lines[0] if lines else type(error).__name__)[:160].rstrip(".:")


def quoted(value: object) -> str:
    """A value that came from outside, in a message of ours: escaped, and at most 100 characters of it."""
    try:
        text = repr(value)
    except (RecursionError, ValueError):  # lists within lists, numbers without end
        text = f"a {type(value).__name__}"
    return text if len(text) <= 100 else f"{text[:97]}..."
