"""PathoNet has the published size and shape."""

import numpy as np
import pytest

from edgepatho.model import pathonet


@pytest.fixture(scope="module")
def model():
    return pathonet.build()


def test_parameter_counts(model):
    kernels = [layer.kernel for layer in model.layers if hasattr(layer, "kernel")]
    assert model.count_params() == pathonet.PARAMETERS == 3_236_907
    assert sum(np.prod(kernel.shape) for kernel in kernels) == pathonet.CONV_WEIGHTS == 3_220_296
    assert len(kernels) == 46


def test_only_the_last_layer_has_a_bias(model):
    biased = [layer.name for layer in model.layers if getattr(layer, "use_bias", False)]
    assert biased == ["conv10"]


def test_heat_maps_have_the_size_of_the_image(model):
    heat = model(np.zeros((1, 48, 80, 3), np.float32), training=False)
    assert heat.shape == (1, 48, 80, 3)
    assert pathonet.build(size=256, batch=1).output.shape == (1, 256, 256, 3)


def test_published_hyper_parameters(model):
    norms = [layer for layer in model.layers if type(layer).__name__ == "BatchNormalization"]
    leaks = [layer for layer in model.layers if type(layer).__name__ == "LeakyReLU"]
    convs = [layer for layer in model.layers if type(layer).__name__ == "Conv2D"]
    assert {layer.epsilon for layer in norms} == {1e-3}
    assert {layer.negative_slope for layer in leaks} == {0.3}
    assert {round(float(layer.kernel_regularizer.l2), 9) for layer in convs[:-1]} == {5e-4}
    assert {layer.dilation_rate for layer in convs} == {(1, 1), (4, 4)}
