# Every task of this repository, for people and CI alike. `make` lists them.
# All of them use the environment in .venv of this checkout and build it when it is missing or older than its lock.

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
# The interpreter .venv is made from: the first of these that is new enough. `make install PYTHON=/path/to/python` picks one.
PYTHON ?= python3 python3.13 python3.12 python3.11
# Handed on to pytest: make test ARGS="-k cancel"
ARGS ?=

MAKEFLAGS += --no-print-directory
# Two checks at once, the output of each in one piece where make can do that (from 4.0 on), all of them even when one fails.
AT_ONCE := --jobs 2 --keep-going $(if $(filter output-sync,$(.FEATURES)),--output-sync=target)
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install run test bench check format lock clean
.PHONY: check-format check-lint check-types check-imports check-repository

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(INSTALLED)  ## build the environment in .venv, when it is missing or older than its lock
	@echo "$(VENV) is ready: make run, make test, make check"

run: $(INSTALLED)  ## serve on this machine, with a program at work to look at
	@$(BIN)/python scripts/run_demo.py

test: $(INSTALLED)  ## run every test, on SQLite and PostgreSQL; ARGS= goes to pytest
	@$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 $(ARGS)

bench: $(INSTALLED)  ## what tracking costs on this machine, as rates and ratios
	@$(BIN)/python -m benchmarks.tracking

check: $(INSTALLED)  ## ruff, basedpyright, import-linter, schemas alike, documents' code runs
	@$(MAKE) $(AT_ONCE) check-types check-repository check-format check-lint check-imports

check-format: $(INSTALLED)
	@echo "== ruff format"
	@$(BIN)/python -m ruff format --check

check-lint: $(INSTALLED)
	@echo "== ruff check"
	@$(BIN)/python -m ruff check

check-types: $(INSTALLED)
	@echo "== basedpyright"
	@$(BIN)/python -m basedpyright

check-imports: $(INSTALLED)
	@echo "== import-linter"
	@$(BIN)/lint-imports --no-logo --no-cache

check-repository: $(INSTALLED)
	@echo "== documents and schemas"
	@$(BIN)/python -m pytest -q tests/check tests/migration

format: $(INSTALLED)  ## format the code and repair what ruff can repair
	@$(BIN)/python -m ruff check --fix-only --quiet
	@$(BIN)/python -m ruff format

lock:  ## choose the newest versions pyproject.toml allows and write them to requirements-dev.txt
	@set -e; folder=$$(mktemp -d); trap 'rm -rf "$$folder"' EXIT; $(call find_python); \
	"$$python" -m venv "$$folder"; \
	"$$folder/bin/python" -m pip install -qq --upgrade pip; \
	"$$folder/bin/python" -m pip install -qq --editable '.[showcase]' --group dev; \
	{ sed -n '/^#/p' requirements-dev.txt; "$$folder/bin/python" -m pip freeze --exclude-editable; } > "$$folder/lock"; \
	cp "$$folder/lock" requirements-dev.txt
	@echo "requirements-dev.txt is new; see what changed, then: make check test"

clean:  ## remove what these targets made: .venv, caches, builds (databases stay)
	@rm -rf $(VENV) build dist .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(INSTALLED): pyproject.toml requirements-dev.txt
	@set -e; $(call find_python); echo "Building $(VENV) with $$("$$python" --version), about half a minute"; "$$python" -m venv $(VENV)
	@$(BIN)/python -m pip install -qq --no-deps --requirement requirements-dev.txt
	@$(BIN)/python -m pip install -qq --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m pip check --quiet
	@touch $@

# Sets $$python to the first interpreter of PYTHON that can build the environment, or says what is missing and fails.
define find_python
python=; \
for candidate in $(PYTHON); do \
	if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then python=$$candidate; break; fi; \
done; \
if [ -z "$$python" ]; then \
	echo "No Python 3.11 or newer found (looked for: $(PYTHON))." >&2; \
	echo "Install one, or name it: make install PYTHON=/path/to/python3.11" >&2; exit 1; \
fi; \
if ! "$$python" -c 'import ensurepip, venv' 2>/dev/null; then \
	echo "$$python cannot build environments: its venv module is missing (on Debian and Ubuntu: apt install python3-venv)." >&2; exit 1; \
fi
endef
