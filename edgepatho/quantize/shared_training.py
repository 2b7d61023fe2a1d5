"""Training of a shared model: the codebook is the trainable variable.

A kernel is gathered from its codebook inside the step, so automatic differentiation sums the gradients of
all weights that share a value: the cumulative gradient of Marinò et al. (ICPR 2020).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgepatho.model import graph as graphs
from edgepatho.model.shared import Float32, SharedModel, other_variables
from edgepatho.model.weights import variables_of
from edgepatho.quantize.training import Training

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

MIN_CAPACITY = 256


class SharedTraining(Training):
    """Training of a shared model: codebooks at `codebook_rate`, biases and batch normalization at `rate`.

    `codebook_rate` applies to levels of the network's RMS weight; the levels of a codebook with smaller or
    scaled weights move proportionally less or more. A level that is zero stays zero. A codebook has room for
    at least `capacity` levels, so one traced step serves many codebooks.
    """

    def __init__(
        self,
        model: keras.Model,
        shared: SharedModel,
        codebook_rate: float,
        rate: float,
        *more_rates: float,
        training: bool = True,
        capacity: int = MIN_CAPACITY,
    ) -> None:
        import keras
        import tensorflow as tf

        self.capacity = {name: max(book.size, capacity) for name, book in shared.codebooks.items()}
        self._codebooks = {
            name: keras.Variable(np.zeros(size, np.float32), name=name)
            for name, size in self.capacity.items()
        }
        # A codebook variable is multiplied by its unit, or by 0 where a level must stay zero. The product
        # also makes the gradient dense: gathered straight from the variable it would be slices with
        # repeated indices, which Adam squares one by one.
        self._units = {name: tf.Variable(np.ones(size, np.float32)) for name, size in self.capacity.items()}
        self._indices = {
            layer: tf.Variable(index.astype(np.int32)) for layer, index in shared.indices.items()
        }
        self._scales = {layer: tf.Variable(scale) for layer, scale in shared.scales.items()}
        self._codebook_of = dict(shared.codebook_of)

        rates = (codebook_rate, rate, *more_rates)
        groups = list(zip(rates, self._movable(model), strict=True))
        super().__init__(model, self._kernels, groups, training)
        self.load(shared, *rates)

    def _movable(self, model: keras.Model) -> list[list[Any]]:
        """Create what a subclass adds and return the variables of each learning rate."""
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
        """Whether `load` accepts `shared`: same layers, codebooks and scales, and room in all codebooks."""
        return (
            self._codebook_of == shared.codebook_of
            and all(self._scales[layer].shape == scale.shape for layer, scale in shared.scales.items())
            and all(
                max(shared.codebooks[each].size, capacity) <= size for each, size in self.capacity.items()
            )
        )

    def load(self, shared: SharedModel, codebook_rate: float, rate: float, *more_rates: float) -> None:
        """Start over with the weights of `shared`, and its biases and batch normalization if it has them."""
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
        """Return the shared model as it stands, with affines computed from the trained variables."""
        books = {name: book[: self.shared.codebooks[name].size] for name, book in self._books().items()}
        graph = replace(graphs.from_keras(self.model), kernels=self.shared.graph.kernels)
        return replace(self.shared, graph=graph, codebooks=books, variables=other_variables(self.model))

    def _books(self) -> dict[str, Float32]:
        """The codebooks, padded with zeros to their capacity."""
        return {name: np.array(book) * np.array(self._units[name]) for name, book in self._codebooks.items()}


def _rms(values: NDArray[np.float32]) -> float:
    return float(np.sqrt(np.mean(values.astype(np.float64) ** 2)))


def _power_of_two(value: float, reference: float) -> np.float32:
    """The power of two nearest to the ratio (float32 multiplies by it exactly); 1 if either is 0."""
    return np.float32(2.0 ** np.round(np.log2(value / reference))) if value and reference else np.float32(1)
