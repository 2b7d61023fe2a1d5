"""Moving indices: latent weights follow the gradient and are assigned to levels again."""

from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from edgepatho.model import graph as graphs
from edgepatho.model.shared import other_variables
from edgepatho.quantize.latent import LatentTraining
from edgepatho.quantize.prune import pruned
from edgepatho.quantize.quantizer import Quantizer, share
from edgepatho.quantize.retrain import Budget, retrain
from edgepatho.quantize.shared_training import SharedTraining

RATES = (0.003, 0.003, 0.001)


def latent_training(model, quantizer, rates=RATES, mode=False):
    graph, others = graphs.from_keras(model), other_variables(model)

    def sharing(kernels):
        return replace(share(replace(graph, kernels=dict(kernels)), quantizer), variables=others)

    training = LatentTraining(model, sharing(graph.kernels), *rates, training=mode)
    training.choose(pruned(graph.kernels, quantizer.prune), sharing)
    return training


def test_without_a_step_reassignment_gives_the_same_indices(small_model):
    training = latent_training(small_model, Quantizer("ecsq", bits=1.5))
    before = training.trained()
    training.reassign()
    after = training.trained()
    for layer in before.indices:
        np.testing.assert_allclose(after.kernel(layer), before.kernel(layer), atol=1e-6)


def test_a_step_computes_with_the_shared_weights(small_model, feed):
    """Latent weights change the gradient's path, not the value of the loss."""
    quantizer = Quantizer("cws", k=8)
    shared = share(graphs.from_keras(small_model), quantizer)
    shared.variables = other_variables(small_model)
    images, labels = next(feed(0))
    plain = SharedTraining(small_model, shared, 0.0, 0.0, training=False).step(images, labels)
    latent = latent_training(small_model, quantizer, (0.0, 0.0, 0.0))
    images_as_tiles = np.round(images * 255).astype(np.uint8)
    heat = latent.heat(images_as_tiles)
    assert float(plain) == pytest.approx(np.mean((heat - labels) ** 2), rel=1e-2)


def test_latent_weights_get_their_weights_gradients_and_levels_the_sum(small_model, feed):
    """Against Keras' gradients of the dense kernels. Adam's first moment is a tenth of the gradient."""
    training = latent_training(small_model, Quantizer("cws", k=8, scale="channel"))
    shared = training.trained()
    images, labels = next(feed(0))
    kernels = {layer: small_model.get_layer(layer).kernel for layer in shared.indices}
    for layer, kernel in kernels.items():
        kernel.assign(shared.kernel(layer).reshape(kernel.shape))
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean((small_model(images, training=False) - labels) ** 2)
    gradients = tape.gradient(loss, [kernel.value for kernel in kernels.values()])
    training.step(images, labels)

    level_sums = np.zeros(shared.codebooks["codebook"].size)
    moments = [first_moments(optimizer) for optimizer, _ in training._groups]
    for layer, gradient, moment in zip(kernels, gradients, moments[2], strict=True):
        gradient = gradient.numpy().reshape(shared.indices[layer].shape)
        latent = np.array(training._latent_units[layer]) * gradient
        np.testing.assert_allclose(10 * moment, latent, rtol=1e-3, atol=1e-5 * np.abs(latent).max())
        by_level = (shared.scales[layer] * gradient).ravel()
        level_sums += np.bincount(shared.indices[layer].ravel(), by_level, level_sums.size)
    level_sums *= np.max(np.array(training._units["codebook"]))
    found = 10 * moments[0][0][: level_sums.size]
    np.testing.assert_allclose(found, level_sums, rtol=1e-3, atol=1e-5 * np.abs(level_sums).max())


def first_moments(adam):
    return [np.array(variable) for variable in adam.variables if variable.name.endswith("momentum")]


