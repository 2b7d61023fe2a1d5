"""Named settings: the published runs at k = 256."""

from __future__ import annotations

from edgepatho.choices import Method
from edgepatho.compression.compress import Options
from edgepatho.compression.hyperparameters import Hyperparameters
from edgepatho.compression.original import Measuring
from edgepatho.evaluate import published_protocol
from edgepatho.quantize.quantizer import Quantizer
from edgepatho.quantize.retrain import Budget

# Learning rates of codebook and of everything else in the published runs.
PAPER_RATES: dict[Method, tuple[float, float]] = {
    "cws": (1e-5, 1e-4),
    "pws": (1e-4, 1e-4),
    "uq": (1e-4, 1e-4),
    "ecsq": (1e-5, 1e-4),
}
PAPER_EPOCHS = 75
PAPER_BATCH = 8
PAPER_PATIENCE = 5
PAPER_SYMMETRIES = 6
PAPER_SEED = 1


def paper_k256(method: Method, train_tiles: int) -> Options:
    """Return the published hyperparameters of `method` at k = 256 for a training split of this size.

    GliozzoJ/pathonet_compression: Adam, 75 epochs of whole tiles in 6 symmetries, batch 8, patience of 5
    epochs, one shared codebook, seed 1, thresholds 60/55/40. Two errors are corrected: the codebook is
    trained at its rate in every step, and validation tiles decide when to stop.
    """
    codebook_rate, rate = PAPER_RATES[method]
    epoch = max(1, train_tiles * PAPER_SYMMETRIES // PAPER_BATCH)
    return Options(
        quantizer=Quantizer(method, k=256, seed=PAPER_SEED),
        budget=Budget(PAPER_EPOCHS * epoch, validate_every=epoch, patience=PAPER_PATIENCE),
        hyperparameters=Hyperparameters(
            codebook_rate, rate, PAPER_BATCH, None, PAPER_SYMMETRIES, PAPER_SEED, training=True
        ),
        measuring=Measuring(thresholds=published_protocol.THRESHOLDS),
    )
