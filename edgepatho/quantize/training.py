"""Training steps of a Keras model whose kernels may be replaced by other tensors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgepatho.model.weights import variables_of

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

Kernels = Callable[[], Mapping[str | None, "tf.Tensor"]]
BATCH = 4  # tiles per batch outside training


class Training:
    """One traced training step and one traced inference of `model`, kept for any number of runs.

    `kernels` returns the tensors that replace the model's own kernels, by layer. `groups` are pairs of a
    learning rate and the variables that Adam updates with it. The loss is the mean squared error. Without
    `training` a step computes what inference does: batch normalization uses its running statistics and
    leaves them unchanged, and there is no dropout.
    """

    indices_move = False

    def __init__(
        self,
        model: keras.Model,
        kernels: Kernels,
        groups: list[tuple[float, list[Any]]],
        training: bool = True,
    ) -> None:
        import keras
        import tensorflow as tf

        self.model = model
        self._groups = [(keras.optimizers.Adam(float(rate)), variables) for rate, variables in groups]
        for optimizer, variables in self._groups:
            optimizer.build(variables)

        def forward(images: tf.Tensor, as_in_training: bool) -> Any:
            given = kernels()
            values = [
                tf.reshape(given[layer], variable.shape) if layer in given else variable.value
                for layer, variable in _kernel_layers(model)
            ]
            return model.stateless_call(
                values, [v.value for v in model.non_trainable_variables], images, training=as_in_training
            )

        def step(images: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
            with tf.GradientTape() as tape:
                outputs, updated = forward(images, training)
                mse = tf.reduce_mean(tf.square(outputs - labels))
            everything = [variable for _, variables in self._groups for variable in variables]
            gradients = tape.gradient(mse, [variable.value for variable in everything])
            for optimizer, variables in self._groups:
                if variables:
                    optimizer.apply(gradients[: len(variables)], variables)
                gradients = gradients[len(variables) :]
            for variable, value in zip(model.non_trainable_variables, updated, strict=True):
                variable.assign(value)
            return mse

        self.step = tf.function(step, reduce_retracing=True)
        self.infer = tf.function(lambda images: forward(images, False)[0], reduce_retracing=True)

    def heat(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the network's output for `images` uint8 [n, height, width, 3]."""
        parts = [images[at : at + BATCH] for at in range(0, len(images), BATCH)]
        return np.concatenate([np.asarray(self.infer(part.astype(np.float32) / 255)) for part in parts])

    def mse(self, images: NDArray[np.uint8], labels: NDArray[Any]) -> float:
        """Return the mean squared error against `labels` (0..255) of the shape of the output."""
        return float(np.mean((self.heat(images) - labels.astype(np.float32)) ** 2, dtype=np.float64))

    def variables(self) -> list[Any]:
        """Everything a step changes: parameters, statistics, optimizer moments, dropout seeds."""
        moments = [variable for optimizer, _ in self._groups for variable in optimizer.variables]
        trained = [variable for _, variables in self._groups for variable in variables]
        return [*trained, *self.model.non_trainable_variables, *moments]

    def reassign(self) -> None:
        """Reassign indices where they can move; here they cannot."""

    def restart(self, *rates: float) -> None:
        """Reset the optimizers' moments for a new run with other learning rates, one per group."""
        for (optimizer, _), rate in zip(self._groups, rates, strict=True):
            for variable in optimizer.variables:
                variable.assign(np.zeros(variable.shape, variable.dtype))
            optimizer.learning_rate.assign(rate)


def ordinary(model: keras.Model, rate: float, training: bool = True) -> Training:
    """Return the ordinary training of all parameters of `model`."""
    return Training(model, dict, [(rate, list(model.trainable_variables))], training)


def _kernel_layers(model: keras.Model) -> list[tuple[str | None, Any]]:
    """Every trainable variable, with the name of its layer if it is that layer's kernel."""
    layer_of = {
        id(variable): name.rsplit("/", 1)[0]
        for name, variable in variables_of(model).items()
        if name.endswith("/kernel")
    }
    return [(layer_of.get(id(variable)), variable) for variable in model.trainable_variables]
