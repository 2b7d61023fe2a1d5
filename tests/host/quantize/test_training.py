"""Steps that train the codebook, against a one-hot matrix product, and what they must not change."""

import numpy as np
import pytest
import tensorflow as tf

from edgepatho.model import graph as graphs
from edgepatho.model.shared import other_variables
from edgepatho.quantize.quantizer import Quantizer, share
from edgepatho.quantize.shared_training import SharedTraining
from edgepatho.quantize.training import ordinary


def prepared(model, settings):
    shared = share(graphs.from_keras(model), settings)
    shared.variables = other_variables(model)
    return shared


def snapshot(training):
    return [np.array(variable) for variable in training.variables()]


@pytest.fixture
def plain_model():
    """Without batch normalization and dropout, so that a few lines of TensorFlow match it."""
    import keras

    keras.utils.set_random_seed(1)
    image = keras.Input((8, 8, 3), name="image")
    x = keras.layers.Conv2D(6, 3, padding="same", activation="relu", name="conv")(image)
    x = keras.layers.Flatten(name="flat")(x)
    return keras.Model(image, keras.layers.Dense(4, name="scores")(x))


@pytest.mark.parametrize("codebook", ["shared", "per-layer"])
def test_three_adam_steps_match_a_one_hot_matrix_product(plain_model, feed, codebook):
    import keras

    shared = prepared(plain_model, Quantizer(k=8, codebook=codebook))
    books = {name: tf.Variable(book) for name, book in shared.codebooks.items()}
    biases = {name: tf.Variable(value) for name, value in shared.variables.items()}
    bias_adam = keras.optimizers.Adam(0.002)

    def kernel(layer):
        index = shared.indices[layer]
        book = books[shared.codebook_of[layer]]
        product = tf.linalg.matvec(tf.one_hot(index.ravel(), book.shape[0]), book)
        return tf.reshape(product, index.shape)

    training = SharedTraining(plain_model, shared, codebook_rate=0.01, rate=0.002)
    # a codebook of smaller weights moves less, by the power of two that is its unit
    units = {name: float(np.max(training._units[name])) for name in books}
    adams = {name: keras.optimizers.Adam(0.01 * unit, epsilon=1e-7 / unit) for name, unit in units.items()}
    batches = feed(0)
    for _ in range(3):
        images, labels = next(batches)
        with tf.GradientTape() as tape:
            x = tf.nn.relu(tf.nn.conv2d(images, kernel("conv"), 1, "SAME") + biases["conv/bias"])
            flat = tf.reshape(x, (len(images), -1))
            out = flat @ tf.reshape(kernel("scores"), (-1, 4)) + biases["scores/bias"]
            loss = tf.reduce_mean((out - labels) ** 2)
        book_gradients, bias_gradients = tape.gradient(loss, [list(books.values()), list(biases.values())])
        for name, gradient in zip(books, book_gradients, strict=True):
            adams[name].apply_gradients([(gradient, books[name])])
        bias_adam.apply_gradients(zip(bias_gradients, biases.values(), strict=True))
        assert float(training.step(images, labels)) == pytest.approx(float(loss), rel=1e-4)
    trained = training.trained()
    for name, book in books.items():
        assert np.abs(shared.codebooks[name] - book.numpy()).max() > 1e-4  # it has moved
        np.testing.assert_allclose(trained.codebooks[name], book.numpy(), rtol=1e-5, atol=1e-6)
    for name, bias in biases.items():
        np.testing.assert_allclose(trained.variables[name], bias.numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("method", ["cws", "pws", "uq", "ecsq"])
def test_pruned_weights_stay_exactly_zero(small_model, feed, method):
    shared = prepared(small_model, Quantizer(method, k=16, prune=70))
    training = SharedTraining(small_model, shared, codebook_rate=0.01, rate=0.01)
    batches = feed(0)
    for _ in range(5):
        training.step(*next(batches))
    trained = training.trained()
    zeros = [shared.kernel(layer) == 0 for layer in shared.indices]
    assert sum(map(np.count_nonzero, zeros)) >= 0.69 * sum(map(np.size, zeros))
    for layer, zero in zip(shared.indices, zeros, strict=True):
        assert not trained.kernel(layer)[zero].any()
        assert np.unique(trained.kernel(layer)).size <= 16
    assert not np.array_equal(trained.codebooks["codebook"], shared.codebooks["codebook"])


def test_a_step_moves_the_statistics_towards_those_of_the_shared_kernels(small_model, feed):
    shared = prepared(small_model, Quantizer(k=16, scale="channel"))
    training = SharedTraining(small_model, shared, codebook_rate=0.01, rate=0.01)
    images, labels = next(feed(0))
    maps = tf.nn.conv2d(images, shared.kernel("conv"), 1, "SAME").numpy()
    training.step(images, labels)
    trained, momentum = training.trained(), small_model.get_layer("norm").momentum
    statistics = {"moving_mean": maps.mean((0, 1, 2)), "moving_variance": maps.var((0, 1, 2))}
    for name, of_batch in statistics.items():
        before = shared.variables[f"norm/{name}"]
        expected = momentum * before + (1 - momentum) * of_batch
        np.testing.assert_allclose(trained.variables[f"norm/{name}"], expected, rtol=1e-4, atol=1e-6)


def test_a_small_step_lowers_the_error_of_its_own_batch(small_model, feed):
    """Adam's first step is opposite in sign to every derivative; a small one must lower the error."""
    shared = prepared(small_model, Quantizer(k=16, scale="channel"))
    training = SharedTraining(small_model, shared, codebook_rate=1e-4, rate=1e-4, training=False)
    batch = next(feed(0))
    assert float(training.step(*batch)) > float(training.step(*batch))


def test_a_frozen_codebook_does_not_move(small_model, feed):
    shared = prepared(small_model, Quantizer(k=16))
    training = SharedTraining(small_model, shared, codebook_rate=0, rate=0.01)
    training.step(*next(feed(0)))
    trained = training.trained()
    assert np.array_equal(trained.codebooks["codebook"], shared.codebooks["codebook"])
    assert not np.array_equal(trained.variables["norm/gamma"], shared.variables["norm/gamma"])


def test_skipped_layers_stay_bit_identical(small_model, feed):
    graph = graphs.from_keras(small_model)
    shared = prepared(small_model, Quantizer(k=16, layers={"hidden": None}))
    training = SharedTraining(small_model, shared, codebook_rate=0.01, rate=0.01)
    training.step(*next(feed(0)))
    assert np.array_equal(training.trained().kernel("hidden"), graph.kernels["hidden"])


def test_inference_matches_the_quantized_network(small_model):
    shared = prepared(small_model, Quantizer(k=16))
    images = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), np.uint8)
    expected = graphs.evaluate(shared.dense(), images.astype(np.float32) / 255)
    heat = SharedTraining(small_model, shared, 0, 0).heat(images)
    np.testing.assert_allclose(heat, expected, rtol=1e-4, atol=1e-4)


