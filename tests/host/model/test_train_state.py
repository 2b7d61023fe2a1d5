"""A training run resumes only from its own state."""

from __future__ import annotations

import json
import signal
from dataclasses import asdict, replace
from functools import partial
from itertools import chain, repeat

import keras
import numpy as np
import pytest
from click.testing import CliRunner

from edgepatho.cli import main
from edgepatho.data import batches
from edgepatho.errors import InputError
from edgepatho.model import pathonet
from edgepatho.model import train as module
from edgepatho.model.train import TrainingSettings, train
from edgepatho.model.training_state import FORMAT, VERSION

PREPARED = {
    "format": "edgepatho-prepared",
    "version": 2,
    "tiles": {"train": 1, "validation": 1, "test": 1},
    "synthetic": True,
    "shared_patients": [],
    "sha256": "0" * 64,
}


SETTINGS = TrainingSettings(crop_steps=1, whole_steps=0)


def write_state(path, **changes):
    """The state of a run with SETTINGS on PREPARED, interrupted before its first step."""
    about = {"format": FORMAT, "version": VERSION} | changes
    about.setdefault("key", {"settings": asdict(SETTINGS), "tiles": PREPARED["sha256"]})
    np.savez(path, about=np.array(json.dumps(about)))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"key": {"settings": asdict(TrainingSettings()), "tiles": "0" * 64}}, "run with other settings;"),
        (
            {"key": {"settings": asdict(replace(SETTINGS, augment=False)), "tiles": "0" * 64}},
            "other settings;",
        ),
        ({"key": {"settings": asdict(SETTINGS), "tiles": "1" * 64}}, "run with other tiles;"),
        ({"key": {"settings": {}, "tiles": "1" * 64}}, "run with other settings and tiles;"),
        ({"version": 1}, "written by another version"),
        ({"format": None}, "written by another version"),
        ({"key": {}}, "not the state of a training"),
        ({"key": None}, "not the state of a training"),
        ({"key": [1]}, "not the state of a training"),
        ({}, "not the state of a training"),  # its arrays are missing
    ],
)
def test_a_foreign_state_is_refused_and_kept(changes, sentence, tmp_path):
    (tmp_path / "prepared.json").write_text(json.dumps(PREPARED))
    state = tmp_path / "state.npz"
    write_state(state, **changes)
    before = state.read_bytes()
    with pytest.raises(InputError, match=sentence) as error:
        train(tmp_path, tmp_path, SETTINGS)
    assert str(error.value).startswith(f"{state} ")
    assert state.read_bytes() == before


def test_a_damaged_state_is_refused_and_kept(tmp_path):
    (tmp_path / "prepared.json").write_text(json.dumps(PREPARED))
    state = tmp_path / "state.npz"
    write_state(state)
    whole = state.read_bytes()
    for content in (b"junk", whole[: len(whole) // 2]):
        state.write_bytes(content)
        with pytest.raises(InputError, match="not the state of a training"):
            train(tmp_path, tmp_path, SETTINGS)
        assert state.read_bytes() == content


@pytest.fixture
def small_network(monkeypatch):
    """One convolution instead of PathoNet, which takes half a minute for each trace."""

    def build(size=None, batch=None, l2=0.0):
        convolution = keras.layers.Conv2D(3, 3, padding="same", kernel_regularizer=keras.regularizers.L2(l2))
        return keras.Sequential(
            [keras.Input((size, size, 3)), convolution, keras.layers.BatchNormalization()]
        )

    monkeypatch.setattr(pathonet, "build", build)


@pytest.mark.usefixtures("small_network")
def test_a_training_run_resumes_exactly(prepared, tmp_path):
    settings = TrainingSettings(crop_steps=2, whole_steps=0, batch=1, crop_px=16)
    weights = {}
    for name, runs in (("whole", 1), ("interrupted", 2)):
        for run in range(runs):
            keras.utils.set_random_seed(0)
            # `stop` is called before the first step and after every step
            stop = chain([False], repeat(runs == 2 and run == 0))
            model, state = train(prepared, tmp_path / name, settings, stop=partial(next, stop))
        assert (state.step, state.history[-1]["step"]) == (2, 2)
        weights[name] = model.get_weights()
    for whole, interrupted in zip(weights["whole"], weights["interrupted"], strict=True):
        np.testing.assert_allclose(interrupted, whole, rtol=1e-4, atol=1e-6)


@pytest.mark.usefixtures("small_network")
def test_the_rarest_class_is_sought_from_70_to_90_percent_of_the_crop_steps(prepared, tmp_path, monkeypatch):
    feeds = []

    def recorded(*arguments, **options):
        feeds.append((options["start"], options["crop"], options["rare"]))
        return feed(*arguments, **options)

    feed = batches.batches
    monkeypatch.setattr(batches, "batches", recorded)
    settings = TrainingSettings(crop_steps=10, whole_steps=1, batch=1, crop_px=16)
    train(prepared, tmp_path, settings)
    assert feeds == [(0, 16, 0.0), (7, 16, 0.5), (9, 16, 0.0), (10, None, 0.0)]


@pytest.mark.parametrize("about", ["3", "[]", "null", '"text"'])
def test_a_state_of_something_else_is_refused(about, tmp_path):
    (tmp_path / "prepared.json").write_text(json.dumps(PREPARED))
    np.savez(tmp_path / "state.npz", about=np.array(about))
    with pytest.raises(InputError, match="not the state of a training"):
        train(tmp_path, tmp_path, SETTINGS)


@pytest.mark.usefixtures("small_network")
def test_ctrl_c_keeps_the_finished_steps(prepared, tmp_path, monkeypatch):
    """After a signal during the first step, that step is saved and the same command resumes at the second."""
    arguments = ["train", str(prepared), "-o", str(tmp_path), "--batch", "1", "--crop-px", "16"]
    arguments += ["--crop-steps", "3", "--whole-steps", "0"]
    traced = module._training_step

    def interrupted(*given):
        step = traced(*given)

        def once(*batch):
            signal.raise_signal(signal.SIGINT)
            return step(*batch)

        return once

    monkeypatch.setattr(module, "_training_step", interrupted)
    first = CliRunner().invoke(main, arguments)
    assert first.exit_code == 130
    assert "Interrupted after step 1 of 3" in first.stderr
    assert not (tmp_path / "weights.safetensors").exists()
    monkeypatch.setattr(module, "_training_step", traced)
    second = CliRunner().invoke(main, arguments)
    assert second.exit_code == 0, second.output
    assert "Resuming at step 1 of 3" in second.stderr
    assert "steps           3" in second.stdout


@pytest.mark.parametrize("seed", ["-1", "4294967296"])
def test_an_out_of_range_seed_is_a_usage_error(seed, tmp_path):
    result = CliRunner().invoke(main, ["train", str(tmp_path), "-o", str(tmp_path / "out"), "--seed", seed])
    assert result.exit_code == 2
    assert "--seed" in result.stderr


@pytest.mark.parametrize(("option", "value"), [("--rate", "nan"), ("--rate", "0"), ("--l2", "-1")])
def test_rates_that_train_nothing_are_usage_errors(option, value, tmp_path):
    result = CliRunner().invoke(main, ["train", str(tmp_path), "-o", str(tmp_path / "out"), option, value])
    assert result.exit_code == 2
    assert "trains nothing" in result.stderr
    assert not list(tmp_path.iterdir())
