"""A training run is resumed from its own state only."""

from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np
import pytest
from click.testing import CliRunner

from edgepatho.cli import main
from edgepatho.errors import InputError
from edgepatho.model.train import Schedule, train

PREPARED = {
    "format": "edgepatho-prepared",
    "version": 1,
    "tiles": {"train": 1, "validation": 1, "test": 1},
    "synthetic": True,
    "sha256": "0" * 64,
}


def test_a_foreign_or_damaged_state_is_refused_and_kept(tmp_path):
    schedule = Schedule(crop_steps=1, whole_steps=0)
    (tmp_path / "prepared.json").write_text(json.dumps(PREPARED))
    other = json.dumps({"schedule": asdict(Schedule(crop_steps=2))})
    state = tmp_path / "state.npz"
    np.savez(state, about=np.array(other))
    whole = state.read_bytes()
    cases = {b"junk": "not the state", whole[: len(whole) // 2]: "not the state", whole: "same settings"}
    for content, sentence in cases.items():
        state.write_bytes(content)
        with pytest.raises(InputError, match=sentence):
            train(tmp_path, tmp_path, schedule)
        assert state.read_bytes() == content


def test_a_run_on_other_tiles_is_refused_and_kept(tmp_path):
    schedule = Schedule(crop_steps=1, whole_steps=0)
    (tmp_path / "prepared.json").write_text(json.dumps(PREPARED))
    state = tmp_path / "state.npz"
    np.savez(state, about=np.array(json.dumps({"schedule": asdict(schedule), "tiles": "1" * 64})))
    before = state.read_bytes()
    with pytest.raises(InputError, match="other tiles"):
        train(tmp_path, tmp_path, schedule)
    assert state.read_bytes() == before


@pytest.mark.parametrize("seed", ["-1", "4294967296"])
def test_a_seed_that_no_generator_takes_is_a_usage_error(seed, tmp_path):
    result = CliRunner().invoke(main, ["train", str(tmp_path), "-o", str(tmp_path / "out"), "--seed", seed])
    assert result.exit_code == 2
    assert "--seed" in result.stderr


@pytest.mark.parametrize(("option", "value"), [("--rate", "nan"), ("--rate", "0"), ("--l2", "-1")])
def test_rates_that_train_nothing_are_usage_errors(option, value, tmp_path):
    result = CliRunner().invoke(main, ["train", str(tmp_path), "-o", str(tmp_path / "out"), option, value])
    assert result.exit_code == 2
    assert "trains nothing" in result.stderr
    assert not list(tmp_path.iterdir())
