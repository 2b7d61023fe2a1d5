"""Facts of a bundle: network, weights, sizes, origin, and how this device would run it."""

import math
from typing import Any

from edgepatho_runtime.bundle import Bundle
from edgepatho_runtime.errors import BundleError
from edgepatho_runtime.network import Network, available_isas


def describe(bundle: Bundle) -> dict[str, Any]:
    """Return the facts of a bundle, ready for JSON."""
    layers = [node for node in bundle.graph["nodes"] if node["op"] in ("conv2d", "dense")]
    weights = sum(
        node["in_channels"] * node["out_channels"] * math.prod(node.get("kernel", [1])) for node in layers
    )
    books = sorted({node["codebook"] for node in layers if "codebook" in node})
    kinds = {"index": 0, "codebook": 0, "weight": 0, "scale and shift": 0, "golden": 0}
    for name, size in bundle.stored_bytes.items():
        kinds[_kind(name)] += size
    return {
        "file_bytes": bundle.file_bytes,
        "sha256": bundle.file_sha256,
        "nodes": len(bundle.graph["nodes"]),
        "layers": len(layers),
        "weights": weights,
        "shared_layers": len([node for node in layers if "codebook" in node]),
        "codebooks": {name: bundle.tensors[name].shape[0] for name in books},
        "stored_bytes": kinds,
        "weights_in_memory_bytes": sum(
            len(tensor.data)
            for name, tensor in bundle.tensors.items()
            if _kind(name) in ("index", "weight", "codebook")
        ),
        "fp32_weights_bytes": 4 * weights,
        "scoring": bundle.scoring,
        "provenance": bundle.provenance,
        "accuracy": bundle.accuracy,
        "parts": bundle.parts,
        "isa": available_isas(),
    }


def plan_of(bundle: Bundle, threads: int, precision: str) -> tuple[dict[str, Any], list[list[Any]]]:
    """Return the plan at the network's own size: totals, and a table row per step."""
    side = bundle.scoring["network_size_px"]
    try:
        network = Network(bundle, side, side, threads, precision)
    except ValueError as error:
        raise BundleError(f"The network cannot run at its own size of {side} x {side} px: {error}") from None
    steps = network.plan.table()
    totals = {
        "height": side,
        "width": side,
        "steps": len(steps),
        "macs": sum(step.macs for step in steps),
        "arena_bytes": network.arena_bytes,
        "isa": network.isa,
        "threads": threads,
        "precision": precision,
    }
    return totals, [[*step[:2], " x ".join(map(str, step.shape)), *step[3:]] for step in steps]


def _kind(name: str) -> str:
    owner, _, part = name.partition(".")
    if owner in ("codebook", "golden"):
        return owner
    return part if part in ("index", "weight") else "scale and shift"
