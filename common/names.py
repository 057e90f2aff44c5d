"""Names people type: made safe as folder names, corrected when misspelt, and looked up in modules."""

from __future__ import annotations

import difflib
import hashlib
import importlib
import re
from collections.abc import Iterable
from typing import Any

from common.errors import UserError

RESERVED = frozenset({"data", "published", "pretrain", "speed", "tables", "plots"})
"""Folder names that mean something else beside a suite's or a backbone's folder."""


def slug(name: str) -> str:
    """A folder name for any string: letters, digits, ``.``, ``_`` and ``-`` only, never hidden, never ``..``.

    Names that had to be changed end in a digest of the original, so that two of them never share a folder.
    """
    clean = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip(".-")[:80]
    if clean and clean == name and clean not in RESERVED:
        return clean
    suffix = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{clean}-{suffix}" if clean else suffix


def is_folder_name(name: str) -> bool:
    """Whether a name is that of a folder as it is, and so never leads out of the folder that it is in."""
    return slug(name) == name


TWINS = {"learning_rate": "lr", "wd": "weight_decay", "epochs": "max_epochs", "iterations": "max_iters"}
"""Entries of configs by names that other libraries know them by."""


def closest(name: str, known: Iterable[str], count: int = 3) -> list[str]:
    """The known names that are most like one that is not, best first; none where nothing is like it.

    Names with dots that end alike, or in another library's word for it, come before any others.
    """
    known = list(known)
    last = name.rpartition(".")[2]
    ends = {last, TWINS.get(last, last)}
    alike = [other for other in known if other.rpartition(".")[2] in ends]
    if alike:
        return sorted(alike, key=lambda other: -difflib.SequenceMatcher(None, name, other).ratio())[:count]
    return difflib.get_close_matches(name, sorted(known), n=count, cutoff=0.5)


def suggest(name: str, known: Iterable[str]) -> str:
    """The end of an error message about an unknown name: close names, or all that there are."""
    known = sorted(known)
    if close := closest(name, known):
        return f"did you mean {' or '.join(close)}?"
    return f"known: {', '.join(known)}" if known else "there is none yet"


def imported(target: str, kind: str) -> Any:
    """What ``module:Name`` names.

    Args:
        target: the module, a colon, and a name in it.
        kind: what that should be, for the message of an error.

    Raises:
        UserError: there is no such module, or no such name in it.
    """
    module, _, name = target.partition(":")
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise UserError(f"{kind} {target!r} cannot be imported ({error}): is it on PYTHONPATH?") from error
