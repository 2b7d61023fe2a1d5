"""A JSON-ready description of a bundle: layers, codebook use, sizes, provenance."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepatho.entropy import entropy_bits
from edgepatho.exporters import blocks, bundle
from edgepatho.exporters.bundle import Bundle
from edgepatho.files import sha256_of
from edgepatho.model.graph import WEIGHTED

BINS = 16  # of a layer's histogram


def inspect(path: Path) -> dict[str, Any]:
    """A JSON-ready description of a bundle file. Raises InputError if it is not one.

    Sizes are in bytes: `stored` as in the file, `decoded` as a runtime holds it. `entropy_bits` is the
    entropy of the indices per weight, `entropy_bytes` the size with an ideal code for each layer.
    `histogram` counts a layer's weights in 16 equal bins from minus to plus `largest`, its largest magnitude,
    before `--scale`.
    """
    content = bundle.read(path)
    weights = bundle.network_of(content).kernels
    layers = []
    for node in content.graph["nodes"]:
        if node["op"] in WEIGHTED:
            kernel = weights[node["name"]]
            largest = float(np.abs(kernel).max())
            counts, _ = np.histogram(kernel, BINS, (-largest, largest))
            spread = {"largest": largest, "histogram": counts.tolist()}
            layers.append(_layer(content, node) | spread)
    shared = [layer for layer in layers if "codebook" in layer]
    return {
        "file": path.name,
        "file_bytes": content.file_bytes,
        "deflated_bytes": len(zlib.compress(path.read_bytes(), 9)),
        "file_sha256": content.file_sha256,
        "sha256sum": sha256_of(path),
        "layers": layers,
        "codebooks": {
            name: _codebook(content, name) for name in sorted({layer["codebook"] for layer in shared})
        },
        "weights": sum(layer["weights"] for layer in layers),
        "shared_weights": sum(layer["weights"] for layer in shared),
        "entropy_bits": _overall_entropy(content),
        "entropy_bytes": round(sum(layer["weights"] * layer["entropy_bits"] for layer in shared) / 8),
        "bytes": _bytes_by_kind(content),
        "coded_tensors": len(content.coding),
        "scoring": content.scoring,
        "provenance": content.provenance,
        "accuracy": content.accuracy,
        "parts": content.parts,
    }


def _layer(content: Bundle, node: dict[str, Any]) -> dict[str, Any]:
    name = node["name"]
    tensor = f"{name}.index" if "codebook" in node else f"{name}.weight"
    kernel = node.get("kernel", [1, 1])
    facts = {
        "name": name,
        "op": node["op"],
        "kernel": kernel,
        "dilation": node.get("dilation", 1),
        "in_channels": node["in_channels"],
        "out_channels": node["out_channels"],
        "weights": int(np.prod(kernel)) * node["in_channels"] * node["out_channels"],
        "stored_bytes": content.stored_bytes[tensor],
        "decoded_bytes": content.tensors[tensor].nbytes,
    }
    if "codebook" in node:
        indices = _indices(content, node)
        used = int(np.count_nonzero(np.bincount(indices.ravel())))
        facts |= {"codebook": node["codebook"], "levels_used": used, "entropy_bits": entropy_bits(indices)}
    return facts


def _codebook(content: Bundle, name: str) -> dict[str, Any]:
    values = content.tensors[name]
    used = np.unique(np.concatenate([part.ravel() for part in _all_indices(content, name)]))
    limits = {"smallest": float(values.min()), "largest": float(values.max())}
    return {"levels": values.size, "levels_used": used.size} | limits


def _overall_entropy(content: Bundle) -> float | None:
    """Entropy of the indices in bits per weight, each codebook coded separately; None if there are none."""
    names = sorted({node["codebook"] for node in content.graph["nodes"] if "codebook" in node})
    groups = [np.concatenate([part.ravel() for part in _all_indices(content, name)]) for name in names]
    if not groups:
        return None
    bits = sum(entropy_bits(group) * group.size for group in groups)
    return float(bits / sum(group.size for group in groups))


def _all_indices(content: Bundle, codebook: str) -> list[NDArray[Any]]:
    nodes = [node for node in content.graph["nodes"] if node.get("codebook") == codebook]
    return [_indices(content, node) for node in nodes]


def _indices(content: Bundle, node: dict[str, Any]) -> NDArray[Any]:
    """The indices of a node without the padding, [kh, kw, in, out]."""
    levels = content.tensors[node["codebook"]].size
    height, width = node.get("kernel", (1, 1))
    blocked = blocks.unpacked(content.tensors[f"{node['name']}.index"], levels)
    indices: NDArray[Any] = blocks.unblocked(blocked, (height, width), node["out_channels"])
    return indices


def _bytes_by_kind(content: Bundle) -> dict[str, dict[str, int]]:
    """Stored and decoded bytes by purpose: weights, codebook, affine, golden, header."""
    kinds = {"index": "weights", "weight": "weights", "scale": "affine", "shift": "affine"}
    sums: dict[str, dict[str, int]] = {}
    for name, stored in content.stored_bytes.items():
        first, _, last = name.partition(".")
        kind = first if first in ("codebook", "golden") else kinds[last]
        entry = sums.setdefault(kind, {"stored": 0, "decoded": 0})
        entry["stored"] += stored
        entry["decoded"] += content.tensors[name].nbytes
    header = content.file_bytes - sum(content.stored_bytes.values())
    return sums | {"header": {"stored": header, "decoded": header}}
