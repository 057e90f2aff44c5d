"""How many inputs a property test tries: few in ``make test``, and what tests/walls/fuzz.py asks for."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

VARIABLE = "FUZZED_INPUTS"
_ASKED = int(os.environ.get(VARIABLE, "0"))

QUICK = settings(
    max_examples=_ASKED or 50,
    derandomize=not _ASKED,  # the same ones every time; when asked for, others every time
    database=None,
    deadline=None,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,  # folders that each input writes anew
        *([HealthCheck.too_slow, HealthCheck.data_too_large] if _ASKED else []),
    ],
)
