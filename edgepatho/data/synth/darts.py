"""Random places for objects with a minimum distance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class Circle(Protocol):
    """Anything with a place and a radius."""

    @property
    def x(self) -> float: ...
    @property
    def y(self) -> float: ...
    @property
    def radius(self) -> float: ...


def throw(
    rng: np.random.Generator,
    where: NDArray[Any],
    size: int,
    radii: NDArray[Any],
    closeness: float,
    others: Sequence[Circle],
) -> list[tuple[float, float, int]]:
    """Throw darts weighted by `where`; return (x, y, number) of those with enough room.

    Two objects are at least `closeness` times the sum of their radii apart, so below 1 they can overlap.
    """
    cumulated = np.cumsum(where.ravel().astype(np.float64))
    taken = np.array([(c.x, c.y, c.radius) for c in others], np.float32).reshape(-1, 3)
    height, width = where.shape
    placed = []
    for number, radius in enumerate(radii):
        index = np.searchsorted(cumulated, rng.random(40) * cumulated[-1])
        ys = (index // width + rng.random(40)) * size / height
        xs = (index % width + rng.random(40)) * size / width
        for x, y in zip(xs, ys, strict=True):
            inside = x < size and y < size
            near = np.hypot(taken[:, 0] - x, taken[:, 1] - y) < closeness * (taken[:, 2] + radius)
            if inside and not near.any():
                placed.append((float(x), float(y), number))
                taken = np.vstack([taken, [[x, y, radius]]]).astype(np.float32)
                break
    return placed
