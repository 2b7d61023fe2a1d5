"""A small network that is not PathoNet, and batches for it."""

import numpy as np
import pytest


@pytest.fixture
def small_model():
    """Convolution, batch normalization, dropout, two dense layers: 8 x 8 x 3 images to 4 numbers."""
    import keras

    keras.utils.set_random_seed(0)
    image = keras.Input((8, 8, 3), name="image")
    x = keras.layers.Conv2D(8, 3, padding="same", use_bias=False, name="conv")(image)
    x = keras.layers.BatchNormalization(name="norm")(x)
    x = keras.layers.LeakyReLU(negative_slope=0.3, name="leaky")(x)
    x = keras.layers.MaxPooling2D(name="pool")(x)
    x = keras.layers.Conv2D(12, 3, padding="same", name="conv2")(x)
    x = keras.layers.Dropout(0.1, name="drop")(x)
    x = keras.layers.Flatten(name="flat")(x)
    x = keras.layers.Dense(20, activation="relu", name="hidden")(x)
    return keras.Model(image, keras.layers.Dense(4, name="scores")(x))


@pytest.fixture
def feed():
    """Endless batches of 8, each the same whenever its step comes: labels are colour sums."""

    def batches(start: int):
        step = start
        while True:
            images = np.random.default_rng(step).random((8, 8, 8, 3), np.float32)
            sums = images.mean(axis=(1, 2))
            yield images, np.concatenate([sums, sums[:, :1] - sums[:, 1:2]], axis=1) * 10
            step += 1

    return batches
