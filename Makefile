# Every target creates the environment itself, in .venv, from the lock.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
UV_VERSION := $(shell sed -n 's/^uv==\([0-9.]*\).*/\1/p' requirements.lock)

# Python and pytest keep what they compiled, also where the environment says otherwise: that saves 10 s of each run.
export PYTHONDONTWRITEBYTECODE :=

DEMO_SCENE := sample_data/scenes/AQUA_MODIS.20240615T183500.L2.OC.nc
DEMO_PRODUCT := demo/AQUA_MODIS.20240615T183500.L2.OC.demo.nc

.PHONY: help install demo bench quick test test-slurm fuzz machine-faults moments same-bytes check lint types imports wheel-smoke lock sample-data notebooks clean

help:  ## show the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' Makefile | expand -t 14

install: $(INSTALLED)  ## create .venv from requirements.lock

# Compiled once here, libraries start in a third of the time, also where Python may not write caches.
# uv is fast; it does not read pip's configuration, so where only pip can reach packages, pip installs.
$(INSTALLED): requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	$(BIN)/uv pip sync --quiet --python $(BIN)/python --compile-bytecode --require-hashes requirements.lock \
	  || $(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	$(BIN)/python -m compileall -q pipeline
	@touch $(INSTALLED)

demo: install  ## process a sample scene with the demonstration network, and draw the product
	$(BIN)/ocpipe run $(DEMO_SCENE) -c demo --networks sample_data/networks -o demo
	$(BIN)/ocpipe quicklook $(DEMO_PRODUCT)

quick: install  ## the tests that fail most often after a change; takes a minute
	$(BIN)/python -m pytest --numprocesses auto --dist worksteal -m "quick and not tensorflow" $$(grep -rl mark.quick tests --include 'test_*.py')

test: install  ## all tests; lists the 30 slowest
	$(BIN)/python -m pytest --numprocesses auto --dist worksteal --durations 30

test-slurm: install  ## run the job files of examples/ on a Slurm of one node; installs Slurm if it is missing
	tests/slurm/run.sh $(BIN)/ocpipe

fuzz: install  ## read damaged and harmful files of every format, 200 files of each format with changed meaning, and tables
	cd tests && ../$(BIN)/python -m fuzz --count 250
	cd tests && ../$(BIN)/python -m fuzz.meaning --count 200
	cd tests && ../$(BIN)/python -m table_mutations --count 200
	cd tests && PYTHONPATH=batch ../$(BIN)/python -m races --count 200
	cd tests && ../$(BIN)/python -m hostile --count 500

machine-faults: install  ## run a batch in which each system call fails once, with each error; takes hours (needs cc)
	cd tests && PYTHONPATH=batch ../$(BIN)/python -m machine_faults
	cd tests && PYTHONPATH=batch ../$(BIN)/python -m machine_faults --cold --kinds pft

moments: install  ## send SIGTERM and Ctrl-C at 50 moments of four commands; takes about ten minutes
	cd tests && PYTHONPATH=.:batch ../$(BIN)/python -m moments --count 50

same-bytes: install  ## compress the same chunks in 300 new processes, and compare the bytes
	$(BIN)/python tests/same_bytes.py --processes 300

check: lint types imports test wheel-smoke  ## all checks that a change must pass

lint: install  ## ruff
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: install  ## mypy, strict
	$(BIN)/mypy

imports: install  ## check the layers of docs/design.md
	$(BIN)/lint-imports

wheel-smoke: install  ## test the built wheel in an empty environment
	PYTHON=$(PYTHON) sh tests/wheel_smoke.sh $(BIN)

lock: install  ## make requirements.lock again
	$(BIN)/uv pip compile pyproject.toml --group dev --universal --python-version 3.11 \
	  --generate-hashes --no-header --no-emit-index-url --upgrade -o requirements.lock

bench: install  ## run the comparisons of benchmarks/; takes half an hour, writes benchmarks/RESULTS.md
	$(BIN)/python benchmarks/run.py

sample-data: install  ## make sample_data/ again
	$(BIN)/python sample_data/make_network.py
	$(BIN)/python sample_data/make_scene.py

notebooks: install  ## run the notebooks of the documentation, and store their output
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/jupyter execute --inplace docs/notebooks/*.ipynb

clean:  ## remove the files that the targets made
	rm -rf $(VENV) build dist demo .pytest_cache .mypy_cache .ruff_cache .hypothesis
