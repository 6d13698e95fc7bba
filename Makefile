# make train   set up .venv and train the tutorial's network        make train ARGS="--epochs 10 --lr 0.05"
# make test    set up .venv and run the tests                       make test ARGS="tests/test_tiny.py -x"
# make help    the other targets
# PYTHON=/path/to/python3.12 takes that interpreter, in an environment of its own.

SHELL := /bin/sh
.DEFAULT_GOAL := help
ARGS ?=
JOBS ?= 2
ifdef PYTHON
VENV ?= .venv-$(notdir $(PYTHON))
else
VENV ?= .venv
endif
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
export PYTHONNOUSERSITE := 1

.PHONY: help train test lint types docs bench traces dev clean

help:
	@echo "make train   set up everything and train the tutorial's network on Fashion-MNIST (ARGS: see 'mge train --help')"
	@echo "make test    set up everything and run the tests (ARGS: passed to pytest; JOBS=$(JOBS) processes)"
	@echo "make lint    ruff          make types   mypy, pyright          make docs   the site, into docs/_build/html"
	@echo "make bench   the speed table of benchmarks/           make dev    all tools and the pre-commit hooks"
	@echo "make traces  make the jaxprs that the package comes with anew, after operators have changed"
	@echo "make clean   remove the environments and what was built"

train: $(VENV)/.ready-run
	@$(BIN)/mge train $(ARGS)

test: $(VENV)/.ready-test
	@$(BIN)/python -m pytest -q -n $(JOBS) $(ARGS)

lint: $(VENV)/.ready-lint
	@$(BIN)/ruff check .

types: $(VENV)/.ready-lint
	@$(BIN)/mypy
	@$(BIN)/pyright --pythonpath $(BIN)/python tests/typing

docs: $(VENV)/.ready-docs
	@$(BIN)/sphinx-build -q -W --keep-going -b html docs docs/_build/html $(ARGS)
	@$(BIN)/python docs/links.py docs/_build/html
	@echo "The site is at docs/_build/html/index.html"

bench: $(VENV)/.ready-run
	@$(BIN)/python -m benchmarks.run $(ARGS)

traces: $(VENV)/.ready-test
	@$(BIN)/python -W ignore -m traces

dev: $(VENV)/.ready-test $(VENV)/.ready-lint $(VENV)/.ready-docs
	@$(BIN)/pre-commit install
	@echo "Ready. Activate it with: . $(BIN)/activate"

clean:
	rm -rf .venv .venv-* build dist docs/_build docs/api/_generated .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# An environment is made once; each .ready-* stamp says that one extra is installed as pyproject.toml asks now.
$(VENV)/.made:
	@python='$(PYTHON)'; [ -n "$$python" ] || python=$$(.ci/find-python) || exit 1; \
	.ci/make-venv "$$python" '$(VENV)'
	@touch $@

$(VENV)/.ready-run: pyproject.toml $(VENV)/.made
	@echo "[setup 2/2] installing the package with JAX and NumPy (about 150 MB to fetch; one to five minutes)"
	@$(PIP) install -q -e .
	@touch $@

$(VENV)/.ready-test $(VENV)/.ready-lint $(VENV)/.ready-docs: $(VENV)/.ready-%: pyproject.toml $(VENV)/.ready-run
	@echo "[setup] installing the tools of the extra '$*' (under a minute)"
	@$(PIP) install -q -e '.[$*]'
	@touch $@
