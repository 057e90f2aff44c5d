"""Names people type: made safe as folder names, corrected when misspelt, and imported."""

from __future__ import annotations

import difflib
import hashlib
import importlib
import re
from collections.abc import Iterable
from typing import Any

from common.errors import UserError

RESERVED = frozenset({"data", "published", "pretrain", "tables", "plots"})
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


def suggest(name: str, known: Iterable[str]) -> str:
    """The end of an error message about an unknown name: close names, or all that there are."""
    known = sorted(known)
    if close := difflib.get_close_matches(name, known, n=3, cutoff=0.5):
        return f"did you mean {' or '.join(close)}?"
    return f"known: {', '.join(known)}" if known else "there is none yet"


def imported(target: str, what: str) -> Any:
    """What ``module:attribute`` names.

    Args:
        target: such a name.
        what: it is to be, for the message.

    Raises:
        UserError: it cannot be imported.
    """
    module, _, attribute = target.partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise UserError(f"{what} {target!r} cannot be imported ({error}): is it on PYTHONPATH?") from error
