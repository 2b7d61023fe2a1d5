"""PathoNet's weights: loaded from a file layer by layer, with a shape check."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgepatho.errors import InputError
from edgepatho.files import write_aside
from edgepatho.model.weight_files import VARIABLES, Arrays, read

if TYPE_CHECKING:
    import keras

SHIPPED = Path(__file__).with_name("demo_weights.safetensors")
SHIPPED_ENVELOPE = Path(__file__).with_name("demo_envelope.json")  # of the tiles that trained them


def load(path: Path, size: int | None = 256) -> keras.Model:
    """Return PathoNet for `size` pixels with the weights of a .keras, .h5, .hdf5, .npz or .safetensors file.

    Layers are matched by name; a Keras 2 file with other names is matched by the order of its layers.
    Raises InputError naming the first layer that does not fit, with both shapes.
    """
    from edgepatho.model.quiet import import_tensorflow

    import_tensorflow()
    from edgepatho.model import pathonet

    model = pathonet.build(size=size)
    assign(model, read(path), path)
    return model


def load_shipped(size: int | None = 256) -> keras.Model:
    """Return PathoNet with the weights shipped in the package (trained on synthetic tiles only)."""
    return load(SHIPPED, size)


def shipped_envelope() -> dict[str, Any]:
    """Return the envelope of the shipped weights' training tiles, in the form of a bundle's object."""
    envelope: dict[str, Any] = json.loads(SHIPPED_ENVELOPE.read_text())
    return envelope


def load_original(path: Path | None) -> keras.Model:
    """Return PathoNet for any tile size with the weights in `path`, or the shipped ones."""
    return load_shipped(None) if path is None else load(path, None)


def save(
    model: keras.Model, path: Path, dtype: str = "float32", metadata: dict[str, str] | None = None
) -> None:
    """Write the model's variables to a .safetensors file, named `<layer>/<variable>`."""
    from safetensors.numpy import save as to_bytes

    arrays = {name: np.ascontiguousarray(value, dtype) for name, value in arrays_of(model).items()}
    with write_aside(path) as aside:
        aside.write_bytes(to_bytes(arrays, metadata))


def sha256(model: keras.Model) -> str:
    """Return the SHA-256 over names, shapes and float32 bytes of all variables, in order of name."""
    digest = hashlib.sha256()
    for name, value in sorted(arrays_of(model).items()):
        digest.update(json.dumps([name, list(value.shape)]).encode())
        digest.update(np.ascontiguousarray(value, "<f4").tobytes())
    return digest.hexdigest()


def arrays_of(model: keras.Model) -> Arrays:
    """Return the model's variables as float32 arrays named `<layer>/<variable>`."""
    return {name: np.asarray(variable, np.float32) for name, variable in variables_of(model).items()}


def variables_of(model: keras.Model) -> dict[str, Any]:
    """Return the model's Keras variables named `<layer>/<variable>`."""
    return {
        f"{layer.name}/{variable.path.rsplit('/', 1)[-1]}": variable
        for layer in model.layers
        for variable in layer.weights
    }


def assign(model: keras.Model, arrays: Arrays, path: Path | str) -> None:
    """Copy `arrays` into the model's variables; `path` is named in errors."""
    wanted = variables_of(model)
    if not arrays.keys() & wanted.keys():
        arrays = _by_order(wanted, arrays, path)
    for name, variable in wanted.items():
        if name not in arrays:
            raise InputError(
                f"{path} has no {name}, which PathoNet needs with shape {tuple(variable.shape)}."
            )
        value = arrays[name]
        if tuple(value.shape) != tuple(variable.shape):
            raise InputError(
                f"{path}: {name} has shape {tuple(value.shape)}, PathoNet needs {tuple(variable.shape)}; "
                "the file belongs to another network."
            )
        if value.dtype.kind not in "fiu":
            raise InputError(f"{path}: {name} has the type {value.dtype}, expected numbers.")
        if not np.isfinite(value).all():
            raise InputError(f"{path}: {name} holds NaN or infinite values.")
    extra = arrays.keys() - wanted.keys()
    if extra:
        raise InputError(
            f"{path} has {min(extra)}, which PathoNet does not have; the file belongs to another network."
        )
    for name, variable in wanted.items():
        variable.assign(arrays[name].astype(np.float32))


def _by_order(wanted: dict[str, Any], arrays: Arrays, path: Path | str) -> Arrays:
    """Match a file whose layers have other names (Keras 2 numbers them) by kind and order of creation."""
    matched: Arrays = {}
    for kind in VARIABLES:
        ours = [name for name in wanted if name.endswith(f"/{kind}")]
        theirs = [name for name in arrays if name.rsplit("/", 1)[-1] == kind]
        if len(ours) != len(theirs):
            raise InputError(
                f"{path} holds {len(theirs)} layers with a {kind}, PathoNet has {len(ours)}; "
                "the file belongs to another network."
            )
        for name, other in zip(ours, theirs, strict=True):
            if tuple(arrays[other].shape) != tuple(wanted[name].shape):
                raise InputError(
                    f"{path}: {other} has shape {tuple(arrays[other].shape)} where PathoNet's {name} "
                    f"needs {tuple(wanted[name].shape)}; the file belongs to another network."
                )
            matched[name] = arrays[other]
    return matched
