"""A graph computes what its Keras model computes; unsupported layers are named."""

import json

import keras
import numpy as np
import pytest
from keras import layers

from edgepatho.errors import InputError
from edgepatho.model import graph, pathonet


def randomised(model, seed=0):
    """The model with batch normalization and biases random enough to expose mistakes."""
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        values = layer.get_weights()
        if type(layer).__name__ == "BatchNormalization":
            *others, variance = values
            values = [
                *(rng.normal(1 if v[0] == 1 else 0, 0.3, v.shape) for v in others),
                variance * rng.uniform(0.5, 2, variance.shape),
            ]
        elif values:
            values = [values[0], *(rng.normal(0, 0.1, v.shape) for v in values[1:])]
        layer.set_weights(values)
    return model


def small_classifier():
    image = layers.Input((16, 16, 3), name="picture")
    y = layers.Conv2D(5, 3, padding="same", activation="leaky_relu", name="c1")(image)
    y = layers.BatchNormalization(scale=False, name="n1")(y)
    y = layers.MaxPooling2D(name="pool")(y)
    y = layers.Conv2D(7, 1, padding="valid", name="c2")(y)
    y = layers.Concatenate(name="join")([y, layers.ReLU(negative_slope=0.1, name="r2")(y)])
    y = layers.Dropout(0.5, name="drop")(layers.Flatten(name="flat")(y))
    y = layers.Dense(9, use_bias=False, name="d1")(y)
    y = layers.BatchNormalization(center=False, name="n2")(y)
    y = layers.Activation("relu", name="a2")(y)
    return keras.Model(image, layers.Dense(4, name="d2")(y))


@pytest.mark.parametrize("shape", [(2, 32, 48, 3), (1, 64, 64, 3)])
def test_pathonet_as_a_graph_equals_keras(shape):
    model = randomised(pathonet.build())
    images = np.random.default_rng(1).random(shape, np.float32)
    expected = np.asarray(model(images, training=False))
    network = graph.from_keras(model)
    for variant in (network, graph.folded(network)):
        actual = graph.evaluate(variant, images).numpy()
        assert np.abs(actual - expected).max() <= 1e-5 * np.abs(expected).max()
    assert expected.max() > 0.1


def test_pathonet_graph_has_its_layers():
    network = graph.from_keras(pathonet.build())
    ops = [node["op"] for node in network.nodes]
    assert len(network.kernels) == ops.count("conv2d") == 46
    assert ops.count("affine") == 8  # the normalizations after an addition
    assert network.output == "conv10_relu"
    assert network.input == {"name": "image", "channels": 3, "divisor": 255}
    assert sum(kernel.size for kernel in network.kernels.values()) == pathonet.CONV_WEIGHTS
    assert {kernel.dtype for kernel in network.kernels.values()} == {np.dtype(np.float32)}
    assert json.loads(json.dumps(network.as_json())) == network.as_json()


def test_nodes_come_after_what_they_read():
    network = graph.from_keras(pathonet.build())
    known = {network.input["name"]}
    for node in network.nodes:
        assert set(node["inputs"]) <= known
        known.add(node["name"])
    assert network.output in known


def test_a_model_with_dense_layers_equals_keras():
    model = randomised(small_classifier())
    images = np.random.default_rng(2).random((3, 16, 16, 3), np.float32)
    expected = np.asarray(model(images, training=False))
    network = graph.from_keras(model)
    assert np.allclose(graph.evaluate(network, images).numpy(), expected, rtol=1e-4, atol=1e-5)
    assert network.kernels["d1"].shape == (1, 1, 8 * 8 * 14, 9)
    assert "n2" not in network.affines  # merged into d1
    assert "n1" in network.affines  # c1 has an activation before it


def test_a_normalization_is_not_merged_if_its_convolution_is_read_twice():
    image = layers.Input((None, None, 3))
    y = layers.Conv2D(4, 3, padding="same", name="c")(image)
    model = randomised(
        keras.Model(image, layers.Add(name="sum")([y, layers.BatchNormalization(name="n")(y)]))
    )
    network = graph.from_keras(model)
    assert set(network.affines) == {"c", "n"}
    images = np.ones((1, 8, 8, 3), np.float32)
    assert np.allclose(graph.evaluate(network, images), model(images), atol=1e-5)


def test_a_sequential_model_is_accepted():
    model = keras.Sequential([layers.Input((8, 8, 3)), layers.Conv2D(2, 1, name="only")])
    assert list(graph.from_keras(model).kernels) == ["only"]


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        (layers.DepthwiseConv2D(3, name="odd"), "odd is a DepthwiseConv2D"),
        (layers.Conv2D(2, 5, padding="same", name="odd"), r"odd .*kernel \(5, 5\)"),
        (layers.Conv2D(2, 3, name="odd"), "odd .*padding valid"),
        (layers.Conv2D(2, 3, strides=2, padding="same", name="odd"), "odd .*strides"),
        (layers.Conv2D(2, 1, activation="tanh", name="odd"), "odd has the activation tanh"),
        (layers.MaxPooling2D(3, name="odd"), "odd .*3, 3"),
        (layers.UpSampling2D(2, interpolation="bilinear", name="odd"), "odd .*bilinear"),
        (layers.ReLU(max_value=6, name="odd"), "odd .*maximum"),
        (layers.Dense(2, name="odd"), "odd .*flat"),
        (layers.BatchNormalization(axis=1, name="odd"), "odd .*axis 1"),
    ],
)
def test_an_unsupported_layer_is_named(layer, words):
    image = layers.Input((16, 16, 3))
    with pytest.raises(InputError, match=words):
        graph.from_keras(keras.Model(image, layer(image)))


def test_a_sum_of_tensors_is_an_addition():
    image = layers.Input((8, 8, 3))
    left, right = (layers.Conv2D(4, 1, name=name)(image) for name in ("left", "right"))
    model = keras.Model(image, layers.ReLU()(left + right))
    images = np.random.default_rng(0).random((2, 8, 8, 3), np.float32)
    np.testing.assert_allclose(graph.evaluate(graph.from_keras(model), images), model(images), atol=1e-5)


@pytest.mark.parametrize(
    ("operation", "words"),
    [
        (lambda x: x * x, "multiply is a Multiply, which bundles do not support"),
        (lambda x: x + 1.0, "has 1 inputs; supported is 2 or 3"),
        (lambda x: x + x[..., :1], "a GetItem|inputs of 2 shapes"),
        (keras.ops.sigmoid, "is a Sigmoid, which bundles do not support"),
    ],
)
def test_an_unsupported_operation_without_a_layer_is_named(operation, words):
    image = layers.Input((8, 8, 3))
    with pytest.raises(InputError, match=words):
        graph.from_keras(keras.Model(image, operation(layers.Conv2D(4, 1)(image))))


def test_a_layer_used_twice_is_named():
    image = layers.Input((16, 16, 3))
    twice = layers.Conv2D(3, 1, name="twice")
    with pytest.raises(InputError, match="twice is used 2 times"):
        graph.from_keras(keras.Model(image, twice(twice(image))))


def test_two_images_are_refused():
    left, right = layers.Input((16, 16, 3)), layers.Input((16, 16, 3))
    with pytest.raises(InputError, match="2 inputs"):
        graph.from_keras(keras.Model([left, right], layers.Add()([left, right])))
