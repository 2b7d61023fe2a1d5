"""Why a bundle is refused: a closed list, in the order of the checks (docs/bundle-format.md, Refusals)."""

from typing import Any

from edgepatho_runtime.bundle import limits
from edgepatho_runtime.errors import BundleError

REFUSALS = {
    "NotAFile": "This is not a regular file; give the path of an .epb file.",
    "FileTooLarge": "The file has {bytes} bytes, a bundle at most {limits.MAX_FILE_BYTES}.",
    "FileTooShort": "{bytes} bytes are too few for a bundle; the file is cut or something else.",
    "HeaderTooLarge": "The header claims {claimed} bytes, {limits.MAX_HEADER_BYTES} are allowed.",
    "HeaderBeyondFile": "The header claims {claimed} bytes, {left} follow; the file is cut or not a bundle.",
    "InvalidUtf8": "The header is not UTF-8 text: {why}.",
    "InvalidJson": "{what} is not strict JSON: {why}.",
    "NotAnObject": "{what} holds {kind}, expected an object.",
    "InvalidMetadata": "The metadata must hold exactly {keys}, each a string.",
    "UnknownFormat": "The format is {format!r:.40}, expected 'edgepatho'.",
    "UnknownVersion": "The bundle has version {version!r:.40}, this runtime reads version '1'; "
    "use a runtime of the bundle's own release.",
    "InvalidChecksum": "The header does not hold file_sha256 as 64 hexadecimal digits, once.",
    "ChecksumMismatch": "The file is damaged: its SHA-256 is not the one that it names; copy it again.",
    "TooManyTensors": "The header lists {count} tensors, {limits.MAX_TENSORS} are allowed.",
    "InvalidTensorName": "{name!r:.80} is not a tensor's name.",
    "InvalidTensorEntry": "Tensor {name} must have exactly data_offsets, dtype and shape.",
    "UnknownType": "Tensor {name} has type {dtype!r:.40}, expected F32, U16 or U8.",
    "InvalidShape": "Tensor {name} has shape {shape!r:.80}, expected 1 to {limits.MAX_RANK} counts.",
    "InvalidOffsets": "Tensor {name} has offsets {offsets!r:.80}, expected [begin, end].",
    "MisplacedTensor": "Tensor {name} lies at bytes {begin} to {end} of {payload}; "
    "its place is {begin_expected} to {end_expected}.",
    "UnorderedTensor": "Tensor {name} lies out of order: F32, U16, U8, then by name.",
    "TrailingBytes": "{count} bytes behind the last tensor belong to none.",
    "UnknownCodedTensor": "Coding names {name!r:.80}, which is not a U8 tensor of one dimension here.",
    "InvalidCodingEntry": "The coding of {name} must have bytes, codec, dtype, shape and at most order.",
    "UnknownCodec": "Tensor {name} is coded by {codec!r:.40}, expected 'zlib' or 'lzma'.",
    "InvalidOrder": "The order of {name} is not 'input-major' of a blocked tensor.",
    "CodedSizeMismatch": "Coding claims {claimed!r:.40} bytes for {name}; its shape has {expected}.",
    "DecodedTooLarge": "The coded tensors decode to more than {limits.MAX_DECODED_BYTES} bytes.",
    "DictionaryTooLarge": "Tensor {name} needs an LZMA dictionary of {claimed} bytes, "
    "{limits.MAX_DICTIONARY_BYTES} are allowed.",
    "DamagedStream": "Tensor {name} does not decode to exactly {expected} bytes.",
    "InvalidGoldenInput": "golden.input is {dtype} {shape}, expected U8 [height, width, channels] with sides "
    "of {limits.MIN_GOLDEN_SIDE_PX} to {limits.MAX_GOLDEN_SIDE_PX}, "
    "multiples of {limits.MIN_GOLDEN_SIDE_PX}.",
    "InvalidGraph": "The graph must have exactly input, output and a list of 1 to {limits.MAX_NODES} nodes.",
    "InvalidInput": "The graph's input must have exactly a name, the {channels} channels of golden.input "
    "and a divisor above 0 up to {limits.MAX_DIVISOR}.",
    "InvalidNodeName": "A node has no name of 1 to 64 letters, digits, '_' or '-', or a reserved one.",
    "DuplicateNodeName": "Two nodes, or a node and the input, are called {name}.",
    "UnknownOperation": "Node {name} has the unknown op {op!r:.40}.",
    "InvalidNodeFields": "Node {name} ({op}) must have exactly the fields {fields}.",
    "UnknownNodeInput": "Node {name} ({op}) reads {inputs!r:.80}, "
    "which are not all the input or earlier nodes.",
    "InvalidInputCount": "Node {name} ({op}) reads {count} inputs, expected {fewest} to {most}.",
    "ShapeMismatch": "Node {name} ({op}) cannot read the shapes {shapes!s:.200}.",
    "UnsupportedConvolution": "Node {name} ({op}) must have stride 1, padding same and kernel [1,1] "
    "or [3,3].",
    "InvalidDilation": "Node {name} ({op}) has dilation {dilation!r:.40}, "
    "expected 1 to {limits.MAX_DILATION}.",
    "ChannelMismatch": "Node {name} ({op}) expects {named!r:.40} channels and is given {given}.",
    "InvalidChannels": "Node {name} ({op}) has {channels!r:.40} output channels, "
    "expected 1 to {limits.MAX_CHANNELS}.",
    "InvalidCodebookName": "Node {name} ({op}) names {codebook!r:.80}, which is not a codebook.",
    "InvalidSlope": "Node {name} ({op}) has slope {slope!r:.40}, expected 0 to 1.",
    "InvalidResultShape": "Node {name} ({op}) makes {shape}; sides are 1 to {limits.MAX_SIDE_PX}, "
    "channels 1 to {limits.MAX_CHANNELS}.",
    "UnknownOutput": "The graph's output {output!r:.80} is not one of its nodes.",
    "MissingTensor": "Tensor {name} is missing.",
    "ForeignTensor": "Tensor {name} is not part of the graph.",
    "TensorMismatch": "Tensor {name} is {form}, the graph calls for {expected}.",
    "ValueOutOfRange": "Tensor {name} holds a value that is not finite or not below 2**127.",
    "IndexOutOfRange": "Tensor {name} holds an index beyond the {values} values of its codebook.",
    "InvalidScoring": "Metadata scoring must have exactly {keys}.",
    "InvalidClasses": "Scoring classes is {classes!r:.80}, expected {channels} different names, one for each "
    "output channel, and at most {limits.MAX_CLASSES}.",
    "InvalidScoringNumbers": "Scoring {key} is {value!r:.80}, expected {expected}.",
}


def refused(refusal: str, **facts: Any) -> BundleError:
    """Return the error of this name in REFUSALS, its sentence filled with `facts`."""
    return BundleError(REFUSALS[refusal].format(limits=limits, **facts), refusal)