def test_one_traced_step_serves_another_codebook(small_model, feed):
    """Loading resets the optimizer: the result is that of a training created for this codebook."""
    first, second = (prepared(small_model, Quantizer(k=k)) for k in (16, 8))
    reused = SharedTraining(small_model, first, codebook_rate=0.01, rate=0.01)
    reused.step(*next(feed(0)))
    assert reused.fits(second)
    reused.load(second, codebook_rate=0.01, rate=0.01)
    reused.step(*next(feed(5)))
    fresh = SharedTraining(small_model, second, codebook_rate=0.01, rate=0.01)
    fresh.step(*next(feed(5)))
    once, again = fresh.trained(), reused.trained()
    assert once.codebooks["codebook"].size == 8
    np.testing.assert_allclose(again.codebooks["codebook"], once.codebooks["codebook"], atol=1e-3)
    assert not reused.fits(prepared(small_model, Quantizer(k=8, codebook="per-layer")))


def test_the_control_trains_all_weights(small_model, feed):
    before = {layer: kernel.copy() for layer, kernel in graphs.from_keras(small_model).kernels.items()}
    ordinary(small_model, 0.01).step(*next(feed(0)))
    after = graphs.from_keras(small_model).kernels
    assert all(not np.array_equal(before[layer], after[layer]) for layer in before)
