"""Weights files, read as plain arrays by name, without executing anything in them.

Keras' own `load_model` runs code that a model file may carry, so it is never used.
"""

from __future__ import annotations

import io
import json
import lzma
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepatho.errors import InputError

MAX_FILE_BYTES = 1 << 30  # far above any PathoNet, far below what would hurt the machine
MAX_VALUES = 1 << 26
VARIABLES = ("kernel", "bias", "gamma", "beta", "moving_mean", "moving_variance")
# what the parsers of these formats raise on damaged or hostile files
UNREADABLE = (
    OSError,
    EOFError,
    ValueError,
    KeyError,
    TypeError,
    RuntimeError,  # RecursionError too
    MemoryError,
    SystemError,  # h5py, where an error meets another
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
)
Arrays = dict[str, NDArray[Any]]  # "<layer>/<variable>" -> values


def read(path: Path) -> Arrays:
    """Return the arrays of a weights file, named `<layer>/<variable>` where the file names them."""
    if not path.is_file():
        raise InputError(
            f"{path} is not a file; expected PathoNet weights (.keras, .h5, .hdf5, .npz, .safetensors)."
        )
    if path.stat().st_size > MAX_FILE_BYTES:
        raise InputError(
            f"{path} has {path.stat().st_size} bytes; PathoNet's weights take at most {MAX_FILE_BYTES}."
        )
    readers: dict[str, Callable[[Path], Arrays]] = {
        ".keras": _keras,
        ".h5": _hdf5,
        ".hdf5": _hdf5,
        ".npz": _npz,
        ".safetensors": _safetensors,
    }
    if path.suffix not in readers:
        raise InputError(f"{path} has the suffix {path.suffix!r}; expected one of {', '.join(readers)}.")
    try:
        return readers[path.suffix](path)
    except InputError:
        raise
    except UNREADABLE as error:
        raise InputError(f"{path} is not a readable {path.suffix} weights file ({error}).") from None


def _npz(path: Path) -> Arrays:
    with zipfile.ZipFile(path) as archive:
        _check_inflated(path, archive)
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def _safetensors(path: Path) -> Arrays:
    from safetensors import SafetensorError
    from safetensors.numpy import load as from_bytes

    try:
        return from_bytes(path.read_bytes())
    except SafetensorError as error:
        raise ValueError(error) from None


def _keras(path: Path) -> Arrays:
    with zipfile.ZipFile(path) as archive:
        _check_inflated(path, archive)
        names = _keras_names(json.loads(archive.read("config.json")))
        return _hdf5(io.BytesIO(archive.read("model.weights.h5")), names)


def _keras_names(config: dict[str, Any]) -> dict[str, str]:
    """Keras 3 stores layers under generated names (conv2d, conv2d_1, ...); map them to the layers' own."""
    names: dict[str, str] = {}
    counts: dict[str, int] = {}
    for layer in config["config"]["layers"]:
        stem = _snake(layer["class_name"])
        count = counts.get(stem, 0)
        counts[stem] = count + 1
        names[f"{stem}_{count}" if count else stem] = layer["config"]["name"]
    return names


def _snake(name: str) -> str:
    from keras.src.utils.naming import to_snake_case

    return str(to_snake_case(name))


def _check_inflated(path: Path, archive: zipfile.ZipFile) -> None:
    if sum(item.file_size for item in archive.infolist()) > MAX_FILE_BYTES:
        raise InputError(f"{path} inflates to more than {MAX_FILE_BYTES} bytes; PathoNet's weights never do.")


def _hdf5(source: Path | io.BytesIO, names: dict[str, str] | None = None) -> Arrays:
    """Read Keras 3 (`layers/<layer>/vars/<i>`) or Keras 2 (`<layer>/<layer>/<variable>:0`) weights."""
    import h5py

    with h5py.File(source, "r") as file:
        link = file.visititems_links(lambda name, link: None if isinstance(link, h5py.HardLink) else name)
        if link:
            raise InputError(f"{link} is a link to elsewhere; weights are read from plain HDF5 files only.")
        root = file.get("model_weights", file)
        if "layers" in root:
            return dict(_keras3(root["layers"], names or {}))
        order = [n.decode() if isinstance(n, bytes) else n for n in root.attrs.get("layer_names", [])]
        arrays: Arrays = {}
        for layer in order or list(root):
            arrays.update(_datasets(root[layer], layer))
        if not arrays:
            raise InputError(f"{source} holds no layer weights.")
        return arrays


def _keras3(layers: Any, names: dict[str, str]) -> Iterator[tuple[str, NDArray[Any]]]:
    for stored in sorted(layers, key=_natural):
        values = [
            _dataset(layers[stored]["vars"], key) for key in sorted(layers[stored].get("vars", ()), key=int)
        ]
        layer = names.get(stored, stored)
        kinds = VARIABLES[2:] if len(values) == 4 else VARIABLES[:2]
        for kind, value in zip(kinds, values, strict=False):
            yield f"{layer}/{kind}", value


def _datasets(group: Any, layer: str) -> Iterator[tuple[str, NDArray[Any]]]:
    order = [n.decode() if isinstance(n, bytes) else n for n in group.attrs.get("weight_names", [])]
    for stored in order:
        kind = stored.rsplit("/", 1)[-1].split(":")[0]
        if kind not in VARIABLES:
            raise InputError(f"{group.file.filename}: {stored} is not a variable of PathoNet's layers.")
        yield f"{layer}/{kind}", _dataset(group, stored)


def _natural(name: str) -> tuple[str, int]:
    """Sort conv2d_2 before conv2d_10."""
    stem, _, number = name.rpartition("_")
    return (stem, int(number)) if number.isdigit() else (name, 0)


def _dataset(group: Any, name: str) -> NDArray[Any]:
    import h5py

    data = group[name]
    if not isinstance(data, h5py.Dataset) or data.is_virtual or data.external:
        raise InputError(
            f"{group.file.filename}: {name} is not a plain dataset of this file; links are not followed."
        )
    if data.dtype.kind != "f" or data.size > MAX_VALUES:
        raise InputError(
            f"{group.file.filename}: {name} is {data.dtype} of shape {data.shape}, not layer weights."
        )
    return np.asarray(data[()])
