"""Canonical Huffman codes over float32 values, and bit streams of them in 32-bit words.

Huffman (1952) for the lengths; canonical codes as in Moffat, "Huffman Coding", ACM Computing Surveys 52(4),
2019: codes of one length are consecutive numbers and shorter codes come first, so that the values in code
order and the number of codes of each length are all that a decoder needs.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

WORD_BITS = 32


@dataclass(frozen=True)
class Code:
    """`values` float32 [k] in code order; `lengths` uint32 [longest]: how many codes have 1, 2, ... bits."""

    values: NDArray[Any]
    lengths: NDArray[Any]

    @property
    def nbytes(self) -> int:
        return self.values.nbytes + self.lengths.nbytes


def code(symbols: NDArray[Any], values: NDArray[Any]) -> tuple[Code, NDArray[Any], NDArray[Any]]:
    """An optimal code for `symbols` (indices into `values`), with (code words uint64, bits uint8) by symbol.

    Values that never occur get no code: their bits are 0.
    """
    counts = np.bincount(symbols.ravel(), minlength=values.size)
    bits = _lengths(counts)
    order = np.lexsort((np.arange(bits.size), bits))
    order = order[bits[order] > 0]
    lengths = np.bincount(bits[order], minlength=2)[1:].astype(np.uint32)
    words = np.zeros(values.size, np.uint64)
    first, done = 0, 0
    for count in lengths:  # lengths 1, 2, ...
        words[order[done : done + count]] = first + np.arange(count, dtype=np.uint64)
        first, done = (first + int(count)) * 2, done + int(count)
    return Code(values[order].astype(np.float32), lengths), words, bits


def encoded(symbols: NDArray[Any], words: NDArray[Any], bits: NDArray[Any]) -> NDArray[Any]:
    """The uint32 stream of `symbols` in order, most significant bit first, padded with 0."""
    lengths = bits[symbols.ravel()].astype(np.int64)
    codes = words[symbols.ravel()]
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if ends.size else 0
    stream = np.zeros(-(-total // WORD_BITS) * WORD_BITS, np.uint8)
    for back in range(1, int(lengths.max(initial=0)) + 1):  # the last bit of every code, the one before, ...
        held = lengths >= back
        stream[ends[held] - back] = (codes[held] >> np.uint64(back - 1)) & np.uint64(1)
    return np.packbits(stream).view(">u4").astype(np.uint32)


@dataclass(frozen=True)
class Reader:
    """A stream and its code; `stream` uint8 has one bit per element."""

    code: Code
    stream: NDArray[Any]

    @classmethod
    def of(cls, code: Code, words: NDArray[Any]) -> Reader:
        """Return a reader of the uint32 `words` written with `code`."""
        return cls(code, np.unpackbits(words.astype(">u4").view(np.uint8)))

    def read(self, start: int, count: int) -> tuple[NDArray[Any], int]:
        """The next `count` float32 values from bit `start`, and the bit after them."""
        longest = self.code.lengths.size
        part = self.stream[start : start + count * longest].astype(np.uint64)
        window = np.zeros(part.size, np.uint64)  # at every bit, the next `longest` bits as a number
        padded = np.concatenate([part, np.zeros(longest, np.uint64)])
        for ahead in range(longest):
            window = (window << np.uint64(1)) | padded[ahead : ahead + part.size]
        limits, offsets = self._limits()
        length = np.searchsorted(limits, window, side="right") + 1
        steps = length.tolist()
        places, place = [], 0
        for _ in range(count):
            places.append(place)
            place += steps[place]
        starts = np.array(places, np.int64)
        bits = length[starts]
        position = (window[starts] >> (longest - bits).astype(np.uint64)).astype(np.int64) + offsets[bits - 1]
        return self.code.values[position], start + place

    def _limits(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """By length: the first window of a longer code; the offset from a code to its place in `values`."""
        longest = self.code.lengths.size
        limits, offsets = np.zeros(longest, np.uint64), np.zeros(longest, np.int64)
        first, done = 0, 0
        for place, count in enumerate(self.code.lengths.tolist()):
            offsets[place] = done - first
            limits[place] = (first + count) << (longest - place - 1)
            first, done = (first + count) * 2, done + count
        return limits[:-1], offsets


def _lengths(counts: NDArray[Any]) -> NDArray[Any]:
    """The code length (uint8, bits) of each symbol in an optimal prefix code: 0 if unused, 1 if alone."""
    bits = np.zeros(counts.size, np.uint8)
    used = np.flatnonzero(counts)
    if used.size == 1:
        bits[used] = 1
        return bits
    parent = np.zeros(2 * used.size, np.int64)
    heap = [(int(counts[symbol]), leaf) for leaf, symbol in enumerate(used)]
    heapq.heapify(heap)
    node = used.size
    while len(heap) > 1:
        (lighter, first), (heavier, second) = heapq.heappop(heap), heapq.heappop(heap)
        parent[first] = parent[second] = node
        heapq.heappush(heap, (lighter + heavier, node))
        node += 1
    depth = np.zeros(node, np.int64)
    for child in range(node - 2, -1, -1):  # the root is last
        depth[child] = depth[parent[child]] + 1
    bits[used] = depth[: used.size]
    return bits
