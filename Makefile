# Targets for people and for CI. Everything is installed into .venv/, nothing anywhere else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: install demo test check fuzz soak-collector lock accuracy schemas bench-collector clean

install: $(STAMP)

$(STAMP): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "podcause needs Python 3.11 or newer; set PYTHON=python3.11")'
	@echo "installing podcause into $(VENV)/"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: install
	@$(BIN)/podcause demo

test: install
	@$(BIN)/python -m pytest

check: install
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

# 100,000 mutated real observations through the engine: none may raise.
fuzz: install
	@$(BIN)/python tests/fuzz/fuzz_engine.py

# Everything killed at random for 20 minutes at 100 writes a second: what the API server accepted is on the topic. KUBECONFIG names a
# disposable cluster, PODCAUSE_CLUSTER_TOOLS the folder with its `kill` and `up`; SOAK="--minutes 5 --rate 100 --seed 1" says more.
soak-collector: install
	@$(BIN)/python tests/e2e/soak_collector.py $(SOAK)

# How often the engine is right, by recordings and cases whose truth is known (../shared, where it is at hand).
accuracy: install
	@$(BIN)/podcause accuracy

# podcause collect beside the OpenTelemetry Collector, on the disposable cluster that KUBECONFIG names; needs Go. See bench/collector.
bench-collector: install
	@$(BIN)/python -m bench.collector --output $(VENV)/bench-collector.json

# Writes schemas/v1/*.json from the structs.
schemas: install
	@$(BIN)/python -m schemas.json_schema

# Pins every dependency with hashes, for every platform and Python from 3.11, and without any URL.
lock: install
	@$(BIN)/python -m pip install --quiet uv
	@$(BIN)/uv pip compile pyproject.toml --extra embedded --group dev --universal --python-version 3.11 --generate-hashes \
		--no-annotate --custom-compile-command "make lock" --output-file requirements.txt
	@sed -n 's/^\([^ #][^ ]*==[^\]*[^ \]\) *\\*$$/\1/p' requirements.txt >$(VENV)/constraints.txt
	@$(BIN)/uv pip compile pyproject.toml --constraint $(VENV)/constraints.txt --universal --python-version 3.11 --generate-hashes \
		--no-annotate --custom-compile-command "make lock" --output-file requirements-runtime.txt

clean:
	rm -rf $(VENV)
