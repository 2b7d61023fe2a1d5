"""Weight sharing of whole networks: codebooks, scales, overrides, pruning, and every refusal."""

import keras
import numpy as np
import pytest

from edgepatho.errors import InputError, UserError
from edgepatho.model import graph as graphs
from edgepatho.model import shared as shared_models
from edgepatho.quantize.quantizer import Quantizer, distortion, notes, share


@pytest.fixture(scope="module")
def model() -> keras.Model:
    """A small network unlike PathoNet: two convolutions and two dense layers."""
    keras.utils.set_random_seed(0)
    image = keras.Input((8, 8, 3), name="image")
    x = keras.layers.Conv2D(8, 3, padding="same", use_bias=False, name="conv")(image)
    x = keras.layers.BatchNormalization(name="norm")(x)
    x = keras.layers.LeakyReLU(negative_slope=0.3, name="leaky")(x)
    x = keras.layers.MaxPooling2D(name="pool")(x)
    x = keras.layers.Conv2D(12, 3, padding="same", name="conv2")(x)
    x = keras.layers.Flatten(name="flat")(x)
    x = keras.layers.Dense(20, activation="relu", name="hidden")(x)
    return keras.Model(image, keras.layers.Dense(4, name="scores")(x))


@pytest.fixture(scope="module")
def graph(model):
    return graphs.from_keras(model)


@pytest.mark.parametrize("scale", ["none", "layer", "channel"])
@pytest.mark.parametrize("codebook", ["shared", "per-layer"])
@pytest.mark.parametrize("method", ["cws", "pws", "uq", "ecsq"])
def test_every_kernel_is_a_scale_times_codebook_values(graph, method, codebook, scale):
    shared = share(graph, Quantizer(method, k=16, codebook=codebook, scale=scale))
    assert set(shared.indices) == set(graph.kernels)
    assert len(shared.codebooks) == (1 if codebook == "shared" else 4)
    assert all(book.size <= 16 for book in shared.codebooks.values())
    for layer, kernel in graph.kernels.items():
        quantized = shared.kernel(layer)
        assert quantized.shape == kernel.shape
        assert quantized.dtype == np.float32
        assert shared.scales[layer].shape == ((kernel.shape[-1],) if scale == "channel" else ())
        assert np.corrcoef(quantized.ravel(), kernel.ravel())[0, 1] > 0.8
    weights = np.concatenate([kernel.ravel() for kernel in graph.kernels.values()])
    assert 0 < distortion(graph, shared) < 0.3 * weights.var()


def test_the_scale_is_the_root_mean_square(graph):
    scales = share(graph, Quantizer(scale="channel")).scales
    kernel = graph.kernels["hidden"]
    np.testing.assert_allclose(scales["hidden"], np.sqrt((kernel**2).mean(axis=(0, 1, 2))), rtol=1e-6)


@pytest.mark.parametrize("k", [2, 300, 65_536])
def test_index_width_follows_k(graph, k):
    shared = share(graph, Quantizer(k=k))
    assert shared.group("codebook").max() == min(k, shared.codebooks["codebook"].size) - 1


def test_layers_can_be_skipped_or_have_their_own_k(graph):
    shared = share(graph, Quantizer(k=8, layers={"conv": None, "hidden": 32}))
    assert np.array_equal(shared.kernel("conv"), graph.kernels["conv"])
    assert set(shared.graph.kernels) == {"conv"}
    assert shared.codebook_of == {"conv2": "codebook", "hidden": "codebook.hidden", "scores": "codebook"}
    assert shared.codebooks["codebook"].size == 8
    assert shared.codebooks["codebook.hidden"].size == 32
    assert np.array_equal(shared.dense().kernels["conv"], graph.kernels["conv"])


@pytest.mark.parametrize("scope", ["layer", "global"])
@pytest.mark.parametrize("method", ["cws", "pws", "uq", "ecsq"])
def test_pruned_weights_are_exactly_zero(graph, method, scope):
    shared = share(graph, Quantizer(method, k=16, prune=60, prune_scope=scope, scale="channel"))
    total = sum(kernel.size for kernel in graph.kernels.values())
    zeros = sum(int(np.count_nonzero(shared.kernel(layer) == 0)) for layer in shared.indices)
    assert zeros >= 0.599 * total


