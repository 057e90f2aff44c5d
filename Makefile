# Two commands do everything: `make suite` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: env suite test bench gpu-check lint clean

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 13))' \
		|| { echo "Python 3.10 to 3.12 is needed: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)"; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=24'
	$(BIN)/python -m pip install --quiet --editable '.[test]'
	@touch $@

env: $(STAMP)  ## create .venv with everything the suite needs

suite: $(STAMP)  ## pre-train, transfer, compare on the embedded data: results/demo
	$(BIN)/python run_suite.py

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

# Files of tests are shared out to processes of one thread each: two threads beside a busy neighbour are slower.
test: lint  ## lint, and every test (minutes)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile

bench: $(STAMP)  ## speed, as ratios to a reference in the same run
	@for script in tests/performance/bench_*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

gpu-check: $(STAMP)  ## on a GPU: the tests that need one; then speed and memory, results/gpu_check.json
	$(BIN)/python -m pytest -m gpu
	$(BIN)/python tests/performance/gpu_check.py

clean:  ## remove the environment; results stay
	rm -rf $(VENV) *.egg-info .pytest_cache .ruff_cache
