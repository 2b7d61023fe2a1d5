"""`bench --profile`: every step of a bundle its multiply-adds, its time on one and several threads."""

from __future__ import annotations

import json
from array import array
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bundle_recipe import identity

from edgepatho_runtime import cli
from edgepatho_runtime.bundle import reader
from edgepatho_runtime.network import Network

QUICK = ["--runs", "3", "--warmup", "1"]


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    path = tmp_path / "model.epb"
    path.write_bytes(identity().build())
    return path


def profile_of(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert cli.main(["bench", *arguments, *QUICK, "--profile", "--json", "-"]) == 0
    record: dict[str, Any] = json.loads(capsys.readouterr().out)
    return record


def test_the_steps_are_those_of_the_plan_with_all_its_multiply_adds(
    bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (profile,) = profile_of(capsys, str(bundle), "--threads", "2")["bundles"]
    assert cli.main(["info", str(bundle), "--plan", "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)["plan"]
    assert profile["multiply_adds"] == plan["macs"] > 0
    assert [timed["threads"] for timed in profile["profiles"]] == [1, 2]
    for timed in profile["profiles"]:
        steps = timed["steps"]
        assert [[step["step"], step["operation"], step["multiply_adds"]] for step in steps] == [
            [row[0], row[1], row[3]] for row in plan["rows"]
        ]
        assert sum(step["multiply_adds"] for step in steps) == plan["macs"]
        assert all(step["time_ms"] > 0 for step in steps)
        assert sum(step["time_ms"] for step in steps) == pytest.approx(timed["time_ms"])
        assert sum(step["share"] for step in steps) == pytest.approx(1)


def test_a_folder_prints_a_table_for_each_bundle(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (bundle.parent / "baseline.epb").write_bytes(bundle.read_bytes())
    (bundle.parent / "int8.tflite").write_bytes(b"no bundle: it has no steps that we know")
    assert cli.main(["bench", str(bundle.parent), *QUICK, "--profile", "--threads", "1"]) == 0
    out, err = capsys.readouterr()
    assert [line.split(",")[0] for line in out.splitlines() if "median of 3 runs" in line] == [
        "model.epb",
        "baseline.epb",
    ]
    assert out.count("ms, 1 thread ") == 2
    assert "2/2 edgepatho baseline.epb" in err


def test_without_a_bundle_there_is_nothing_to_profile(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "int8.tflite").write_bytes(b"")
    assert cli.main(["bench", str(tmp_path), *QUICK, "--profile"]) == 3
    assert "A profile needs a bundle (.epb)" in capsys.readouterr().err


def test_more_threads_than_cores_give_a_warning(
    bundle: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("edgepatho_runtime.device.cores", lambda: 2)
    record = profile_of(capsys, str(bundle), "--threads", "3")
    assert record["warnings"] == ["3 threads share 2 cores: their times say nothing about scaling."]


def test_times_are_added_and_do_not_change_the_result() -> None:
    network = Network(reader.parse(identity().build()), 16, 16, threads=2)
    image = np.random.default_rng(3).integers(0, 256, (16, 16, 3), np.uint8)
    step_ns = array("Q", bytes(8 * len(network.plan.steps)))
    timed = np.asarray(network.run(image, step_ns=step_ns)).copy()
    once = list(step_ns)
    assert np.array_equal(timed, network.run(image))
    network.run(image, step_ns=step_ns)
    assert all(twice > first > 0 for first, twice in zip(once, step_ns, strict=True))
    with pytest.raises(ValueError, match=r"the times have 8 bytes, expected \d+"):
        network.run(image, step_ns=array("Q", [0]))
