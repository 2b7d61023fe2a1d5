"""The labelled nuclei of a tile: tumour cells and lymphocytes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepatho.data.shidc import IMMUNONEGATIVE, IMMUNOPOSITIVE, TIL
from edgepatho.data.synth.darts import throw
from edgepatho.data.synth.noise import smooth, smoothstep
from edgepatho.data.synth.style import Style
from edgepatho.data.synth.tissue import FULL_PX, Tissue

UNLABELLED = 0
LYMPHOCYTE = 1.8  # a lymphocyte's density over a tumour nucleus': its chromatin is condensed
INFLAMED = 0.06  # of the tiles lie in a dense infiltrate
SPREAD = 0.36  # of nuclei's density, as the deviation of its logarithm: one for all kinds without DAB
JAMMED = 0.547  # share of the plane that discs thrown at random cover at most (Feder 1980, J Theor Biol 87)
BROWN = ("blush", "rim", "specks", "halo")  # how a negative nucleus may be brown


@dataclass(frozen=True)
class Cell:
    """One painted object; `label` 0 is a look-alike that no pathologist would count."""

    kind: str
    label: int
    x: float
    y: float
    radius: float
    density: float  # stain, in optical density
    aspect: float = 1.0
    angle: float = 0.0
    roughness: float = 0.05  # of the outline, as a share of the radius
    bend: float = 0.0
    softness: float = 1.0  # of the edge, px
    lit_from: float = 0.0
    brown: str = ""  # one of BROWN
    hematoxylin: float = 0.0  # under the brown, in optical density
    halo: float = 0.0


@dataclass(frozen=True)
class Crowd:
    """The tumour cells that a tile is to hold."""

    radii: NDArray[Any]  # px
    index: float  # share that is immunopositive

    def share(self, style: Style, size: int) -> float:
        """Return the share of a tile of `size` px that they take where they touch as `style` packs them."""
        covered = float(np.square(style.closeness * self.radii).sum()) * np.pi / JAMMED
        return covered / style.packing / size**2


def blue_density(rng: np.random.Generator, style: Style) -> float:
    """Return the density of a nucleus without DAB: tumour and stroma draw from one source."""
    return float(np.clip(style.stain.negative_density * np.exp(rng.normal(0, SPREAD)), 0.035, 0.7))


def brown_of(rng: np.random.Generator, style: Style) -> str:
    """Return how a nucleus without DAB of its own is brown, for most of them "" """
    return str(rng.choice(BROWN)) if rng.random() < style.brown_share else ""


def crowd(rng: np.random.Generator, field_rng: np.random.Generator, style: Style, size: int) -> Crowd:
    """Return how many tumour cells a tile holds, how large they are and how many are immunopositive."""
    area = (size / FULL_PX) ** 2
    field_gain = float(np.exp(field_rng.normal(0, 0.28)))
    expected = style.tumour_cells * field_gain * rng.gamma(4.0, 1 / 4.0) * area
    count = int(min(rng.poisson(max(expected, 0.5 * area)), 560 * area + 1))
    crowding = np.clip((count / area) / 110, 0, 1.3)
    radius = style.diameter_px / 2 * float(np.exp(field_rng.normal(0, 0.06))) / (1 + 0.16 * crowding)
    radii = np.clip(radius * np.exp(rng.normal(0, style.size_variation, count)), 15, 62)
    index = float(rng.beta(max(14 * style.ki67_index, 0.15), 14 * (1 - style.ki67_index)))
    return Crowd(radii, index)


def tumour(rng: np.random.Generator, style: Style, tissue: Tissue, wanted: Crowd) -> list[Cell]:
    """Return the tumour's nuclei; those without enough room are left out."""
    where = (tissue.tumour * tissue.solid) ** 2
    places = throw(rng, where, tissue.size, wanted.radii, style.closeness, [])
    if not places:
        return []
    # immunopositive nuclei cluster weakly
    points = [(x, y) for x, y, _ in places]
    trend = tissue.at(smooth(rng, tissue.n, 110), points)
    order = np.argsort(-(0.55 * trend + rng.normal(0, 1, len(places))))
    positive = np.zeros(len(places), bool)
    positive[order[: int(rng.binomial(len(places), wanted.index))]] = True
    spread = 0.25 if style.architecture == "glands" else 0.8
    angles = tissue.at(tissue.flow, points) + rng.normal(0, spread, len(places))
    return [
        _nucleus(rng, style, x, y, float(wanted.radii[number]), float(angle), bool(is_positive))
        for (x, y, number), angle, is_positive in zip(places, angles, positive, strict=True)
    ]


def _nucleus(
    rng: np.random.Generator, style: Style, x: float, y: float, radius: float, angle: float, positive: bool
) -> Cell:
    cell = Cell(
        kind="vesicular",
        label=IMMUNONEGATIVE,
        x=x,
        y=y,
        radius=radius,
        density=blue_density(rng, style),
        aspect=float(np.clip(style.aspect * np.exp(rng.normal(0, 0.12)), 1.0, 2.2)),
        angle=angle,
        roughness=float(np.clip(rng.gamma(3.0, 0.04), 0.03, 0.22)),
        softness=float(rng.gamma(2.6, 0.30) + 0.5),
        lit_from=rng.uniform(0, 2 * np.pi),
        brown=brown_of(rng, style),
    )
    if positive:
        weak = rng.random() < style.weak_share
        dense = style.stain.positive_density * np.exp(rng.normal(0, 0.42))
        return replace(
            cell,
            kind="positive",
            label=IMMUNOPOSITIVE,
            brown="",
            density=float(np.clip(dense * rng.uniform(0.15, 0.45) if weak else dense, 0.12, 3.6)),
            hematoxylin=rng.uniform(0.05, 0.7) * cell.density,
            halo=rng.uniform(0.2, 0.6),
            radius=radius * rng.uniform(0.95, 1.12),
        )
    if rng.random() < style.vesicular_share:
        return cell
    return replace(cell, kind="solid", radius=radius * rng.uniform(0.80, 0.98))


def tils(rng: np.random.Generator, style: Style, tissue: Tissue, cells: list[Cell]) -> list[Cell]:
    """Return the lymphocytes: small, round, dense; in the stroma and around the tumour, sometimes many."""
    count = int(rng.poisson(style.tils * tissue.area * rng.gamma(1.0, 1.0)))
    if rng.random() < INFLAMED:
        count += int(rng.integers(20, 90) * tissue.area)
    hot = smoothstep(smooth(rng, tissue.n, 90), 0.3, 1.3) + 0.05
    radii = np.clip(rng.normal(17.5, 1.6, count), 14, 22)
    where = (1 - 0.75 * tissue.tumour) * tissue.solid * (1 - tissue.necrosis) * hot + 1e-4
    return [
        Cell(
            kind="til",
            label=TIL,
            x=x,
            y=y,
            radius=float(radii[number]),
            density=float(np.clip(LYMPHOCYTE * blue_density(rng, style), 0.1, 0.9)),
            aspect=float(np.clip(1.03 + abs(rng.normal(0, 0.08)), 1, 1.3)),
            angle=rng.uniform(0, np.pi),
            roughness=rng.uniform(0.01, 0.03),
            lit_from=rng.uniform(0, 2 * np.pi),
            softness=float(rng.gamma(3.0, 0.3) + 0.7),
            brown=brown_of(rng, style),
        )
        for x, y, number in throw(rng, where, tissue.size, radii, 0.85, cells)
    ]
