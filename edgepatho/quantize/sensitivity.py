"""The sensitivity of the output to the weights of each layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import keras

BATCH = 2


def of_layers(
    model: keras.Model, images: NDArray[np.uint8], draws: int = 8, seed: int = 0
) -> dict[str, float]:
    """Return, for every layer with a kernel, the squared derivative of the output, averaged over its weights.

    It is summed over all outputs of `images` uint8 [n, height, width, 3], estimated with random signs
    (Hutchinson, Comm. Statist. 18, 1989): the diagonal of the Gauss-Newton matrix of the squared error
    against the model's own output, the weighting of Choi, El-Khamy and Lee, "Towards the limit of network
    quantization" (ICLR 2017). Uses `draws` batches of two tiles in turn; equal seeds give equal values.
    """
    import tensorflow as tf

    kernels = {layer.name: layer.kernel.value for layer in model.layers if hasattr(layer, "kernel")}

    def derivatives(batch: tf.Tensor, signs: tf.Tensor) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            total = tf.reduce_sum(model(batch, training=False) * signs)
        return [tf.reduce_mean(tf.square(each)) for each in tape.gradient(total, list(kernels.values()))]

    traced = tf.function(derivatives, reduce_retracing=True)
    rng = np.random.default_rng(seed)
    sums = np.zeros(len(kernels))
    for draw in range(draws):
        chosen = np.arange(BATCH * draw, BATCH * (draw + 1)) % len(images)
        batch = images[np.sort(chosen)].astype(np.float32) / 255
        signs = rng.choice(
            np.array([-1, 1], np.float32), (len(batch), *model.compute_output_shape(batch.shape)[1:])
        )
        sums += np.array([float(each) for each in traced(batch, signs)])
    return dict(zip(kernels, (sums / draws).tolist(), strict=True))
