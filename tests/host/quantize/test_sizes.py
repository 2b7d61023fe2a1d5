"""The size of shared weights: the exact published ratio, the published files, memory."""

import lzma
from dataclasses import replace

import numpy as np
import pytest

from edgepatho.model import graph as graphs
from edgepatho.model import pathonet
from edgepatho.model.shared import SharedModel, other_variables
from edgepatho.quantize import sizes
from edgepatho.quantize.quantizer import Quantizer, share


@pytest.fixture(scope="module")
def pathonet_graph():
    return graphs.from_keras(pathonet.build())


def with_levels(graph, k: int) -> SharedModel:
    """PathoNet with k arbitrary levels: sizes do not depend on their values."""
    return SharedModel(
        graph=graph,
        codebooks={"codebook": np.arange(k, dtype=np.float32)},
        indices={layer: np.zeros(kernel.shape, np.uint16) for layer, kernel in graph.kernels.items()},
        codebook_of=dict.fromkeys(graph.kernels, "codebook"),
        scales={layer: np.array(1, np.float32) for layer in graph.kernels},
    )


@pytest.mark.parametrize(
    ("k", "published"),
    [(256, "3.942"), (249, "3.944"), (128, "3.971"), (16, "3.996"), (512, "1.971"), (1024, "1.943")],
)
def test_the_published_space_ratio_to_the_digit(pathonet_graph, k, published):
    assert f"{sizes.published_ratio(with_levels(pathonet_graph, k)):.3f}" == published


def test_the_published_files_are_four_lzma_streams(small_model):
    shared = share(graphs.from_keras(small_model), Quantizer(k=16))
    shared.variables = other_variables(small_model)
    *others, last = shared.variables.values()
    expected = [
        b"".join(index.astype("<i8").tobytes() for index in shared.indices.values()),
        shared.codebooks["codebook"].tobytes(),
        b"".join(value.tobytes() for value in others),
        last.tobytes(),
    ]
    assert sizes.published_disk_bytes(shared) == sum(len(lzma.compress(part)) for part in expected)


def test_memory_counts_nibbles_bytes_and_half_words(small_model):
    graph = graphs.from_keras(small_model)
    weights = {layer: kernel.size // kernel.shape[-1] for layer, kernel in graph.kernels.items()}
    padded = sum(rows * -(-graph.kernels[layer].shape[-1] // 8) * 8 for layer, rows in weights.items())
    affines = 8 * sum(scale.size for scale, _ in graph.affines.values())
    for k, bytes_per_weight in ((16, 0.5), (17, 1), (256, 1), (257, 2)):
        expected = padded * bytes_per_weight + 4 * k + affines
        assert sizes.weights_ram_bytes(share(graph, Quantizer(k=k))) == expected


def test_sixteen_levels_keep_pathonet_below_its_memory_target(pathonet_graph):
    without_kernels = with_levels(pathonet_graph, 16)
    without_kernels.graph = replace(pathonet_graph, kernels={})
    assert sizes.weights_ram_bytes(without_kernels) <= 1_700_000
