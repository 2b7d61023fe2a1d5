"""Any network of the supported operations, on all instruction sets, kinds of weights and thread counts."""

from __future__ import annotations

import threading
from array import array

import numpy as np
import pytest
from random_network import CODEBOOK_SIZES, Builder, random_network

from edgepatho_runtime.network import Network
from edgepatho_runtime.plan import stream

TOLERANCE = 1e-5  # of the largest output


def check(b: Builder, threads: tuple[int, ...] = (1,)) -> None:
    image = b.image()
    expected = b.expected(image)
    outputs = []
    for count in threads:
        network = Network(b.bundle(), *image.shape[:2], threads=count)
        outputs.append(np.array(network.run(image)))
        assert np.array_equal(outputs[-1], np.array(network.run(image))), "a second run differs"
    assert outputs[0].shape == expected.shape
    assert np.abs(outputs[0] - expected).max() <= TOLERANCE * np.abs(expected).max()
    assert all(np.array_equal(outputs[0], other) for other in outputs[1:]), (
        "the number of threads changes the output"
    )


@pytest.mark.parametrize("seed", range(20))
def test_random_networks(isa, seed):
    b = random_network(100 + seed)
    if seed % 4:
        b.share(["", "index4", "index8", "index16"][seed % 4])
    check(b, threads=(1, 2, 3, 4) if seed % 5 == 0 else (1,))


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (7, 5), (33, 18)])
def test_odd_sizes_without_enlargement(isa, size):
    b = Builder(3, size)
    b.conv(b.activation(b.conv(b.plus(b.conv("image", 8), b.conv("image", 8, 3, 3)), 12, 3, 2)), 3, 1)
    check(b)


@pytest.mark.parametrize("kind", CODEBOOK_SIZES)
def test_kinds_of_index_maps(isa, kind):
    b = Builder(4)
    b.conv(b.conv(b.conv("image", 20), 9, 3, 4), 3, 1)
    b.share(kind)
    check(b)


def test_dense_layers(isa):
    b = Builder(5, (12, 10))
    hidden = b.activation(b.dense(b.flatten(b.pool(b.conv(b.pool(b.conv("image", 8)), 12))), 40))
    b.dense(b.plus(hidden, b.affine(hidden)), 7)
    b.share("index8")
    check(b, threads=(1, 4))


@pytest.mark.parametrize("cache_bytes", [stream.CACHE_BYTES, 50_000, 0])
def test_maps_large_enough_to_be_streamed(isa, cache_bytes, monkeypatch):
    """In bands of every height; in stages where the cache is small; each step a stage where there is none."""
    monkeypatch.setattr(stream, "CACHE_BYTES", cache_bytes)
    b = Builder(6, (96, 80))
    head = b.activation(b.conv(b.activation(b.conv("image", 8)), 8))
    low = b.activation(b.conv(b.conv(b.pool(head), 16, 3, 4), 16, 3, 4))
    high = b.plus(b.conv(b.conv(b.up(low), 16), 16), b.up(b.conv(low, 16, 1)))
    b.conv(b.activation(b.conv(b.concat(head, b.affine(high)), 8)), 3, 1)
    network = Network(b.bundle(), 96, 80)
    assert any(m.rows < m.height for m in network.plan.maps), "nothing is streamed"
    check(b, threads=(1, 2, 3, 4))


@pytest.mark.parametrize("size", [(47, 33), (1, 16), (17, 64)])
def test_sides_that_do_not_divide_are_edge_padded_and_cropped(isa, size):
    b = Builder(7, size)
    skip = b.conv("image", 8)
    b.conv(b.concat(skip, b.up(b.up(b.conv(b.pool(b.pool(skip)), 8)))), 3, 1)
    image = b.image()
    height, width = (-(-side // 4) * 4 for side in size)
    padded = np.pad(image, ((0, height - size[0]), (0, width - size[1]), (0, 0)), mode="edge")
    expected = b.expected(padded)[: size[0], : size[1]]
    got = np.array(Network(b.bundle(), *size).run(image))
    assert np.abs(got - expected).max() <= TOLERANCE * np.abs(expected).max()


def small() -> Builder:
    b = Builder(8, (8, 8))
    b.conv("image", 3)
    return b


@pytest.mark.parametrize("threads", [0, -1, 17, 10**9])
def test_impossible_thread_counts_are_refused(threads):
    with pytest.raises(ValueError, match="expected 1 to 16"):
        Network(small().bundle(), 8, 8, threads=threads)


@pytest.mark.parametrize("size", [(0, 8), (8, -8), (8, 5000)])
def test_impossible_sizes_are_refused(size):
    with pytest.raises(ValueError, match="expected sides of 1 to 4096"):
        Network(small().bundle(), *size)


def test_a_size_that_leaves_nothing_or_does_not_fit_the_dense_layer_is_refused():
    b = Builder(9, (8, 8))
    b.dense(b.flatten(b.pool(b.pool(b.conv("image", 4)))), 2)
    with pytest.raises(ValueError, match="would be empty"):
        Network(b.bundle(), 3, 8)
    with pytest.raises(ValueError, match="expects 16 input channels"):
        Network(b.bundle(), 16, 8)


def test_buffers_of_another_size_are_refused():
    network = Network(small().bundle(), 8, 8)
    with pytest.raises(ValueError, match="image has 191 bytes, expected 192"):
        network.run(bytes(191))
    with pytest.raises(ValueError, match="output has 764 bytes, expected 768"):
        network.run(bytes(192), array("f", bytes(764)))
    with pytest.raises((BufferError, TypeError)):
        network.run(bytes(192), bytes(768))


def test_the_result_is_written_into_the_callers_buffer():
    b = small()
    image = b.image()
    out = np.zeros((8, 8, 3), np.float32)
    result = Network(b.bundle(), 8, 8).run(image.tobytes(), out)
    assert np.shares_memory(np.asarray(result), out)
    assert np.array_equal(out, np.array(Network(b.bundle(), 8, 8).run(image)))


def test_unknown_instruction_sets_and_precisions_are_refused(monkeypatch):
    with pytest.raises(ValueError, match="expected fp32 or fp16"):
        Network(small().bundle(), 8, 8, precision="int8")
    monkeypatch.setenv("EDGEPATHO_ISA", "abacus")
    with pytest.raises(ValueError, match="EDGEPATHO_ISA is 'abacus'"):
        Network(small().bundle(), 8, 8)


def test_several_networks_run_at_once():
    b = random_network(1)
    image = b.image()
    networks = [Network(b.bundle(), *image.shape[:2], threads=2) for _ in range(3)]
    outputs: dict[int, np.ndarray] = {}

    def work(i: int) -> None:
        outputs[i] = np.array(networks[i].run(image))

    workers = [threading.Thread(target=work, args=(i,)) for i in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert all(np.array_equal(outputs[0], outputs[i]) for i in range(3))
