"""Training steps of a Keras model whose kernels may be shared: the codebook is the trainable variable.

A kernel is gathered from its codebook inside the step, so that automatic differentiation gives the sum of
the gradients of all weights that share a value: the cumulative gradient of Marinò et al. (ICPR 2020).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgepatho.model import graph as graphs
from edgepatho.model.shared import Float32, SharedModel, other_variables, variables_of

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

Kernels = Callable[[], Mapping[str | None, "tf.Tensor"]]
BATCH = 4  # tiles at a time outside training
SMALLEST_CAPACITY = 256


class Training:
    """One traced training step and one traced inference of `model`, kept for any number of runs.

    `kernels` gives the tensors that stand for the model's own kernels, by layer. `groups` are pairs of
    a learning rate and the variables that Adam moves at it. The loss is the mean squared error. Without
    `statistics` a step computes what inference does: batch normalization by its running statistics, which
    stay as they are, and no dropout.
    """

    indices_move = False

    def __init__(
        self,
        model: keras.Model,
        kernels: Kernels,
        groups: list[tuple[float, list[Any]]],
        statistics: bool = True,
    ) -> None:
        import keras
        import tensorflow as tf

        self.model = model
        self._groups = [(keras.optimizers.Adam(float(rate)), variables) for rate, variables in groups]
        for optimizer, variables in self._groups:
            optimizer.build(variables)

        def forward(images: tf.Tensor, training: bool) -> tuple[tf.Tensor, list[tf.Tensor]]:
            given = kernels()
            values = [
                tf.reshape(given[layer], variable.shape) if layer in given else variable.value
                for layer, variable in _kernel_layers(model)
            ]
            return model.stateless_call(
                values, [v.value for v in model.non_trainable_variables], images, training=training
            )

        @tf.function(reduce_retracing=True)
        def step(images: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
            with tf.GradientTape() as tape:
                outputs, updated = forward(images, statistics)
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

        self.step = step
        self.infer = tf.function(lambda images: forward(images, False)[0], reduce_retracing=True)

    def heat(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the network's output for `images` uint8 [n, height, width, 3]."""
        parts = [images[at : at + BATCH] for at in range(0, len(images), BATCH)]
        return np.concatenate([np.asarray(self.infer(part.astype(np.float32) / 255)) for part in parts])

    def mse(self, images: NDArray[np.uint8], labels: NDArray[Any]) -> float:
        """Return the mean squared error against `labels` (0..255) of the shape of the output."""
        return float(np.mean((self.heat(images) - labels.astype(np.float32)) ** 2, dtype=np.float64))

    def variables(self) -> list[Any]:
        """All that a step changes: parameters, statistics, optimizer moments, seeds of dropout."""
        moments = [variable for optimizer, _ in self._groups for variable in optimizer.variables]
        trained = [variable for _, variables in self._groups for variable in variables]
        return [*trained, *self.model.non_trainable_variables, *moments]

    def reassign(self) -> None:
        """Choose indices anew where they can move; here they cannot."""

    def restart(self, *rates: float) -> None:
        """Forget the optimizers' moments, for a new run with other learning rates, one a group."""
        for (optimizer, _), rate in zip(self._groups, rates, strict=True):
            for variable in optimizer.variables:
                variable.assign(np.zeros(variable.shape, variable.dtype))
            optimizer.learning_rate.assign(rate)


def ordinary(model: keras.Model, rate: float, statistics: bool = True) -> Training:
    """Return the ordinary training of all parameters of `model`."""
    return Training(model, dict, [(rate, list(model.trainable_variables))], statistics)


