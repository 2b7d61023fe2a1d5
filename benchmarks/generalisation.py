"""How well do weights find cells in the laboratories they were trained on, and in others?

    python -m benchmarks.generalisation PREPARED --unseen FOLDER

judges the shipped weights, and those of every --weights NAME=FILE, on the test tiles of PREPARED, of every
--tiles NAME=FOLDER (prepared folders, such as another version's default tiles) and of the unseen
laboratories, and writes benchmarks/results/generalisation.json. Each network's thresholds are chosen once,
on PREPARED's validation tiles.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from statistics import mean
from typing import Any

import click

from benchmarks.results import RESULTS, save, table

Row = dict[str, Any]


def main(
    prepared: Path, unseen: tuple[Path, ...], weights: dict[str, Path], tiles: dict[str, Path], output: Path
) -> None:
    """Judge every network on every folder, and print the table."""
    rows = [
        row
        for name, file in {"shipped": None, **weights}.items()
        for row in judged(name, file, prepared, unseen, tiles)
    ]
    save(rows, output)
    print(as_table(rows))


def judged(
    name: str, file: Path | None, prepared: Path, unseen: tuple[Path, ...], tiles: dict[str, Path]
) -> list[Row]:
    """Return a row of each folder and laboratory for one network."""
    from edgepatho.evaluate.evaluation import Request, evaluate

    request = Request(prepared, unseen=unseen)
    found = evaluate(file, request)
    thresholds = tuple(found["protocol"]["thresholds"])
    about = {"weights": name, "sha256": found["sha256"], "thresholds": thresholds}
    rows = [_row(about, "same", found)]
    for folder, path in tiles.items():
        again = evaluate(file, replace(request, prepared=path, unseen=(), thresholds=thresholds))
        rows.append(_row(about, folder, again))
    return rows + [_row(about, each["laboratory"], each) for each in found["unseen"]]


def _row(about: Row, laboratory: str, found: Row) -> Row:
    (figures,) = found["rows"]
    return about | {
        "laboratory": laboratory,
        "synthetic": found["synthetic"],
        "tiles": found["tiles"],
        "immunopositive_f1": figures["immunopositive"]["f1"],
        "immunonegative_f1": figures["immunonegative"]["f1"],
        "til_f1": figures["til"]["f1"],
        "ki67_mae_points": figures["ki67_mae_points"],
    }


def as_table(rows: list[Row]) -> str:
    """Return a line for each network and laboratory, and one for the mean of A to D."""
    lines = []
    for name in dict.fromkeys(row["weights"] for row in rows):
        own = [row for row in rows if row["weights"] == name]
        lines += [_line(name, row["laboratory"], [row]) for row in own]
        if middle := [row for row in own if row["laboratory"] in "ABCD"]:
            lines.append(_line(name, "mean A-D", middle))
    return table(["weights", "laboratory", "tiles", "F1 +", "F1 -", "F1 TIL", "Ki-67 error, points"], lines)


def _line(name: str, laboratory: str, rows: list[Row]) -> list[str]:
    f1 = [_mean(rows, key) for key in ("immunopositive_f1", "immunonegative_f1", "til_f1")]
    tiles = str(sum(row["tiles"] for row in rows))
    return [name, laboratory, tiles, *(f"{each:.3f}" for each in f1), f"{_mean(rows, 'ki67_mae_points'):.2f}"]


def _mean(rows: list[Row], key: str) -> float:
    return mean(float(row[key]) for row in rows)


def _named(_: click.Context, option: click.Parameter, values: tuple[str, ...]) -> dict[str, Path]:
    named = {}
    for value in values:
        name, equals, path = value.partition("=")
        if not equals or not Path(path).exists():
            raise click.BadParameter(f"{value} names no file or folder; expected NAME=PATH.", param=option)
        named[name] = Path(path)
    return named


@click.command()
@click.argument("prepared", type=click.Path(file_okay=False, path_type=Path))
@click.option("--unseen", multiple=True, type=click.Path(file_okay=False, path_type=Path))
@click.option("--weights", multiple=True, callback=_named, metavar="NAME=FILE")
@click.option("--tiles", multiple=True, callback=_named, metavar="NAME=FOLDER")
@click.option("--output", type=click.Path(path_type=Path), default=RESULTS / "generalisation.json")
def command(
    prepared: Path, unseen: tuple[Path, ...], weights: dict[str, Path], tiles: dict[str, Path], output: Path
) -> None:
    """Judge weights on the test tiles of PREPARED and on laboratories they have not seen."""
    main(prepared, unseen, weights, tiles, output)


if __name__ == "__main__":
    command()