def test_only_pws_depends_on_the_seed(graph):
    first, second = (share(graph, Quantizer("pws", k=16, seed=seed)) for seed in (1, 2))
    assert not np.array_equal(first.group("codebook"), second.group("codebook"))


def test_the_rate_is_met_over_the_whole_network(graph):
    assert 1.5 < share(graph, Quantizer("ecsq", bits=2)).entropy_bits() <= 2


@pytest.mark.parametrize("scale", ["none", "channel"])
def test_a_shared_model_survives_keras_and_a_file_unchanged(graph, model, tmp_path, scale):
    shared = share(graph, Quantizer(k=16, layers={"conv2": None}, scale=scale))
    shared.variables = shared_models.other_variables(model)
    clone = keras.models.clone_model(model)
    shared_models.apply(shared, clone)
    through_keras = graphs.from_keras(clone)
    shared_models.save(shared, tmp_path / "shared.npz")
    through_file = shared_models.load(tmp_path / "shared.npz")
    for layer in graph.kernels:
        assert np.array_equal(through_keras.kernels[layer], shared.kernel(layer))
        assert np.array_equal(through_file.kernel(layer), shared.kernel(layer))
    for node, (scale_of, shift) in graph.affines.items():
        assert np.array_equal(through_keras.affines[node], (scale_of, shift))
        assert np.array_equal(through_file.graph.affines[node], (scale_of, shift))
    assert through_file.graph.as_json() == graph.as_json()
    shared_models.save(through_file, tmp_path / "again.npz")
    assert (tmp_path / "again.npz").read_bytes() == (tmp_path / "shared.npz").read_bytes()


def test_a_damaged_file_is_refused(tmp_path):
    path = tmp_path / "shared.npz"
    path.write_bytes(b"PK\x03\x04 no archive")
    with pytest.raises(InputError, match="not a shared model"):
        shared_models.load(path)


def _with(graph, layer, kernel):
    from dataclasses import replace

    return replace(graph, kernels=graph.kernels | {layer: np.asarray(kernel, np.float32)})


def test_a_layer_of_zeros_becomes_one_level_with_a_note(graph):
    zeros = _with(graph, "conv", np.zeros_like(graph.kernels["conv"]))
    settings = Quantizer(k=8, codebook="per-layer", scale="layer")
    shared = share(zeros, settings)
    assert shared.codebooks["codebook.conv"].tolist() == [0]
    assert not shared.kernel("conv").any()
    assert "conv holds only zeros: it is stored as one level, 0." in notes(zeros, shared, settings)


def test_a_layer_with_fewer_distinct_weights_than_k_is_lossless_with_a_note(graph):
    settings = Quantizer(k=4096, codebook="per-layer")
    shared = share(graph, settings)
    assert np.array_equal(shared.kernel("scores"), graph.kernels["scores"])
    assert any(
        note.startswith("codebook.scores has 80 levels, not k = 4096")
        for note in notes(graph, shared, settings)
    )


def test_non_finite_weights_are_refused_with_their_layer(graph):
    kernel = graph.kernels["hidden"].copy()
    kernel[0, 0, 3, 3] = np.nan
    with pytest.raises(InputError, match="layer hidden holds NaN"):
        share(_with(graph, "hidden", kernel), Quantizer())


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"k": 1}, "k = 1 is outside 2 to 65536"),
        ({"k": 65_537}, "outside 2 to 65536"),
        ({"method": "uq", "bits": 2}, "--bits works only with ecsq; uq"),
        ({"method": "ecsq", "bits": 0}, "outside 0 to 16"),
        ({"method": "ecsq", "bits": 9, "k": 64}, "cannot be met: 64 levels need at most"),
        ({"method": "uq", "solver": "minibatch"}, "works only with cws"),
        ({"prune": 100}, "outside 0 to 99"),
        ({"layers": {"fc9": 4}}, "there is no layer fc9 with weights; the layers are conv, conv2"),
    ],
)
def test_settings_that_cannot_be_met_are_refused(graph, settings, sentence):
    with pytest.raises(UserError, match=sentence):
        share(graph, Quantizer(**settings))


def test_skipping_every_layer_is_refused(graph):
    with pytest.raises(UserError, match="every layer is skipped"):
        share(graph, Quantizer(layers=dict.fromkeys(graph.kernels)))
