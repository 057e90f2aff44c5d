"""The door: ``python run_suite.py [command]``; see ``python run_suite.py --help``."""

import sys

from benchmark.cli import main

if __name__ == "__main__":
    sys.exit(main())
