# The commands a newcomer needs. Every target does its own set-up; running one again is quick.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.ready
ARGS   ?=
# Much of a test's time is waiting for processes and leases, so two run at once; the tests of a file stay
# together, and the longest files begin first (tests/conftest.py).
PYTEST := $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

# Hundreds of processes of ours start in a run of the tests; they need not be compiled anew each time.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-external test-kannel nightly check format bench lock clean

help:            ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 16

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Clarion needs Python 3.11 or newer; say which with make PYTHON=python3.12")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing pinned dependencies into $(VENV) (only when the lock changes)"
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes --no-deps -r requirements.lock
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation -e . 2>/dev/null \
		|| $(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps -e .
	@touch $@

setup: $(STAMP)  ## .venv with everything pinned

demo: setup      ## the whole thing on sample people; ARGS=--exit ends after the summary
	@$(BIN)/clarion demo $(ARGS)

test: setup      ## the whole suite on the embedded PostgreSQL
	@$(PYTEST) $(ARGS)

test-external: setup ## the suite on Debian's PostgreSQL (or CLARION_TEST_DATABASE_URL)
	@$(BIN)/python -m tests.external $(ARGS)

test-kannel: setup ## our provider against a real Kannel (Debian's, fetched where it is not installed)
	@$(BIN)/python -m tests.kannel $(ARGS)

# The random runs fill two cores, so they go first, beside what mostly waits for an hour to pass. Of what is
# long and in parts the parts are shared, and not the files.
HOUR  := tests/faults/test_random_runs.py tests/faults/test_half_open.py
PARTS := tests/domain/schedule/test_against_oracle.py tests/store/ledger/test_state_machine.py \
	tests/flow/test_alert_runs.py
LONG  := CLARION_NIGHTLY=1 $(BIN)/python -m pytest -n 2 --no-loadscope-reorder -m "nightly or not nightly"
nightly: setup   ## the long suites: 2,000 fault runs, long state machines, an hour without a provider
	@$(LONG) --dist worksteal $(HOUR) $(ARGS)
	@$(LONG) --dist worksteal $(PARTS) $(ARGS)
	@$(LONG) --dist loadfile $(HOUR:%=--ignore=%) $(PARTS:%=--ignore=%) $(ARGS)

check: setup     ## ruff, mypy --strict, import rules
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

format: setup    ## let ruff arrange the code
	@$(BIN)/ruff check --fix . ; $(BIN)/ruff format .

bench: setup     ## one JSON line a benchmark, with the machine's facts
	@$(BIN)/python -m benchmarks $(ARGS)

lock:            ## pin again what pyproject.toml asks for (needs uv)
	@uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		--no-annotate --quiet --extra dev pyproject.toml -o requirements.lock

clean:           ## remove the set-up (not the data)
	@rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache
