"""Why a bundle is refused: a closed list, in the order of the checks (docs/bundle-format.md, Refusals)."""

from typing import Any

from edgepatho_runtime.bundle import limits
from edgepatho_runtime.errors import BundleError

REFUSALS = {
    "NotAFile": "This is not a regular file; give the path of an .epb file.",
    "FileTooLarge": "The file has {bytes} bytes, expected at most {limits.MAX_FILE_BYTES}.",
    "FileTooShort": "The file has only {bytes} bytes; it is truncated or not a bundle.",
    "HeaderTooLarge": "The header claims {claimed} bytes, expected at most {limits.MAX_HEADER_BYTES}.",
    "HeaderBeyondFile": "The header claims {claimed} bytes but {left} follow; "
    "the file is truncated or not a bundle.",
    "InvalidUtf8": "The header is not UTF-8 text: {why}.",
    "InvalidJson": "{what} is not strict JSON: {why}.",
    "NotAnObject": "{what} is {kind}, expected an object.",
    "InvalidMetadata": "The metadata must have exactly {keys}, each a string.",
    "UnknownFormat": "The format is {format!r:.40}, expected 'edgepatho'.",
    "UnknownVersion": "The bundle has version {version!r:.40}, but this runtime reads versions 1 and 2; "
    "deploy it again with the edgepatho that wrote it, which brings its own runtime.",
    "InvalidChecksum": "The header must contain file_sha256 exactly once, as 64 hexadecimal digits.",
    "ChecksumMismatch": "The file is damaged: its SHA-256 is not the one it records; copy it again.",
    "TooManyTensors": "The header lists {count} tensors, expected at most {limits.MAX_TENSORS}.",
    "InvalidTensorName": "{name!r:.80} is not a valid tensor name.",
    "InvalidTensorEntry": "Tensor {name} must have exactly data_offsets, dtype and shape.",
    "UnknownType": "Tensor {name} has type {dtype!r:.40}, expected F32, U16 or U8.",
    "InvalidShape": "Tensor {name} has shape {shape!r:.80}, expected 1 to {limits.MAX_RANK} sizes.",
    "InvalidOffsets": "Tensor {name} has offsets {offsets!r:.80}, expected [begin, end].",
    "MisplacedTensor": "Tensor {name} is at bytes {begin} to {end} of {payload}, "
    "expected {begin_expected} to {end_expected}.",
    "UnorderedTensor": "Tensor {name} is out of order, expected F32, U16, U8, then by name.",
    "TrailingBytes": "{count} bytes after the last tensor belong to none.",
    "UnknownCodedTensor": "Coding names {name!r:.80}, expected a one-dimensional U8 tensor.",
    "InvalidCodingEntry": "The coding of {name} must have bytes, codec, dtype, shape and optionally order.",
    "UnknownCodec": "Tensor {name} has codec {codec!r:.40}, expected 'zlib' or 'lzma'.",
    "InvalidOrder": "The order of {name} must be 'input-major', and only a blocked tensor may have one.",
    "CodedSizeMismatch": "Coding claims {claimed!r:.40} bytes for {name}, expected {expected} for its shape.",
    "DecodedTooLarge": "The coded tensors decode to more than {limits.MAX_DECODED_BYTES} bytes.",
    "DictionaryTooLarge": "Tensor {name} needs an LZMA dictionary of {claimed} bytes, "
    "expected at most {limits.MAX_DICTIONARY_BYTES}.",
    "DamagedStream": "Tensor {name} does not decode to exactly {expected} bytes.",
    "InvalidGoldenInput": "golden.input is {dtype} {shape}, expected U8 [height, width, channels] with sides "
    "of {limits.MIN_GOLDEN_SIDE_PX} to {limits.MAX_GOLDEN_SIDE_PX}, "
    "multiples of {limits.MIN_GOLDEN_SIDE_PX}.",
    "InvalidGraph": "The graph must have exactly input, output and a list of 1 to {limits.MAX_NODES} nodes.",
    "InvalidInput": "The graph's input must have exactly a name, the {channels} channels of golden.input "
    "and a divisor above 0 up to {limits.MAX_DIVISOR}.",
    "InvalidNodeName": "Every node needs a name of 1 to 64 letters, digits, '_' or '-' that is not reserved.",
    "DuplicateNodeName": "Two nodes, or a node and the input, are named {name}.",
    "UnknownOperation": "Node {name} has the unknown op {op!r:.40}.",
    "InvalidNodeFields": "Node {name} ({op}) must have exactly the fields {fields}.",
    "UnknownNodeInput": "Node {name} ({op}) reads {inputs!r:.80}, "
    "expected only the graph's input or earlier nodes.",
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
    "InvalidResultShape": "Node {name} ({op}) outputs {shape}, expected sides of 1 to "
    "{limits.MAX_SIDE_PX} and 1 to {limits.MAX_CHANNELS} channels.",
    "UnknownOutput": "The graph's output is {output!r:.80}, expected the name of a node.",
    "MissingTensor": "Tensor {name} is missing.",
    "ForeignTensor": "Tensor {name} is not part of the graph.",
    "TensorMismatch": "Tensor {name} is {form}, expected {expected}.",
    "ValueOutOfRange": "Tensor {name} holds a value that is not finite or not below 2**127.",
    "IndexOutOfRange": "Tensor {name} holds an index beyond the {values} values of its codebook.",
    "InvalidScoring": "Metadata scoring must have exactly {keys}.",
    "InvalidClasses": "Scoring classes is {classes!r:.80}, expected {channels} different names, one for each "
    "output channel, and at most {limits.MAX_CLASSES}.",
    "InvalidScoringNumbers": "Scoring {key} is {value!r:.80}, expected {expected}.",
    "InvalidCutoffs": "Cutoffs {key} is {value!r:.80}, expected {expected}.",
    "InvalidEnvelope": "Envelope {key} is {value!r:.80}, expected {expected}.",
    "InvalidImage": "Image {key} is {value!r:.80}, expected {expected}.",
}


def refused(refusal: str, **facts: Any) -> BundleError:
    """Return the BundleError named `refusal`, with `facts` filled into its sentence."""
    return BundleError(REFUSALS[refusal].format(limits=limits, **facts), refusal)
