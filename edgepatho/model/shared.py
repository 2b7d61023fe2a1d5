"""A network whose weights are indices into codebooks, as retraining tunes and exporters write it."""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgepatho.entropy import entropy_bits
from edgepatho.errors import InputError
from edgepatho.files import canonical_json, write_aside
from edgepatho.model.weights import variables_of

if TYPE_CHECKING:
    import keras

    from edgepatho.model.graph import Graph

Float32 = NDArray[np.float32]


@dataclass
class SharedModel:
    """A graph with shared weights; kernels are laid out as [kh, kw, in, out].

    `codebooks` are float32 [k], keyed "codebook" or "codebook.<layer>". A shared layer has `indices`
    uint16 of its kernel's shape, the key of its codebook in `codebook_of`, and in `scales` one float32 or
    one per output channel: kernel = scale * codebook[index]. Skipped layers have none of these;
    `graph.kernels` holds only their kernels. `variables` are the Keras model's variables that are
    not kernels, "<layer>/<variable>": biases and batch normalization. `SharedModel(graph)` shares nothing.
    """

    graph: Graph
    codebooks: dict[str, Float32] = field(default_factory=dict)
    indices: dict[str, NDArray[np.uint16]] = field(default_factory=dict)
    codebook_of: dict[str, str] = field(default_factory=dict)
    scales: dict[str, Float32] = field(default_factory=dict)
    variables: dict[str, Float32] = field(default_factory=dict)

    def kernel(self, layer: str) -> Float32:
        """Return the kernel of `layer`, float32 [kh, kw, in, out]."""
        if layer not in self.indices:
            return self.graph.kernels[layer]
        return self.codebooks[self.codebook_of[layer]][self.indices[layer]] * self.scales[layer]

    def dense(self) -> Graph:
        """Return the graph with every kernel written out."""
        layers = [*self.indices, *self.graph.kernels]
        return replace(self.graph, kernels={layer: self.kernel(layer) for layer in layers})

    def entropy_bits(self) -> float:
        """Return the entropy of the indices in bits per weight, each codebook coded separately; 0 if none."""
        groups = {name: self.group(name) for name in self.codebooks}
        total = sum(group.size for group in groups.values())
        return sum(entropy_bits(group) * group.size for group in groups.values()) / max(total, 1)

    def group(self, codebook: str) -> NDArray[np.uint16]:
        """Return all indices into `codebook`, uint16 [weights], in the order of the graph."""
        return np.concatenate(
            [self.indices[layer].ravel() for layer, name in self.codebook_of.items() if name == codebook]
        )


def apply(shared: SharedModel, model: keras.Model) -> None:
    """Write kernels, biases and batch normalization of `shared` into the Keras model it came from."""
    for name, variable in variables_of(model).items():
        layer, kind = name.rsplit("/", 1)
        if kind == "kernel":
            variable.assign(shared.kernel(layer).reshape(variable.shape))
        elif name in shared.variables:
            variable.assign(shared.variables[name])


def other_variables(model: keras.Model) -> dict[str, Float32]:
    """Return copies of all variables except kernels, keyed "<layer>/<variable>"."""
    return {
        name: np.array(variable, np.float32)
        for name, variable in variables_of(model).items()
        if not name.endswith("/kernel")
    }


def save(shared: SharedModel, path: Path) -> None:
    """Write `shared` to an .npz file of plain arrays and one JSON text; equal models give equal bytes."""
    graph = shared.graph
    about = {"graph": graph.as_json(), "codebook_of": list(shared.codebook_of.items())}
    arrays: dict[str, Any] = {"about": np.array(canonical_json(about))}
    groups: dict[str, dict[str, Any]] = {
        "codebook": shared.codebooks,
        "index": shared.indices,
        "scale": shared.scales,
        "variable": shared.variables,
        "kernel": graph.kernels,
        "affine_scale": {name: scale for name, (scale, _) in graph.affines.items()},
        "affine_shift": {name: shift for name, (_, shift) in graph.affines.items()},
    }
    for group, members in groups.items():
        arrays |= {f"{group}/{name}": value for name, value in members.items()}
    with write_aside(path) as aside, aside.open("wb") as file:
        np.savez_compressed(file, **arrays)


def load(path: Path) -> SharedModel:
    """Return what `save` wrote. Raises InputError if the file is missing, damaged or of another kind."""
    from edgepatho.model.graph import Graph

    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            about = json.loads(str(file["about"]))
            codebook_of = dict(about["codebook_of"])
            groups: dict[str, dict[str, Any]] = {}
            for entry in file.files:
                group, _, name = entry.partition("/")
                if name:
                    groups.setdefault(group, {})[name] = file[entry]
        scales, shifts = groups["affine_scale"], groups["affine_shift"]
        structure = about["graph"]
        shared = SharedModel(
            graph=Graph(
                input=structure["input"],
                nodes=structure["nodes"],
                kernels=groups.get("kernel", {}),
                affines={name: (scales[name], shifts[name]) for name in scales},
                output=structure["output"],
            ),
            codebooks=groups["codebook"],
            indices={name: groups["index"][name] for name in codebook_of},
            codebook_of=codebook_of,
            scales=groups["scale"],
            variables=groups.get("variable", {}),
        )
        for layer in shared.indices:
            shared.kernel(layer)
    except (OSError, ValueError, KeyError, TypeError, IndexError, zipfile.BadZipFile) as error:
        raise InputError(
            f"{path} is not a shared model that `edgepatho compress` wrote ({error}); compress again."
        ) from None
    return shared