class SharedTraining(Training):
    """Training of a shared model: codebooks at `codebook_rate`, biases and batch normalization at `rate`.

    `codebook_rate` is that of levels as large as the network's weights; the levels of a codebook whose
    weights are smaller, or in units of a scale, move less or more in proportion. A level that is zero stays
    zero. A codebook has room for `capacity` levels at least, so that one traced step serves many codebooks.
    """

    def __init__(
        self,
        model: keras.Model,
        shared: SharedModel,
        codebook_rate: float,
        rate: float,
        *more_rates: float,
        statistics: bool = True,
        capacity: int = SMALLEST_CAPACITY,
    ) -> None:
        import keras
        import tensorflow as tf

        self.capacity = {name: max(book.size, capacity) for name, book in shared.codebooks.items()}
        self._codebooks = {
            name: keras.Variable(np.zeros(size, np.float32), name=name)
            for name, size in self.capacity.items()
        }
        # What a codebook variable is multiplied by: its unit, or 0 where a level must stay zero. The product
        # also makes the gradient dense; gathered straight from the variable it would be slices with
        # repeated indices, which Adam squares one by one.
        self._units = {name: tf.Variable(np.ones(size, np.float32)) for name, size in self.capacity.items()}
        self._indices = {
            layer: tf.Variable(index.astype(np.int32)) for layer, index in shared.indices.items()
        }
        self._scales = {layer: tf.Variable(scale) for layer, scale in shared.scales.items()}
        self._codebook_of = dict(shared.codebook_of)

        rates = (codebook_rate, rate, *more_rates)
        groups = list(zip(rates, self._movable(model), strict=True))
        super().__init__(model, self._kernels, groups, statistics)
        self.load(shared, *rates)

    def _movable(self, model: keras.Model) -> list[list[Any]]:
        """Make what a subclass adds and return the variables of each learning rate."""
        others = [
            v for name, v in variables_of(model).items() if not name.endswith("/kernel") and v.trainable
        ]
        return [list(self._codebooks.values()), others]

    def _kernels(self) -> dict[str | None, tf.Tensor]:
        import tensorflow as tf

        books = {name: book.value * self._units[name] for name, book in self._codebooks.items()}
        return {
            layer: tf.gather(books[self._codebook_of[layer]], index) * self._scales[layer]
            for layer, index in self._indices.items()
        }

    def fits(self, shared: SharedModel, capacity: int = 0) -> bool:
        """Whether `load` takes `shared`: layers, codebooks and scales alike, and room in all codebooks."""
        return (
            self._codebook_of == shared.codebook_of
            and all(self._scales[layer].shape == scale.shape for layer, scale in shared.scales.items())
            and all(
                max(shared.codebooks[each].size, capacity) <= size for each, size in self.capacity.items()
            )
        )

    def load(self, shared: SharedModel, codebook_rate: float, rate: float, *more_rates: float) -> None:
        """Start anew with the weights of `shared`, and its biases and batch normalization if it has them."""
        for name, variable in variables_of(self.model).items():
            if name in shared.variables:
                variable.assign(shared.variables[name])
        self._set(shared)
        self.restart(codebook_rate, rate, *more_rates)

    def _set(self, shared: SharedModel) -> None:
        """Take over codebooks, indices and scales."""
        self.shared = shared
        network = _rms(np.concatenate([shared.kernel(layer).ravel() for layer in shared.indices]))
        for name, book in shared.codebooks.items():
            padded = np.zeros(self.capacity[name], np.float32)
            padded[: book.size] = book
            unit = _power_of_two(_rms(book[shared.group(name)]), network)
            self._codebooks[name].assign(padded / unit)
            self._units[name].assign(np.where(padded != 0, unit, 0))
        for layer, index in shared.indices.items():
            self._indices[layer].assign(index.astype(np.int32))
            self._scales[layer].assign(shared.scales[layer])

    def trained(self) -> SharedModel:
        """Return the shared model as it stands, with the graph's affines of the trained variables."""
        books = {name: book[: self.shared.codebooks[name].size] for name, book in self._books().items()}
        graph = replace(graphs.from_keras(self.model), kernels=self.shared.graph.kernels)
        return replace(self.shared, graph=graph, codebooks=books, variables=other_variables(self.model))

    def _books(self) -> dict[str, Float32]:
        """The codebooks with zeros up to their capacity."""
        return {name: np.array(book) * np.array(self._units[name]) for name, book in self._codebooks.items()}


def _rms(values: NDArray[np.float32]) -> float:
    return float(np.sqrt(np.mean(values.astype(np.float64) ** 2)))


def _power_of_two(value: float, reference: float) -> np.float32:
    """The power of two nearest to the ratio, which float32 multiplies by without rounding; 1 if one is 0."""
    return np.float32(2.0 ** np.round(np.log2(value / reference))) if value and reference else np.float32(1)


def _kernel_layers(model: keras.Model) -> list[tuple[str | None, Any]]:
    """Every trainable variable with the name of its layer if it is that layer's kernel."""
    layer_of = {
        id(variable): name.rsplit("/", 1)[0]
        for name, variable in variables_of(model).items()
        if name.endswith("/kernel")
    }
    return [(layer_of.get(id(variable)), variable) for variable in model.trainable_variables]
