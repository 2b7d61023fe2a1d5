"""How each supported Keras layer becomes zero, one or two graph nodes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepatho.errors import InputError

KERAS_LEAKY_RELU_SLOPE = 0.2  # of the string activation "leaky_relu"; the layer's default is 0.3


@dataclass
class Emitted:
    """The nodes of one layer in order, with float32 kernels and float64 affines by node name."""

    nodes: list[dict[str, Any]] = field(default_factory=list)
    kernels: dict[str, NDArray[Any]] = field(default_factory=dict)
    affines: dict[str, tuple[NDArray[Any], NDArray[Any]]] = field(default_factory=dict)


def translate(layer: Any, inputs: list[str]) -> Emitted:
    """The nodes of a built Keras layer that reads the nodes `inputs`; none if it does nothing at inference.

    Raises InputError naming the layer and what about it is not supported.
    """
    kind = type(layer).__name__
    match kind:
        case "InputLayer" | "Dropout":
            return Emitted()
        case "Conv2D" | "Dense":
            return _weighted(layer, inputs)
        case "BatchNormalization":
            return _batch_normalization(layer, inputs)
        case "LeakyReLU" | "ReLU" | "Activation":
            return Emitted(nodes=_activation(layer, layer, layer.name, inputs))
        case "Add":
            _require(layer, len(inputs) in (2, 3), f"{len(inputs)} inputs", "2 or 3")
            shapes = {tuple(tensor.shape) for tensor in (*layer.input, layer.output)}
            _require(layer, len(shapes) == 1, f"inputs of {len(shapes)} shapes", "one shape")
            return _node(layer, "add", inputs)
        case "Concatenate":
            rank = len(layer.output.shape)
            _require(layer, layer.axis in (-1, rank - 1), f"axis {layer.axis}", "the channel axis, -1")
            return _node(layer, "concat", inputs)
        case "MaxPooling2D":
            pool = (tuple(layer.pool_size), tuple(layer.strides), layer.padding)
            _require(layer, pool == ((2, 2), (2, 2), "valid"), str(pool), "2x2, stride 2, padding valid")
            return _node(layer, "maxpool2", inputs)
        case "UpSampling2D":
            zoom = (tuple(layer.size), layer.interpolation)
            _require(layer, zoom == ((2, 2), "nearest"), str(zoom), "2x2 nearest")
            return _node(layer, "upsample2_nearest", inputs)
        case "Flatten":
            return _node(layer, "flatten", inputs)
    raise InputError(
        f"layer {layer.name} is a {kind}, which bundles do not support; supported are Conv2D, Dense, "
        "Flatten, BatchNormalization, LeakyReLU, ReLU, Activation, Add, Concatenate, MaxPooling2D, "
        "UpSampling2D and Dropout."
    )


def _weighted(layer: Any, inputs: list[str]) -> Emitted:
    kernel = np.asarray(layer.kernel, np.float32)
    node: dict[str, Any] = {"name": layer.name, "op": "dense", "inputs": inputs}
    if type(layer).__name__ == "Conv2D":
        size, dilation, strides = tuple(layer.kernel_size), tuple(layer.dilation_rate), tuple(layer.strides)
        _require(layer, size in ((1, 1), (3, 3)), f"kernel {size}", "1x1 or 3x3")
        _require(layer, strides == (1, 1), f"strides {strides}", "1")
        _require(layer, layer.padding == "same" or size == (1, 1), f"padding {layer.padding}", "same")
        _require(layer, dilation[0] == dilation[1], f"dilation {dilation}", "one number")
        _require(layer, layer.groups == 1, f"{layer.groups} groups", "1")
        node |= {
            "op": "conv2d",
            "kernel": list(size),
            "dilation": dilation[0],
            "stride": 1,
            "padding": "same",
        }
    else:
        _require(layer, len(layer.input.shape) == 2, f"input {tuple(layer.input.shape)}", "a flat input")
        kernel = kernel[None, None]
    channels_in, channels_out = kernel.shape[2:]
    node |= {"in_channels": channels_in, "out_channels": channels_out}
    bias = np.asarray(layer.bias, np.float64) if layer.use_bias else np.zeros(channels_out)
    activation = _activation(
        layer, layer.activation, f"{layer.name}_{layer.activation.__name__}", [layer.name]
    )
    return Emitted([node, *activation], {layer.name: kernel}, {layer.name: (np.ones(channels_out), bias)})


def _batch_normalization(layer: Any, inputs: list[str]) -> Emitted:
    rank = len(layer.output.shape)
    _require(layer, layer.axis in (-1, rank - 1), f"axis {layer.axis}", "the channel axis, -1")
    variance = np.asarray(layer.moving_variance, np.float64)
    scale = 1 / np.sqrt(variance + layer.epsilon)
    if layer.scale:
        scale = scale * np.asarray(layer.gamma, np.float64)
    shift = -np.asarray(layer.moving_mean, np.float64) * scale
    if layer.center:
        shift = shift + np.asarray(layer.beta, np.float64)
    node = {"name": layer.name, "op": "affine", "inputs": inputs, "channels": scale.size}
    return Emitted([node], affines={layer.name: (scale, shift)})


def _activation(layer: Any, activation: Any, name: str, inputs: list[str]) -> list[dict[str, Any]]:
    """The node of an activation function or layer; none if it is linear."""
    if type(activation).__name__ == "Activation":
        activation = activation.activation
    kind = getattr(activation, "__name__", type(activation).__name__)
    slope = 0.0
    match kind:
        case "linear":
            return []
        case "relu":
            pass
        case "leaky_relu":
            slope = KERAS_LEAKY_RELU_SLOPE
        case "LeakyReLU":
            slope = float(activation.negative_slope)
        case "ReLU":
            plain = activation.max_value is None and not activation.threshold
            _require(layer, plain, "a ReLU with a maximum or a threshold", "none")
            slope = float(activation.negative_slope)
        case _:
            raise InputError(
                f"layer {layer.name} has the activation {kind}; supported are linear, relu and leaky_relu."
            )
    if slope:
        return [{"name": name, "op": "leaky_relu", "inputs": inputs, "slope": slope}]
    return [{"name": name, "op": "relu", "inputs": inputs}]


def _node(layer: Any, op: str, inputs: list[str]) -> Emitted:
    return Emitted([{"name": layer.name, "op": op, "inputs": inputs}])


def _require(layer: Any, condition: bool, found: str, expected: str) -> None:
    if not condition:
        raise InputError(f"layer {layer.name} ({type(layer).__name__}) has {found}; supported is {expected}.")