@pytest.mark.parametrize(
    "quantizer", [Quantizer("cws", k=4), Quantizer("ecsq", bits=1.0)], ids=lambda each: each.method
)
def test_moved_indices_are_the_quantized_latent_weights(small_model, feed, quantizer):
    training = latent_training(small_model, quantizer)
    graph, before, batches = graphs.from_keras(small_model), training.trained(), feed(0)
    for _ in range(3):
        for _ in range(2):
            training.step(*next(batches))
        latents = {
            layer: np.array(latent) * np.array(training._latent_units[layer])
            for layer, latent in training._latents.items()
        }
        training.reassign()
        found, expected = training.trained(), share(replace(graph, kernels=latents), quantizer)
        for layer in latents:
            np.testing.assert_allclose(found.kernel(layer), expected.kernel(layer), rtol=1e-6)
        if quantizer.bits:
            assert found.entropy_bits() <= quantizer.bits
        else:
            assert found.codebooks["codebook"].size <= quantizer.k
    assert any(not np.array_equal(before.indices[layer], found.indices[layer]) for layer in before.indices)


def test_pruned_weights_stay_zero_while_indices_move(small_model, feed):
    quantizer = Quantizer("cws", k=8, prune=60)
    zeros = {
        layer: kernel == 0 for layer, kernel in pruned(graphs.from_keras(small_model).kernels, 60).items()
    }
    training = latent_training(small_model, quantizer)
    before = training.trained()
    batches = feed(0)
    for _ in range(4):
        training.step(*next(batches))
        training.reassign()
    after = training.trained()
    assert any(not np.array_equal(before.kernel(layer), after.kernel(layer)) for layer in zeros)
    for layer, zero in zeros.items():
        assert not after.kernel(layer)[zero].any()


def test_the_best_state_restores_its_indices(small_model, feed):
    training = latent_training(small_model, Quantizer("ecsq", bits=1.5))
    errors, seen = [5.0, 1.0, 3.0, 4.0], []

    def validate():
        seen.append(training.trained())
        return errors[len(seen) - 1]

    retrain(training, feed, validate, Budget(steps=6, validate_every=2, reassign_every=2))
    best, last = seen[1], seen[3]
    found = training.trained()
    assert any(not np.array_equal(best.indices[layer], last.indices[layer]) for layer in best.indices)
    for layer in best.indices:
        assert np.array_equal(found.kernel(layer), best.kernel(layer))


def test_patience_starts_once_the_indices_have_settled(small_model, feed):
    training = latent_training(small_model, Quantizer("uq", k=8))
    errors = iter(range(100))  # only worse
    budget = Budget(steps=12, validate_every=1, reassign_every=2, patience=2)
    assert retrain(training, feed, lambda: float(next(errors)), budget).step == 10


def test_an_interrupted_run_resumes_with_the_same_indices(small_model, feed, tmp_path):
    class Interrupted(BaseException):
        pass

    quantizer = Quantizer("ecsq", bits=1.5)
    budget = Budget(steps=8, validate_every=2, reassign_every=2, patience=99)
    weights = small_model.get_weights()
    whole = latent_training(small_model, quantizer)
    counts = iter(range(100))
    retrain(whole, feed, lambda: -float(next(counts)), budget)
    expected = whole.trained()

    def failing(start):
        for number, batch in enumerate(feed(start), start):
            if number == 5:
                raise Interrupted
            yield batch

    small_model.set_weights(weights)
    broken = latent_training(small_model, quantizer)
    counts = iter(range(100))
    state = tmp_path / "state.npz"
    with pytest.raises(Interrupted):
        retrain(broken, failing, lambda: -float(next(counts)), budget, state=state, key={"options": "a"})
    small_model.set_weights(weights)
    again = latent_training(small_model, quantizer)
    counts = iter(range(3, 100))
    retrain(again, feed, lambda: -float(next(counts)), budget, state=state, key={"options": "a"})
    found = again.trained()
    for layer in expected.indices:
        np.testing.assert_allclose(found.kernel(layer), expected.kernel(layer), atol=1e-6)
