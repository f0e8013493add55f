# `make` alone shows what there is. Needs Python 3.10+ and make; everything else goes into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Virtual Jetsons; `make lab` has a lab of its own, so yours of the name "lab" stays as it is.
LAB := EDGEKIT_LAB=make $(BIN)/python -m tests.lab
LAB_PYTHONS := cp38 cp310 cp312
# So many parts of the tests at a time, as most of them wait for something; TEST_LAB=1: those on virtual Jetsons too.
TEST_JOBS ?= 1
TEST_LAB ?=

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint unit device-tests camera-packages lab-packages lab-wheels lab soak wheel clean

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup:
	@$(PYTHON) tools/make_venv.py $(VENV) host,local,postgres,dev

demo: setup  ## deploy the demo detector on this machine, measure it, write the report
	@$(BIN)/edgekit deploy --device local
	@$(BIN)/edgekit bench --fps --precision all --device local
	@$(BIN)/edgekit stop --device local
	@$(BIN)/edgekit report --device local

test: setup lint $(if $(TEST_LAB),lab-wheels)  ## everything that is checked: lint, types, tests, tests under Python 3.8
	@$(BIN)/python tools/all_tests.py --jobs $(TEST_JOBS) $(if $(TEST_LAB),--lab)

lint: setup  ## ruff and mypy
	@$(BIN)/ruff check .
	@$(BIN)/mypy

unit: setup  ## the tests with this machine's Python
	@$(BIN)/python tools/second_try.py

device-tests: setup  ## the tests of device code under Python 3.8, where there is one
	@$(BIN)/python tools/device_tests.py

camera-packages:  ## what tests of live cameras, brokers, databases and pages need of Debian or Ubuntu; as root
	@apt-get update -qq
	@DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$($(PYTHON) -m tests.servers packages)

lab-packages:  ## what virtual Jetsons need of Debian or Ubuntu; as root
	@apt-get update -qq
	@DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$($(PYTHON) -m tests.lab packages)

lab-wheels: setup  ## fetch what virtual Jetsons install: they have no way out
	@for python in $(LAB_PYTHONS); do $(BIN)/python -m edgekit.control.wheels fetch $$python $$(uname -m) onnxruntime || exit; done

lab: lab-wheels  ## the tests on virtual Jetsons; as root, after make lab-packages
	@$(LAB) doctor
	@$(LAB) session $(BIN)/python tools/second_try.py -m lab tests/lab

soak: setup  ## kill an activation 2,000 times and cut its power 1,000 times, as root; takes long
	@$(BIN)/python -m pytest tests/crash --soak

wheel: setup  ## build dist/*.whl
	@$(BIN)/python -m build --wheel

clean:  ## delete environments, engines, results and caches
	rm -rf $(VENV) .venv38 .edgekit dist build
