"""TensorFlow Lite models: the uncompressed peer at its best, the shared weights, and full int8.

All have a static batch of one, upsampling as CONCATENATION and DEPTH_TO_SPACE (XNNPACK takes the whole
network as one partition) and float32 input (RGB / 255) and output.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgepatho.errors import InputError
from edgepatho.exporters import bundle, rewrite
from edgepatho.model import graph as graphs
from edgepatho.model.graph import Graph
from edgepatho.model.quiet import quiet

if TYPE_CHECKING:
    from edgepatho.model.shared import SharedModel

MAX_TILES = 16  # of the representative set


def baseline(network: Graph, size: int = 256) -> bytes:
    """The float32 .tflite of a network, batch normalization folded into its kernels."""
    return _converted(graphs.folded(network), size)


def rewritten_baseline(network: Graph, size: int = 256) -> bytes:
    """The float32 .tflite of the same function, with upsampling moved late (`rewrite.upsample_late`)."""
    return _converted(rewrite.upsample_late(graphs.folded(network)), size)


def compressed(source: SharedModel, size: int = 256) -> bytes:
    """The float32 .tflite whose kernels keep the shared values: scales are applied after the convolutions.

    The converter folds any constant that follows a convolution into its kernel, so the scales are converted
    as model inputs and become constants in the finished file.
    """
    network = bundle.stored_network(source)
    scales = {name: pair[0] for name, pair in network.affines.items() if name in network.kernels}
    return _with_constants(_converted(network, size, list(scales)), scales)


def int8(network: Graph, tiles: NDArray[Any]) -> bytes:
    """The .tflite with int8 weights and activations inside, for uint8 `tiles` [n <= 16, size, size, 3].

    The tiles are the representative set that calibrates the activation ranges; input and output stay float32,
    which costs nothing and keeps heat maps in their units.
    """
    import tensorflow as tf

    tiles = np.asarray(tiles)
    if not 1 <= len(tiles) <= MAX_TILES or tiles.dtype != np.uint8 or tiles.ndim != 4:
        raise InputError(
            f"the representative set is {tiles.dtype} {list(tiles.shape)}; "
            f"expected 1 to {MAX_TILES} uint8 tiles."
        )

    def adjust(converter: Any) -> None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.representative_dataset = lambda: (
            [tile[None].astype(np.float32) / network.input["divisor"]] for tile in tiles
        )

    return _converted(graphs.folded(network), tiles.shape[1], adjust=adjust)


def _converted(
    network: Graph,
    size: int,
    free_scales: list[str] | None = None,
    adjust: Callable[[Any], None] | None = None,
) -> bytes:
    """The converted network; the scales of the nodes `free_scales` are inputs after the image."""
    import tensorflow as tf

    names = free_scales or []

    def function(image: Any, *scales: Any) -> Any:
        affines = {name: (scale, network.affines[name][1]) for name, scale in zip(names, scales, strict=True)}
        return graphs.evaluate(replace(network, affines=network.affines | affines), image)

    signature = [tf.TensorSpec([1, size, size, network.input["channels"]], tf.float32, name="image")]
    for position, name in enumerate(names):
        signature.append(tf.TensorSpec(network.affines[name][0].shape, tf.float32, name=f"scale_{position}"))
    module = tf.Module()
    module.function = tf.function(function, input_signature=signature, autograph=False)
    traced = module.function.get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([traced], module)
    if adjust:
        adjust(converter)
    with quiet(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the converter's own, about nothing that users can change
        return bytes(converter.convert())


def _with_constants(model: bytes, values: dict[str, NDArray[Any]]) -> bytes:
    """The model with its inputs `scale_0`, `scale_1`, ... turned into constants, in the order of `values`."""
    from tensorflow.lite.python import schema_py_generated as schema
    from tensorflow.lite.tools import flatbuffer_utils

    content = flatbuffer_utils.read_model_from_bytearray(bytearray(model))
    (network,) = content.subgraphs
    (signature,) = content.signatureDefs
    tensors = {entry.name.decode(): entry.tensorIndex for entry in signature.inputs}
    for position, value in enumerate(values.values()):
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(value.astype("<f4").tobytes(), np.uint8)
        network.tensors[tensors[f"scale_{position}"]].buffer = len(content.buffers)
        content.buffers.append(buffer)
    network.inputs = np.array([tensors["image"]], np.int32)
    signature.inputs = [entry for entry in signature.inputs if entry.name == b"image"]
    return bytes(flatbuffer_utils.convert_object_to_bytearray(content))
