"""Try every parser on a great many made-up inputs: python tests/walls/fuzz.py [--inputs 100000]

The property tests beside this file (test_properties_*.py) with others inputs every time, and so many in all,
evenly shared out. An input that ends in anything but a result or one line of ours is printed, as small as
hypothesis can make it, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from examples import VARIABLE  # noqa: E402 (a helper of the tests)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--inputs", type=int, default=100_000, help="of all property tests together")
    inputs = parser.parse_args().inputs
    files = sorted(HERE.glob("test_properties_*.py"))
    tests = sum(len(re.findall(r"^@given", file.read_text(encoding="utf-8"), re.MULTILINE)) for file in files)
    each = max(1, -(-inputs // tests))
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--hypothesis-show-statistics"]
    start = time.perf_counter()
    done = subprocess.run(
        [*command, *map(str, files)],
        cwd=HERE.parents[1],
        env={**os.environ, VARIABLE: str(each)},
        stdout=subprocess.PIPE,
        text=True,
    )
    said = re.findall(r"(\d+) passing(?: examples)?, (\d+) failing", done.stdout)  # by hypothesis's version
    counts = [int(passing) + int(failing) for passing, failing in said]
    if done.returncode:
        print(done.stdout)
    print(
        f"{sum(counts):,} inputs to {tests} property tests in {time.perf_counter() - start:.0f} s: "
        + ("every one was read, or refused in one line" if done.returncode == 0 else "FAILED, see above")
    )
    return int(done.returncode != 0)


if __name__ == "__main__":
    sys.exit(main())
