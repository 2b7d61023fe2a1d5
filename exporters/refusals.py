"""Why a bundle is refused: a closed list, in the order of the checks (docs/bundle-format.md, Refusals).

The device's reader has the same names and its own sentences.
"""

from __future__ import annotations

from typing import Any

from edgepatho.errors import InputError
from edgepatho.exporters import limits

REFUSALS = {
    "NotAFile": "not a regular file; give the path of an .epb file.",
    "FileTooLarge": "the file has {bytes} bytes, expected at most {limits.MAX_FILE_BYTES}.",
    "FileTooShort": "the file has only {bytes} bytes; it is truncated or not a bundle.",
    "HeaderTooLarge": "the header claims {claimed} bytes, expected at most {limits.MAX_HEADER_BYTES}.",
    "HeaderBeyondFile": "the header claims {claimed} bytes but {left} follow; "
    "the file is truncated or not a bundle.",
    "InvalidUtf8": "the header is not UTF-8 text ({why}).",
    "InvalidJson": "{what} is not strict JSON ({why}).",
    "NotAnObject": "{what} is not a JSON object.",
    "InvalidMetadata": "the metadata keys are {keys!s:.200}, expected {expected}, each a string.",
    "UnknownFormat": "the format is {format!r:.40}, expected 'edgepatho'; this is not a bundle.",
    "UnknownVersion": "the version is {version!r:.40}, but this edgepatho reads versions 1 and 2; "
    "use the edgepatho that wrote the bundle, or a later one.",
    "InvalidChecksum": "the header must contain file_sha256 exactly once, as 64 hexadecimal digits.",
    "ChecksumMismatch": "the file is damaged: its SHA-256 is not the one it records; copy or build it again.",
    "TooManyTensors": "the header lists {count} tensors, expected at most {limits.MAX_TENSORS}.",
    "InvalidTensorName": "{name!r:.80} is not a valid tensor name.",
    "InvalidTensorEntry": "tensor {name} must have exactly data_offsets, dtype and shape.",
    "UnknownType": "tensor {name} has type {dtype!r:.40}, expected F32, U16 or U8.",
    "InvalidShape": "tensor {name} has shape {shape!r:.80}, "
    "expected 1 to {limits.MAX_RANK} positive integers.",
    "InvalidOffsets": "tensor {name} has offsets {offsets!r:.80}, expected [begin, end].",
    "MisplacedTensor": "tensor {name}, {dtype} {shape}, is at bytes {begin} to {end} of {payload}, "
    "expected {expected} to {expected_end}.",
    "UnorderedTensor": "tensor {name} is out of order, expected F32, U16, U8, then by name.",
    "TrailingBytes": "{count} bytes after the last tensor belong to none.",
    "UnknownCodedTensor": "coding names {name!r:.80}, expected a one-dimensional U8 tensor.",
    "InvalidCodingEntry": "the coding of {name} must have bytes, codec, dtype, shape and optionally order.",
    "UnknownCodec": "tensor {name} has codec {codec!r:.40}, expected 'zlib' or 'lzma'.",
    "InvalidOrder": "the order of {name} must be 'input-major', and only a blocked tensor may have one.",
    "CodedSizeMismatch": "coding claims {claimed!r:.40} bytes for {name}, expected {expected} for its shape.",
    "DecodedTooLarge": "with {name}, the coded tensors decode to more than {limits.MAX_DECODED_BYTES} bytes.",
    "DictionaryTooLarge": "tensor {name} needs an LZMA dictionary of {claimed} bytes, "
    "expected at most {limits.MAX_DICTIONARY_BYTES}.",
    "DamagedStream": "the {codec} stream of tensor {name} does not decode to exactly {expected} bytes.",
    "InvalidGoldenInput": "golden.input is {dtype} {shape}, expected uint8 [height, width, channels] with "
    "sides of {limits.MIN_GOLDEN_SIDE_PX} to {limits.MAX_GOLDEN_SIDE_PX}, "
    "multiples of {limits.MIN_GOLDEN_SIDE_PX}.",
    "InvalidGraph": "the graph has {keys!s:.200}, expected input, output "
    "and a list of 1 to {limits.MAX_NODES} nodes.",
    "InvalidInput": "the graph's input is {input!s:.120}, expected a name, the {channels} channels of "
    "golden.input and a divisor above 0 and at most {limits.MAX_DIVISOR}.",
    "InvalidNodeName": "a node is named {name!r:.80}, "
    "expected 1 to 64 letters, digits, '_' or '-', except codebook and golden.",
    "DuplicateNodeName": "two nodes, or a node and the input, are named {name}.",
    "UnknownOperation": "node {name} has the unknown op {op!r:.64}.",
    "InvalidNodeFields": "node {name} has the fields {fields!s:.200}, expected {expected}.",
    "UnknownNodeInput": "node {name} reads {inputs!s:.80}, expected only the input or earlier nodes.",
    "InvalidInputCount": "node {name} reads {count} inputs, expected {fewest} to {most}.",
    "ShapeMismatch": "node {name} ({op}) cannot read the shapes {shapes!s:.200}.",
    "UnsupportedConvolution": "node {name} has kernel {kernel!r:.40}, stride {stride!r:.40} and "
    "padding {padding!r:.40}, expected [1, 1] or [3, 3], 1 and 'same'.",
    "InvalidDilation": "node {name} has dilation {dilation!r:.40}, expected 1 to {limits.MAX_DILATION}.",
    "ChannelMismatch": "node {name} is given {given} channels, but expects {named!r:.40}.",
    "InvalidChannels": "node {name} has {channels!r:.40} output channels, "
    "expected 1 to {limits.MAX_CHANNELS}.",
    "InvalidCodebookName": "node {name} has codebook {codebook!r:.80}, "
    "expected codebook or codebook.<group>.",
    "InvalidSlope": "node {name} has slope {slope!r:.40}, expected 0 to 1.",
    "InvalidResultShape": "node {name} outputs {shape}, expected sides of 1 to {limits.MAX_SIDE_PX} "
    "and 1 to {limits.MAX_CHANNELS} channels.",
    "UnknownOutput": "the graph's output is {output!r:.80}, expected the name of a node.",
    "MissingTensor": "tensor {name} is missing.",
    "ForeignTensor": "tensor {name} is not part of the graph.",
    "TensorMismatch": "tensor {name} is {form}, expected {expected}.",
    "ValueOutOfRange": "tensor {name} holds a value that is not finite or not below 2^127.",
    "IndexOutOfRange": "tensor {name} holds index {index}, but {codebook} has only {values} values.",
    "InvalidScoring": "scoring has {keys!s:.200}, expected exactly {expected}.",
    "InvalidClasses": "scoring classes are {classes!r:.80}, expected {channels} different names, "
    "one per output channel, and at most {limits.MAX_CLASSES}.",
    "InvalidScoringNumbers": "scoring {key} is {value!r:.80}, expected {expected}.",
    "InvalidCutoffs": "cutoffs {key} is {value!r:.80}, expected {expected}.",
    "InvalidEnvelope": "envelope {key} is {value!r:.80}, expected {expected}.",
    "InvalidImage": "image {key} is {value!r:.80}, expected {expected}.",
}


class BundleError(InputError):
    """A bundle that is refused; `refusal` is the reason's name in REFUSALS."""

    def __init__(self, sentence: str, refusal: str) -> None:
        super().__init__(sentence)
        self.refusal = refusal


def refused(refusal: str, **facts: Any) -> BundleError:
    """The error of this name in REFUSALS, its sentence filled with `facts`."""
    return BundleError(REFUSALS[refusal].format(limits=limits, **facts), refusal)
