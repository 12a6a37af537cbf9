# Works on a fresh machine with python3 >= 3.11, pip and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO_MODEL ?= Qwen/Qwen3-32B

.PHONY: demo test lint bench docs index calibrate pages scoreboard clean help

help:            ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## */\t/'

demo: $(VENV)/.base   ## plan a real model on real prices: the ranked table and report.html
	$(BIN)/stackwright plan $(DEMO_MODEL) --workload chat --rate 20 --ttft 1 --tpot 0.05 --per chip --top 20 --report report.html

test: $(VENV)/.dev    ## the whole test suite
	$(BIN)/python -m pytest

lint: $(VENV)/.dev    ## style, types and the floors of the house
	$(BIN)/ruff check src tests benchmarks
	$(BIN)/ruff format --check src tests benchmarks
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.base  ## speed of evaluation, of a whole question and of start-up
	$(BIN)/python benchmarks/run.py

docs: $(VENV)/.docs   ## the documentation site, into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

index: $(VENV)/.base  ## recompile the catalogue index after editing its YAML
	$(BIN)/python -m stackwright.catalog.index

calibrate: $(VENV)/.base   ## refit the shipped calibration record (needs STACKWRIGHT_DATA and the silicon sample)
	OPENBLAS_NUM_THREADS=1 $(BIN)/python benchmarks/calibrate.py
	$(BIN)/python benchmarks/constants_page.py

pages: $(VENV)/.base       ## rewrite the generated pages: docs/constants.md, chips.md, models.md
	$(BIN)/python benchmarks/constants_page.py
	$(BIN)/python benchmarks/chips_page.py
	$(BIN)/python benchmarks/models_page.py

scoreboard: $(VENV)/.base  ## cross-validate everything, write docs/scoreboard (needs the same data)
	OPENBLAS_NUM_THREADS=1 $(BIN)/python benchmarks/scoreboard.py

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.base: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.base
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

$(VENV)/.docs: $(VENV)/.base
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[docs]'
	@touch $@

clean:           ## remove what the targets made
	rm -rf $(VENV) site report.html .pytest_cache .mypy_cache .ruff_cache
