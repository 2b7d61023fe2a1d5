"""The bundle: one network ready to run, read from an .epb file and checked as a whole.

The format is docs/bundle-format.md; exporters/bundle.py writes it. Nothing here executes or unpickles
anything, and the file is read, not mapped, so it cannot change under a running network.
"""

import os
import stat
from typing import Any

from edgepatho_runtime.bundle import coding, container, schema, strictjson
from edgepatho_runtime.bundle.container import Tensor
from edgepatho_runtime.bundle.limits import MAX_FILE_BYTES
from edgepatho_runtime.bundle.parts import check_parts
from edgepatho_runtime.bundle.refusals import refused
from edgepatho_runtime.bundle.scoring import check_scoring
from edgepatho_runtime.errors import BundleError

__all__ = ["Bundle", "BundleError", "Tensor", "read"]

# The top byte of a float32 that is infinite, NaN or of magnitude 2**127 or more.
TOO_LARGE = bytes((0x7F, 0xFF))
OTHERS = bytes(set(range(256)) - set(TOO_LARGE))


class Bundle:
    """A checked bundle: the objects of its metadata as in the file, its tensors decoded, by name."""

    graph: dict[str, Any]
    scoring: dict[str, Any]
    provenance: dict[str, Any]
    accuracy: dict[str, Any]
    parts: dict[str, dict[str, Any]]  # the optional objects of version 2; {} in version 1
    tensors: dict[str, Tensor]
    stored_bytes: dict[str, int]  # of each tensor in the file; fewer than its values if coded
    file_sha256: str  # of the file with these digits read as '0' (docs/bundle-format.md)
    file_bytes: int


def read(path: str | os.PathLike[str]) -> Bundle:
    """Return the bundle in a file. Raises BundleError for any defect, OSError if it cannot be opened."""
    path = os.fspath(path)
    facts = os.stat(path)  # noqa: PTH116 - pathlib would add 0.9 MB to every inference process
    try:
        if not stat.S_ISREG(facts.st_mode):
            raise refused("NotAFile")
        if facts.st_size > MAX_FILE_BYTES:
            raise refused("FileTooLarge", bytes=facts.st_size)
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123
            return parse(file.read(facts.st_size + 1))
    except BundleError as error:
        raise BundleError(f"{path}: {error}", error.refusal) from None


def parse(data: bytes) -> Bundle:
    """Return the bundle in the bytes of a file; its tensors are views of `data`."""
    if len(data) > MAX_FILE_BYTES:
        raise refused("FileTooLarge", bytes=len(data))
    bundle = Bundle()
    bundle.tensors, metadata = container.parse(data)
    bundle.stored_bytes = {name: len(tensor.data) for name, tensor in bundle.tensors.items()}
    texts = {key: strictjson.loads(metadata[key], f"Metadata {key}") for key in container.TEXTS}
    bundle.parts = {
        key: strictjson.loads(metadata[key], f"Metadata {key}") for key in container.PARTS if key in metadata
    }
    coding.decode(bundle.tensors, texts["coding"])
    wanted = schema.check(texts["graph"], bundle.tensors)
    _check_tensors(bundle.tensors, wanted)
    check_scoring(texts["scoring"], wanted.forms["golden.output"][1][-1])
    check_parts(bundle.parts)
    bundle.graph, bundle.scoring = texts["graph"], texts["scoring"]
    bundle.provenance, bundle.accuracy = texts["provenance"], texts["accuracy"]
    bundle.file_sha256, bundle.file_bytes = metadata["file_sha256"], len(data)
    return bundle


def _check_tensors(tensors: dict[str, Tensor], wanted: schema.Wanted) -> None:
    for name in sorted(tensors.keys() ^ wanted.forms.keys()):
        raise refused("ForeignTensor" if name in tensors else "MissingTensor", name=name)
    for name, form in wanted.forms.items():
        stored = (tensors[name].dtype, tensors[name].shape)
        if stored != form:
            raise refused("TensorMismatch", name=name, form=stored, expected=form)
    for name, tensor in tensors.items():
        if tensor.dtype == "F32" and bytes(tensor.data[3::4]).translate(None, OTHERS):
            raise refused("ValueOutOfRange", name=name)
    for name, codebook in wanted.codebook_of.items():
        _check_indices(name, tensors[name], tensors[codebook].shape[0])


def _check_indices(name: str, tensor: Tensor, values: int) -> None:
    """Raise BundleError if an index is not less than `values`, the size of its codebook."""
    if tensor.dtype == "U16":
        outside = max(tensor.data.cast("H")) >= values
    elif values > 16:
        outside = values < 256 and bool(bytes(tensor.data).translate(None, bytes(range(values))))
    else:  # two per byte
        pairs = bytes(16 * high + low for high in range(values) for low in range(values))
        outside = bool(bytes(tensor.data).translate(None, pairs))
    if outside:
        raise refused("IndexOutOfRange", name=name, values=values)
