# edgepatho: `make demo` runs the whole pipeline, `make test` the tests.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
# Two sets of pins: Python 3.11 with tflite-runtime and numpy 1, later versions with numpy 2.
PINS   := constraints/$(shell $(PYTHON) -c 'import sys; print("python3.11" if sys.version_info < (3, 12) else "python3.12")').txt
PIP    := $(BIN)/python -m pip --disable-pip-version-check
# One test process per processor; each takes whole files, because tests in a file share fixtures.
PYTEST := $(BIN)/python -m pytest -n auto --maxprocesses 8 --dist loadfile --no-loadscope-reorder
TOOLS  := PATH="$(abspath $(BIN)):$$PATH"
# Without a C compiler, PyPI's ziglang compiles the runtime.
HOST_TOOLCHAIN := $(shell command -v cc >/dev/null || echo $(CURDIR)/cmake/zig.cmake)

SHELL := bash
.SHELLFLAGS := -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help install demo test test-arm test-arm-full test-pi fault-matrix lint types resolve wheel-arm dist docs test-docs \
        bench bench-arm bench-scale hardness envelope laboratories generalisation normalisation unlabelled calibration quantizers retraining-step trained-frozen damaged-pictures picture-matrix \
        core-test screenshots clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 18

install: $(VENV)/.installed  ## create .venv with both distributions and the development tools

$(VENV)/.host: pyproject.toml $(PINS)
	$(PYTHON) -m venv $(VENV)
	$(PIP) install -q -U -c $(PINS) pip setuptools wheel
	$(PIP) install -q -c $(PINS) --group dev -e '.[peers]'
	touch $@

$(VENV)/.installed: $(VENV)/.host $(shell find runtime cmake -type f -not -path '*/build/*' 2>/dev/null)
	$(TOOLS) CMAKE_TOOLCHAIN_FILE=$(HOST_TOOLCHAIN) $(PIP) install -q --no-build-isolation --no-deps --force-reinstall ./runtime
	touch $@

demo: install  ## the whole pipeline on a few tiles; writes demo/report.html
	$(BIN)/edgepatho demo demo

test: install wheel-arm  ## run the test suite
	$(PYTEST)

