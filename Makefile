# edgepatho: `make demo` shows it all, `make test` checks it all.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
# Two sets of pins: Python 3.11 goes with tflite-runtime and numpy 1, later ones with numpy 2.
PINS   := constraints/$(shell $(PYTHON) -c 'import sys; print("python3.11" if sys.version_info < (3, 12) else "python3.12")').txt
PIP    := $(BIN)/python -m pip --disable-pip-version-check
# A test process for each processor; each takes whole files, whose tests share what they set up.
PYTEST := $(BIN)/python -m pytest -n auto --maxprocesses 8 --dist loadfile
TOOLS  := PATH="$(abspath $(BIN)):$$PATH"
# Without a C compiler, PyPI's ziglang compiles the runtime.
HOST_TOOLCHAIN := $(shell command -v cc >/dev/null || echo $(CURDIR)/cmake/zig.cmake)

SHELL := bash
.SHELLFLAGS := -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help install demo test test-arm test-arm-full test-pi fault-matrix lint types resolve wheel-arm dist docs test-docs \
        bench bench-arm hardness quantizers retraining-step trained-frozen damaged-pictures picture-matrix \
        core-test clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 18

install: $(VENV)/.installed  ## a virtual environment with both distributions and the tools

$(VENV)/.host: pyproject.toml $(PINS)
	$(PYTHON) -m venv $(VENV)
	$(PIP) install -q -U -c $(PINS) pip setuptools wheel
	$(PIP) install -q -c $(PINS) --group dev -e '.[peers]'
	touch $@

$(VENV)/.installed: $(VENV)/.host $(shell find runtime cmake -type f -not -path '*/build/*' 2>/dev/null)
	$(TOOLS) CMAKE_TOOLCHAIN_FILE=$(HOST_TOOLCHAIN) $(PIP) install -q --no-build-isolation --no-deps --force-reinstall ./runtime
	touch $@

demo: install  ## the whole road once: tiles, compression, exports, benchmark, demo/report.html
	$(BIN)/edgepatho demo demo

test: install wheel-arm  ## the test suite
	$(PYTEST)

wheel-arm: install  ## the aarch64 wheel of the runtime, also where `edgepatho deploy` finds it
	$(TOOLS) $(BIN)/python runtime/build_wheel.py runtime dist aarch64
	rm -f edgepatho/wheels/*.whl
	cp dist/edgepatho_runtime-*_aarch64.whl edgepatho/wheels/

# The host's wheel is built from its sdist, the runtime's from theirs: what is missing in one shows here.
dist: install  ## what people install: both wheels and sdists in dist/, the host's with the ARM wheel inside
	rm -rf dist edgepatho/wheels/*.whl
	$(BIN)/python -m build -q --no-isolation --sdist -o dist runtime
	$(TOOLS) $(BIN)/python runtime/build_wheel.py dist/edgepatho_runtime-*.tar.gz dist x86_64 aarch64
	cp dist/edgepatho_runtime-*_aarch64.whl edgepatho/wheels/
	$(BIN)/python -m build -q --no-isolation -o dist .
	ls -l dist

core-test: install  ## the C core's own tests, with the address and undefined-behaviour sanitizers
	$(BIN)/cmake -S runtime -B build/core -G Ninja -DEDGEPATHO_SANITIZE=address,undefined \
	    -DCMAKE_MAKE_PROGRAM=$(abspath $(BIN))/ninja
	$(BIN)/ninja -C build/core
	$(BIN)/ctest --test-dir build/core --output-on-failure --parallel 2

test-arm: install wheel-arm  ## the device wheel on emulated Pi processors
	$(PYTEST) -m arm tests/arm

test-arm-full: install wheel-arm  ## the same with 20 tiles and 1 to 4 threads; benchmarks/results/parity.json
	$(BIN)/python -m benchmarks.parity.matrix

bench: install $(VENV)/.bench  ## this machine: latency, memory, size of every engine; benchmarks/results/host.json
	$(BIN)/python -m benchmarks.host

bench-arm: install wheel-arm  ## estimated cycles on Cortex-A72 and A76; benchmarks/results/arm.json
	$(BIN)/python -m benchmarks.arm.bench

$(VENV)/.bench: $(VENV)/.host
	$(PIP) install -q -c $(PINS) --group bench
	touch $@

resolve: wheel-arm $(VENV)/.resolve  ## does every supported Python find its wheels? host 3.11 to 3.13, device to 3.14
	.ci/resolve $(BIN)

$(VENV)/.resolve: $(VENV)/.host
	$(PIP) install -q --group resolve
	touch $@

test-pi: install wheel-arm  ## boot virtual Raspberry Pis, deploy, score, bench, break, roll back; keeps the log
	EDGEPATHO_PI=1 $(BIN)/python -m pytest -s tests/pi

fault-matrix: install  ## every step of a deploy x every fault, as a table with the count
	$(BIN)/python tests/integration/deploy/fault_matrix.py | tee benchmarks/results/fault-matrix.txt

hardness: install  ## the default synthetic tiles: F1 of a detector without learning, statistics beside real ones
	$(BIN)/edgepatho synth build/tiles
	$(BIN)/python -m benchmarks.classical_detector build/tiles
	$(BIN)/python -m benchmarks.tile_statistics build/tiles

damaged-pictures: install  ## how many damaged pictures pass as sound; benchmarks/results/damaged_pictures.json
	$(BIN)/python -m benchmarks.damaged_pictures

picture-matrix: install  ## what is said about each kind of picture; docs/picture-matrix.md
	$(BIN)/python -m benchmarks.picture_matrix

build/prepared/prepared.json: | install
	$(BIN)/edgepatho synth build/tiles
	$(BIN)/edgepatho prepare build/tiles build/prepared

quantizers: install  ## every quantizer beside the published code; benchmarks/results/quantizers.json
	$(BIN)/python -m benchmarks.quantizer_table

retraining-step: install  ## cost of a retraining step in ordinary steps; benchmarks/results/retraining_step.json
	$(BIN)/python -m benchmarks.retraining_step

trained-frozen: install build/prepared/prepared.json  ## does training the codebook pay? benchmarks/results/trained_frozen.json
	$(BIN)/python -m benchmarks.trained_frozen build/prepared

docs: install $(VENV)/.docs  ## the documentation as a site in build/site; a warning is an error
	$(BIN)/python -m sphinx -q -W --keep-going docs build/site

$(VENV)/.docs: $(VENV)/.host
	$(PIP) install -q -c $(PINS) --group docs
	touch $@

test-docs: install  ## run the commands that README and tutorial show
	$(BIN)/python -m pytest tests/docs

lint: install  ## ruff and shellcheck
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	shellcheck --shell=sh device_scripts/*.sh device_scripts/edgepatho-run device_scripts/edgepatho-watch

types: install  ## mypy
	$(BIN)/python -m mypy edgepatho exporters runtime/src benchmarks

clean:  ## remove what the other targets made
	rm -rf $(VENV) build dist demo runtime/build *.egg-info edgepatho/wheels/*.whl
