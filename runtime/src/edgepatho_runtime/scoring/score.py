"""Scores: from a picture to cells, Ki-67 index and TIL score, and from several fields to one case.

Ki-67 index: immunopositive / (immunopositive + immunonegative) tumour cells. TIL score: lymphocytes / all
cells. Cut-off classes as in Negahbani et al. (2021), "PathoNet introduced as a deep neural network backend
for evaluation of Ki-67 and tumor-infiltrating lymphocytes in breast cancer", Scientific Reports 11, 8489.
"""

import random
from typing import Any, NamedTuple

from edgepatho_runtime import _vision, device, image, plan
from edgepatho_runtime.bundle import Bundle
from edgepatho_runtime.errors import BundleError, ImageError, UsageError
from edgepatho_runtime.image import Image
from edgepatho_runtime.network import Network, isa_for
from edgepatho_runtime.scoring import envelope, one_class
from edgepatho_runtime.scoring.cell import Cell
from edgepatho_runtime.scoring.envelope import Verdict
from edgepatho_runtime.scoring.scale import network_size

MIN_TUMOUR_CELLS = 30  # with fewer there are indices but no class
RESAMPLES = 2000
INTERVAL = 0.95
SEED = 67

Counts = dict[str, int]


class Field(NamedTuple):
    """The result of one picture; its verdict is None if the bundle has no envelope."""

    cells: list[Cell]
    counts: Counts
    network_height: int
    network_width: int
    verdict: Verdict | None


class Scorer:
    """Scores pictures of any size with a bundle; the network is kept while the size stays the same.

    `scoring` is the bundle's, with `thresholds` instead of its own if given. UsageError if there is not one
    per class. `note` then says so.
    """

    def __init__(
        self,
        bundle: Bundle,
        threads: int,
        precision: str = "fp32",
        scale: float | None = None,
        thresholds: list[float] | None = None,
    ) -> None:
        self.bundle = bundle
        self.scoring, self.note = _scoring(bundle, thresholds)
        self.threads = threads
        self.precision = precision
        self.scale = scale
        self._network: Network | None = None

    def score(self, picture: Image) -> Field:
        """Return the cells of a picture; ImageError if this device cannot take its size."""
        network_px = self.scoring["network_size_px"]
        height, width = network_size(picture.height, picture.width, network_px, self.scale)
        return self.score_seen(image.resize(picture, height, width), picture.height, picture.width)

    def score_seen(self, seen: Image, picture_height: int, picture_width: int) -> Field:
        """Return the cells of a picture already at the network's size."""
        scoring, height, width = self.scoring, seen.height, seen.width
        heat = self._network_for(height, width).run(seen.rgb)
        cells = []
        for x, y, name in cells_of(heat, height, width, scoring):
            x_px = (x + 0.5) * picture_width / width - 0.5
            y_px = (y + 0.5) * picture_height / height - 0.5
            cells.append(Cell(x_px, y_px, name, x, y))
        counts = {name: sum(cell.name == name for cell in cells) for name in scoring["classes"]}
        centres = [(cell.x_network_px, cell.y_network_px) for cell in cells]
        trained, own = self.bundle.parts.get("envelope"), self.bundle.scoring["thresholds"]
        verdict = envelope.judge(trained, seen, heat, own, centres) if trained else None
        return Field(cells, counts, height, width, verdict)

    def _network_for(self, height: int, width: int) -> Network:
        network = self._network
        if network is None or network.plan.image_shape[:2] != (height, width):
            self._network = network = None  # frees its memory first
            _check_fit(self.bundle, height, width, self.precision)
            self._network = network = Network(self.bundle, height, width, self.threads, self.precision)
        return network


def cells_of(heat: Any, height: int, width: int, scoring: dict[str, Any]) -> list[tuple[float, float, str]]:
    """Return (x, y, class) of every cell in a heat map, float32 [height, width, classes], in its pixels."""
    classes, thresholds = scoring["classes"], scoring["thresholds"]
    min_distance_px = scoring["min_distance_px"]
    found = [
        (x, y, channel)
        for channel, threshold in enumerate(thresholds)
        for x, y in _vision.find_cells(heat, height, width, len(classes), channel, threshold, min_distance_px)
    ]
    return [(x, y, classes[channel]) for x, y, channel in one_class.keep(found, heat, width, thresholds)]


def summary(counts: Counts, scoring: dict[str, Any]) -> dict[str, Any]:
    """Return `counts` with both indices, None where the denominator is 0, and their cut-off classes.

    With fewer than MIN_TUMOUR_CELLS tumour cells there is no class: one cell more or less would change it.
    """
    ki67, til = ki67_index(counts), til_score(counts)
    enough = sum(counts.get(name, 0) for name in ("immunopositive", "immunonegative")) >= MIN_TUMOUR_CELLS
    return {
        "counts": counts,
        "ki67_index": ki67,
        "ki67_class": None if ki67 is None or not enough else ki67_class(ki67, scoring["ki67_cutoffs"]),
        "til_score": til,
        "til_class": None if til is None or not enough else til_class(til, scoring["til_cutoffs"]),
    }


