"""A study on disk resumes after any kind of end and can be shared by several workers."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from edgepatho.compression import sweep
from edgepatho.compression.sweep import Point
from edgepatho.errors import InputError, UsageError
from edgepatho.quantize.quantizer import Quantizer

POINTS = [Point(Quantizer(k=k)) for k in (4, 8, 16, 32)]
ABOUT = {"original_sha256": "0" * 64, "tiles": 96}


def measured(point: Point) -> dict:
    return {"k": point.quantizer.k}


def ks(rows: list) -> list[int]:
    return [row["k"] for row in rows]


def test_all_points_are_measured_in_their_order(tmp_path):
    assert ks(sweep.run(POINTS, tmp_path / "study.log", ABOUT, measured)) == [4, 8, 16, 32]


def test_nothing_is_measured_twice(tmp_path):
    sweep.run(POINTS[:2], tmp_path / "study.log", ABOUT, measured)
    seen = []

    def counted(point):
        seen.append(point.quantizer.k)
        return measured(point)

    assert ks(sweep.run(POINTS, tmp_path / "study.log", ABOUT, counted)) == [4, 8, 16, 32]
    assert seen == [16, 32]


def test_an_interrupted_sweep_resumes(tmp_path):
    def interrupted(point):
        if point.quantizer.k == 16:
            raise KeyboardInterrupt
        return measured(point)

    with pytest.raises(KeyboardInterrupt):
        sweep.run(POINTS, tmp_path / "study.log", ABOUT, interrupted)
    assert ks(sweep.run(POINTS, tmp_path / "study.log", ABOUT, measured)) == [4, 8, 16, 32]


KILLED = """
import os, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from test_sweep import ABOUT, POINTS, sweep
sweep.run(POINTS, Path(sys.argv[1]), ABOUT, lambda point: os._exit(9))
"""


def test_points_of_a_killed_worker_are_named_and_can_be_reclaimed(tmp_path):
    study = tmp_path / "study.log"
    killed = subprocess.run([sys.executable, "-c", KILLED, str(study), str(Path(__file__).parent)])
    assert killed.returncode == 9
    said = []
    rows = sweep.run(POINTS, study, ABOUT, measured, say=said.append)
    assert len(rows) == 3
    assert len(said) == 1
    assert said[0].startswith("1 of 4 points are taken by other workers or were left by one that was killed")
    assert ks(sweep.run(POINTS, study, ABOUT, measured, reclaim=True, say=said.append)) == [4, 8, 16, 32]
    assert len(said) == 1


def test_two_workers_share_the_points(tmp_path):
    """The second worker runs during a measurement of the first and must not take the same point."""
    study, inner_rows = tmp_path / "study.log", []

    def outer(point):
        if point.quantizer.k == 4:
            inner_rows.extend(sweep.run(POINTS, study, ABOUT, measured))
        return measured(point)

    assert ks(sweep.run(POINTS, study, ABOUT, outer)) == [4, 8, 16, 32]
    assert sorted(ks(inner_rows)) == [8, 16, 32]


def test_a_point_that_cannot_be_met_is_a_row_with_its_error(tmp_path):
    def refused(point):
        raise UsageError("a rate of 9 bits per weight cannot be met.")

    assert sweep.run(POINTS[:1], tmp_path / "study.log", ABOUT, refused) == [
        {"error": "a rate of 9 bits per weight cannot be met."}
    ]


def test_the_study_of_another_network_is_refused(tmp_path):
    sweep.run(POINTS[:1], tmp_path / "study.log", ABOUT, measured)
    with pytest.raises(InputError, match="another network or other tiles"):
        sweep.run(POINTS, tmp_path / "study.log", ABOUT | {"tiles": 12}, measured)


def test_a_study_of_version_1_is_refused(tmp_path):
    """It had no version, and its points had no `budget` and `hyperparameters`."""
    study = tmp_path / "study.log"
    sweep.run(POINTS[:1], study, ABOUT, measured)
    text = study.read_text()
    study.write_text(text.replace(',"study_version":2', ""))
    assert study.read_text() != text
    with pytest.raises(InputError, match=r"study\.log is a study of another version"):
        sweep.run(POINTS, study, ABOUT, measured)


@pytest.mark.parametrize("content", ["no study\n", '{"op_code": 99}\n'])
def test_a_file_that_is_not_a_study_is_refused(tmp_path, content):
    (tmp_path / "study.log").write_text(content)
    with pytest.raises(InputError, match="not the study of a sweep"):
        sweep.run(POINTS, tmp_path / "study.log", ABOUT, measured)


def test_rows_must_be_json_numbers(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        sweep.run(POINTS[:1], tmp_path / "study.log", ABOUT, lambda _: {"mse": float("nan")})
    assert json.loads(POINTS[0].key)["quantizer"]["k"] == 4
