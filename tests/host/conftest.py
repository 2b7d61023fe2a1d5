"""Small test data: a network that is not PathoNet, batches for it, and a few prepared tiles."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgepatho.data.prepare import prepare


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
    """Endless batches of 8, each determined by its step; labels are colour sums."""

    def batches(start: int):
        step = start
        while True:
            images = np.random.default_rng(step).random((8, 8, 8, 3), np.float32)
            sums = images.mean(axis=(1, 2))
            yield images, np.concatenate([sums, sums[:, :1] - sums[:, 1:2]], axis=1) * 10
            step += 1

    return batches


def _tile(path: Path, rng: np.random.Generator) -> None:
    """A picture of brown and blue discs with their labels, in the SHIDC layout."""
    picture = np.full((256, 256, 3), 225, np.uint8)
    cells = []
    for x, y in rng.integers(12, 244, (14, 2)):
        label = int(rng.integers(1, 3))
        cv2.circle(picture, (int(x), int(y)), 7, (60, 90, 140) if label == 1 else (170, 120, 100), -1)
        cells.append({"x": int(x), "y": int(y), "label_id": label})
    cv2.imwrite(str(path.with_suffix(".jpg")), picture)
    path.with_suffix(".json").write_text(json.dumps(cells))


@pytest.fixture(scope="session")
def unseen(tmp_path_factory) -> Path:
    """A prepared folder of a laboratory with two tiles, all for testing."""
    source = tmp_path_factory.mktemp("laboratory")
    rng = np.random.default_rng(1)
    for patient in (1, 2):
        _tile(source / f"p{patient}_0001_1", rng)
    (source / "manifest.json").write_text(json.dumps({"laboratory": "Basel"}))
    folder = tmp_path_factory.mktemp("unseen") / "prepared"
    prepare(source, folder)
    return folder


@pytest.fixture(scope="session")
def prepared(tmp_path_factory) -> Path:
    """Six training tiles of six patients, and two test tiles."""
    source = tmp_path_factory.mktemp("tiles")
    rng = np.random.default_rng(0)
    for part, patients in (("Train", range(1, 7)), ("Test", (7, 8))):
        (source / part).mkdir()
        for patient in patients:
            _tile(source / part / f"p{patient}_0001_1", rng)
    folder = tmp_path_factory.mktemp("data") / "prepared"
    prepare(source, folder)
    return folder
