"""Does training the codebook pay? Equal retraining with the codebook at its learning rate, and at zero.

    python -m benchmarks.trained_frozen PREPARED    # writes benchmarks/results/trained_frozen.json

Published retraining moved batch normalization and biases only, the codebook stayed where it was. Here both
kinds start from the same shared weights and take the same steps on the same batches, with the same rate for
scales and shifts of batch normalization and for biases; validation MSE is that of the last step, none is
chosen. A step computes what inference does: running statistics of so few small batches lag behind the
weights, and what validation then shows is the lag. At k = 32 with a scale a channel every method has lost
something that retraining may regain: at 256 the error is near that of the original whatever is trained, and
without a scale PWS, which keeps the mean but not the error, leaves nothing to start from. One thread; runs
that were finished before an interruption wait in build/ and are not repeated.
"""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING, Any

import click

from benchmarks.results import RESULTS, save, table

if TYPE_CHECKING:
    import keras

SEEDS, STEPS, BATCH, CROP_PX = (0, 1, 2), 100, 4, 128
K, SCALE = 32, "channel"
CODEBOOK_RATE, RATE = 1e-4, 1e-4  # of Adam; what compress takes by default
VALIDATION_TILES = 12
Row = dict[str, Any]


def main(prepared: Path, output: Path) -> None:
    """Run what is missing, a row at a time, and print the table."""
    from edgepatho.data.prepare import check_prepared
    from edgepatho.model import weights
    from edgepatho.model.reproducible import seed_everything
    from edgepatho.progress import progress
    from edgepatho.quantize.quantizer import METHODS

    seed_everything(0, deterministic=True)
    model = weights.load_shipped(None)
    settings = {"original_sha256": weights.sha256(model), "k": K, "scale": SCALE}
    settings |= {"rate": RATE, "steps": STEPS, "batch": BATCH, "crop_px": CROP_PX, "statistics": False}
    wanted = [
        {"method": method, "seed": seed, "codebook_rate": rate} | settings
        for seed in SEEDS
        for method in METHODS
        for rate in (0.0, CODEBOOK_RATE)
    ]
    finished = Path("build") / f"trained_frozen-{check_prepared(prepared)['sha256'][:12]}.json"
    rows = [row for row in _kept(finished) if any(want.items() <= row.items() for want in wanted)]
    bench = Bench(model, prepared)
    with progress("runs", len(wanted)) as bar:
        for want in wanted:
            if not any(want.items() <= row.items() for row in rows):
                rows.append(want | bench.run(want))
                save(rows, finished)
            bar.advance()
    save(rows, output)
    finished.unlink()
    print(as_table(rows))


class Bench:
    """One network and one traced step for all runs, so that nothing but the settings differs."""

    def __init__(self, model: keras.Model, prepared: Path) -> None:
        from edgepatho.evaluate.tiles import load
        from edgepatho.model import graph
        from edgepatho.model.shared import other_variables

        self.prepared = prepared
        self.graph = graph.from_keras(model)
        self.validation = load(prepared, "validation", VALIDATION_TILES)
        self._model, self._others = model, other_variables(model)
        self._training: Any = None

    def run(self, want: Row) -> Row:
        """Return validation MSE before and after the steps that `want` describes."""
        from edgepatho.data.prepare import batches
        from edgepatho.quantize.quantizer import Quantizer, share
        from edgepatho.quantize.shared_training import SharedTraining

        shared = share(
            self.graph, Quantizer(want["method"], k=want["k"], scale=want["scale"], seed=want["seed"])
        )
        shared.variables = dict(self._others)
        rates = (want["codebook_rate"], want["rate"])
        if self._training is None:
            self._training = SharedTraining(self._model, shared, *rates, training=False)
        self._training.load(shared, *rates)
        before = self._mse()
        feed = batches(self.prepared, "train", BATCH, seed=want["seed"], crop=CROP_PX)
        for images, labels in islice(feed, want["steps"]):
            self._training.step(images, labels)
        return {"mse_before": before, "mse_after": self._mse()}

    def _mse(self) -> float:
        return self._training.mse(self.validation.images, self.validation.maps)


def as_table(rows: list[Row]) -> str:
    """Return the validation MSE of every run and the means, one line a method and kind of codebook."""
    lines = []
    for method in dict.fromkeys(row["method"] for row in rows):
        mine = sorted((row for row in rows if row["method"] == method), key=lambda row: row["seed"])
        means = {}
        for kind in ("frozen", "trained"):
            after = [row["mse_after"] for row in mine if (row["codebook_rate"] > 0) == (kind == "trained")]
            means[kind] = mean(after)
            before = mean(row["mse_before"] for row in mine)
            figures = [f"{value:.2f}" for value in (before, *after, means[kind])]
            lines.append([f"{method} {kind}", *figures, ""])
        lines[-1][-1] = "yes" if means["trained"] < means["frozen"] else "no"
    seeds = [f"seed {seed}" for seed in SEEDS]
    return table(["codebook", "before", *seeds, "mean", "trained is better"], lines)


def _kept(path: Path) -> list[Row]:
    return json.loads(path.read_text()) if path.exists() else []


@click.command()
@click.argument("prepared", type=click.Path(file_okay=False, path_type=Path))
@click.option("--output", type=click.Path(path_type=Path), default=RESULTS / "trained_frozen.json")
def command(prepared: Path, output: Path) -> None:
    """Compare trained and frozen codebooks on the folder PREPARED; rows go to OUTPUT."""
    main(prepared, output)


if __name__ == "__main__":
    command()
