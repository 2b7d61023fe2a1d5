"""Unlabelled objects that look like labelled cells: stromal, endothelial and blurred nuclei, debris."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepatho.data.synth.cells import UNLABELLED, Cell, blue_density, brown_of
from edgepatho.data.synth.darts import throw
from edgepatho.data.synth.noise import smooth, smoothstep
from edgepatho.data.synth.style import Style
from edgepatho.data.synth.tissue import Tissue


def look_alikes(rng: np.random.Generator, style: Style, tissue: Tissue, cells: list[Cell]) -> list[Cell]:
    """Return the unlabelled objects of one tile; nuclei avoid `cells`.

    Nuclei without DAB have the hue and the density of the tumour's negatives: only shape, texture, size and
    neighbours tell them apart.
    """
    vessels = _vessels(rng, style, tissue, cells)
    found = vessels + _fibroblasts(rng, style, tissue, cells + vessels)
    found += _brown_stroma(rng, style, tissue) + _out_of_focus(rng, style, tissue)
    return found + _debris(rng, tissue)


def _fibroblasts(rng: np.random.Generator, style: Style, tissue: Tissue, cells: list[Cell]) -> list[Cell]:
    """Long nuclei along the fibres."""
    expected = (8 + 70 * style.stroma * float(tissue.stroma.mean())) * rng.gamma(4.0, 0.25)
    count = int(rng.poisson(expected * tissue.area))
    radii = np.clip(rng.normal(17, 3.5, count), 10, 27)
    hot = smoothstep(smooth(rng, tissue.n, 60), -0.6, 1.0) + 0.1
    places = throw(rng, tissue.stroma * hot + 1e-5, tissue.size, radii, 0.5, cells)
    return [
        _spindle(rng, style, "fibroblast", x, y, float(radii[i]), float(tissue.at(tissue.flow, [(x, y)])[0]))
        for x, y, i in places
    ]


def _vessels(rng: np.random.Generator, style: Style, tissue: Tissue, cells: list[Cell]) -> list[Cell]:
    """Capillaries cut across: flat nuclei around a small oval."""
    count = int(rng.poisson(2.2 * style.stroma * float(tissue.stroma.mean()) * tissue.area))
    radii = rng.uniform(26, 60, count)
    found = []
    for x, y, i in throw(rng, tissue.stroma + 1e-5, tissue.size, radii, 0.9, cells):
        aspect, angle = rng.uniform(1.0, 2.0), rng.uniform(0, np.pi)
        around = np.linspace(0, 2 * np.pi, int(radii[i] / 6), endpoint=False)
        for turn in around + rng.normal(0, 0.12, len(around)):
            along, across = radii[i] * np.cos(turn) * aspect**0.5, radii[i] * np.sin(turn) / aspect**0.5
            place = (
                x + np.cos(angle) * along - np.sin(angle) * across,
                y + np.sin(angle) * along + np.cos(angle) * across,
            )
            tangent = angle + np.arctan2(np.cos(turn) / aspect, -np.sin(turn) * aspect)
            if rng.random() < 0.8:
                found.append(_spindle(rng, style, "endothelium", *place, rng.uniform(10, 17), float(tangent)))
    return found


def _spindle(
    rng: np.random.Generator, style: Style, kind: str, x: float, y: float, radius: float, along: float
) -> Cell:
    return Cell(
        kind=kind,
        label=UNLABELLED,
        x=x,
        y=y,
        radius=radius,
        density=blue_density(rng, style),
        aspect=float(np.clip(2.0 + rng.gamma(2.0, 0.7), 2.0, 6.0)),
        angle=along + rng.normal(0, 0.25),
        roughness=rng.uniform(0.05, 0.2),
        lit_from=rng.uniform(0, 2 * np.pi),
        softness=float(rng.gamma(3.0, 0.35) + 0.6),
        bend=float(np.clip(rng.normal(0, 0.10), -0.2, 0.2)),
        brown=brown_of(rng, style),
    )


def _out_of_focus(rng: np.random.Generator, style: Style, tissue: Tissue) -> list[Cell]:
    """Nuclei of another plane of the section, blue and brown."""
    blue = _scattered(rng, tissue, 8, "out of focus", (15, 34), (0, 0))
    brown = _scattered(rng, tissue, 3 + 8 * style.ki67_index, "brown, out of focus", (15, 34), (0.1, 0.5))
    return [
        replace(cell, aspect=rng.uniform(1, 2), softness=rng.uniform(5, 9), density=density)
        for cell, density in (
            *((cell, 0.8 * blue_density(rng, style)) for cell in blue),
            *((cell, cell.density * style.stain.positive_density) for cell in brown),
        )
    ]


def _brown_stroma(rng: np.random.Generator, style: Style, tissue: Tissue) -> list[Cell]:
    """Stromal nuclei that proliferate, too."""
    expected = (5 + 34 * style.ki67_index) * float(tissue.stroma.mean())
    return [
        replace(
            cell,
            density=cell.density * style.stain.positive_density,
            aspect=rng.uniform(2.4, 4.5),
            angle=float(tissue.at(tissue.flow, [(cell.x, cell.y)])[0]) + rng.normal(0, 0.4),
            roughness=0.08,
            softness=rng.uniform(0.8, 2.5),
            hematoxylin=0.5 * style.stain.negative_density,
            halo=0.3,
            bend=float(rng.normal(0, 0.08)),
        )
        for cell in _scattered(rng, tissue, expected, "brown stroma", (11, 20), (0.2, 1.2))
    ]


def _debris(rng: np.random.Generator, tissue: Tissue) -> list[Cell]:
    """Smears of DAB, pigment and fragments of nuclei, many of them in necrosis."""
    smears = [
        replace(cell, aspect=rng.uniform(1, 3), roughness=0.20, softness=rng.uniform(5, 14))
        for cell in _scattered(rng, tissue, 1.5, "smear", (14, 45), (0.04, 0.16))
    ]
    dead = 200 * float(tissue.necrosis.mean())
    fragments = _scattered(rng, tissue, 5, "debris", (3, 11), (0.15, 1.1))
    fragments += _scattered(rng, tissue, dead, "debris", (3, 9), (0.05, 0.4), tissue.necrosis)
    return smears + [
        replace(
            cell,
            aspect=rng.uniform(1, 3),
            roughness=0.18,
            softness=rng.uniform(1, 4),
            hematoxylin=cell.density * rng.uniform(0, 1.2),
        )
        for cell in fragments
    ]


def _scattered(
    rng: np.random.Generator,
    tissue: Tissue,
    expected: float,
    kind: str,
    radius: tuple[float, float],
    density: tuple[float, float],
    where: NDArray[Any] | None = None,
) -> list[Cell]:
    """Objects anywhere in the tissue, or weighted by `where`; `expected` in a full tile."""
    radii = rng.uniform(*radius, rng.poisson(expected * tissue.area))
    return [
        Cell(kind, UNLABELLED, x, y, float(radii[i]), rng.uniform(*density), angle=rng.uniform(0, np.pi))
        for x, y, i in throw(rng, tissue.solid if where is None else where, tissue.size, radii, 0.0, [])
    ]
