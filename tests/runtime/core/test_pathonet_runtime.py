"""PathoNet with the shipped weights against Keras, at the sizes of the contract."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from random_network import Builder

from edgepatho_runtime import _core, plan
from edgepatho_runtime.network import Network, available_isas
from edgepatho_runtime.plan import geometry

TOLERANCE = 1e-5  # of the largest output
SIZES = [(16, 16), (48, 48), (80, 80), (240, 272)]


@pytest.fixture(scope="module")
def pathonet() -> tuple[Builder, Any]:
    """The shipped network as a builder for bundles, with its Keras model."""
    from edgepatho.model import graph, weights

    model = weights.load_shipped(size=None)
    network = graph.from_keras(model)
    b = Builder(11)
    b.nodes, b.kernels, b.affines = network.nodes, network.kernels, network.affines
    return b, model


def keras_output(model: Any, image: np.ndarray) -> np.ndarray:
    return np.asarray(model((image[None] / np.float32(255)).astype(np.float32), training=False))[0]


@pytest.mark.parametrize("size", SIZES)
def test_equals_keras_on_every_instruction_set_and_thread_count(pathonet, size, monkeypatch):
    b, model = pathonet
    image = np.random.default_rng(1).integers(0, 256, (*size, 3), dtype=np.uint8)
    expected = keras_output(model, image)
    for isa in available_isas():
        monkeypatch.setenv("EDGEPATHO_ISA", isa)
        outputs = [np.array(Network(b.bundle(), *size, threads=n).run(image)) for n in (1, 2, 3, 4)]
        assert np.abs(outputs[0] - expected).max() <= TOLERANCE * expected.max()
        assert all(np.array_equal(outputs[0], other) for other in outputs[1:])


def test_other_sizes_equal_keras_on_the_edge_padded_image(pathonet):
    b, model = pathonet
    image = np.random.default_rng(2).integers(0, 256, (50, 75, 3), dtype=np.uint8)
    expected = keras_output(model, np.pad(image, ((0, 14), (0, 5), (0, 0)), mode="edge"))[:50, :75]
    got = np.array(Network(b.bundle(), 50, 75).run(image))
    assert np.abs(got - expected).max() <= TOLERANCE * expected.max()


def test_index_maps_equal_their_decoded_kernels_bit_for_bit(pathonet):
    """The uncompressed baseline runs the same kernels, so the cost of the index map is a plain difference."""
    original, _ = pathonet
    b = Builder(12)
    b.nodes = [dict(node) for node in original.nodes]
    b.kernels, b.affines = dict(original.kernels), original.affines
    b.share("index4")
    image = np.random.default_rng(3).integers(0, 256, (64, 48, 3), dtype=np.uint8)
    shared = np.array(Network(b.bundle(), 64, 48).run(image))
    b.codebook_of = {}
    for node in b.nodes:
        node.pop("codebook", None)
    assert np.array_equal(shared, np.array(Network(b.bundle(), 64, 48).run(image)))


def test_the_plan_multiplies_and_holds_little(pathonet):
    b, _ = pathonet
    p = plan.build(b.graph(), b.tensors(), 256, 256, geometry.Isa("neon", 4, 8, 4))
    assert sum(row.macs for row in p.table()) < 1_110_000_000  # 5,239 million as Keras computes it
    assert p.arena_elements * 4 < 6_500_000
    assert "elementwise" not in {step.operation for step in p.steps}
    assert "copy" not in {step.operation for step in p.steps}


def test_half_precision_stays_close(pathonet):
    b, model = pathonet
    image = np.random.default_rng(4).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    if _core.isa_facts(None, 2) is None:
        with pytest.raises(ValueError, match="cannot compute in fp16"):
            Network(b.bundle(), 64, 64, precision="fp16")
        return
    network = Network(b.bundle(), 64, 64, precision="fp16")
    expected = keras_output(model, image)
    assert np.abs(np.array(network.run(image)) - expected).max() <= 0.05 * expected.max()