def pooled(fields: list[Counts], scoring: dict[str, Any], outside: int | None = None) -> dict[str, Any]:
    """Return the summary of all fields as one case, with the interval of its Ki-67 index.

    `outside` counts the fields that are unlike the pictures of training; None if they were not compared.
    """
    total = {name: sum(counts[name] for counts in fields) for name in scoring["classes"]}
    case = {"fields": len(fields), "outside": outside, **summary(total, scoring)}
    return {**case, "ki67_interval_95": interval(fields)}


def ki67_index(counts: Counts) -> float | None:
    """Return the share of immunopositive tumour cells; None without tumour cells or for other classes."""
    return _share(counts, ["immunopositive"], ["immunopositive", "immunonegative"])


def til_score(counts: Counts) -> float | None:
    """Return the share of tumour-infiltrating lymphocytes; None without cells or for other classes."""
    return _share(counts, ["til"], ["immunopositive", "immunonegative", "til"])


def ki67_class(index: float, cutoffs: list[float]) -> str:
    """Return low below the first cut-off, high above the second, else middle."""
    return "low" if index < cutoffs[0] else "high" if index > cutoffs[1] else "middle"


def til_class(score: float, cutoffs: list[float]) -> str:
    """Return low up to the first cut-off, high from the second on, else middle."""
    return "low" if score <= cutoffs[0] else "high" if score >= cutoffs[1] else "middle"


def interval(fields: list[Counts]) -> tuple[float, float] | None:
    """Return the 95 % interval of the pooled Ki-67 index, None for fewer than two fields.

    Percentile bootstrap (Efron 1979) with a fixed seed. Cells of one field are not independent, so whole
    fields are resampled. Resamples without tumour cells are left out.
    """
    if len(fields) < 2:
        return None
    generator = random.Random(SEED)  # noqa: S311 - statistics, not secrets
    pairs = [(f.get("immunopositive", 0), f.get("immunonegative", 0)) for f in fields]
    indices = []
    for _ in range(RESAMPLES):
        drawn = generator.choices(pairs, k=len(pairs))
        positive, negative = sum(pair[0] for pair in drawn), sum(pair[1] for pair in drawn)
        if positive + negative > 0:
            indices.append(positive / (positive + negative))
    if not indices:
        return None
    indices.sort()
    outside = int((1 - INTERVAL) / 2 * len(indices))
    return indices[outside], indices[-1 - outside]


def _scoring(bundle: Bundle, thresholds: list[float] | None) -> tuple[dict[str, Any], str]:
    """Return a bundle's scoring with other thresholds, and a note on them; as it is and no note for None."""
    own, classes = bundle.scoring["thresholds"], bundle.scoring["classes"]
    if thresholds is None:
        return bundle.scoring, ""
    if len(thresholds) != len(classes):
        raise UsageError(
            f"--thresholds gives {len(thresholds)} numbers, but the bundle has {len(classes)} classes; "
            f"give one for each of {', '.join(classes)}."
        )
    given, replaced = (", ".join(f"{value:g}" for value in values) for values in (thresholds, own))
    return bundle.scoring | {"thresholds": thresholds}, f"THRESHOLDS {given}, not the bundle's {replaced}"


def _share(counts: Counts, part: list[str], whole: list[str]) -> float | None:
    if not all(name in counts for name in whole):
        return None
    cells = sum(counts[name] for name in whole)
    return sum(counts[name] for name in part) / cells if cells else None


def _check_fit(bundle: Bundle, height: int, width: int, precision: str) -> None:
    """Raise ImageError if a network of this size cannot be planned or needs more memory than is free.

    Raises BundleError for a network whose output is not a heat map.
    """
    isa = isa_for(precision)
    try:
        planned = plan.build(bundle.graph, bundle.tensors, height, width, isa)
    except ValueError as error:
        raise ImageError(f"The network cannot take {height} x {width} pixels: {error}") from None
    expected = (height, width, len(bundle.scoring["classes"]))
    if planned.result_shape != expected:
        actual, needed_shape = (" x ".join(map(str, shape)) for shape in (planned.result_shape, expected))
        raise BundleError(
            f"The bundle's network outputs {actual} values, expected a heat map of {needed_shape}; "
            "score needs a network like PathoNet."
        )
    needed = planned.arena_elements * isa.element_bytes
    free = device.free_bytes()
    if free is not None and needed > free:
        raise ImageError(
            f"At {height} x {width} pixels the network needs {needed >> 20} MiB and {free >> 20} MiB are "
            "free; cut the picture into fields or give a smaller --scale."
        )
