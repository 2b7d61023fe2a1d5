"""Retraining that also moves the indices: they are reassigned from latent weights trained with the rest.

A step computes with the shared weights. The gradient of a weight goes to its level and, by the
straight-through estimator (Bengio, Léonard and Courville, arXiv 1308.3432), to a latent float weight behind
the index. From time to time the quantizer is applied to the latent weights again. With ECSQ at a given rate
this makes the rate part of the loss, as in Wiedemann et al., "Entropy-constrained training of deep neural
networks" (IJCNN 2019): a weight keeps a rare level only if that lowers the error enough.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgepatho.model.shared import SharedModel
from edgepatho.quantize.shared_training import SharedTraining

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

Kernels = Mapping[str, NDArray[np.float32]]


class LatentTraining(SharedTraining):
    """Training of a shared model with a latent weight behind every index.

    After the two rates of `SharedTraining` comes that of the latent weights, in the unit of their codebook. A
    latent weight of zero, such as a pruned one, stays zero.
    """

    indices_move = True

    def choose(self, kernels: Kernels, share: Callable[[Kernels], SharedModel]) -> None:
        """Start the latent weights at `kernels`; from now on `reassign` passes them to `share`."""
        self._share = share
        for layer, latent in self._latents.items():
            unit = np.max(np.array(self._units[self._codebook_of[layer]])) or np.float32(1)  # 0: all zeros
            unit = unit * np.array(self._scales[layer])
            latent.assign(kernels[layer] / unit)
            self._latent_units[layer].assign(np.where(kernels[layer] != 0, unit, 0))

    def reassign(self) -> None:
        """Recompute codebooks and indices; the optimizers keep their state."""
        self._set(
            self._share(
                {
                    layer: np.array(latent) * np.array(self._latent_units[layer])
                    for layer, latent in self._latents.items()
                }
            )
        )

    def variables(self) -> list[Any]:
        """Everything a run changes, indices and scales included."""
        chosen = (self._units, self._indices, self._scales)
        return [*super().variables(), *(variable for group in chosen for variable in group.values())]

    def trained(self) -> SharedModel:
        """The shared model as it stands, without levels that no weight has."""
        indices = {layer: np.array(index).astype(np.uint16) for layer, index in self._indices.items()}
        scales = {layer: np.array(scale) for layer, scale in self._scales.items()}
        model = replace(super().trained(), codebooks=self._books(), indices=indices, scales=scales)
        return _without_unused(model)

    def _movable(self, model: keras.Model) -> list[list[Any]]:
        import keras
        import tensorflow as tf

        shapes = {layer: index.shape for layer, index in self._indices.items()}
        self._latents = {layer: keras.Variable(np.zeros(each, np.float32)) for layer, each in shapes.items()}
        self._latent_units = {layer: tf.Variable(np.ones(each, np.float32)) for layer, each in shapes.items()}
        return [*super()._movable(model), list(self._latents.values())]

    def _kernels(self) -> dict[str | None, tf.Tensor]:
        import tensorflow as tf

        kernels = super()._kernels()
        for layer, latent in self._latents.items():
            value = latent.value * self._latent_units[layer]
            kernels[layer] += value - tf.stop_gradient(value)
        return kernels


def _without_unused(shared: SharedModel) -> SharedModel:
    """The same model without levels that no weight has."""
    books, indices = {}, dict(shared.indices)
    for name, book in shared.codebooks.items():
        used = np.unique(shared.group(name))
        books[name] = book[used]
        for layer, codebook in shared.codebook_of.items():
            if codebook == name:
                indices[layer] = np.searchsorted(used, indices[layer]).astype(np.uint16)
    return replace(shared, codebooks=books, indices=indices)
