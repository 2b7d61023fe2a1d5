"""The hyperparameters of retraining."""

from __future__ import annotations

from dataclasses import dataclass

from edgepatho.choices import RetrainingTarget, check_choices
from edgepatho.errors import UsageError


@dataclass(frozen=True)
class Hyperparameters:
    """The hyperparameters of a retraining step: Adam's learning rates, batches and target.

    `rate` is the rate of biases and batch normalization, and of all weights in the control; `index_rate` that
    of the latent weights that choose the indices, 0 for fixed indices. A batch holds random crops of
    `crop_px`, or whole tiles, each under a random one of the first `symmetries`. The target is the labels, or
    the output of the original; then labels are not used. Without `training` a step computes what inference
    does: batch normalization keeps its running statistics and dropout is off. With it, the statistics lag
    behind the weights at the end of a short retraining.

    Raises UsageError for a learning rate out of range or an unknown target.
    """

    codebook_rate: float = 1e-4
    rate: float = 1e-4
    batch: int = 8
    crop_px: int | None = 128
    symmetries: int = 8
    seed: int = 0
    index_rate: float = 0
    target: RetrainingTarget = "labels"
    training: bool = False

    def __post_init__(self) -> None:
        check_choices(self)
        rates = {"codebook-rate": self.codebook_rate, "rate": self.rate, "index-rate": self.index_rate}
        for name, rate in rates.items():
            if not 0 <= rate <= 1:
                raise UsageError(f"--{name} is {rate:g}; expected a learning rate from 0 to 1.")
