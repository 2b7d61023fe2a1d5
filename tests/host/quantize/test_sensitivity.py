"""The sensitivity of the output to a layer, against the exact squared Jacobian, and its use."""

import numpy as np
import pytest
import tensorflow as tf

from edgepatho.errors import UsageError
from edgepatho.model import graph as graphs
from edgepatho.quantize import sensitivity
from edgepatho.quantize.quantizer import Quantizer, share


def test_it_is_the_mean_squared_jacobian(small_model):
    images = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), np.uint8)
    found = sensitivity.of_layers(small_model, images, draws=400)
    kernels = [small_model.get_layer(name).kernel for name in found]
    with tf.GradientTape() as tape:
        output = small_model(images.astype(np.float32) / 255)
    jacobians = tape.jacobian(output, [kernel.value for kernel in kernels])
    for (name, value), kernel, jacobian in zip(found.items(), kernels, jacobians, strict=True):
        exact = float(tf.reduce_sum(tf.square(jacobian))) / np.prod(kernel.shape)
        assert value == pytest.approx(exact, rel=0.15), name


def test_equal_seeds_give_equal_values(small_model):
    images = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3), np.uint8)
    assert sensitivity.of_layers(small_model, images) == sensitivity.of_layers(small_model, images)


def test_scales_are_inverse_roots_and_bits_go_where_they_matter(small_model):
    graph = graphs.from_keras(small_model)
    known = {"conv": 100.0, "conv2": 1.0, "hidden": 0.01, "scores": 1.0}
    settings = Quantizer("ecsq", bits=2, codebook="per-layer", scale="output")
    shared = share(graph, settings, known)
    assert shared.scales["hidden"] / shared.scales["conv"] == pytest.approx(100, rel=1e-5)
    errors = {layer: np.mean((shared.kernel(layer) - kernel) ** 2) for layer, kernel in graph.kernels.items()}
    assert errors["conv"] < errors["conv2"] < errors["hidden"]
    assert 1.8 < shared.entropy_bits() <= 2
    alike = share(graph, Quantizer("ecsq", bits=2, codebook="per-layer"))

    def weighted(model):
        return sum(
            known[layer] * np.sum((model.kernel(layer) - kernel) ** 2)
            for layer, kernel in graph.kernels.items()
        )

    assert weighted(shared) < 0.5 * weighted(alike)


def test_the_output_scale_without_sensitivities_is_refused(small_model):
    with pytest.raises(UsageError, match="needs the layers"):
        share(graphs.from_keras(small_model), Quantizer(scale="output"))


def test_a_layer_that_does_not_affect_the_output_is_allowed(small_model):
    known = {"conv": 1.0, "conv2": 0.0, "hidden": 1.0, "scores": 1.0}
    shared = share(graphs.from_keras(small_model), Quantizer("ecsq", k=8, scale="output"), known)
    assert all(np.isfinite(scale) for scale in shared.scales.values())