wheel-arm: install  ## build the runtime's aarch64 wheel and put it where `edgepatho deploy` finds it
	$(TOOLS) $(BIN)/python runtime/build_wheel.py runtime dist aarch64
	rm -f edgepatho/wheels/*.whl
	cp dist/edgepatho_runtime-*_aarch64.whl edgepatho/wheels/

# Every wheel is built from its sdist, so a file missing from an sdist shows here.
dist: install  ## build wheels and sdists of both distributions in dist/; the host wheel contains the ARM wheel
	rm -rf dist edgepatho/wheels/*.whl
	$(BIN)/python -m build -q --no-isolation --sdist -o dist runtime
	$(TOOLS) $(BIN)/python runtime/build_wheel.py dist/edgepatho_runtime-*.tar.gz dist x86_64 aarch64
	cp dist/edgepatho_runtime-*_aarch64.whl edgepatho/wheels/
	$(BIN)/python -m build -q --no-isolation -o dist .
	ls -l dist

core-test: install  ## run the C core's own tests with the address and undefined-behaviour sanitizers
	$(BIN)/cmake -S runtime -B build/core -G Ninja -DEDGEPATHO_SANITIZE=address,undefined \
	    -DCMAKE_MAKE_PROGRAM=$(abspath $(BIN))/ninja
	$(BIN)/ninja -C build/core
	$(BIN)/ctest --test-dir build/core --output-on-failure --parallel 2

test-arm: install wheel-arm  ## test the device wheel on emulated Pi processors
	$(PYTEST) -m arm tests/arm

test-arm-full: install wheel-arm  ## the same with 20 tiles and 1 to 4 threads; writes benchmarks/results/parity.json
	$(BIN)/python -m benchmarks.parity.matrix

bench: install $(VENV)/.bench  ## measure every engine on this machine; writes benchmarks/results/host.json
	$(BIN)/python -m benchmarks.host

bench-arm: install wheel-arm $(VENV)/.bench  ## estimate cycles on Cortex-A72 and A76; writes benchmarks/results/arm.json
	$(BIN)/python -m benchmarks.arm.bench

bench-scale: install  ## time and memory over image size and network width; writes benchmarks/results/scale.json
	$(BIN)/python -m benchmarks.scale

$(VENV)/.bench: $(VENV)/.host pyproject.toml
	$(PIP) install -q -c $(PINS) --group bench
	touch $@

resolve: wheel-arm $(VENV)/.resolve  ## check that every supported Python (host 3.11-3.13, device to 3.14) finds its wheels
	.ci/resolve $(BIN)

$(VENV)/.resolve: $(VENV)/.host
	$(PIP) install -q --group resolve
	touch $@

test-pi: install wheel-arm  ## boot virtual Raspberry Pis; deploy, score, bench, cut power, roll back; keeps the log
	EDGEPATHO_PI=1 $(BIN)/python -m pytest -s tests/pi

fault-matrix: install  ## run every step of a deployment with every fault; writes benchmarks/results/fault-matrix.txt
	$(BIN)/python tests/integration/deploy/fault_matrix.py | tee benchmarks/results/fault-matrix.txt

hardness: install  ## print how hard the default synthetic tiles are, and whether they span real laboratories
	$(BIN)/edgepatho synth build/tiles
	$(BIN)/python -m benchmarks.classical_detector build/tiles
	$(BIN)/python -m benchmarks.cue_probe build/tiles
	$(BIN)/python -m benchmarks.sense_probe build/tiles
	$(BIN)/python -m benchmarks.stain_range build/tiles
	$(BIN)/python -m benchmarks.tile_statistics build/tiles

envelope: install build/prepared/prepared.json  ## print how often `score` says that a picture is outside training
	$(BIN)/python -m benchmarks.envelope build

damaged-pictures: install  ## count damaged pictures that go undetected; writes benchmarks/results/damaged_pictures.json
	$(BIN)/python -m benchmarks.damaged_pictures

picture-matrix: install  ## list the message for each kind of picture; writes docs/picture-matrix.md
	$(BIN)/python -m benchmarks.picture_matrix

build/prepared/prepared.json: | install
	$(BIN)/edgepatho synth build/tiles
	$(BIN)/edgepatho prepare build/tiles build/prepared

LABORATORIES := $(foreach name,A B C D E F,build/unseen/$(name)/prepared.json)

laboratories: $(LABORATORIES)  ## prepare the laboratories that training never sees in build/unseen

$(LABORATORIES): build/unseen/%/prepared.json: | install
	$(BIN)/edgepatho synth build/laboratories/$* --laboratory $*
	$(BIN)/edgepatho prepare build/laboratories/$* build/unseen/$*

generalisation: install build/prepared/prepared.json $(LABORATORIES)  ## judge the shipped weights on laboratories they have not seen; writes benchmarks/results/generalisation.json
	$(BIN)/python -m benchmarks.generalisation build/prepared --unseen build/unseen

normalisation: install $(VENV)/.bench build/prepared/prepared.json $(LABORATORIES)  ## compare stain normalisation with augmentation, 1,200 steps each (hours); writes benchmarks/results/normalisation.json
	$(BIN)/python -m benchmarks.normalisation build/prepared build/unseen

unlabelled: install build/prepared/prepared.json $(LABORATORIES)  ## compress with and without labels; writes benchmarks/results/unlabelled.json
	$(BIN)/python -m benchmarks.unlabelled build/tiles build/prepared --unseen build/unseen

calibration: install build/prepared/prepared.json $(LABORATORIES)  ## correct 10 pictures of an unseen laboratory; writes benchmarks/results/calibration.json
	$(BIN)/python -m benchmarks.calibration build/prepared build/laboratories/C build/laboratories/E

quantizers: install  ## compare every quantizer with the published code; writes benchmarks/results/quantizers.json
	$(BIN)/python -m benchmarks.quantizer_table

retraining-step: install  ## measure the cost of a retraining step; writes benchmarks/results/retraining_step.json
	$(BIN)/python -m benchmarks.retraining_step

trained-frozen: install build/prepared/prepared.json  ## compare trained and frozen codebooks; writes benchmarks/results/trained_frozen.json
	$(BIN)/python -m benchmarks.trained_frozen build/prepared

docs: install $(VENV)/.docs  ## build the documentation site in build/site; warnings are errors
	$(BIN)/python -m sphinx -q -W --keep-going docs build/site

screenshots: docs  ## the first screens of README and site; docs/images/*-screen.png
	$(BIN)/python -m benchmarks.screenshots

$(VENV)/.docs: $(VENV)/.host
	$(PIP) install -q -c $(PINS) --group docs
	touch $@

test-docs: install  ## run the commands that README and tutorial show
	$(BIN)/python -m pytest tests/docs

lint: install  ## run ruff and shellcheck
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	shellcheck --shell=sh device_scripts/*.sh device_scripts/edgepatho-run device_scripts/edgepatho-watch

types: install  ## run mypy
	$(BIN)/python -m mypy edgepatho exporters runtime/src benchmarks

clean:  ## remove everything the other targets create
	rm -rf $(VENV) build dist demo runtime/build *.egg-info edgepatho/wheels/*.whl
