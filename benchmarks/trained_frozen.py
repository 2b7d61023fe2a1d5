"""Does training the codebook pay off? The same retraining with a trained and with a frozen codebook.

    python -m benchmarks.trained_frozen PREPARED    # writes benchmarks/results/trained_frozen.json

The published retraining trained only batch normalization and biases; its codebook stayed fixed. Here both
kinds start from the same shared weights and take the same steps on the same batches, with the same learning
rate for batch normalization and biases; the validation MSE is that of the last step, not of the best one. A
step computes what inference does: over so few small batches, running statistics lag behind the weights, and
validation would measure the lag. At k = 32 with one scale per channel, every method has lost something that
retraining can recover: at k = 256 the error is close to the original's whatever is trained, and without a
scale PWS, which preserves the mean but not the error, leaves nothing to start from. Uses one thread; finished
runs are kept in build/ and not repeated after an interruption.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
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
    """Run what is missing, row by row, and print the table."""
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
    run = runner(model, prepared)
    with progress("runs", len(wanted)) as bar:
        for want in wanted:
            if not any(want.items() <= row.items() for row in rows):
                rows.append(want | run(want))
                save(rows, finished)
            bar.advance()
    save(rows, output)
    finished.unlink()
    print(as_table(rows))


def runner(model: keras.Model, prepared: Path) -> Callable[[Row], Row]:
    """Return a function from a run's settings to its validation MSE before and after its steps.

    All runs share one network and one traced step, so only the settings differ.
    """
    from edgepatho.data.batches import batches
    from edgepatho.evaluate.tiles import load
    from edgepatho.model import graph
    from edgepatho.model.shared import other_variables
    from edgepatho.quantize.quantizer import Quantizer, share
    from edgepatho.quantize.shared_training import SharedTraining

    original, others = graph.from_keras(model), other_variables(model)
    validation = load(prepared, "validation", VALIDATION_TILES)
    traced: list[SharedTraining] = []

    def run(want: Row) -> Row:
        settings = Quantizer(want["method"], k=want["k"], scale=want["scale"], seed=want["seed"])
        shared = replace(share(original, settings), variables=dict(others))
        rates = (want["codebook_rate"], want["rate"])
        if not traced:
            traced.append(SharedTraining(model, shared, *rates, training=False))
        (training,) = traced
        training.load(shared, *rates)
        before = training.mse(validation.images, validation.maps)
        feed = batches(prepared, "train", BATCH, seed=want["seed"], crop=CROP_PX)
        for images, labels in islice(feed, want["steps"]):
            training.step(images, labels)
        return {"mse_before": before, "mse_after": training.mse(validation.images, validation.maps)}

    return run


def as_table(rows: list[Row]) -> str:
    """Return the validation MSE of every run and the means, one line per method and kind of codebook."""
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
    rows: list[Row] = json.loads(path.read_text()) if path.exists() else []
    return rows


@click.command()
@click.argument("prepared", type=click.Path(file_okay=False, path_type=Path))
@click.option("--output", type=click.Path(path_type=Path), default=RESULTS / "trained_frozen.json")
def command(prepared: Path, output: Path) -> None:
    """Compare trained and frozen codebooks on the folder PREPARED; rows go to OUTPUT."""
    main(prepared, output)


if __name__ == "__main__":
    command()
