"""Why a bundle is refused: a closed list, in the order of the checks (docs/bundle-format.md, Refusals).

The device's reader has the same names and its own sentences.
"""

from __future__ import annotations

from typing import Any

from edgepatho.errors import InputError
from edgepatho.exporters import limits

REFUSALS = {
    "NotAFile": "it is not a regular file; give the path of an .epb file.",
    "FileTooLarge": "{bytes} bytes are too many for a bundle (at most {limits.MAX_FILE_BYTES}).",
    "FileTooShort": "{bytes} bytes are too few for a header; the file is cut or not a bundle.",
    "HeaderTooLarge": "the header claims {claimed} bytes, at most {limits.MAX_HEADER_BYTES} are read.",
    "HeaderBeyondFile": "the header claims {claimed} bytes where {left} follow; "
    "the file is cut or not a bundle.",
    "InvalidUtf8": "the header is not UTF-8 text ({why}).",
    "InvalidJson": "{what} is not JSON as a bundle may hold it ({why}).",
    "NotAnObject": "{what} is not a JSON object.",
    "InvalidMetadata": "the metadata keys are {keys!s:.200}, expected {expected}, each with a string.",
    "UnknownFormat": "the format is {format!r:.40}, expected 'edgepatho'; this is not a bundle.",
    "UnknownVersion": "the version is {version!r:.40}; this edgepatho reads version '1' only.",
    "InvalidChecksum": "the header does not state file_sha256 exactly once.",
    "ChecksumMismatch": "the file's SHA-256 is not the one it states; it is cut or damaged, "
    "copy or build it again.",
    "TooManyTensors": "the header lists {count} tensors, at most {limits.MAX_TENSORS} are read.",
    "InvalidTensorName": "{name!r:.80} is not a name for a tensor.",
    "InvalidTensorEntry": "tensor {name} has an entry that is not data_offsets, dtype and shape.",
    "UnknownType": "tensor {name} has the type {dtype!r:.40}; a bundle holds F32, U16 and U8.",
    "InvalidShape": "tensor {name} has the shape {shape!r:.80}, "
    "expected 1 to {limits.MAX_RANK} positive integers.",
    "InvalidOffsets": "tensor {name} has the offsets {offsets!r:.80}, expected two integers.",
    "MisplacedTensor": "tensor {name}, {dtype} {shape}, lies at bytes {begin} to {end} of {payload}, "
    "expected {expected} to {expected_end}.",
    "UnorderedTensor": "tensor {name} is not in the order F32, U16, U8 and by name.",
    "TrailingBytes": "{count} bytes at the end belong to no tensor.",
    "UnknownCodedTensor": "coding: {name!r:.80} is not a U8 tensor of one dimension.",
    "InvalidCodingEntry": "coding: the entry of {name} is not bytes, codec, dtype, shape and at most order.",
    "UnknownCodec": "coding: {name} has the codec {codec!r:.40}, expected 'zlib' or 'lzma'.",
    "InvalidOrder": "coding: the order of {name} is not input-major of a blocked tensor.",
    "CodedSizeMismatch": "coding: {claimed!r:.40} bytes of {name} do not fit its shape, "
    "which has {expected}.",
    "DecodedTooLarge": "coding: {name} takes the tensors beyond {limits.MAX_DECODED_BYTES} bytes.",
    "DictionaryTooLarge": "coding: {name} needs an LZMA dictionary of {claimed} bytes, "
    "at most {limits.MAX_DICTIONARY_BYTES} are given.",
    "DamagedStream": "coding: the {codec} stream of {name} does not give exactly "
    "the {expected} bytes that are announced.",
    "InvalidGoldenInput": "golden.input is {dtype} {shape}, expected uint8 [height, width, channels] with "
    "sides of {limits.MIN_GOLDEN_SIDE_PX} to {limits.MAX_GOLDEN_SIDE_PX}, "
    "multiples of {limits.MIN_GOLDEN_SIDE_PX}.",
    "InvalidGraph": "the graph has the keys {keys!s:.200}, expected input, output "
    "and a list of 1 to {limits.MAX_NODES} nodes.",
    "InvalidInput": "the graph's input is {input!s:.120}, expected a name, the {channels} channels of "
    "golden.input and a divisor above 0 up to {limits.MAX_DIVISOR}.",
    "InvalidNodeName": "a node has the name {name!r:.80}, "
    "expected 1 to 64 letters, digits, '_' or '-' and neither codebook nor golden.",
    "DuplicateNodeName": "{name} is the name of two nodes, or of a node and the input.",
    "UnknownOperation": "{name} has the op {op!r:.64}, which is not in the list.",
    "InvalidNodeFields": "{name} has the fields {fields!s:.200}, expected {expected}.",
    "UnknownNodeInput": "{name} reads {inputs!s:.80}, which are not all earlier nodes.",
    "InvalidInputCount": "{name} reads {count} inputs, expected {fewest} to {most}.",
    "ShapeMismatch": "{name} is {op} and cannot read {shapes!s:.200}.",
    "UnsupportedConvolution": "{name} has kernel {kernel!r:.40}, stride {stride!r:.40} and padding "
    "{padding!r:.40}, expected [1, 1] or [3, 3], 1 and 'same'.",
    "InvalidDilation": "{name} has the dilation {dilation!r:.40}, expected 1 to {limits.MAX_DILATION}.",
    "ChannelMismatch": "{name} reads {given} channels, not {named!r:.40}.",
    "InvalidChannels": "{name} has {channels!r:.40} output channels, expected 1 to {limits.MAX_CHANNELS}.",
    "InvalidCodebookName": "{name} has the codebook {codebook!r:.80}, expected codebook or codebook.<group>.",
    "InvalidSlope": "{name} has the slope {slope!r:.40}, expected 0 to 1.",
    "InvalidResultShape": "{name} makes {shape}; sides are 1 to {limits.MAX_SIDE_PX}, "
    "channels 1 to {limits.MAX_CHANNELS}.",
    "UnknownOutput": "the output {output!r:.80} is not a node.",
    "MissingTensor": "tensor {name} is missing.",
    "ForeignTensor": "tensor {name} is foreign to the graph.",
    "TensorMismatch": "tensor {name} is {form}, the graph needs {expected}.",
    "ValueOutOfRange": "tensor {name} holds a value that is not finite or not below 2^127.",
    "IndexOutOfRange": "tensor {name} names entry {index} of {values} in {codebook}.",
    "InvalidScoring": "scoring has the keys {keys!s:.200}, expected {expected}.",
    "InvalidClasses": "scoring has the classes {classes!r:.80} for {channels} channels, expected as many "
    "different names and at most {limits.MAX_CLASSES}.",
    "InvalidScoringNumbers": "scoring has the {key} {value!r:.80}, expected {expected}.",
}


class BundleError(InputError):
    """A bundle that is refused; `refusal` is the reason's name in REFUSALS."""

    def __init__(self, sentence: str, refusal: str) -> None:
        super().__init__(sentence)
        self.refusal = refusal


def refused(refusal: str, **facts: Any) -> BundleError:
    """The error of this name in REFUSALS, its sentence filled with `facts`."""
    return BundleError(REFUSALS[refusal].format(limits=limits, **facts), refusal)
