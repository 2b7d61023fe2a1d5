"""Bundles (.epb): a network ready to run, in one file. Written and read on the host.

The contract is docs/bundle-format.md; the device reads with runtime/src/edgepatho_runtime/bundle.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgepatho.errors import InputError
from edgepatho.exporters import blocks, coding, container, golden, schema
from edgepatho.files import canonical_json, write_aside
from edgepatho.model import graph as graphs
from edgepatho.model.graph import Graph

if TYPE_CHECKING:
    from edgepatho.quantize.shared import SharedModel

SCORING = {
    "classes": ["immunopositive", "immunonegative", "til"],
    "thresholds": [60, 55, 40],
    "min_distance_px": 5,
    "network_size_px": 256,
    "ki67_cutoffs": [0.16, 0.30],
    "til_cutoffs": [0.10, 0.60],
}
JSON_TEXTS = ("accuracy", "coding", "graph", "provenance", "scoring")
CODING_ENTRY = {"bytes", "codec", "dtype", "shape"}


@dataclass(frozen=True)
class Bundle:
    """A bundle's content: tensors as numpy arrays by name, decoded, and the metadata as dicts."""

    graph: dict[str, Any]
    tensors: dict[str, np.ndarray]
    coding: dict[str, Any]
    scoring: dict[str, Any]
    provenance: dict[str, Any]
    accuracy: dict[str, Any]
    stored_bytes: dict[str, int]
    file_sha256: str
    file_bytes: int


def write(
    path: Path,
    source: SharedModel | Graph,
    *,
    scoring: Mapping[str, Any],
    provenance: Mapping[str, Any],
    accuracy: Mapping[str, Any],
    golden_input: np.ndarray | None = None,
    coded: bool = False,
) -> None:
    """Write a shared model, or a plain graph as the uncompressed network, to `path`.

    `golden_input` is a uint8 image [height, width, channels], by default `golden.patch()`; its answer is
    computed by TensorFlow from the values that are written. With `coded`, tensors are compressed where
    that saves bytes. Equal inputs give equal files. Raises InputError if the format cannot hold the model.
    """
    network = stored_network(source)
    tensors = _tensors(source, network)
    image = golden.patch() if golden_input is None else golden_input
    tensors["golden.input"] = image
    tensors["golden.output"] = golden.answer(network, image)
    structure = _structure(source, network)
    schema.check_graph(structure)
    _check_tensors(structure, tensors)
    entries: dict[str, Any] = {}
    if coded:
        tensors, entries = _coded(tensors)
    metadata = {"format": "edgepatho", "version": "1"}
    texts = {"graph": structure, "coding": entries, "scoring": scoring, "provenance": provenance}
    for key, value in (texts | {"accuracy": accuracy}).items():
        metadata[key] = canonical_json(dict(value))
    data = container.build(tensors, metadata)
    container.parse(data)  # what we would refuse to read is not written
    with write_aside(path) as aside:
        aside.write_bytes(data)


