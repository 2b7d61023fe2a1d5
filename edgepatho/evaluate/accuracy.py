"""Accuracy of heat maps against labelled tiles under both protocols, as one JSON-ready row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepatho.classes import CLASSES
from edgepatho.evaluate import cells, patients, published_protocol
from edgepatho.evaluate.match import AGREEMENT_PX, RADIUS_PX, Counts, one_to_one
from edgepatho.evaluate.thresholds import Chosen
from edgepatho.evaluate.tiles import CellsPerTile, Tiles

Heat = NDArray[np.float32]


@dataclass(frozen=True)
class Protocol:
    """What the figures depend on: thresholds in heat units (0..255) and the cut-offs for both scores.

    `ranges` are those of the thresholds' choice, None where they were not chosen (`thresholds.Chosen`).
    """

    thresholds: tuple[float, ...]
    ki67_cutoffs: tuple[float, float] = patients.KI67_CUTOFFS
    til_cutoffs: tuple[float, float] = patients.TIL_CUTOFFS
    ranges: tuple[tuple[float, float] | None, ...] | None = None

    def chosen(self, choices: Sequence[Chosen]) -> Protocol:
        """Return the protocol with chosen thresholds."""
        thresholds = tuple(choice.threshold for choice in choices)
        return replace(self, thresholds=thresholds, ranges=tuple(choice.range for choice in choices))

    def as_json(self) -> dict[str, Any]:
        """Return the protocol as stored in records, with the defects of the published one."""
        return {
            "matching": "one to one (Hungarian), per class",
            "radius_px_of_256": RADIUS_PX,
            "agreement_radius_px_of_256": AGREEMENT_PX,
            "thresholds": list(self.thresholds),
            **(
                {}
                if self.ranges is None
                else {"threshold_ranges": [each and list(each) for each in self.ranges]}
            ),
            "min_distance_px": cells.MIN_DISTANCE_PX,
            "one_cell_one_class": cells.ONE_CELL_ONE_CLASS,
            "ki67_cutoffs": list(self.ki67_cutoffs),
            "til_cutoffs": list(self.til_cutoffs),
            "seed_protocol_defects": list(published_protocol.DEFECTS),
        }


def find(heat: Heat, thresholds: Sequence[float]) -> CellsPerTile:
    """Return the cells of every tile of `heat` [n, height, width, classes]."""
    return [cells.find(tile, thresholds) for tile in heat]


def count(found: CellsPerTile, labelled: CellsPerTile, radius_px: float = RADIUS_PX) -> list[list[Counts]]:
    """Return the counts of each class on each tile."""
    return [
        [one_to_one(*pair, radius_px) for pair in zip(*both, strict=True)]
        for both in zip(found, labelled, strict=True)
    ]


def row(
    heat: Heat,
    tiles: Tiles,
    protocol: Protocol,
    original: tuple[Heat, CellsPerTile] | None = None,
    note: Callable[[], None] = lambda: None,
) -> dict[str, Any]:
    """Return the figures of one model's `heat` [n, height, width, classes] on `tiles`.

    Precision, recall and F1 per class; the average F1 of both tumour classes; errors per patient. With
    `original`, another model's heat maps and cells, also the mean squared error against its maps, the
    agreement (F1 against its cells, 3 px, all classes pooled) and the change in the patients' scores. Of
    tiles without labels, the row has these comparisons and the number of cells found. `note` is called once
    the cells are found.
    """
    found = find(heat, protocol.thresholds)
    note()
    figures: dict[str, Any] = {}
    if tiles.are_labelled:
        figures = _figures(count(found, tiles.labelled), tiles.patients, protocol)
        figures["seed_protocol"] = _published_figures(heat, tiles, protocol)
    else:
        figures["cells"] = {name: sum(len(tile[at]) for tile in found) for at, name in enumerate(CLASSES)}
    if original is not None:
        figures |= _against(heat, found, *original, tiles, protocol)
    return figures


def _figures(counts: list[list[Counts]], names: Sequence[str], protocol: Protocol) -> dict[str, Any]:
    totals = _totals(counts)
    figures: dict[str, Any] = {name: totals[at].as_json() for at, name in enumerate(CLASSES)}
    figures["average_f1"] = (totals[0].f1 + totals[1].f1) / 2
    found = per_patient(names, [[each.found for each in tile] for tile in counts])
    truth = per_patient(names, [[each.labelled for each in tile] for tile in counts])
    return figures | patients.compare(found, truth, protocol.ki67_cutoffs, protocol.til_cutoffs)


def _published_figures(heat: Heat, tiles: Tiles, protocol: Protocol) -> dict[str, Any]:
    """The figures under the published protocol: its cells, its matching, no tile where it finds no cell."""
    counts = [
        published_protocol.tile(published_protocol.find(each), labelled)
        for each, labelled in zip(heat, tiles.labelled, strict=True)
    ]
    kept = [at for at, tile in enumerate(counts) if tile is not None]
    figures: dict[str, Any] = {"tiles_left_out": len(counts) - len(kept)}
    if not kept:
        return figures
    remaining = [tile for tile in counts if tile is not None]
    return figures | _figures(remaining, [tiles.patients[at] for at in kept], protocol)


def _against(
    heat: Heat, found: CellsPerTile, heat_of: Heat, found_of: CellsPerTile, tiles: Tiles, protocol: Protocol
) -> dict[str, Any]:
    """The figures of one model against another, whose cells are taken as the truth."""
    counts = count(found, found_of, AGREEMENT_PX)
    pooled = sum((each for tile in counts for each in tile), Counts())
    ours = per_patient(tiles.patients, [[each.found for each in tile] for tile in counts])
    theirs = per_patient(tiles.patients, [[each.labelled for each in tile] for tile in counts])
    cutoffs = protocol.ki67_cutoffs, protocol.til_cutoffs
    ki67_changed, til_changed = patients.changed(ours, theirs, *cutoffs)
    return {
        "agreement": pooled.f1,
        "agreement_cells": pooled.labelled,
        "mse_to_original": _mean_squared(heat, heat_of),
        "ki67_change_points": patients.compare(ours, theirs, *cutoffs)["ki67_mae_points"],
        "patients_changing_ki67_class": ki67_changed,
        "patients_changing_til_class": til_changed,
    }


def _mean_squared(heat: Heat, heat_of: Heat) -> float:
    """Tile by tile in double precision: the output of a broken network may overflow float32 when squared."""
    return float(np.mean([np.mean((a.astype(float) - b) ** 2) for a, b in zip(heat, heat_of, strict=True)]))


def _totals(counts: list[list[Counts]]) -> list[Counts]:
    return [sum((tile[at] for tile in counts), Counts()) for at in range(len(CLASSES))]


def per_patient(names: Sequence[str], numbers: list[list[int]]) -> dict[str, patients.Cells]:
    """Return the cell counts of each patient, from those of each tile."""
    return patients.pooled(names, [(each[0], each[1], each[2]) for each in numbers])
