"""A network as a plain list of nodes, the form shared by quantizers, bundles and exporters.

The operations are the closed list of docs/bundle-format.md; `evaluate` defines them in TensorFlow.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepatho.errors import InputError
from edgepatho.model import keras_layers

Affine = tuple[NDArray[Any], NDArray[Any]]
WEIGHTED = ("conv2d", "dense")


@dataclass
class Graph:
    """A network as inference sees it: dropout removed, batch normalization as scale and shift.

    `nodes` are JSON-ready dicts in topological order. `kernels` [kh, kw, in, out] (a dense layer is a 1x1
    convolution) and `affines` (scale [channels], shift [channels]) are float32 and keyed by node: a conv2d
    or dense node gives `conv(x, kernel) * scale + shift`, an affine node `x * scale + shift`.
    """

    input: dict[str, Any]
    nodes: list[dict[str, Any]]
    kernels: dict[str, NDArray[Any]]
    affines: dict[str, Affine]
    output: str

    def as_json(self) -> dict[str, Any]:
        """The structure alone, as stored in a bundle (JSON-ready, no arrays)."""
        return {"input": self.input, "nodes": self.nodes, "output": self.output}


def from_keras(model: Any) -> Graph:
    """The graph of a functional or sequential Keras model with one image input and one output.

    The image is expected as float32 RGB / 255. Raises InputError naming the first unsupported layer, with its
    class or the unsupported setting.
    """
    import keras

    if len(model.inputs) != 1 or len(model.outputs) != 1 or len(model.inputs[0].shape) != 4:
        raise InputError(
            f"model {model.name} has {len(model.inputs)} inputs of shapes "
            f"{[tuple(i.shape) for i in model.inputs]} and {len(model.outputs)} outputs; "
            "expected one image [batch, height, width, channels] and one output."
        )
    model = keras.Model(model.inputs[0], model.outputs[0])  # a Sequential model becomes functional
    config = model.get_config()
    nodes: list[dict[str, Any]] = []
    kernels: dict[str, NDArray[Any]] = {}
    affines: dict[str, Affine] = {}
    node_of: dict[str, str] = {}
    operations = {operation.name: operation for operation in model.operations}  # model.layers lacks `x + y`
    for entry in config["layers"]:
        layer = operations[entry["name"]]
        inputs = [node_of[source] for source in _sources(entry)]
        emitted = keras_layers.translate(layer, inputs)
        node_of[layer.name] = emitted.nodes[-1]["name"] if emitted.nodes else (inputs or [layer.name])[0]
        nodes += emitted.nodes
        kernels |= emitted.kernels
        affines |= emitted.affines
    image, output = config["input_layers"][0], config["output_layers"][0]
    graph = Graph(
        input={"name": image, "channels": int(model.inputs[0].shape[-1]), "divisor": 255},
        nodes=nodes,
        kernels=kernels,
        affines=affines,
        output=node_of[output],
    )
    _require_unique_names(graph)
    graph = _merge_affines(graph)
    graph.affines = {name: _float32(pair) for name, pair in graph.affines.items()}
    return graph


def folded(graph: Graph) -> Graph:
    """The same function with every convolution's scale folded into its kernel (float64, rounded once)."""
    kernels, affines = dict(graph.kernels), dict(graph.affines)
    for name, kernel in graph.kernels.items():
        scale, shift = graph.affines[name]
        kernels[name] = (kernel.astype(np.float64) * scale).astype(np.float32)
        affines[name] = (np.ones_like(scale), shift)
    return replace(graph, kernels=kernels, affines=affines)


def evaluate(graph: Graph, images: Any) -> Any:
    """The network's output, a float32 TensorFlow tensor, for float32 images [n, height, width, channels]."""
    from edgepatho.model.quiet import import_tensorflow

    import_tensorflow()
    import tensorflow as tf

    values = {graph.input["name"]: tf.convert_to_tensor(images, tf.float32)}
    for node in graph.nodes:
        x = [values[name] for name in node["inputs"]]
        match node["op"]:
            case "conv2d" | "dense":
                y = _affine(_product(node, x[0], graph.kernels[node["name"]]), graph.affines[node["name"]])
            case "affine":
                y = _affine(x[0], graph.affines[node["name"]])
            case "leaky_relu":
                y = tf.nn.leaky_relu(x[0], alpha=node["slope"])
            case "relu":
                y = tf.nn.relu(x[0])
            case "add":
                y = x[0] + x[1] if len(x) == 2 else (x[0] + x[1]) + x[2]
            case "concat":
                y = tf.concat(x, axis=-1)
            case "maxpool2":
                y = tf.nn.max_pool2d(x[0], 2, 2, "VALID")
            case "upsample2_nearest":  # the only form that XNNPACK takes whole
                y = tf.nn.depth_to_space(tf.concat([x[0]] * 4, axis=-1), 2)
            case "flatten":
                y = tf.reshape(x[0], [-1, int(np.prod(x[0].shape[1:]))])
        values[node["name"]] = y
    return values[graph.output]


def _product(node: dict[str, Any], x: Any, kernel: NDArray[Any]) -> Any:
    import tensorflow as tf

    if node["op"] == "dense":
        return tf.matmul(x, kernel[0, 0])
    return tf.nn.conv2d(x, kernel, strides=1, padding="SAME", dilations=node["dilation"])


def _affine(x: Any, pair: Affine) -> Any:
    """x * scale + shift, omitting whichever does nothing; an exporter may pass a tensor as scale."""
    scale, shift = pair
    if not isinstance(scale, np.ndarray) or np.any(scale != 1):
        x = x * scale
    return x + shift if np.any(shift) else x


def _merge_affines(graph: Graph) -> Graph:
    """Merge each affine node into the convolution before it, unless something else reads that convolution."""
    readers = Counter(name for node in graph.nodes for name in node["inputs"])
    readers[graph.output] += 1
    weighted = {node["name"] for node in graph.nodes if node["op"] in WEIGHTED}
    affines, nodes = dict(graph.affines), []
    merged: dict[str, str] = {}
    for node in graph.nodes:
        node = node | {"inputs": [merged.get(name, name) for name in node["inputs"]]}
        (source, *_) = node["inputs"]
        if node["op"] == "affine" and source in weighted and readers[source] == 1:
            scale, shift = affines.pop(node["name"])
            inner_scale, inner_shift = affines[source]
            affines[source] = (inner_scale * scale, inner_shift * scale + shift)
            merged[node["name"]] = source
            readers[source] = readers[node["name"]]
        else:
            nodes.append(node)
    return replace(graph, nodes=nodes, affines=affines, output=merged.get(graph.output, graph.output))


def _sources(entry: dict[str, Any]) -> list[str]:
    """The layers that one layer of a functional config reads, in order."""
    calls = entry["inbound_nodes"]
    if len(calls) > 1:
        raise InputError(f"layer {entry['name']} is used {len(calls)} times; it may be used only once.")
    names: list[str] = []

    def visit(value: Any) -> None:
        if isinstance(value, dict) and value.get("class_name") == "__keras_tensor__":
            names.append(value["config"]["keras_history"][0])
        elif isinstance(value, (dict, list, tuple)):
            for inner in value.values() if isinstance(value, dict) else value:
                visit(inner)

    for call in calls:
        visit(call)
    return names


def _require_unique_names(graph: Graph) -> None:
    for name, count in Counter([graph.input["name"], *(node["name"] for node in graph.nodes)]).items():
        if count > 1:
            raise InputError(f"{count} nodes would be called {name}; rename that layer.")


def _float32(pair: Affine) -> Affine:
    return pair[0].astype(np.float32), pair[1].astype(np.float32)
