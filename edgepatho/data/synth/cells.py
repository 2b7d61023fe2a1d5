"""The cells of a tile and their places: tumour nuclei, lymphocytes, and look-alikes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from edgepatho.data.shidc import IMMUNONEGATIVE, IMMUNOPOSITIVE, TIL
from edgepatho.data.synth.darts import throw
from edgepatho.data.synth.noise import smooth, smoothstep
from edgepatho.data.synth.style import Style
from edgepatho.data.synth.tissue import Tissue

UNLABELLED = 0
# Painted in this order, the deepest first.
KINDS = ("ghost", "spindle", "vesicular", "solid", "til", "positive", "speck")


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
    blush: float = 0.0  # brown in a negative nucleus
    hematoxylin_share: float = 0.0  # blue under the brown
    halo: float = 0.0


def populate(
    rng: np.random.Generator, field_rng: np.random.Generator, style: Style, tissue: Tissue
) -> list[Cell]:
    """Return the cells of one tile, in the order in which they are painted."""
    cells = _tumour(rng, field_rng, style, tissue)
    cells += _tils(rng, style, tissue, cells)
    cells += _spindles(rng, tissue, cells)
    cells += _look_alikes(rng, style, tissue)
    return sorted(cells, key=lambda cell: (KINDS.index(cell.kind), cell.y))


def _tumour(
    rng: np.random.Generator, field_rng: np.random.Generator, style: Style, tissue: Tissue
) -> list[Cell]:
    field_gain = float(np.exp(field_rng.normal(0, 0.28)))
    expected = style.tumour_cells * field_gain * rng.gamma(3.2, 1 / 3.2) * tissue.area
    expected *= np.clip((tissue.tumour * tissue.solid).mean() / 0.62, 0.15, 1.35)
    count = int(min(rng.poisson(max(expected, 0.5 * tissue.area)), 330 * tissue.area + 1))
    crowding = np.clip((count / tissue.area) / 110, 0, 2.2)
    index = float(rng.beta(max(14 * style.ki67_index, 0.15), 14 * (1 - style.ki67_index)))
    radius = style.diameter_px / 2 * float(np.exp(field_rng.normal(0, 0.06))) / (1 + 0.16 * crowding)
    radii = np.clip(radius * np.exp(rng.normal(0, style.size_variation, count)), 15, 62)
    places = throw(rng, tissue.tumour * tissue.solid + 1e-4, tissue.size, radii, 0.70 - 0.08 * crowding, [])
    if not places:
        return []
    # immunopositive nuclei cluster weakly
    trend = tissue.at(smooth(rng, tissue.n, 110), [(x, y) for x, y, _ in places])
    order = np.argsort(-(0.55 * trend + rng.normal(0, 1, len(places))))
    positive = np.zeros(len(places), bool)
    positive[order[: int(rng.binomial(len(places), index))]] = True
    return [
        _nucleus(rng, style, x, y, float(radii[i]), bool(is_positive))
        for (x, y, i), is_positive in zip(places, positive, strict=True)
    ]


def _nucleus(
    rng: np.random.Generator, style: Style, x: float, y: float, radius: float, positive: bool
) -> Cell:
    cell = Cell(
        kind="positive",
        label=IMMUNOPOSITIVE,
        x=x,
        y=y,
        radius=radius,
        density=0.0,
        aspect=float(np.clip(style.aspect * np.exp(rng.normal(0, 0.14)), 1.0, 2.6)),
        angle=rng.uniform(0, np.pi),
        roughness=float(np.clip(rng.gamma(3.0, 0.045), 0.03, 0.26)),
        softness=float(rng.gamma(2.6, 0.30) + 0.5),
        lit_from=rng.uniform(0, 2 * np.pi),
    )
    if positive:
        weak = rng.random() < style.weak_share
        return replace(
            cell,
            density=float(rng.uniform(0.09, 0.24) if weak else np.clip(rng.gamma(2.2, 0.33), 0.16, 2.2)),
            hematoxylin_share=rng.uniform(0.1, 0.7),
            halo=rng.uniform(0.2, 0.6),
            radius=radius * rng.uniform(0.95, 1.18),
        )
    blush = float(rng.uniform(0.02, 0.06)) if rng.random() < style.blush_share else 0.0
    if rng.random() < style.vesicular_share:
        density = float(np.clip(rng.gamma(6, 0.042), 0.09, 0.45))
        return replace(cell, kind="vesicular", label=IMMUNONEGATIVE, density=density, blush=blush)
    density = float(np.clip(rng.gamma(7, 0.060), 0.16, 0.80))
    radius *= rng.uniform(0.78, 0.98)
    return replace(cell, kind="solid", label=IMMUNONEGATIVE, density=density, radius=radius, blush=blush)


def _tils(rng: np.random.Generator, style: Style, tissue: Tissue, cells: list[Cell]) -> list[Cell]:
    """Lymphocytes: small, round, dark, in the stroma and at the tumour's border, sometimes an aggregate."""
    count = int(rng.poisson(style.tils * tissue.area * rng.gamma(1.0, 1.0)))
    if rng.random() < 0.015:
        count += int(rng.integers(20, 90) * tissue.area)
    hot = smoothstep(smooth(rng, tissue.n, 90), 0.3, 1.3) + 0.05
    radii = np.clip(rng.normal(18.5, 2.0, count), 14, 24)
    where = (1 - 0.75 * tissue.tumour) * tissue.solid * hot + 1e-4
    return [
        Cell(
            kind="til",
            label=TIL,
            x=x,
            y=y,
            radius=float(radii[i]),
            density=float(np.clip(rng.normal(0.42, 0.10), 0.24, 0.75)),
            aspect=float(np.clip(1.05 + abs(rng.normal(0, 0.1)), 1, 1.4)),
            angle=rng.uniform(0, np.pi),
            roughness=rng.uniform(0.01, 0.03),
            lit_from=rng.uniform(0, 2 * np.pi),
            softness=float(rng.gamma(3.0, 0.3) + 0.7),
        )
        for x, y, i in throw(rng, where, tissue.size, radii, 0.85, cells)
    ]


