# Everything a newcomer, a developer and CI need. `make demo` and `make test` work in a fresh clone.
PYTHON ?= python3
VENV ?= .venv
JOBS ?= 2
BIN := $(VENV)/bin
STAMP := $(VENV)/.ampfix-installed
OUT := demo-output
RECBOLE := recbole==1.2.1
ENGINES := docker or ray or browser or corpus or cuda

export PIP_CONSTRAINT := $(CURDIR)/constraints.txt
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: env demo demo-recbole test lint test-engines format clean

env: $(STAMP)

# Debian packs ensurepip apart from python3: where it is missing, the system's pip fills the new environment.
$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { $(PYTHON) -m venv --clear --without-pip $(VENV) && \
	  $(PYTHON) -m pip --python $(BIN)/python install --quiet pip; }
	$(BIN)/python -m pip install --quiet --editable ".[dev]"
	touch $@

# check exits with 1 where it finds something, and so does fix --diff where it shows a change: here that is the point.
demo: env
	@mkdir -p $(OUT)
	$(BIN)/ampfix doctor
	$(BIN)/ampfix check examples || test $$? -eq 1
	$(BIN)/ampfix fix --diff examples || test $$? -eq 1
	@$(MAKE) --no-print-directory demo-recbole
	$(BIN)/ampfix suite --html $(OUT)/suite.html
	@echo "the same as a page: $(OUT)/suite.html"

# A published trainer that clips its gradients before unscaling them.
demo-recbole: env
	@if $(BIN)/python -m pip download --quiet --no-deps --dest $(OUT)/recbole $(RECBOLE); then \
	  $(BIN)/python -m zipfile -e $(OUT)/recbole/recbole-*.whl $(OUT)/recbole && set -x && \
	  { $(BIN)/ampfix check $(OUT)/recbole/recbole/trainer/trainer.py || test $$? -eq 1; } && \
	  { $(BIN)/ampfix fix --diff $(OUT)/recbole/recbole/trainer/trainer.py || test $$? -eq 1; }; \
	else echo "skipped: $(RECBOLE) could not be downloaded (is this machine offline?)"; fi

lint: env
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: lint
	$(BIN)/python -m pytest -n $(JOBS) -m "not ($(ENGINES))"

# Tests that need an engine, a browser, a device or the package index. Those that cannot run here say why, last.
test-engines: env
	$(BIN)/python -m pytest -m "$(ENGINES)" -rs

format: env
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(OUT) dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis
