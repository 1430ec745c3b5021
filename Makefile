# make run needs nothing but Python 3.11 to 3.13; everything else is installed into .venv, again when the locks change.

PYTHON ?= python3
BIN := .venv/bin
CORE := .venv/installed-core
DEV := .venv/installed-dev

.DEFAULT_GOAL := help
.PHONY: help install run test check bench

help:  ## List the targets
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' Makefile | expand -t 18

install: $(CORE)  ## Install into .venv what Headrace needs

run: $(CORE)  ## Start everything and watch it learn; DATA=folder or file, ARGS="--rate 500"
	@$(BIN)/headrace run $(if $(DATA),--data "$(DATA)") $(ARGS)

test: $(DEV)  ## Run the tests; ARGS="tests/unit -x"
	$(BIN)/python -m pytest $(ARGS)

check: $(DEV)  ## Lint, formatting, types, import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/unit/test_imports.py

bench: $(DEV)  ## Measure the event path
	$(BIN)/python benchmarks/event_path.py $(ARGS)

$(CORE): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; (3, 11) <= sys.version_info < (3, 14) or sys.exit("Python 3.11 to 3.13 is needed, this is " + sys.version.split()[0] + ": make PYTHON=python3.12")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(DEV): $(CORE) requirements-dev.lock
	$(BIN)/python -m pip install --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@