def read(path: Path) -> Bundle:
    """The content of a bundle, every promise of its format checked. Raises InputError for any defect."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror}); give the path of an .epb file."
        ) from None
    try:
        return parse(data)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def parse(data: bytes) -> Bundle:
    """`read` for the bytes of a file."""
    stored, metadata = container.parse(data)
    texts = {key: container.strict_json(metadata[key], key) for key in JSON_TEXTS}
    stored_bytes = {name: tensor.nbytes for name, tensor in stored.items()}
    tensors = _decoded(stored, texts["coding"])
    values = schema.check_graph(texts["graph"])
    _check_tensors(texts["graph"], tensors)
    golden.check(tensors, values[texts["graph"]["output"]], values[texts["graph"]["input"]["name"]])
    return Bundle(
        **texts,
        tensors=tensors,
        stored_bytes=stored_bytes,
        file_sha256=metadata["file_sha256"],
        file_bytes=len(data),
    )


def network_of(bundle: Bundle) -> Graph:
    """The network of a bundle as a graph with plain kernels, for evaluation on the host."""
    kernels, affines = {}, {}
    for node in bundle.graph["nodes"]:
        name = node["name"]
        if f"{name}.scale" in bundle.tensors:
            affines[name] = (bundle.tensors[f"{name}.scale"], bundle.tensors[f"{name}.shift"])
        if node["op"] in graphs.WEIGHTED:
            height, width = node.get("kernel", (1, 1))
            values = blocked_values(bundle, node)
            kernels[name] = blocks.unblocked(values, (height, width), node["out_channels"])
    return Graph(bundle.graph["input"], bundle.graph["nodes"], kernels, affines, bundle.graph["output"])


def blocked_values(bundle: Bundle, node: dict[str, Any]) -> np.ndarray:
    """The weights float32 [blocks, in, taps, 8] of a conv2d or dense node."""
    if "codebook" not in node:
        return bundle.tensors[f"{node['name']}.weight"]
    codebook = bundle.tensors[node["codebook"]]
    return codebook[blocks.unpacked(bundle.tensors[f"{node['name']}.index"], codebook.size)]


def stored_network(source: SharedModel | Graph) -> Graph:
    """The network as a bundle holds it: bare codebook values as kernels, their scales merged into affines."""
    if isinstance(source, Graph):
        return source
    kernels, affines = dict(source.graph.kernels), dict(source.graph.affines)
    for name, indices in source.indices.items():
        kernels[name] = source.codebooks[source.codebook_of[name]][indices]
        scale, shift = affines[name]
        affines[name] = ((scale * np.asarray(source.scales[name], np.float64)).astype(np.float32), shift)
    return replace(source.graph, kernels=kernels, affines=affines)


def _structure(source: SharedModel | Graph, network: Graph) -> dict[str, Any]:
    structure = network.as_json()
    if not isinstance(source, Graph):
        shared = source.codebook_of
        nodes = (
            node | ({"codebook": shared[node["name"]]} if node["name"] in shared else {})
            for node in network.nodes
        )
        structure = structure | {"nodes": list(nodes)}
    return structure


def _tensors(source: SharedModel | Graph, network: Graph) -> dict[str, np.ndarray]:
    tensors: dict[str, np.ndarray] = {}
    indices = {} if isinstance(source, Graph) else source.indices
    for name, kernel in network.kernels.items():
        if name in indices:
            codebook = source.codebook_of[name]  # type: ignore[union-attr]
            tensors[codebook] = levels = source.codebooks[codebook].astype(np.float32)  # type: ignore[union-attr]
            tensors[f"{name}.index"] = blocks.packed(blocks.blocked(indices[name]), levels.size)
        else:
            tensors[f"{name}.weight"] = blocks.blocked(kernel.astype(np.float32))
    for name, (scale, shift) in network.affines.items():
        tensors[f"{name}.scale"], tensors[f"{name}.shift"] = scale, shift
    return tensors


def _check_tensors(structure: dict[str, Any], tensors: dict[str, np.ndarray]) -> None:
    """Refuse tensors that are missing, foreign or misshapen, and values that no network can use."""
    levels = {name: tensor.size for name, tensor in tensors.items() if schema.CODEBOOK.fullmatch(name)}
    forms = schema.tensor_forms(structure, levels)
    wanted = set(forms) | {"golden.input", "golden.output"}
    for name in sorted(wanted ^ set(tensors)):
        raise InputError(f"tensor {name} is {'missing' if name in wanted else 'foreign to the graph'}.")
    for name, form in forms.items():
        found = (container.type_name(tensors[name]), tensors[name].shape)
        if found != form:
            raise InputError(
                f"tensor {name} is {found[0]} {list(found[1])}, the graph needs {form[0]} {list(form[1])}."
            )
    for name, tensor in tensors.items():
        if tensor.dtype.kind == "f" and not np.isfinite(tensor).all():
            raise InputError(f"tensor {name} holds NaN or infinite values.")
    for name, size in levels.items():
        if size > blocks.MOST_LEVELS:
            raise InputError(f"tensor {name} has {size} entries, at most {blocks.MOST_LEVELS} can be named.")
    for node in structure["nodes"]:
        if "codebook" in node:
            size = levels[node["codebook"]]
            highest = int(blocks.unpacked(tensors[f"{node['name']}.index"], size).max())
            if highest >= size:
                raise InputError(
                    f"tensor {node['name']}.index names entry {highest} of {size} in {node['codebook']}."
                )


def _coded(tensors: dict[str, np.ndarray]) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The tensors with each in its smallest form, and the `coding` entries of those that changed."""
    stored, entries = {}, {}
    for name, tensor in tensors.items():
        codec, stream = coding.smallest(tensor.tobytes(), tensor.itemsize)
        entry = {
            "bytes": tensor.nbytes,
            "codec": codec,
            "dtype": container.type_name(tensor),
            "shape": list(tensor.shape),
        }
        # inside the header, the entry's quotes are escaped
        cost = len(canonical_json(canonical_json({name: entry})))
        if len(stream) + cost < tensor.nbytes:
            stored[name], entries[name] = np.frombuffer(stream, np.uint8), entry
        else:
            stored[name] = tensor
    return stored, entries


def _decoded(stored: dict[str, np.ndarray], entries: dict[str, Any]) -> dict[str, np.ndarray]:
    tensors = dict(stored)
    left = container.MOST_FILE_BYTES
    for name, entry in entries.items():
        if name not in stored or stored[name].dtype != np.uint8 or stored[name].ndim != 1:
            raise InputError(f"coding: {name[:80]} is no U8 tensor of one dimension.")
        if (
            not isinstance(entry, dict)
            or set(entry) != CODING_ENTRY
            or not container.is_shape(entry["shape"])
        ):
            raise InputError(f"coding: the entry of {name} is not bytes, codec, dtype and a shape.")
        codec, dtype, size, shape = entry["codec"], entry["dtype"], entry["bytes"], entry["shape"]
        if codec not in ("zlib", "lzma") or dtype not in container.TYPES:
            raise InputError(
                f"coding: {name} has the codec {codec!r} and the type {dtype!r}, which are not known."
            )
        kind = container.TYPES[dtype]
        if type(size) is not int or size != int(np.prod(shape, dtype=object)) * kind.itemsize:
            raise InputError(f"coding: {size!r} bytes of {name} do not fit {dtype} {shape}.")
        left -= size
        if left < 0:
            raise InputError(
                f"coding: the decoded tensors exceed {container.MOST_FILE_BYTES} bytes at {name}."
            )
        tensors[name] = np.frombuffer(coding.decode(codec, stored[name].tobytes(), size, name), kind).reshape(
            shape
        )
    return tensors
