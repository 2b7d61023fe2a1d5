"""The fused batch normalization beside Keras' own."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from edgepatho.model.batch_norm import BatchNormalization


def test_training_equals_keras_in_outputs_gradients_and_moving_statistics() -> None:
    random = np.random.default_rng(0)
    images = tf.constant(random.normal(2, 3, (4, 6, 5, 7)).astype(np.float32))
    weights = random.normal(size=images.shape).astype(np.float32)
    ours, theirs = (
        _trained(kind(), images, weights) for kind in (BatchNormalization, keras.layers.BatchNormalization)
    )
    for value, expected in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(value, expected, rtol=1e-5, atol=1e-5)


def test_a_frozen_layer_uses_its_moving_statistics_in_training() -> None:
    layer = BatchNormalization(trainable=False)
    images = tf.constant(np.random.default_rng(1).normal(2, 3, (2, 4, 4, 3)).astype(np.float32))
    np.testing.assert_array_equal(layer(images, training=True), layer(images, training=False))


def _trained(layer: keras.Layer, images: tf.Tensor, weights: np.ndarray) -> list[np.ndarray]:
    """One training step's outputs, gradients (images, gamma, beta) and moving statistics."""
    layer.build(images.shape)
    layer.gamma.assign(np.arange(1, 8))
    layer.beta.assign(np.arange(7))
    with tf.GradientTape() as tape:
        tape.watch(images)
        outputs = layer(images, training=True)
        loss = tf.reduce_sum(outputs * weights)
    gradients = tape.gradient(loss, [images, layer.gamma.value, layer.beta.value])
    statistics = [layer.moving_mean.value, layer.moving_variance.value]
    return [np.asarray(value) for value in (outputs, *gradients, *statistics)]
