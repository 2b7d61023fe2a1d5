"""Does stain normalisation help on laboratories that training never saw? Four short trainings.

    python -m benchmarks.normalisation PREPARED UNSEEN    # writes benchmarks/results/normalisation.json

Augmentation alone, Macenko's normalisation alone, both, and Reinhard's alone, each for the same number of
steps. Tiles are normalised once, before training and before inference. Thresholds are chosen on the
validation tiles. UNSEEN holds prepared folders, as `make laboratories` writes them. Work is kept in --work:
the same command resumes.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np
from numpy.typing import NDArray

from benchmarks import normalised_tiles
from benchmarks.results import RESULTS, save, table

if TYPE_CHECKING:
    from edgepatho.evaluate.tiles import CellsPerTile, Tiles
    from edgepatho.model.train import TrainingSettings

ARMS: dict[str, tuple[str | None, bool]] = {  # normalisation, augmentation
    "augmentation": (None, True),
    "Macenko": ("macenko", False),
    "both": ("macenko", True),
    "Reinhard": ("reinhard", False),
}
SAME = "same laboratories"
Row = dict[str, Any]
Indices = NDArray[np.float64]


def main(prepared: Path, unseen: Path, work: Path, settings: TrainingSettings, output: Path) -> None:
    """Train and judge every arm, and print the table."""
    from edgepatho.data.prepare import MARKER, arrays

    training, _ = arrays(prepared, "train")
    sources = {SAME: prepared} | {
        each.parent.name: each.parent for each in sorted(unseen.glob(f"*/{MARKER}"))
    }
    rows, plain = list[Row](), np.empty(0)
    for name, (kind, augment) in ARMS.items():
        folders, kept = dict(sources), 0
        if kind is not None:
            for place, source in sources.items():
                folders[place] = work / kind / place.replace(" ", "-")
                kept += normalised_tiles.write(source, folders[place], kind, training)
        row, indices = arm(folders, work / name, settings, augment)
        if name == "augmentation":
            plain = indices
        about: Row = {"arm": name, "normalisation": kind, "augment": augment, "tiles_kept_as_they_are": kept}
        rows.append(about | row | _of_negative_tiles(indices, plain))
        save(rows, output)
    print(as_table(rows))


def arm(
    folders: dict[str, Path], work: Path, settings: TrainingSettings, augment: bool
) -> tuple[Row, Indices]:
    """Return the figures of one training, and the index (points) of every tile without a positive cell."""
    from dataclasses import replace

    from edgepatho.evaluate import accuracy, networks, thresholds
    from edgepatho.evaluate.tiles import load
    from edgepatho.evaluate.unseen import brief
    from edgepatho.model import graph as graphs
    from edgepatho.model.reproducible import seed_everything
    from edgepatho.model.train import train
    from edgepatho.progress import progress

    settings = replace(settings, augment=augment)
    seed_everything(settings.seed, deterministic=True)
    with progress(work.name, settings.steps) as bar:
        model, state = train(folders[SAME], work, settings, progress=bar)
    network = graphs.from_keras(model)
    figures: Row = {"steps": state.step, "seed": settings.seed, "hours": round(state.seconds / 3600, 2)}
    protocol, indices = accuracy.Protocol(()), list[float]()
    for name, folder in folders.items():
        tiles = load(folder, "validation" if name == SAME else "test")
        heat = tiles.within(networks.heat(network, tiles.images))
        if name == SAME:
            protocol = accuracy.Protocol(()).chosen(thresholds.choose_all(list(heat), tiles.labelled))
            figures["thresholds"] = list(protocol.thresholds)
        figures.setdefault("laboratories", {})[name] = brief(accuracy.row(heat, tiles, protocol))
        indices += _without_positive(tiles, accuracy.find(heat, protocol.thresholds))
    return figures, np.array(indices)


def _of_negative_tiles(indices: Indices, plain: Indices) -> Row:
    """The index of tiles without a positive cell, and its change against augmentation alone, in points."""
    change = np.abs(indices - plain)
    return {
        "tiles_without_positive": len(indices),
        "index_without_positive_points": float(indices.mean()) if len(indices) else None,
        "mean_change_points": float(change.mean()) if len(indices) else None,
        "largest_change_points": float(change.max()) if len(indices) else None,
    }


def _without_positive(tiles: Tiles, found: CellsPerTile) -> Iterator[float]:
    from edgepatho.evaluate.patients import scores

    for labelled, cells in zip(tiles.labelled, found, strict=True):
        if not len(labelled[0]):
            yield 100 * scores((len(cells[0]), len(cells[1]), len(cells[2]))).ki67


def as_table(rows: list[Row]) -> str:
    """Return F1 of immunopositive and immunonegative and the error of the index (points), by laboratory."""
    names = list(rows[0]["laboratories"])
    lines = []
    for row in rows:
        of = row["laboratories"]
        lines.append(
            [
                row["arm"],
                *(
                    f"{of[name]['immunopositive_f1']:.3f}/{of[name]['immunonegative_f1']:.3f}/"
                    f"{of[name]['ki67_mae_points']:.1f}"
                    for name in names
                ),
                _points(row["index_without_positive_points"]),
                f"{_points(row['mean_change_points'])}, {_points(row['largest_change_points'])}",
                str(row["tiles_kept_as_they_are"]),
            ]
        )
    last = ["index without a positive cell", "its change: mean, largest", "tiles kept"]
    return table(["F1 +/F1 -/index error", *names, *last], lines)


def _points(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


@click.command()
@click.argument("prepared", type=click.Path(file_okay=False, path_type=Path))
@click.argument("unseen", type=click.Path(file_okay=False, path_type=Path))
@click.option("--work", type=click.Path(file_okay=False, path_type=Path), default=Path("build/normalisation"))
@click.option("--crop-steps", default=1120, show_default=True)
@click.option("--whole-steps", default=80, show_default=True)
@click.option("--batch", default=8, show_default=True)
@click.option("--output", type=click.Path(path_type=Path), default=RESULTS / "normalisation.json")
def command(
    prepared: Path, unseen: Path, work: Path, crop_steps: int, whole_steps: int, batch: int, output: Path
) -> None:
    """Compare normalisation and augmentation on the folder PREPARED and on those in UNSEEN."""
    from edgepatho.model.train import TrainingSettings

    main(prepared, unseen, work, TrainingSettings(crop_steps, whole_steps, batch), output)


if __name__ == "__main__":
    command()
