"""PathoNet as a Keras 3 model.

Negahbani et al., "PathoNet introduced as a deep neural network backend for evaluation of Ki-67 and
tumor-infiltrating lymphocytes in breast cancer", Scientific Reports 11, 8489 (2021): a small U-Net of
residual dilated inception modules that turns an RGB tile into three density maps.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from edgepatho.classes import CLASSES
from edgepatho.model.batch_norm import BatchNormalization

PARAMETERS = 3_236_907
CONV_WEIGHTS = 3_220_296


def build(size: int | None = None, batch: int | None = None, l2: float = 5e-4) -> keras.Model:
    """PathoNet: float32 RGB / 255 [batch, size, size, 3] -> heat maps [batch, size, size, 3] in 0..255 units.

    The output channels are `CLASSES`. Height and width must be multiples of 16; `size=None` leaves them
    open. As in the paper's code: orthogonal kernel initialization, L2 of `l2` on every kernel, batch
    normalization with epsilon 1e-3, leaky ReLU with slope 0.3, dropout of 0.1 around the deepest module,
    no bias except in the last layer. Layers are created in the order of the paper's code, so its weight
    files match by order as well as by shape.
    """
    image = layers.Input((size, size, 3), batch_size=batch, name="image")
    first = _conv_bn_leaky(_conv_bn_leaky(image, 16, 3, "b1_1", l2), 16, 3, "b1_2", l2)
    second = _encoder(layers.MaxPooling2D(2, name="pool1")(first), 32, "b2", l2)
    third = _encoder(layers.MaxPooling2D(2, name="pool2")(second), 64, "b3", l2)
    fourth = _encoder(layers.MaxPooling2D(2, name="pool3")(third), 128, "b4", l2)
    deepest = layers.Dropout(0.1, name="drop4")(layers.MaxPooling2D(2, name="pool4")(fourth))
    y = layers.Dropout(0.1, name="drop5")(_encoder(deepest, 256, "b5", l2))
    for number, skip, channels in ((6, fourth, 128), (7, third, 64), (8, second, 32), (9, first, 16)):
        y = layers.UpSampling2D(2, name=f"up{number}")(y)
        y = _decoder(y, channels, f"u{number}", l2)
        y = layers.Concatenate(name=f"merge{number}")([skip, y])
    for name, channels in (("b9_1", 16), ("b9_2", 16), ("b9_3", 8)):
        y = _conv_bn_leaky(y, channels, 3, name, l2)
    heat = layers.Conv2D(len(CLASSES), 1, activation="relu", name="conv10")(y)
    return keras.Model(image, heat, name="PathoNet")


def _encoder(y: Any, channels: int, name: str, l2: float) -> Any:
    branches = _branches(y, channels, name, l2)
    twice = layers.Concatenate(name=f"{name}_dup")([y, y])
    return _merge([*branches, twice], name)


def _decoder(y: Any, channels: int, name: str, l2: float) -> Any:
    for step in (1, 2):
        y = _conv_bn_leaky(y, channels, 1, f"{name}_p{step}", l2)
    return _merge([*_branches(y, channels, name, l2), y], name)


def _branches(y: Any, channels: int, name: str, l2: float) -> list[Any]:
    """The two branches of a module: two 3x3 convolutions each, with dilation 1 and dilation 4."""
    ends = []
    for dilation in (1, 4):
        branch = y
        for step in (1, 2):
            branch = _conv_bn_leaky(branch, channels, 3, f"{name}_a{dilation}_{step}", l2, dilation)
        ends.append(branch)
    return ends


def _merge(branches: list[Any], name: str) -> Any:
    y = layers.Add(name=f"{name}_add")(branches)
    y = BatchNormalization(name=f"{name}_out_bn")(y)
    return layers.LeakyReLU(negative_slope=0.3, name=f"{name}_out_lr")(y)


def _conv_bn_leaky(y: Any, channels: int, kernel: int, name: str, l2: float, dilation: int = 1) -> Any:
    y = layers.Conv2D(
        channels,
        kernel,
        padding="same",
        dilation_rate=dilation,
        use_bias=False,
        kernel_initializer="orthogonal",
        kernel_regularizer=keras.regularizers.L2(l2) if l2 else None,
        name=name,
    )(y)
    y = BatchNormalization(name=f"{name}_bn")(y)
    return layers.LeakyReLU(negative_slope=0.3, name=f"{name}_lr")(y)
