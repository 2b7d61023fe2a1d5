"""The parts of compress.json (docs/report.md): what was compressed, how, and what came of it."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING, Any

import numpy as np

from edgepatho import __version__
from edgepatho.entropy import entropy_bits
from edgepatho.evaluate.accuracy import Settings
from edgepatho.model.shared import SharedModel
from edgepatho.quantize.quantizer import Quantizer, distortion

if TYPE_CHECKING:
    from edgepatho.model.graph import Graph


def scoring(settings: Settings) -> dict[str, Any]:
    """Return what a device needs to turn heat maps into scores, as a bundle holds it."""
    from edgepatho.exporters.bundle import SCORING

    return SCORING | {
        "thresholds": list(settings.thresholds),
        "ki67_cutoffs": list(settings.ki67_cutoffs),
        "til_cutoffs": list(settings.til_cutoffs),
    }


def versions() -> dict[str, str]:
    """Return the versions that figures and bytes may depend on."""
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


def quantizer(graph: Graph, shared: SharedModel, settings: Quantizer, row: dict[str, Any]) -> dict[str, Any]:
    """Return what sharing alone did to the weights of `graph` and, by `row`, to the output."""
    return {
        "method": settings.method,
        "k": settings.k,
        "levels_used": max(np.unique(shared.group(name)).size for name in shared.codebooks),
        "entropy_bits": shared.entropy_bits(),
        "distortion": distortion(graph, shared),
        "mse_to_original": row["mse_to_original"],
    }


def codebook(shared: SharedModel) -> dict[str, Any] | None:
    """Return the values of a single codebook and how many weights hold each; None for several."""
    if len(shared.codebooks) != 1:
        return None
    ((name, book),) = shared.codebooks.items()
    counts = np.bincount(shared.group(name), minlength=book.size)
    return {"values": [float(value) for value in book], "counts": counts.tolist()}


def layers(graph: Graph, shared: SharedModel) -> list[dict[str, Any]]:
    """Return for every layer with weights its use of the codebook, or that it was skipped."""
    found = []
    for name, kernel in graph.kernels.items():
        entry: dict[str, Any] = {"name": name, "parameters": kernel.size}
        if name in shared.indices:
            index = shared.indices[name]
            entry |= {"levels_used": np.unique(index).size, "entropy_bits": entropy_bits(index)}
        else:
            entry["skipped"] = "as asked"
        found.append(entry)
    return found
