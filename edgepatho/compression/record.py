"""The parts of compress.json (docs/report.md): what was compressed, how, and with what result."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgepatho import __version__
from edgepatho.compression.original import Original
from edgepatho.entropy import entropy_bits
from edgepatho.evaluate.accuracy import Protocol
from edgepatho.evaluate.unseen import Row, losses
from edgepatho.model.shared import SharedModel
from edgepatho.quantize import sizes
from edgepatho.quantize.quantizer import Quantizer, distortion

if TYPE_CHECKING:
    import keras
    from numpy.typing import NDArray

    from edgepatho.model.graph import Graph

FORMAT, VERSION = "edgepatho-compress", 2


def original(model: keras.Model, weights_file: Path | None) -> dict[str, Any]:
    """Return what identifies the original; None for `weights_file` means the shipped weights."""
    from edgepatho.model import weights

    return {
        "name": "PathoNet, shipped weights" if weights_file is None else weights_file.name,
        "sha256": weights.sha256(model),
        "parameters": model.count_params(),
    }


def scoring(protocol: Protocol) -> dict[str, Any]:
    """Return what a device needs to turn heat maps into scores, in the form of a bundle."""
    from edgepatho.exporters.bundle import SCORING

    return dict(SCORING) | {
        "thresholds": list(protocol.thresholds),
        "ki67_cutoffs": list(protocol.ki67_cutoffs),
        "til_cutoffs": list(protocol.til_cutoffs),
    }


def envelope(original: Original, weights_file: Path | None, synthetic: bool) -> dict[str, Any]:
    """Return the envelope of what the original was trained on.

    The shipped weights (`weights_file` None) come with theirs. For others it is fitted on the prepared tiles
    that are not for testing, with the original's heat.
    """
    from edgepatho.envelope import fit
    from edgepatho.model import weights

    if weights_file is None:
        return weights.shipped_envelope()
    thresholds = original.protocol.thresholds
    return fit.of_prepared(original.prepared, original.teacher.heat, thresholds, synthetic)


def versions() -> dict[str, str]:
    """Return the versions of software that figures and bytes may depend on."""
    import keras
    import tensorflow as tf

    return {
        "edgepatho": __version__,
        "python": platform.python_version(),
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "numpy": np.__version__,
        "machine": platform.machine(),
    }


def quantizer(
    original: Original, shared: SharedModel, settings: Quantizer, heat: NDArray[np.float32]
) -> dict[str, Any]:
    """Return the effect of sharing alone on the weights and, from `heat` of the test tiles, on the output."""
    return {
        "method": settings.method,
        "k": settings.k,
        "levels_used": max(np.unique(shared.group(name)).size for name in shared.codebooks),
        "entropy_bits": shared.entropy_bits(),
        "distortion": distortion(original.graph, shared),
        "mse_to_original": original.judge(heat)["mse_to_original"],
    }


def accuracy(
    original: Original,
    rows: list[Row],
    unseen: list[dict[str, Any]],
    prepared: dict[str, Any],
    notes: Sequence[str] = (),
) -> dict[str, Any]:
    """Return the figures and what they were measured on, from the record of the prepared folder.

    `rows` are those of the test tiles, `unseen` the entries of laboratories beyond them; `notes` are
    sentences to which those about losses and about missing cells are added.
    """
    tiles = original.test.tiles
    notes = [*notes, *losses(rows, unseen)]
    if not any(len(cells) for tile in original.test.cells for cells in tile):
        notes.append(
            "The original finds no cell in the test tiles, so agreement says nothing; check thresholds, "
            "the pictures' scale and the weights."
        )
    return {
        "tiles": len(tiles.names),
        "patients": len(set(tiles.patients)),
        "synthetic": prepared["synthetic"],
        "shared_patients": prepared["shared_patients"],
        "protocol": original.protocol.as_json(),
        "labelled": tiles.are_labelled,
        "rows": rows,
        "unseen": unseen,
        "notes": notes,
    }


def sizes_and_use(graph: Graph, shared: SharedModel) -> dict[str, Any]:
    """Return `space`, `codebook` and `layers`: the published ratio and how the codebook is used."""
    return {
        "space": {"seed_ratio": sizes.published_ratio(shared)},
        "codebook": codebook(shared),
        "layers": layers(graph, shared),
    }


def codebook(shared: SharedModel) -> dict[str, Any] | None:
    """Return the values of a single codebook and how many weights hold each; None for several."""
    if len(shared.codebooks) != 1:
        return None
    ((name, book),) = shared.codebooks.items()
    counts = np.bincount(shared.group(name), minlength=book.size)
    return {"values": [float(value) for value in book], "counts": counts.tolist()}


def layers(graph: Graph, shared: SharedModel) -> list[dict[str, Any]]:
    """Return the codebook use of every layer with weights, or that it was skipped."""
    entries = []
    for name, kernel in graph.kernels.items():
        entry: dict[str, Any] = {"name": name, "parameters": kernel.size}
        if name in shared.indices:
            index = shared.indices[name]
            entry |= {"levels_used": np.unique(index).size, "entropy_bits": entropy_bits(index)}
        else:
            entry["skipped"] = "as asked"
        entries.append(entry)
    return entries
