"""The rows of the ARM benchmark: kept, counted again when something changed, or a sentence."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import models
from benchmarks.arm import bench, sysroot
from benchmarks.arm.boards import BOARDS
from benchmarks.arm.counts import InstructionCounts
from benchmarks.arm.sysroot import Userland
from benchmarks.contenders import ARM, ARM_FP16, FACTS, Contender
from edgepatho.errors import UserError

A53 = BOARDS["a53"]
OURS, PEER = Contender("edgepatho", "fp32", "model.epb"), Contender("litert", "fp32", "fp32.tflite")


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> bench.Lab:
    monkeypatch.setenv("EDGEPATHO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(bench, "find_llvm", lambda program: program)
    facts = {"model": "full", "parameters": 7, "multiply_adds": {"drawn": 500, "rewritten": 400}}
    (tmp_path / FACTS).write_text(json.dumps(facts | {"failures": {}}))
    for name in (OURS.model, PEER.model, models.IMAGE, "runtime.whl"):
        (tmp_path / name).write_text(name)
    (tmp_path / "expected.f32").write_bytes(np.ones(3, np.float32).tobytes())
    loader = tmp_path / "runtime" / bench.LOADERS
    loader.parent.mkdir(parents=True)
    loader.touch()
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    return bench.Lab(
        Userland(tmp_path / "system"), tmp_path / "runtime.whl", (tmp_path / "runtime",), tmp_path, scratch
    )


@pytest.fixture
def counted(lab: bench.Lab, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The engines that were counted, in order."""
    engines: list[str] = []

    def count(*given: object, **options: object) -> InstructionCounts:
        arguments = given[2]
        assert isinstance(arguments, list)
        engines.append(arguments[2])
        Path(arguments[-1]).write_bytes(np.ones(3, np.float32).tobytes())
        return InstructionCounts([], [], json.dumps({"arena_bytes": None, "version": "1"}), 64)

    monkeypatch.setattr(bench.counts, "count", count)
    return engines


def test_a_row_is_counted_again_only_if_something_changed(lab: bench.Lab, counted: list[str]):
    first = [bench._row(who, A53, lab) for who in (OURS, PEER)]
    assert [bench._row(who, A53, lab) for who in (OURS, PEER)] == first
    assert counted == ["edgepatho", "litert"]
    lab.wheel.write_text("built again")
    assert [bench._row(who, A53, lab) for who in (OURS, PEER)] == first
    assert counted == ["edgepatho", "litert", "edgepatho"]
    (lab.models / PEER.model).write_text("converted otherwise")
    assert bench._row(PEER, A53, lab)["model_sha256"] != first[1]["model_sha256"]
    assert [row["multiply_adds"] for row in first] == [400, 500]


def test_a_peer_that_fails_is_a_row_with_a_sentence_and_is_tried_again(
    lab: bench.Lab, counted: list[str], monkeypatch: pytest.MonkeyPatch
):
    def crash(*given: object, **options: object) -> InstructionCounts:
        raise UserError(
            "python /tmp/engine.py litert on an emulated cortex-a53 ended with exit code 1: Traceback:\n"
            "  File ...\nValueError: no such kernel"
        )

    with monkeypatch.context() as broken:
        broken.setattr(bench.counts, "count", crash)
        row = bench._row(PEER, A53, lab)
        with pytest.raises(UserError):
            bench._row(OURS, A53, lab)
    sentence = "cortex-a53 ended with exit code 1: ValueError: no such kernel"
    assert (row["error"], row["instructions"]) == (sentence, None)
    assert f"litert fp32 on a53: {sentence}" in bench.as_table([row])
    again = bench._row(PEER, A53, lab)
    assert again["error"] is None
    assert set(again) == set(row)


def test_a_peer_without_a_file_is_a_row_with_a_sentence(lab: bench.Lab, counted: list[str]):
    row = bench._row(Contender("mnn", "fp32", "fp32.mnn"), A53, lab)
    assert row["error"] == "fp32.mnn could not be made: its converter left none."
    assert counted == []


def test_new_peers_run_on_the_boards_with_a_cycle_model():
    on = {cpu: bench._running_on(board) for cpu, board in BOARDS.items()}
    assert {who.engine for who in on["a53"]}.isdisjoint(bench.NOT_ON_A53)
    assert on["a72"] == ARM
    assert on["a76"] == ARM + ARM_FP16


def test_a_wheel_that_cannot_be_installed_leaves_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("EDGEPATHO_CACHE", str(tmp_path))
    asked: list[str] = []

    def pip(command: list[str], failure: str) -> None:
        asked.append(command[-1])
        if command[-1].startswith("MNN") and len(asked) <= len(sysroot.PEER_WHEELS):
            raise UserError(failure)

    monkeypatch.setattr(sysroot, "run_or_fail", pip)
    sysroot.peers()
    assert tuple(asked) == sysroot.PEER_WHEELS
    assert "pip could not install MNN==" in capsys.readouterr().err
    sysroot.peers()
    assert asked[len(sysroot.PEER_WHEELS) :] == [name for name in asked if name.startswith("MNN")][:1]
    sysroot.peers()
    assert len(asked) == len(sysroot.PEER_WHEELS) + 1
