"""The bundle: one network that is ready to run, read from an .epb file and checked as a whole.

The format is docs/bundle-format.md; exporters/bundle.py writes it. Nothing here executes or unpickles
anything, and the file is read, not mapped, so that it cannot change under a running network.
"""

import os
import stat
from typing import Any

from edgepatho_runtime.bundle import coding, container, schema, strictjson
from edgepatho_runtime.bundle.container import Tensor
from edgepatho_runtime.errors import BundleError

__all__ = ["Bundle", "BundleError", "Tensor", "read"]

MAX_FILE_BYTES = 64 << 20
MAX_CLASSES = 16
MAX_MIN_DISTANCE_PX = 64
MAX_NETWORK_SIZE_PX = 4096
MAX_NUMBER = 1_000_000

# The top byte of a little-endian float32 whose magnitude is at least 2**127, infinite or not a number.
TOO_LARGE = bytes((0x7F, 0xFF))
OTHERS = bytes(set(range(256)) - set(TOO_LARGE))


class Bundle:
    """A checked bundle: the objects of its metadata as in the file, its tensors decoded, by name."""

    graph: dict[str, Any]
    scoring: dict[str, Any]
    provenance: dict[str, Any]
    accuracy: dict[str, Any]
    tensors: dict[str, Tensor]
    stored_bytes: dict[str, int]  # what each tensor takes in the file; less than its values if coded
    file_sha256: str  # as documented: of the file with these digits read as '0'
    file_bytes: int


def read(path: str | os.PathLike[str]) -> Bundle:
    """Return the bundle in a file; any defect is a BundleError, a file that cannot be opened an OSError."""
    path = os.fspath(path)
    facts = os.stat(path)  # noqa: PTH116 - pathlib would add 0.9 MB to every inference process
    if not stat.S_ISREG(facts.st_mode) or facts.st_size > MAX_FILE_BYTES:
        raise BundleError(f"{path} is no file, or more than the {MAX_FILE_BYTES} bytes of a bundle.")
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123
        data = file.read(facts.st_size + 1)
    try:
        return parse(data)
    except BundleError as error:
        raise BundleError(f"{path}: {error}") from None


def parse(data: bytes) -> Bundle:
    """Return the bundle whose file has the bytes `data`; the tensors are views of them."""
    bundle = Bundle()
    bundle.tensors, metadata = container.parse(data)
    bundle.stored_bytes = {name: len(tensor.data) for name, tensor in bundle.tensors.items()}
    texts = {key: strictjson.loads(metadata[key], f"Metadata {key}") for key in container.TEXTS}
    coding.decode(bundle.tensors, texts["coding"])
    wanted = schema.check(texts["graph"], bundle.tensors)
    _check_tensors(bundle.tensors, wanted)
    _check_scoring(texts["scoring"], wanted.forms["golden.output"][1][-1])
    bundle.graph, bundle.scoring = texts["graph"], texts["scoring"]
    bundle.provenance, bundle.accuracy = texts["provenance"], texts["accuracy"]
    bundle.file_sha256, bundle.file_bytes = metadata["file_sha256"], len(data)
    return bundle


def _check_tensors(tensors: dict[str, Tensor], wanted: schema.Wanted) -> None:
    for name in sorted(tensors.keys() ^ wanted.forms.keys()):
        raise BundleError(f"Tensor {name} is {'not part of the graph' if name in tensors else 'missing'}.")
    for name, form in wanted.forms.items():
        tensor = tensors[name]
        found = (tensor.dtype, tensor.shape)
        if found != form:
            raise BundleError(f"Tensor {name} is {found}, the graph calls for {form}.")
        if tensor.dtype == "F32" and bytes(tensor.data[3::4]).translate(None, OTHERS):
            raise BundleError(f"Tensor {name} holds a value that is not finite or not below 2**127.")
    for name, codebook in wanted.codebook_of.items():
        _check_indices(name, tensors[name], tensors[codebook].shape[0])


def _check_indices(name: str, tensor: Tensor, values: int) -> None:
    """Raise BundleError if an index is not below `values`, the size of its codebook."""
    if tensor.dtype == "U16":
        outside = max(tensor.data.cast("H")) >= values
    elif values > 16:
        outside = values < 256 and bool(bytes(tensor.data).translate(None, bytes(range(values))))
    else:  # two in a byte
        pairs = bytes(16 * high + low for high in range(values) for low in range(values))
        outside = bool(bytes(tensor.data).translate(None, pairs))
    if outside:
        raise BundleError(f"Tensor {name} holds an index beyond the {values} values of its codebook.")


def _check_scoring(scoring: dict[str, Any], channels: int) -> None:
    keys = ["classes", "ki67_cutoffs", "min_distance_px", "network_size_px", "thresholds", "til_cutoffs"]
    if sorted(scoring) != keys:
        raise BundleError(f"Metadata scoring must have exactly {', '.join(keys)}.")
    classes = scoring["classes"]
    if type(classes) is not list or len(classes) != channels or channels > MAX_CLASSES:
        raise BundleError(f"Scoring classes is {classes!r:.80}; the network has {channels} output channels.")
    named = all(type(name) is str and schema.NAME.fullmatch(name) for name in classes)
    if not named or len(set(classes)) != channels:
        raise BundleError(f"Scoring classes is {classes!r:.80}, expected different names.")
    for key, count in (("thresholds", channels), ("ki67_cutoffs", 2), ("til_cutoffs", 2)):
        if not _are_numbers(scoring[key], count):
            raise BundleError(f"Scoring {key} is {scoring[key]!r:.80}, expected {count} numbers from 0.")
    for key, most in (("min_distance_px", MAX_MIN_DISTANCE_PX), ("network_size_px", MAX_NETWORK_SIZE_PX)):
        if type(scoring[key]) is not int or not 1 <= scoring[key] <= most:
            raise BundleError(f"Scoring {key} is {scoring[key]!r:.40}, expected 1 to {most}.")


def _are_numbers(values: Any, count: int) -> bool:
    if type(values) is not list or len(values) != count:
        return False
    return all(type(value) in (int, float) and 0 <= value <= MAX_NUMBER for value in values)
