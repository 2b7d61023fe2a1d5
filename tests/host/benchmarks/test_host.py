"""The figures of the host benchmark: medians over rounds, ratios within a round."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import host, results
from benchmarks.contenders import FACTS, Contender, difference
from edgepatho.errors import UserError

REFERENCE = Contender(host.REFERENCE, "fp32", "fp32.tflite")
TWICE_AS_FAST = Contender("edgepatho", "fp32", "model.epb")


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A folder with what the rows need, but no model."""
    for name in (REFERENCE.model, TWICE_AS_FAST.model):
        (tmp_path / name).write_bytes(name.encode())
    (tmp_path / "expected.f32").write_bytes(np.array([0, 100], np.float32).tobytes())
    facts = {"model": "full", "parameters": 7, "multiply_adds": {"drawn": 500, "rewritten": 400}}
    (tmp_path / FACTS).write_text(json.dumps(facts | {"failures": {"mnn": "MNN crashed"}}))
    return tmp_path


def test_ratios_survive_a_machine_that_slows_down(models: Path, monkeypatch):
    """The rounds slow down threefold; a ratio of medians over all rounds would drift."""
    started: list[Contender] = []

    def run(series: host.Series, folder: Path, output: Path) -> dict[str, object]:
        output.write_bytes((folder / "expected.f32").read_bytes())
        slowness = 100 * (1 + len(started) // 2)
        started.append(series.contender)
        latency = slowness * (0.5 if series.contender == TWICE_AS_FAST else 1)
        times = {"load_ms": 20.0, "first_ms": 30.0, "runs_ms": [latency, latency, 9 * latency]}
        return {**times, "peak_rss_bytes": 25_000_000, "arena_bytes": 9_000_000, "version": "1"}

    monkeypatch.setattr(host, "_run", run)
    monkeypatch.setattr(host, "empty_interpreter_bytes", lambda: 10_000_000)
    ours, peer = host.measure(models, (TWICE_AS_FAST, REFERENCE), (1,))
    assert ours["ratio_to_tflite_runtime_fp32"] == [0.5, 0.5]
    assert peer["ratio_to_tflite_runtime_fp32"] == [1, 1]
    assert ours["peak_rss_over_python_bytes"] == 15_000_000
    assert ours["arena_bytes"] == 9_000_000
    assert ours["load_to_first_ms"] == 50
    assert ours["file_bytes"] == len("model.epb")
    assert [(row["model"], row["multiply_adds"], row["parameters"]) for row in (ours, peer)] == [
        ("full", 400, 7),
        ("full", 500, 7),
    ]
    # half of the rounds start with the other engine
    firsts = started[::2]
    assert 0.3 < firsts.count(REFERENCE) / len(firsts) < 0.7
    table = host.as_table([ours, peer])
    assert "0.500" in table
    assert "+" in table  # how much the second pass differs


def test_an_engine_that_computes_something_else_is_not_timed(models: Path, tmp_path: Path):
    output = tmp_path / "output.f32"
    output.write_bytes(np.array([0, 100.01], np.float32).tobytes())
    assert difference(TWICE_AS_FAST, output, models) == pytest.approx(1e-4, rel=0.1)
    output.write_bytes(np.array([0, 101], np.float32).tobytes())
    with pytest.raises(UserError, match=r"differs from TensorFlow by 1\.00e-02"):
        difference(TWICE_AS_FAST, output, models)
    assert difference(Contender("litert", "int8", "int8.tflite"), output, models) == pytest.approx(0.01)
    output.write_bytes(np.array([np.nan, 100], np.float32).tobytes())
    with pytest.raises(UserError, match="nan"):
        difference(TWICE_AS_FAST, output, models)
    output.write_bytes(b"")
    with pytest.raises(UserError, match="0 values"):
        difference(TWICE_AS_FAST, output, models)


def test_what_cannot_be_measured_is_a_row_with_a_sentence(models: Path, monkeypatch):
    """A peer that is missing, was not converted or crashes, and more threads than cores."""

    def run(series: host.Series, folder: Path, output: Path) -> dict[str, object]:
        if series.contender.engine == "ncnn":
            raise UserError("ncnn fp32 ended with signal 11: it said nothing")
        output.write_bytes((folder / "expected.f32").read_bytes())
        times = {"load_ms": 20.0, "first_ms": 30.0, "runs_ms": [40.0]}
        return {**times, "peak_rss_bytes": 25_000_000, "arena_bytes": None, "version": "1"}

    crashing = Contender("ncnn", "fp32", "ncnn.param")
    for file in crashing.files(models):
        file.touch()
    installed = [TWICE_AS_FAST, Contender("mnn", "fp32", "fp32.mnn"), crashing]
    absent = Contender("openvino", "fp32", "fp32.xml")
    monkeypatch.setattr(host, "_run", run)
    monkeypatch.setattr(host.importlib.util, "find_spec", lambda name: None if name == "openvino" else name)
    monkeypatch.setattr(host.os, "sched_getaffinity", lambda process: {0})
    rows = host.measure(models, (*installed, absent), (1, 2))
    assert [row["error"] for row in rows[:4]] == [
        None,
        "fp32.mnn could not be made: MNN crashed.",
        "ncnn fp32 ended with signal 11: it said nothing",
        "openvino is not installed in this Python; `make bench` installs it.",
    ]
    assert {row["error"] for row in rows[4:]} == {"2 threads were asked for, but this machine has 1 core."}
    assert rows[0]["median_ms"] == 40
    assert all(set(row) == set(rows[0]) for row in rows)
    assert "ncnn fp32, threads 1: ncnn fp32 ended with signal 11" in host.as_table(rows)


def test_our_own_runtime_must_be_measurable(models: Path, monkeypatch):
    def run(series: host.Series, folder: Path, output: Path) -> dict[str, object]:
        raise UserError("edgepatho fp32 ended with exit code 1")

    monkeypatch.setattr(host, "_run", run)
    with pytest.raises(UserError, match="edgepatho fp32 ended"):
        host.measure(models, (TWICE_AS_FAST,), (1,))


def test_a_measured_row_is_not_measured_again(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("EDGEPATHO_CACHE", str(tmp_path))
    measured: list[int] = []

    def measure() -> dict[str, int]:
        measured.append(len(measured))
        return {"mcycles": measured[-1]}

    assert results.kept("bench-arm", [b"engine", b"1"], measure) == {"mcycles": 0}
    assert results.kept("bench-arm", [b"engine", b"1"], measure) == {"mcycles": 0}
    assert results.kept("bench-arm", [b"engin", b"e1"], measure) == {"mcycles": 1}


def test_results_are_a_list_with_one_row_a_line(tmp_path: Path):
    rows = [{"engine": "edgepatho", "mcycles": None}, {"engine": "ncnn", "mcycles": 1.5}]
    results.save(rows, tmp_path / "arm.json")
    text = (tmp_path / "arm.json").read_text()
    assert json.loads(text) == rows
    assert len(text.splitlines()) == len(rows) + 2
