# Everything a developer types. Needs Python >= 3.11 with pip and venv, make, git and a package index; nothing else.
# `make PYTHON=python3.12 install` chooses another interpreter; `make DATA=folder up` another data folder.

PYTHON ?= python3
DATA ?= .relaygram
FUZZ_SECONDS ?= 600
SOAK_PEOPLE ?= 20000
SOAK_SEED ?= $(shell date +%s)
UV_VERSION := 0.13.9
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

# uv works in the environment that it lives in, and with that environment's interpreter only.
export UV_PROJECT_ENVIRONMENT := $(CURDIR)/$(VENV)
export UV_PYTHON_DOWNLOADS := never
unexport VIRTUAL_ENV
# Some containers set it; the tests and the stack start hundreds of processes, each of which would compile all it loads.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help install demo up test test-faults soak fuzz lint types bench clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | while IFS= read -r line; do \
		printf '  %-12s %s\n' "$${line%%:*}" "$${line##*## }"; done

install: $(STAMP) ## Install everything into .venv

$(BIN)/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "Relaygram needs Python 3.11 or newer, $(PYTHON) is $$($(PYTHON) -V 2>/dev/null || echo missing);" \
			"choose another one with: make PYTHON=python3.12 install" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

$(STAMP): uv.lock pyproject.toml $(wildcard services/*/pyproject.toml libs/*/pyproject.toml) | $(BIN)/uv
	$(BIN)/uv sync --quiet --locked --all-packages --all-groups --python $(BIN)/python
	@touch $@

demo: install ## Send 1,000 messages through everything on this machine, and prove that none is lost or doubled
	@$(BIN)/relaygram demo --csv examples/contacts.csv

up: install ## Run the whole stack on this machine until Ctrl-C (data in .relaygram)
	@$(BIN)/relaygram up --data $(DATA)

test: install ## Run the tests, those that kill parts on purpose aside
	@$(BIN)/pytest -m "not faults" -n 5 --dist loadfile --no-loadscope-reorder

test-faults: install ## Run the tests that kill parts on purpose
	@$(BIN)/pytest -m faults -n 2 --dist loadfile --no-loadscope-reorder

soak: install ## Kill parts at random for as long as SOAK_PEOPLE (20000) take, with SOAK_SEED (any)
	@RELAYGRAM_SOAK_PEOPLE=$(SOAK_PEOPLE) RELAYGRAM_SOAK_SEED=$(SOAK_SEED) $(BIN)/pytest -m faults tests/faults/test_soak.py

fuzz: install ## Make requests, good and bad, from the OpenAPI document for FUZZ_SECONDS (600), other ones each time
	@RELAYGRAM_FUZZ_SECONDS=$(FUZZ_SECONDS) $(BIN)/pytest -m faults -s tests/api/test_fuzz.py

lint: install ## Check style, import rules and our own rules
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports
	@set -e; for rule in tools/lint/*.py; do $(BIN)/python $$rule; done

types: install ## Check the types
	@$(BIN)/mypy services libs tests benchmarks tools examples

bench: install ## Measure on this machine: ROWS (1000000) in the log, ONLY some parts (log_write,log_query,…)
	@$(BIN)/python -m benchmarks

clean: ## Remove what was installed or made, the data of local stacks aside
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
