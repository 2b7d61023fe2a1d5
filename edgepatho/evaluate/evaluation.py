"""`edgepatho evaluate`: all figures of one or two networks on a split of prepared tiles."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edgepatho.choices import Split, check_choices
from edgepatho.classes import CLASSES
from edgepatho.evaluate import accuracy, networks, patients, published_protocol, thresholds
from edgepatho.evaluate.accuracy import Protocol
from edgepatho.evaluate.match import Counts
from edgepatho.evaluate.tiles import CellsPerTile, Tiles, load
from edgepatho.evaluate.unseen import laboratories
from edgepatho.files import write_aside
from edgepatho.progress import Progress

FIELDS = ("model", "protocol", "tile", "patient", "class", "labelled", "found", "tp", "fp", "fn")
CALIBRATION_TILES = 48


@dataclass(frozen=True)
class Request:
    """What to evaluate on; `thresholds` None takes the model's own, or calibrates if it has none."""

    prepared: Path
    split: Split = "test"
    tiles: int | None = None
    thresholds: tuple[float, ...] | None = None
    calibrate: bool = False
    ki67_cutoffs: tuple[float, float] | None = None
    til_cutoffs: tuple[float, float] | None = None
    unseen: Sequence[Path] = ()

    def __post_init__(self) -> None:
        check_choices(self)


def evaluate(model: Path | None, request: Request, progress: Progress | None = None) -> dict[str, Any]:
    """Return the figures of the networks in `model` under both protocols, per class, tile and patient.

    `model` is a weights file, a bundle, a compress folder (original and compressed) or None for the shipped
    weights. Thresholds are calibrated with the first network on the validation split. The networks are also
    evaluated on the prepared folders of unseen laboratories.
    """
    from edgepatho.data.prepare import check_prepared

    progress = progress or Progress()
    about, others = check_prepared(request.prepared), laboratories(request.unseen)
    loaded = networks.load(model)
    tiles = load(request.prepared, request.split, request.tiles)
    protocol = _protocol(loaded, request)
    rows, per_tile, per_patient = [], [], {}
    for name, heat, cells, row in _judged(loaded, tiles, protocol):
        counts = accuracy.count(cells, tiles.labelled)
        rows.append(row)
        per_patient[name] = _patients(tiles, counts)
        per_tile += _tile_rows(name, "one-to-one", tiles, counts)
        published = [
            published_protocol.tile(published_protocol.find(each), labelled)
            for each, labelled in zip(heat, tiles.labelled, strict=True)
        ]
        per_tile += _tile_rows(name, "published", tiles, published)
        progress.advance()
    unseen = []
    for laboratory in others:
        unseen.append(laboratory.entry([row for *_, row in _judged(loaded, laboratory.tiles, protocol)]))
        progress.advance()
    return {
        "format": "edgepatho-evaluation",
        "version": 1,
        "sha256": loaded.sha256,
        "split": request.split,
        "tiles": len(tiles.names),
        "synthetic": about["synthetic"],
        "shared_patients": about["shared_patients"] if request.split == "test" else [],
        "protocol": protocol.as_json(),
        "rows": rows,
        "unseen": unseen,
        "patients": per_patient,
        "per_tile": per_tile,
    }


def write_csv(record: dict[str, Any], path: Path) -> None:
    """Write the counts of every tile, class, model and protocol to a CSV file."""
    with write_aside(path) as aside, aside.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(record["per_tile"])


def _protocol(loaded: networks.Networks, request: Request) -> Protocol:
    own = loaded.scoring or {}
    protocol = Protocol(
        tuple(own.get("thresholds", ())),
        request.ki67_cutoffs or tuple(own.get("ki67_cutoffs", patients.KI67_CUTOFFS)),
        request.til_cutoffs or tuple(own.get("til_cutoffs", patients.TIL_CUTOFFS)),
    )
    if request.thresholds is not None:
        return replace(protocol, thresholds=request.thresholds)
    if protocol.thresholds and not request.calibrate:
        return protocol
    validation = load(request.prepared, "validation", CALIBRATION_TILES)
    heat = validation.within(networks.heat(next(iter(loaded.graphs.values())), validation.images))
    return protocol.chosen(thresholds.choose_all(list(heat), validation.labelled))


def _judged(
    loaded: networks.Networks, tiles: Tiles, protocol: Protocol
) -> Iterator[tuple[str, accuracy.Heat, CellsPerTile, dict[str, Any]]]:
    """Yield name, heat maps, cells and row of every network, each measured against the first."""
    first = None
    for name, graph in loaded.graphs.items():
        heat = tiles.within(networks.heat(graph, tiles.images))
        row = accuracy.row(heat, tiles, protocol, first)
        cells = accuracy.find(heat, protocol.thresholds)
        first = first or (heat, cells)
        yield name, heat, cells, {"model": name} | row


def _patients(tiles: Tiles, counts: list[list[Counts]]) -> dict[str, dict[str, float]]:
    """Scores of every patient, from found and from labelled cells."""
    cells_of = accuracy.per_patient(tiles.patients, [[each.found for each in tile] for tile in counts])
    truth = accuracy.per_patient(tiles.patients, [[each.labelled for each in tile] for tile in counts])
    return {
        patient: {
            "ki67": patients.scores(cells).ki67,
            "ki67_labelled": patients.scores(truth[patient]).ki67,
            "til": patients.scores(cells).til,
            "til_labelled": patients.scores(truth[patient]).til,
        }
        for patient, cells in cells_of.items()
    }


def _tile_rows(
    model: str, protocol: str, tiles: Tiles, counts: list[list[Counts]] | list[list[Counts] | None]
) -> list[dict[str, Any]]:
    """One row per tile and class; none for a tile that the protocol leaves out."""
    return [
        {
            "model": model,
            "protocol": protocol,
            "tile": name,
            "patient": patient,
            "class": kind,
            "labelled": each.labelled,
            "found": each.found,
            "tp": each.tp,
            "fp": each.fp,
            "fn": each.fn,
        }
        for name, patient, tile in zip(tiles.names, tiles.patients, counts, strict=True)
        if tile is not None
        for kind, each in zip(CLASSES, tile, strict=True)
    ]