def _spindles(rng: np.random.Generator, tissue: Tissue, cells: list[Cell]) -> list[Cell]:
    """Fibroblasts and endothelium: long nuclei along the fibres, unlabelled."""
    stroma = (1 - tissue.tumour) * tissue.solid
    count = int(rng.poisson((14 + 110 * stroma.mean()) * rng.gamma(1.6, 0.625) * tissue.area))
    radii = np.clip(rng.normal(16, 3.5, count), 9, 26)
    flow = rng.uniform(0, np.pi)
    turn = smooth(rng, tissue.n, 130) * 0.7
    hot = smoothstep(smooth(rng, tissue.n, 60), -0.3, 1.2) + 0.04
    places = throw(rng, (stroma + 0.03 * tissue.solid) * hot, tissue.size, radii, 0.45, cells)
    return [
        Cell(
            kind="spindle",
            label=UNLABELLED,
            x=x,
            y=y,
            radius=float(radii[i]),
            density=float(np.clip(rng.gamma(2.6, 0.105), 0.05, 0.75)),
            aspect=float(1.6 + rng.gamma(2.0, 0.9)),
            angle=flow + float(tissue.at(turn, [(x, y)])[0]) + rng.normal(0, 0.25),
            roughness=rng.uniform(0.05, 0.16),
            lit_from=rng.uniform(0, 2 * np.pi),
            softness=float(rng.gamma(3.0, 0.5) + 0.8),
            bend=float(np.clip(rng.normal(0, 0.10), -0.2, 0.2)),
        )
        for x, y, i in places
    ]


def _look_alikes(rng: np.random.Generator, style: Style, tissue: Tissue) -> list[Cell]:
    """Nuclei out of focus, brown stromal cells, smears, pigment and debris, none of them labelled."""
    stroma = float(((1 - tissue.tumour) * tissue.solid).mean())
    flow = rng.uniform(0, np.pi)

    def scatter(
        expected: float, kind: str, radius: tuple[float, float], density: tuple[float, float]
    ) -> list[Cell]:
        return [
            Cell(
                kind=kind,
                label=UNLABELLED,
                x=rng.uniform(0, tissue.size),
                y=rng.uniform(0, tissue.size),
                radius=rng.uniform(*radius),
                density=rng.uniform(*density),
                angle=rng.uniform(0, np.pi),
            )
            for _ in range(rng.poisson(expected * tissue.area))
        ]

    ghosts = [
        replace(c, aspect=rng.uniform(1, 2), softness=rng.uniform(5, 9))
        for c in scatter(16, "ghost", (14, 34), (0.02, 0.10))
    ]
    brown_stroma = [
        replace(
            c,
            aspect=rng.uniform(2.4, 4.5),
            angle=flow + rng.normal(0, 0.5),
            roughness=0.08,
            softness=rng.uniform(1, 3),
            hematoxylin_share=0.6,
            halo=0.3,
            bend=float(rng.normal(0, 0.08)),
        )
        for c in scatter((1.5 + 12 * style.ki67_index) * stroma, "positive", (10, 20), (0.2, 1.0))
    ]
    smears = [
        replace(
            c,
            aspect=rng.uniform(1, 3),
            roughness=0.20,
            softness=rng.uniform(5, 14),
            hematoxylin_share=rng.uniform(0, 0.3),
        )
        for c in scatter(2.0, "speck", (14, 45), (0.04, 0.16))
    ]
    debris = [
        replace(
            c,
            aspect=rng.uniform(1, 3),
            roughness=0.18,
            softness=rng.uniform(1, 4),
            hematoxylin_share=rng.uniform(0, 1.2),
        )
        for c in scatter(7, "speck", (3, 11), (0.2, 1.1))
    ]
    return ghosts + brown_stroma + smears + debris
