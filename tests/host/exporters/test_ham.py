"""HAM and sHAM are lossless, multiply like the dense matrix, and correct the published code."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from edgepatho.errors import InputError
from edgepatho.exporters import ham, huffman
from edgepatho.model.graph import Graph
from edgepatho.model.shared import SharedModel

LEVELS = np.array([0, 0, 0, 0, -1.5, -0.25, 0.125, 0.5, 3], np.float32)
MATRICES = arrays.arrays(
    np.float32, st.tuples(st.integers(1, 40), st.integers(1, 40)), elements=st.sampled_from(LEVELS.tolist())
)
FORMATS = [ham.encode, ham.encode_sparse]


def matrix_of(rows, columns, levels=16, zeros=0.5, seed=0):
    random = np.random.default_rng(seed)
    values = random.normal(size=levels).astype(np.float32)
    chosen = values[np.minimum(random.geometric(0.3, (rows, columns)) - 1, levels - 1)]
    return np.where(random.random((rows, columns)) < zeros, np.float32(0), chosen)


@pytest.mark.parametrize("encode", FORMATS)
@given(matrix=MATRICES, workers=st.integers(1, 9))
@settings(max_examples=60, deadline=None)
def test_coding_is_lossless_and_the_product_equals_the_dense_one(encode, matrix, workers):
    coded = encode(matrix)
    assert np.array_equal(ham.decode(coded), matrix)
    x = np.random.default_rng(0).normal(size=(3, matrix.shape[0])).astype(np.float32)
    assert np.allclose(ham.product(x, coded, workers), x @ matrix, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("encode", FORMATS)
@pytest.mark.parametrize(("columns", "workers"), [(130, 8), (5, 8), (1, 3), (64, 64), (7, 2)])
def test_results_are_bit_identical_for_any_number_of_workers(encode, columns, workers):
    coded = encode(matrix_of(50, columns))
    x = np.random.default_rng(1).normal(size=(8, 50)).astype(np.float32)
    assert np.array_equal(ham.product(x, coded, workers), ham.product(x, coded))


@pytest.mark.parametrize("encode", FORMATS)
def test_columns_may_start_at_any_bit_of_a_word(encode):
    matrix = matrix_of(31, 400)
    coded = encode(matrix)
    starts = ham._starts(coded, np.arange(400))
    assert {start % 32 for start in starts} == set(range(32))
    assert np.array_equal(ham.decode(coded), matrix)


@pytest.mark.parametrize(
    ("rows", "index", "count"),
    [(255, "u1", "u1"), (256, "u1", "u2"), (257, "u2", "u2"), (70_000, "u4", "u4")],
)
def test_row_numbers_are_unsigned_and_as_narrow_as_they_can_be(rows, index, count):
    matrix = np.zeros((rows, 3), np.float32)
    matrix[:, 1] = 1
    matrix[rows - 1, 2] = -1
    coded = ham.encode_sparse(matrix)
    assert coded.rows.dtype == index
    assert coded.column_counts.dtype == count
    assert np.array_equal(ham.decode(coded), matrix)
    assert coded.rows.max() == rows - 1


@pytest.mark.parametrize("encode", FORMATS)
@pytest.mark.parametrize("value", [0.0, 2.5])
def test_a_constant_matrix_takes_at_most_one_bit_per_value(encode, value):
    matrix = np.full((40, 16), value, np.float32)
    coded = encode(matrix)
    assert np.array_equal(ham.decode(coded), matrix)
    assert coded.words.nbytes * 8 <= matrix.size


def test_bytes_stay_within_the_published_bounds():
    matrix = matrix_of(500, 300, zeros=0.95)
    share, levels = np.mean(matrix != 0), np.unique(matrix).size
    dense, sparse = ham.encode(matrix), ham.encode_sparse(matrix)
    table = 6 * levels * 4
    assert dense.nbytes <= matrix.size * (1 + np.log2(levels)) / 8 + table
    vectors = (sparse.rows.size + 500 + 300 + 1) * 2
    assert sparse.nbytes <= share * matrix.size * (1 + np.log2(levels)) / 8 + table + vectors
    assert sparse.nbytes < dense.nbytes < matrix.nbytes / 8


@given(st.lists(st.integers(0, 50), min_size=1, max_size=40).filter(any))
def test_code_lengths_are_optimal(counts):
    bits = huffman._lengths(np.array(counts))
    used = np.array(counts) > 0
    assert np.array_equal(bits > 0, used)
    if used.sum() > 1:
        assert sum(2.0 ** -int(length) for length in bits[used]) == 1  # Kraft: no code is wasted
    total = int(np.sum(np.array(counts) * bits))
    assert total == (inner_nodes([count for count in counts if count]) or sum(counts))


def inner_nodes(weights):
    """The cost of an optimal tree: the sum of its inner nodes, each joining the two lightest left."""
    total = 0
    while len(weights) > 1:
        weights.sort()
        weights[:2] = [weights[0] + weights[1]]
        total += weights[0]
    return total


def test_codes_are_canonical():
    symbols = np.repeat(np.arange(5), [1, 1, 2, 4, 8])
    code, words, bits = huffman.code(symbols, np.arange(5, dtype=np.float32))
    assert bits.tolist() == [4, 4, 3, 2, 1]
    assert [f"{int(word):0{int(length)}b}" for word, length in zip(words, bits, strict=True)] == [
        "1110",
        "1111",
        "110",
        "10",
        "0",
    ]
    assert code.values.tolist() == [4, 3, 2, 0, 1]
    assert code.lengths.tolist() == [1, 1, 1, 2]


def test_long_codes_round_trip():
    counts = [1, 1]
    while len(counts) < 24:
        counts.append(counts[-1] + counts[-2])  # Fibonacci numbers give the longest codes there are
    symbols = np.random.default_rng(0).permutation(np.repeat(np.arange(24), counts))
    code, words, bits = huffman.code(symbols, np.arange(24, dtype=np.float32))
    assert bits.max() == 23
    stream = huffman.encoded(symbols, words, bits)
    values, end = huffman.Reader.of(code, stream).read(0, symbols.size)
    assert np.array_equal(values, symbols)
    assert 0 <= stream.size * 32 - end < 32


def test_the_size_of_a_network_is_that_of_its_matrices():
    random = np.random.default_rng(2)
    levels = np.array([-1, 0, 2], np.float32)
    shapes = {"a": (3, 3, 4, 10), "b": (1, 1, 10, 6)}
    indices = {
        name: random.choice(3, shape, p=[0.1, 0.8, 0.1]).astype(np.uint16) for name, shape in shapes.items()
    }
    books = {"codebook.a": levels, "codebook.b": levels}
    own = {name: f"codebook.{name}" for name in shapes}
    graph = Graph({}, [], {}, {}, "")
    ones = dict.fromkeys(shapes, np.float32(1))
    sizes = ham.network_bytes(SharedModel(graph, books, indices, own, ones))
    matrices = [levels[index].reshape(-1, index.shape[-1]) for index in indices.values()]
    assert sizes["ham"] == sum(ham.encode(matrix).nbytes for matrix in matrices)
    assert sizes["sham"] == sum(ham.encode_sparse(matrix).nbytes for matrix in matrices)
    together = ham.network_bytes(
        SharedModel(graph, {"codebook": levels}, indices, dict.fromkeys(shapes, "codebook"), ones)
    )
    assert together["ham"] < sizes["ham"]


def test_values_that_are_not_finite_are_refused():
    with pytest.raises(InputError, match="finite"):
        ham.encode(np.array([[1, np.nan]], np.float32))


def test_adjacent_columns_have_no_gap():
    coded = ham.encode(matrix_of(10, 20))
    reader = huffman.Reader.of(coded.code, coded.words)
    starts = ham._starts(coded, np.arange(20))
    for start, following in pairwise(starts):
        assert reader.read(start, 10)[1] == following
