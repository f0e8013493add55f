# `make` alone shows what there is. Needs Python 3.10+ and make; everything else goes into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint unit device-tests wheel clean

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup:
	@$(PYTHON) tools/make_venv.py $(VENV) host,local,dev

demo: setup  ## deploy the demo detector on this machine, measure it, write the report
	@$(BIN)/edgekit deploy --device local
	@$(BIN)/edgekit bench --fps --precision all --device local
	@$(BIN)/edgekit stop --device local
	@$(BIN)/edgekit report --device local

test: setup lint unit device-tests  ## everything that is checked: lint, types, tests, tests under Python 3.8

lint: setup  ## ruff and mypy
	@$(BIN)/ruff check .
	@$(BIN)/mypy

unit: setup  ## the tests with this machine's Python
	@$(BIN)/python -m pytest

device-tests: setup  ## the tests of device code under Python 3.8, where there is one
	@$(BIN)/python tools/device_tests.py

wheel: setup  ## build dist/*.whl
	@$(BIN)/python -m build --wheel

clean:  ## delete environments, engines, results and caches
	rm -rf $(VENV) .venv38 .edgekit dist build
