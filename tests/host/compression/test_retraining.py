"""Compression of any network on prepared tiles, retrained towards the labels or the original."""

import itertools
import shutil

import numpy as np
import pytest

from edgepatho.compression import frontier
from edgepatho.compression.hyperparameters import Hyperparameters
from edgepatho.compression.original import Measuring, measure
from edgepatho.compression.retraining import retrain_control, retrain_shared, share
from edgepatho.errors import UsageError
from edgepatho.evaluate.unseen import laboratories
from edgepatho.model import graph as graphs
from edgepatho.model.weights import variables_of
from edgepatho.quantize.quantizer import Quantizer
from edgepatho.quantize.retrain import Budget
from edgepatho.quantize.training import Training

MEASURING = Measuring(test_tiles=2, validation_tiles=1, thresholds=(60, 55, 40))
HYPERPARAMETERS = Hyperparameters(codebook_rate=1e-3, rate=1e-3, batch=2, crop_px=32, target="original")
BUDGET = Budget(steps=6, validate_every=2, reassign_every=2)


@pytest.fixture
def heat_network():
    """Two convolutions that turn an image into three heat maps."""
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
        Hyperparameters(**{name: rate})


def test_a_target_that_does_not_exist_is_refused():
    with pytest.raises(UsageError, match="target is 'lables'; expected labels or original"):
        Hyperparameters(target="lables")


def compress(original, quantizer, budget=BUDGET, hyperparameters=HYPERPARAMETERS):
    """The shared model and the retrained one."""
    shared = share(original, quantizer)
    return shared, retrain_shared(original, shared, quantizer, budget, hyperparameters)


@pytest.fixture
def each_state_is_better(monkeypatch):
    """Make every validation the best one, so that a run ends with its last state."""
    errors = itertools.count(0, -1)
    monkeypatch.setattr(Training, "mse", lambda training, images, maps: float(next(errors)))


def test_towards_the_original_the_nearest_state_is_kept(heat_network, prepared):
    original = measure(heat_network, prepared, MEASURING)
    _, retrained = compress(original, Quantizer("cws", k=4))
    images = original.validation.images.astype(np.float32) / 255
    expected = graphs.evaluate(original.graph, images).numpy()
    kept = np.mean((graphs.evaluate(retrained.model.dense(), images).numpy() - expected) ** 2)
    errors = [entry["validation_mse"] for entry in retrained.state.history]
    assert len(errors) == 4
    assert kept == pytest.approx(min(errors), rel=1e-3)


@pytest.mark.usefixtures("each_state_is_better")
def test_retraining_leaves_the_statistics_unchanged(heat_network, prepared):
    original = measure(heat_network, prepared, MEASURING)
    shared, retrained = compress(original, Quantizer("cws", k=4))
    assert not np.array_equal(retrained.model.codebooks["codebook"], shared.codebooks["codebook"])
    for name in ("norm/moving_mean", "norm/moving_variance"):
        assert np.array_equal(retrained.model.variables[name], shared.variables[name])


@pytest.mark.usefixtures("each_state_is_better")
def test_towards_the_original_no_label_is_used(heat_network, prepared, tmp_path):
    blind = tmp_path / "blind"
    shutil.copytree(prepared, blind)
    for split in ("train", "validation"):
        np.lib.format.open_memmap(blind / f"{split}_labels.npy", "r+")[:] = 0
    weights, books = heat_network.get_weights(), []
    for folder in (prepared, blind):
        heat_network.set_weights(weights)
        _, retrained = compress(measure(heat_network, folder, MEASURING), Quantizer("cws", k=4))
        books.append(retrained.model.codebooks["codebook"])
        assert retrained.state.best_step == BUDGET.steps
    np.testing.assert_allclose(books[0], books[1], rtol=1e-5)


def test_unseen_laboratories_are_judged_against_the_original(heat_network, prepared, unseen):
    others = laboratories([unseen])
    original = measure(heat_network, prepared, MEASURING, unseen=others)
    _, retrained = compress(original, Quantizer("cws", k=4), Budget(steps=0))
    images = others[0].tiles.images.astype(np.float32) / 255
    heat = graphs.evaluate(original.graph, images).numpy()
    shared = graphs.evaluate(retrained.model.dense(), images).numpy()
    assert retrained.unseen["Basel"]["mse_to_original"] == pytest.approx(
        np.mean((heat - shared) ** 2), rel=1e-3
    )
    figures = frontier.figures_of(original)
    assert figures["unseen"]["Basel"]["til_f1"] == original.unseen["Basel"].row["til"]["f1"]


@pytest.mark.usefixtures("each_state_is_better")
def test_moving_indices_keep_the_rate(heat_network, prepared):
    original = measure(heat_network, prepared, MEASURING)
    moving = Hyperparameters(1e-3, 1e-3, 2, 32, index_rate=1e-3, target="original")
    quantizer = Quantizer("ecsq", bits=2, codebook="per-layer")
    before, retrained = compress(original, quantizer, hyperparameters=moving)
    after = retrained.model
    assert after.entropy_bits() <= 2
    assert any(not np.array_equal(before.kernel(each), after.kernel(each)) for each in before.indices)


def test_one_original_serves_several_scales_and_targets(heat_network, prepared):
    """Traced steps are reused only where they fit."""
    original = measure(heat_network, prepared, MEASURING)
    once = Budget(steps=1, validate_every=1)
    quantizers = [Quantizer("cws", k=8, scale=scale) for scale in ("none", "channel", "layer", "output")]
    for quantizer in [*quantizers, Quantizer("uq", k=300, codebook="per-layer"), quantizers[0]]:
        for target in ("labels", "original"):
            hyperparameters = Hyperparameters(batch=2, crop_px=32, target=target)
            _, retrained = compress(original, quantizer, once, hyperparameters)
            assert original.judge(retrained.heat_before)["mse_to_original"] > 0
    for training in (False, True):
        hyperparameters = Hyperparameters(batch=2, crop_px=32, training=training)
        control = retrain_control(original, once, hyperparameters)
        assert control.state.step == 1
        assert original.judge(control.heat)["mse_to_original"] >= 0
    for name, variable in variables_of(heat_network).items():
        assert np.array_equal(np.array(variable), original.variables[name])
