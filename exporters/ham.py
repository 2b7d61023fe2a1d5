"""HAM and sHAM, the published storage formats, for comparison with bundles.

Marinò, Ghidoli, Frasca and Malchiodi, "Compression strategies and space-conscious representations for deep
neural networks", ICPR 2020, with the canonical codes of their later work (IEEE Access 11, 2023). A matrix
[rows, columns] is read column by column. HAM (Huffman address map) codes every value, sHAM stores a sparse
matrix (CSC) and codes its non-zero values. A product with the matrix decodes column by column and never holds
the dense matrix. Row numbers and counts are unsigned, columns may start at any bit of a word, and any number
of workers can share any number of columns; the published C code gets these wrong.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgepatho.errors import InputError
from edgepatho.exporters import huffman
from edgepatho.exporters.huffman import Code

if TYPE_CHECKING:
    from edgepatho.model.shared import SharedModel


@dataclass(frozen=True)
class Ham:
    """A matrix with every value Huffman-coded, in `words` uint32."""

    shape: tuple[int, int]
    code: Code
    words: NDArray[Any]

    @property
    def nbytes(self) -> int:
        """Bytes of all that decoding needs, the code included."""
        return int(self.words.nbytes + self.code.nbytes)


@dataclass(frozen=True)
class SparseHam:
    """A matrix as its Huffman-coded non-zero values, their `rows`, and how many each column has."""

    shape: tuple[int, int]
    code: Code
    words: NDArray[Any]
    rows: NDArray[Any]
    column_counts: NDArray[Any]

    @property
    def nbytes(self) -> int:
        """Bytes of all that decoding needs, the code included."""
        return int(self.words.nbytes + self.rows.nbytes + self.column_counts.nbytes + self.code.nbytes)


def encode(matrix: NDArray[Any]) -> Ham:
    """HAM of a finite float32 matrix [rows, columns]."""
    values, symbols = _symbols(matrix)
    code, words, bits = huffman.code(symbols, values)
    return Ham(_shape(matrix), code, huffman.encoded(symbols, words, bits))


def encode_sparse(matrix: NDArray[Any]) -> SparseHam:
    """SHAM of a finite float32 matrix [rows, columns]."""
    values, symbols = _symbols(matrix)
    columns, rows = np.nonzero(values[symbols].reshape(matrix.shape[::-1]))
    symbols = symbols.reshape(matrix.shape[::-1])[columns, rows]
    code, words, bits = huffman.code(symbols, values)
    counts = np.bincount(columns, minlength=matrix.shape[1])
    index, count = _unsigned(matrix.shape[0] - 1), _unsigned(matrix.shape[0])
    stream = huffman.encoded(symbols, words, bits)
    return SparseHam(_shape(matrix), code, stream, rows.astype(index), counts.astype(count))


def decode(matrix: Ham | SparseHam) -> NDArray[Any]:
    """The dense float32 matrix."""
    dense = np.zeros(matrix.shape, np.float32)
    for column, (rows, values) in enumerate(_columns(matrix, 0, 0, matrix.shape[1])):
        dense[rows, column] = values
    return dense


def product(x: NDArray[Any], matrix: Ham | SparseHam, workers: int = 1) -> NDArray[Any]:
    """`x` float32 [n, rows] times the matrix, [n, columns]; bit-identical for any number of workers."""
    bounds = np.linspace(0, matrix.shape[1], workers + 1).astype(int)
    starts = _starts(matrix, bounds[:-1])

    def part(worker: int) -> list[NDArray[Any]]:
        columns = _columns(matrix, starts[worker], bounds[worker], bounds[worker + 1])
        return [x[:, rows] @ values for rows, values in columns]

    with ThreadPoolExecutor(workers) as pool:
        parts = list(pool.map(part, range(workers)))
    return np.stack([column for columns in parts for column in columns], axis=1)


def network_bytes(shared: SharedModel) -> dict[str, int]:
    """Bytes of all shared kernels as {"ham", "sham"}, one code per codebook, without scales and biases.

    A kernel is the matrix [kernel height * width * in, out], its columns the filters.
    """
    total = {"ham": 0, "sham": 0}
    for name, levels in shared.codebooks.items():
        layers = [layer for layer, codebook in shared.codebook_of.items() if codebook == name]
        matrices = [shared.indices[layer].reshape(-1, shared.indices[layer].shape[-1]) for layer in layers]
        everything = np.concatenate([matrix.ravel() for matrix in matrices])
        code, words, bits = huffman.code(everything, levels)
        total["ham"] += code.nbytes
        zero = np.flatnonzero(levels == 0)
        sparse_code, sparse_words, sparse_bits = huffman.code(everything[~np.isin(everything, zero)], levels)
        total["sham"] += sparse_code.nbytes
        for matrix in matrices:
            total["ham"] += huffman.encoded(matrix.T, words, bits).nbytes
            held = matrix.T[~np.isin(matrix.T, zero)]
            stream = huffman.encoded(held, sparse_words, sparse_bits)
            rows = held.size * _unsigned(matrix.shape[0] - 1).itemsize
            total["sham"] += stream.nbytes + rows + matrix.shape[1] * _unsigned(matrix.shape[0]).itemsize
    return total


def _columns(
    matrix: Ham | SparseHam, start: int, first: int, end: int
) -> Iterator[tuple[NDArray[Any] | slice, NDArray[Any]]]:
    """(rows, values) of the columns from `first` to `end`, decoded one at a time from bit `start`."""
    reader = huffman.Reader.of(matrix.code, matrix.words)
    if isinstance(matrix, Ham):
        for _ in range(first, end):
            values, start = reader.read(start, matrix.shape[0])
            yield slice(None), values
        return
    ends = np.cumsum(matrix.column_counts, dtype=np.int64)
    for column in range(first, end):
        count = int(matrix.column_counts[column])
        values, start = reader.read(start, count)
        yield matrix.rows[ends[column] - count : ends[column]], values


def _starts(matrix: Ham | SparseHam, columns: NDArray[Any]) -> list[int]:
    """The bit at which each of the ascending `columns` starts, found in one pass."""
    reader = huffman.Reader.of(matrix.code, matrix.words)
    starts, place, done = [], 0, 0
    for column in columns:
        for passed in range(done, column):
            count = matrix.shape[0] if isinstance(matrix, Ham) else int(matrix.column_counts[passed])
            _, place = reader.read(place, count)
        done = column
        starts.append(place)
    return starts


def _symbols(matrix: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Distinct values and the symbol of each entry, column by column."""
    if not np.isfinite(matrix).all():
        raise InputError("the matrix holds NaN or infinite values; all must be finite.")
    values, symbols = np.unique(matrix.T.astype(np.float32), return_inverse=True)
    return values, symbols.ravel()


def _unsigned(largest: int) -> np.dtype[Any]:
    """The smallest of 8, 16 and 32 bits that holds `largest`."""
    return np.dtype(next(kind for kind in (np.uint8, np.uint16, np.uint32) if largest <= np.iinfo(kind).max))


def _shape(matrix: NDArray[Any]) -> tuple[int, int]:
    rows, columns = matrix.shape
    return rows, columns
