# Set up, test, check and run shld_sim in a private environment, .venv.  `make help` lists the targets.

PYTHON      ?= python3
PYTEST_ARGS ?= -n 2 --dist loadfile
VERIFY_ARGS ?=

VENV := .venv
BIN  := $(VENV)/bin
PIP  := $(BIN)/python -m pip --disable-pip-version-check install --quiet --prefer-binary
META := setup.cfg pyproject.toml shld_sim/_version.py

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help verify test test-slow lint format bench figures examples clean distclean FORCE

help:  ## this list
	@echo "usage: make TARGET [PYTHON=python3] [PYTEST_ARGS='tests/test_x.py -x'] [VERIFY_ARGS=...]"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' Makefile | awk -F'|' '{ printf "  %-11s %s\n", $$1, $$2 }'

verify: $(VENV)/.run  ## check every claim, quickly, and write report/
	$(BIN)/shld-sim verify --quick --report report $(VERIFY_ARGS)

# Two workers on two processors: each multiplies its matrices on one thread.
test test-slow: export OPENBLAS_NUM_THREADS = 1

test: $(VENV)/.test  ## the test suite without the slow tests
	$(BIN)/python -m pytest $(PYTEST_ARGS)

test-slow: $(VENV)/.test  ## the slow tests alone
	$(BIN)/python -m pytest -m slow $(PYTEST_ARGS)

lint: $(VENV)/.dev  ## ruff (rules and format) and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.dev  ## let ruff sort the imports and lay out the code
	$(BIN)/ruff check --select I --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.run  ## time the kernels: every benchmarks/bench_*.py
	@set -e; for f in benchmarks/bench_*.py; do echo "== $$f"; $(BIN)/python $$f; done

figures: $(VENV)/.run  ## redraw the pictures in figures/
	$(BIN)/shld-sim figures

examples: $(VENV)/.run  ## run every examples/NN_topic.py
	@set -e; for f in examples/[0-9]*.py; do echo "== $$f"; MPLBACKEND=Agg $(BIN)/python $$f; done

clean:  ## remove builds, caches and the report
	rm -rf build dist *.egg-info report .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -path ./$(VENV) -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean  ## the same, and the environment
	rm -rf $(VENV)

# The environment.  Every stamp is written last, so whatever was interrupted is done again.  The first stamp
# records the place and the Python version: an environment that is half-made, broken, copied from elsewhere, or of
# another version than an explicit PYTHON= is made anew.  Otherwise the stamp keeps its date and nothing runs.
ASKED := $(if $(filter file,$(origin PYTHON)),,asked)

$(VENV)/.made: FORCE
	@set -e; has="$$(cat $@ 2>/dev/null || true)"; place="$$(pwd -P)"; \
	$(BIN)/python -c 'import pip' 2>/dev/null || has=; \
	if [ "$${has% *}" = "$$place" ] && [ -z "$(ASKED)" ]; then exit 0; fi; \
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "shld_sim needs Python 3.11 or newer: make PYTHON=python3.12 ..." >&2; exit 1; }; \
	want="$$place $$($(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])')"; \
	if [ "$$has" != "$$want" ]; then \
	    echo "making $(VENV) with $(PYTHON)"; \
	    rm -rf $(VENV); $(PYTHON) -m venv $(VENV); echo "$$want" > $@; \
	fi

# Editable: there is one copy of the source, and an edit never asks for a new installation.
$(VENV)/.run: $(VENV)/.made $(META)
	@echo "installing shld_sim in $(VENV)"
	$(PIP) --editable .
	@touch $@

$(VENV)/.test: $(VENV)/.made $(META)
	@echo "installing shld_sim and its tests in $(VENV)"
	$(PIP) --editable '.[test,symbolic,progress,distributed]'
	@touch $@ $(VENV)/.run

$(VENV)/.dev: $(VENV)/.made $(META)
	@echo "installing shld_sim, its tests and the linters in $(VENV)"
	$(PIP) --editable '.[dev]'
	@touch $@ $(VENV)/.test $(VENV)/.run
