"""The door: ``python run_suite.py [command]``; see ``python run_suite.py --help``."""

import sys

try:
    from benchmark.cli import main
except ModuleNotFoundError as error:  # not even the doctor can start
    sys.exit(f"error: module {error.name} is missing: python -m pip install --editable .")

if __name__ == "__main__":
    sys.exit(main())
