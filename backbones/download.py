"""Whether a source's own library may fetch weights; it may not until the user says so.

The permission is an environment variable, so that child processes have it too.
"""

from __future__ import annotations

import os

VARIABLE = "CATLIP_TRANSFER_DOWNLOAD"


def allow() -> None:
    """Give the permission to this process and its children (``--download``)."""
    os.environ[VARIABLE] = "1"


def allowed() -> bool:
    return os.environ.get(VARIABLE) == "1"
