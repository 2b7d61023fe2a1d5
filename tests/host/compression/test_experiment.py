"""Compressions of any network on prepared tiles, retrained towards labels or towards the original."""

import itertools
import shutil

import numpy as np
import pytest

from edgepatho.compression.experiment import Experiment, Measuring, Steps
from edgepatho.errors import UsageError
from edgepatho.model import graph as graphs
from edgepatho.quantize.quantizer import Quantizer
from edgepatho.quantize.retrain import Schedule
from edgepatho.quantize.training import Training

MEASURING = Measuring(test_tiles=2, validation_tiles=1, thresholds=(60, 55, 40))
STEPS = Steps(codebook_rate=1e-3, rate=1e-3, batch=2, crop_px=32, target="original")
SCHEDULE = Schedule(steps=6, validate_every=2, reassign_every=2)


@pytest.fixture
def heat_network():
    """Three heat maps of an image, by two convolutions."""
    import keras

    keras.utils.set_random_seed(0)
    image = keras.Input((None, None, 3), name="image")
    x = keras.layers.Conv2D(12, 3, padding="same", name="first")(image)
    x = keras.layers.BatchNormalization(name="norm")(x)
    x = keras.layers.LeakyReLU(negative_slope=0.3, name="leaky")(x)
    x = keras.layers.Dropout(0.2, name="drop")(x)
    x = keras.layers.Conv2D(3, 1, padding="same", name="last")(x)
    model = keras.Model(image, keras.layers.ReLU(name="heat")(x))
    model.get_layer("last").kernel.assign(100 * model.get_layer("last").kernel)
    return model


@pytest.mark.parametrize("name", ["codebook_rate", "rate", "index_rate"])
@pytest.mark.parametrize("rate", [-1e-4, float("nan"), 1.5])
def test_a_rate_that_trains_nothing_is_refused(name, rate):
    with pytest.raises(UsageError, match=f"--{name.replace('_', '-')} is .*; expected a learning rate"):
        Steps(**{name: rate}).check()


@pytest.fixture
def each_state_is_better(monkeypatch):
    """Whatever training does, validation likes the last state best: what a run ends with is that."""
    errors = itertools.count(0, -1)
    monkeypatch.setattr(Training, "mse", lambda training, images, maps: float(next(errors)))


def test_towards_the_original_the_state_nearest_to_it_is_kept(heat_network, prepared):
    experiment = Experiment(heat_network, prepared, MEASURING, STEPS)
    result = experiment.compress(Quantizer("cws", k=4), SCHEDULE)
    images = experiment.validation.images.astype(np.float32) / 255
    original = graphs.evaluate(experiment.graph, images).numpy()
    kept = np.mean((graphs.evaluate(result.after.dense(), images).numpy() - original) ** 2)
    errors = [entry["validation_mse"] for entry in result.run.history]
    assert len(errors) == 4
    assert kept == pytest.approx(min(errors), rel=1e-3)


@pytest.mark.usefixtures("each_state_is_better")
def test_a_retraining_leaves_the_statistics_alone(heat_network, prepared):
    result = Experiment(heat_network, prepared, MEASURING, STEPS).compress(Quantizer("cws", k=4), SCHEDULE)
    assert not np.array_equal(result.after.codebooks["codebook"], result.before.codebooks["codebook"])
    for name in ("norm/moving_mean", "norm/moving_variance"):
        assert np.array_equal(result.after.variables[name], result.before.variables[name])


@pytest.mark.usefixtures("each_state_is_better")
def test_towards_the_original_no_label_is_looked_at(heat_network, prepared, tmp_path):
    blind = tmp_path / "blind"
    shutil.copytree(prepared, blind)
    for split in ("train", "validation"):
        np.lib.format.open_memmap(blind / f"{split}_labels.npy", "r+")[:] = 0
    weights, books = heat_network.get_weights(), []
    for folder in (prepared, blind):
        heat_network.set_weights(weights)
        result = Experiment(heat_network, folder, MEASURING, STEPS).compress(Quantizer("cws", k=4), SCHEDULE)
        books.append(result.after.codebooks["codebook"])
        assert result.run.best_step == SCHEDULE.steps
    np.testing.assert_allclose(books[0], books[1], rtol=1e-5)


@pytest.mark.usefixtures("each_state_is_better")
def test_moving_indices_keep_the_rate(heat_network, prepared):
    experiment = Experiment(heat_network, prepared, MEASURING, STEPS)
    steps = Steps(1e-3, 1e-3, 2, 32, index_rate=1e-3, target="original")
    result = experiment.compress(Quantizer("ecsq", bits=2, codebook="per-layer"), SCHEDULE, steps)
    assert result.after.entropy_bits() <= 2
    before, after = result.before, result.after
    assert any(not np.array_equal(before.kernel(each), after.kernel(each)) for each in before.indices)


def test_other_scales_and_targets_follow_each_other_in_one_experiment(heat_network, prepared):
    """Traced steps are used again only where they fit."""
    experiment = Experiment(heat_network, prepared, MEASURING, STEPS)
    once = Schedule(steps=1, validate_every=1)
    quantizers = [Quantizer("cws", k=8, scale=scale) for scale in ("none", "channel", "layer", "output")]
    for quantizer in [*quantizers, Quantizer("uq", k=300, codebook="per-layer"), quantizers[0]]:
        for target in ("labels", "original"):
            result = experiment.compress(quantizer, once, Steps(batch=2, crop_px=32, target=target))
            assert result.row_before["mse_to_original"] > 0
    row, run = experiment.control(once, Steps(batch=2, crop_px=32))
    assert run.step == 1
    assert row["mse_to_original"] >= 0
