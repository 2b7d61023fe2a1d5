"""Bundles (.epb), a network ready to run in one file: the host's writer and reader.

The format is docs/bundle-format.md; the device's reader is runtime/src/edgepatho_runtime/bundle.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgepatho.classes import CLASSES
from edgepatho.errors import InputError
from edgepatho.exporters import blocks, coding, container, golden, schema
from edgepatho.exporters.limits import MAX_FILE_BYTES
from edgepatho.exporters.parts import check_parts
from edgepatho.exporters.refusals import BundleError, refused
from edgepatho.exporters.scoring import check_scoring
from edgepatho.files import canonical_json, write_aside
from edgepatho.model import graph as graphs
from edgepatho.model.graph import Graph

if TYPE_CHECKING:
    from edgepatho.model.shared import SharedModel

SCORING = {
    "classes": list(CLASSES),
    "thresholds": [60, 55, 40],
    "min_distance_px": 5,
    "network_size_px": 256,
    "ki67_cutoffs": [0.16, 0.30],
    "til_cutoffs": [0.10, 0.60],
}
JSON_TEXTS = ("accuracy", "coding", "graph", "provenance", "scoring")
VALUE_BOUND = 2.0**127  # readers see from the top byte alone that a float is smaller and finite


@dataclass(frozen=True)
class Bundle:
    """A bundle's content: decoded tensors as numpy arrays by name, and the metadata as dicts.

    `parts` are the optional objects of version 2 by name, {} in version 1.
    """

    graph: dict[str, Any]
    tensors: dict[str, NDArray[Any]]
    coding: dict[str, Any]
    scoring: dict[str, Any]
    provenance: dict[str, Any]
    accuracy: dict[str, Any]
    parts: dict[str, dict[str, Any]]
    stored_bytes: dict[str, int]
    file_sha256: str
    file_bytes: int


def write(
    path: Path,
    model: SharedModel,
    *,
    scoring: Mapping[str, Any],
    provenance: Mapping[str, Any],
    accuracy: Mapping[str, Any],
    parts: Mapping[str, Mapping[str, Any]] | None = None,
    golden_input: NDArray[Any] | None = None,
    coded: bool = False,
) -> None:
    """Write `model` to `path`; `SharedModel(graph)` is an uncompressed network.

    `golden_input` is a uint8 image [height, width, channels], by default `golden.patch()`; the golden output
    is computed by TensorFlow from the values as written. With `coded`, tensors are compressed where that
    saves bytes. With `parts` (cutoffs, envelope, image) the file has version 2, otherwise 1. Equal inputs
    give equal files. Raises InputError if the format cannot hold the model.
    """
    network = stored_network(model)
    structure = _structure(model, network)
    image = golden.patch() if golden_input is None else golden_input
    golden.check_image(image)
    schema.check_graph(structure, image.shape)
    tensors = _tensors(model, network)
    tensors["golden.input"], tensors["golden.output"] = image, golden.answer(network, image)
    added = {name: dict(part) for name, part in (parts or {}).items()}
    _check(structure, dict(scoring), tensors)
    check_parts(added)
    entries: dict[str, Any] = {}
    if coded:
        tensors, entries = coding.encode(tensors)
    metadata = {"format": "edgepatho", "version": "2" if added else "1"}
    texts = {"graph": structure, "coding": entries, "scoring": scoring, "provenance": provenance}
    for key, value in (texts | {"accuracy": accuracy} | added).items():
        metadata[key] = canonical_json(dict(value))
    data = container.build(tensors, metadata)
    with write_aside(path) as aside:
        aside.write_bytes(data)


def revise(
    source: Path,
    target: Path,
    *,
    scoring: Mapping[str, Any],
    provenance: Mapping[str, Any],
    accuracy: Mapping[str, Any],
) -> None:
    """Write the bundle in `source` with other scoring, provenance and accuracy to `target`.

    Version, tensors as stored and all other metadata stay as they are. Raises InputError as `read` does.
    """
    read(source)
    stored, metadata = container.parse(source.read_bytes())
    del metadata["file_sha256"]
    for key, value in {"scoring": scoring, "provenance": provenance, "accuracy": accuracy}.items():
        metadata[key] = canonical_json(dict(value))
    data = container.build(stored, metadata)
    parse(data)
    with write_aside(target) as aside:
        aside.write_bytes(data)


def read(path: Path) -> Bundle:
    """The content of a bundle, checked against every rule of the format. Raises InputError for any defect."""
    try:
        if path.exists() and not path.is_file():
            raise refused("NotAFile")
        if path.stat().st_size > MAX_FILE_BYTES:
            raise refused("FileTooLarge", bytes=path.stat().st_size)
        return parse(path.read_bytes())
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror}); give the path of an .epb file."
        ) from None
    except BundleError as error:
        raise BundleError(f"{path}: {error}", error.refusal) from None


def parse(data: bytes) -> Bundle:
    """Like `read`, for the bytes of a file."""
    stored, metadata = container.parse(data)
    texts = {key: container.json_object(metadata[key], key) for key in JSON_TEXTS}
    parts = {key: container.json_object(metadata[key], key) for key in container.PARTS if key in metadata}
    stored_bytes = {name: tensor.nbytes for name, tensor in stored.items()}
    tensors = coding.decode(stored, texts["coding"])
    _check(texts["graph"], texts["scoring"], tensors)
    check_parts(parts)
    return Bundle(
        **texts,
        parts=parts,
        tensors=tensors,
        stored_bytes=stored_bytes,
        file_sha256=metadata["file_sha256"],
        file_bytes=len(data),
    )


def network_of(bundle: Bundle) -> Graph:
    """The network of a bundle as a graph with plain kernels, for evaluation on the host."""
    kernels, affines, nodes = {}, {}, []
    for node in bundle.graph["nodes"]:
        name = node["name"]
        nodes.append({field: value for field, value in node.items() if field != "codebook"})
        if f"{name}.scale" in bundle.tensors:
            affines[name] = (bundle.tensors[f"{name}.scale"], bundle.tensors[f"{name}.shift"])
        if node["op"] in graphs.WEIGHTED:
            height, width = node.get("kernel", (1, 1))
            values = blocked_values(bundle, node)
            kernels[name] = blocks.unblocked(values, (height, width), node["out_channels"])
    return Graph(bundle.graph["input"], nodes, kernels, affines, bundle.graph["output"])


def blocked_values(bundle: Bundle, node: dict[str, Any]) -> NDArray[Any]:
    """The weights float32 [blocks, in, taps, 8] of a conv2d or dense node."""
    if "codebook" not in node:
        return bundle.tensors[f"{node['name']}.weight"]
    codebook = bundle.tensors[node["codebook"]]
    values: NDArray[Any] = codebook[blocks.unpacked(bundle.tensors[f"{node['name']}.index"], codebook.size)]
    return values


def stored_network(model: SharedModel) -> Graph:
    """The network as a bundle holds it: kernels of bare codebook values, their scales merged into affines."""
    kernels, affines = dict(model.graph.kernels), dict(model.graph.affines)
    for name, indices in model.indices.items():
        kernels[name] = model.codebooks[model.codebook_of[name]][indices]
        scale, shift = affines[name]
        affines[name] = ((scale * np.asarray(model.scales[name], np.float64)).astype(np.float32), shift)
    return replace(model.graph, kernels=kernels, affines=affines)


def _structure(model: SharedModel, network: Graph) -> dict[str, Any]:
    shared = model.codebook_of
    nodes = [
        node | ({"codebook": shared[node["name"]]} if node["name"] in shared else {})
        for node in network.nodes
    ]
    return network.as_json() | {"nodes": nodes}


def _tensors(model: SharedModel, network: Graph) -> dict[str, NDArray[Any]]:
    tensors: dict[str, NDArray[Any]] = {}
    for name, kernel in network.kernels.items():
        if name in model.indices:
            codebook = model.codebook_of[name]
            tensors[codebook] = levels = model.codebooks[codebook].astype(np.float32)
            tensors[f"{name}.index"] = blocks.packed(blocks.blocked(model.indices[name]), levels.size)
        else:
            tensors[f"{name}.weight"] = blocks.blocked(kernel.astype(np.float32))
    for name, (scale, shift) in network.affines.items():
        tensors[f"{name}.scale"], tensors[f"{name}.shift"] = scale, shift
    return tensors


def _check(structure: dict[str, Any], scoring: dict[str, Any], tensors: dict[str, NDArray[Any]]) -> None:
    """Refuse broken rules, missing or extra tensors, and values that no network can use."""
    image = tensors.get("golden.input")
    if image is None:
        raise refused("MissingTensor", name="golden.input")
    golden.check_image(image)
    output = schema.check_graph(structure, image.shape)
    levels = {name: tensor.size for name, tensor in tensors.items() if schema.CODEBOOK.fullmatch(name)}
    forms = schema.tensor_forms(structure, levels)
    forms |= {"golden.input": ("U8", image.shape), "golden.output": ("F32", golden.answer_shape(output))}
    for name in sorted(forms.keys() ^ tensors.keys()):
        raise refused("MissingTensor" if name in forms else "ForeignTensor", name=name)
    for name, form in forms.items():
        stored = (container.type_name(tensors[name]), tensors[name].shape)
        if stored != form:
            raise refused("TensorMismatch", name=name, form=_form_text(*stored), expected=_form_text(*form))
    for name, tensor in tensors.items():
        if tensor.dtype == np.float32 and not (np.abs(tensor) < VALUE_BOUND).all():
            raise refused("ValueOutOfRange", name=name)
    for node in structure["nodes"]:
        if "codebook" in node:
            name, codebook = f"{node['name']}.index", node["codebook"]
            index = int(blocks.unpacked(tensors[name], levels[codebook]).max())
            if index >= levels[codebook]:
                raise refused(
                    "IndexOutOfRange", name=name, index=index, values=levels[codebook], codebook=codebook
                )
    check_scoring(scoring, output[-1])


def _form_text(dtype: str, shape: tuple[int, ...]) -> str:
    return f"{dtype} {list(shape)}"
