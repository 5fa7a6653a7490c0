# Everything a newcomer, a developer and CI need. `make demo` and `make test` work in a fresh clone.
PYTHON ?= python3
VENV ?= .venv
JOBS ?= 2
BIN := $(VENV)/bin
STAMP := $(VENV)/.ampfix-installed
OUT := demo-output
RECBOLE := recbole==1.2.1
ENGINES := docker or ray or browser or corpus or cuda or fuzz or stress

export PIP_CONSTRAINT := $(CURDIR)/constraints.txt
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: env demo demo-recbole test lint test-engines baselines format clean

env: $(STAMP)

# Debian packs ensurepip apart from python3: where it is missing, the system's pip fills the new environment.
$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { $(PYTHON) -m venv --clear --without-pip $(VENV) && \
	  $(PYTHON) -m pip --python $(BIN)/python install --quiet pip; }
	$(BIN)/python -m pip install --quiet --editable ".[dev]"
	touch $@

# Show a command, then run it. check exits with 1 where it finds something, and so does fix --diff where it shows a
# change: in a demonstration that is the point.
run = @echo; echo '$$ ampfix $(1)'; $(BIN)/ampfix $(1)
show = $(run) || test $$? -eq 1

demo: env
	@mkdir -p $(OUT)
	$(call run,doctor)
	$(call show,check examples)
	$(call show,fix --diff examples)
	@$(MAKE) --no-print-directory demo-recbole
	$(call run,suite --html $(OUT)/suite.html)
	@echo "the same as a page: $(OUT)/suite.html"

# A published trainer that clips its gradients before unscaling them.
demo-recbole: TRAINER := $(OUT)/recbole/recbole/trainer/trainer.py
demo-recbole: env
	@rm -rf $(OUT)/recbole
	@if $(BIN)/python -m pip download --quiet --no-deps --dest $(OUT)/recbole $(RECBOLE) && \
	  $(BIN)/python -m zipfile -e $(OUT)/recbole/recbole-*.whl $(OUT)/recbole; then \
	  for command in "check" "fix --diff"; do \
	    echo; echo "$$ ampfix $$command $(TRAINER)"; $(BIN)/ampfix $$command $(TRAINER) || test $$? -eq 1 || exit 2; \
	  done; \
	else echo; echo "skipped: $(RECBOLE) could not be downloaded; is this machine offline?"; fi

lint: env
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: lint
	$(BIN)/python -m pytest -n $(JOBS) -m "not ($(ENGINES))"

# Tests that need an engine, a browser, a device or the package index. Those that cannot run here say why, last.
test-engines: env
	$(BIN)/python -m pytest -m "$(ENGINES)"

# The reference agents on every scenario: docs/baselines.md.
baselines: env
	$(BIN)/python benchmarks/baselines.py --out $(OUT)/baselines

format: env
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(OUT) dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis
