"""Random places for objects with a minimum distance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

TRIES = 40  # a dart


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
    taken = np.empty((len(others) + len(radii), 3), np.float32)
    taken[: len(others)] = np.array([(c.x, c.y, c.radius) for c in others], np.float32).reshape(-1, 3)
    count = len(others)
    height, width = where.shape
    placed: list[tuple[float, float, int]] = []
    if not cumulated[-1]:
        return placed
    for number, radius in enumerate(radii):
        index = np.searchsorted(cumulated, rng.random(TRIES) * cumulated[-1])
        ys = (index // width + rng.random(TRIES)) * size / height
        xs = (index % width + rng.random(TRIES)) * size / width
        away = (xs[:, None] - taken[:count, 0]) ** 2 + (ys[:, None] - taken[:count, 1]) ** 2
        near = away < (closeness * (taken[:count, 2] + radius)) ** 2
        free = np.flatnonzero((xs < size) & (ys < size) & ~near.any(1))
        if len(free):
            x, y = float(xs[free[0]]), float(ys[free[0]])
            placed.append((x, y, number))
            taken[count] = x, y, radius
            count += 1
    return placed
