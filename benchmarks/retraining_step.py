"""The cost of a retraining step relative to an ordinary training step, with 8 tiles of 256 px.

    python -m benchmarks.retraining_step     # also written to benchmarks/results/retraining_step.json

Both steps alternate in one process, so a machine that slows down slows both; the ratio is taken within a
pair. The ordinary step updates all weights of PathoNet, the retraining step the shared codebook, biases and
batch normalization. The time does not depend on the content of the tiles.
"""

from __future__ import annotations

import time
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.host import processor
from benchmarks.results import RESULTS, save, table

if TYPE_CHECKING:
    from edgepatho.quantize.training import Training

TILES, SIDE_PX, PAIRS = 8, 256, 12
MAX_RATIO = 1.15  # the target for a retraining step, in ordinary steps
K, RATE = 256, 1e-4


def main() -> None:
    """Print both times and their ratio, and save every pair."""
    from edgepatho.model import graph, weights
    from edgepatho.progress import progress
    from edgepatho.quantize.quantizer import Quantizer, share
    from edgepatho.quantize.shared_training import SharedTraining
    from edgepatho.quantize.training import ordinary

    model = weights.load_shipped(None)
    shared = share(graph.from_keras(model), Quantizer(k=K))
    steps = (ordinary(model, RATE), SharedTraining(model, shared, RATE, RATE))
    rng = np.random.default_rng(0)
    batch = rng.random((2, TILES, SIDE_PX, SIDE_PX, 3), np.float32)
    for training in steps:  # traces it
        seconds(training, batch)
    pairs = []
    with progress("pairs of steps", PAIRS) as bar:
        for number in range(PAIRS):
            ordinary_first = number % 2 == 0
            seconds_of = [seconds(each, batch) for each in (steps if ordinary_first else steps[::-1])]
            pairs.append(seconds_of if ordinary_first else seconds_of[::-1])
            bar.advance()
    row = summary(pairs)
    save([row], RESULTS / "retraining_step.json")
    header = ["step of 8 x 256 px", "median s", "ratio", "of pairs", f"at most {MAX_RATIO}"]
    print(
        table(
            header,
            [
                ["ordinary", f"{row['ordinary_s']:.3f}", "", "", ""],
                [
                    "retraining",
                    f"{row['retraining_s']:.3f}",
                    f"{row['ratio']:.3f}",
                    f"{row['lowest_ratio']:.3f} to {row['highest_ratio']:.3f}",
                    "met" if row["ratio"] <= MAX_RATIO else "missed",
                ],
            ],
        )
    )


def seconds(training: Training, batch: NDArray[Any]) -> float:
    """Return the wall time of one step on (images, labels) of `batch` [2, tiles, side, side, 3]."""
    begun = time.perf_counter()
    float(training.step(batch[0], batch[1]))
    return time.perf_counter() - begun


def summary(pairs: list[list[float]]) -> dict[str, Any]:
    """Return the row of the results for pairs of (ordinary, retraining) seconds."""
    ratios = [shared / plain for plain, shared in pairs]
    return {
        "processor": processor(),
        "tiles": TILES,
        "side_px": SIDE_PX,
        "k": K,
        "ordinary_s": round(median(plain for plain, _ in pairs), 4),
        "retraining_s": round(median(shared for _, shared in pairs), 4),
        "ratio": round(median(ratios), 4),
        "lowest_ratio": round(min(ratios), 4),
        "highest_ratio": round(max(ratios), 4),
        "pairs_s": [[round(each, 4) for each in pair] for pair in pairs],
    }


if __name__ == "__main__":
    main()
