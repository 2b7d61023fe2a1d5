"""Six laboratories that training never sees: to measure accuracy on unfamiliar tissue.

A and B are within the domain of stains, each in a hole that training leaves: stain, background and
sharpness are those of two real laboratories. C and D have a tissue architecture and a texture of chromatin
that training never paints. E and F are 20 % beyond the domain, in the hue of the hematoxylin and in that of
the DAB.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from edgepatho.data.synth.stain import BEIGE, DOMAIN, HELD_OUT, Stain, between, stain, unit
from edgepatho.data.synth.style import Style, patient_style

PATIENTS, TILES = 8, 3  # 24 tiles of each laboratory
BEYOND = 1.2
PATIENT_DEGREES = 0.7  # deviation of a patient's hues from the laboratory's, in each direction
PATIENT_SPREAD = 0.12  # of a patient's densities, as the deviation of their logarithm


@dataclass(frozen=True)
class Laboratory:
    """What sets a laboratory apart; what is not given is drawn from the domain, once for all its patients."""

    seed: int
    stain: Stain | None = None
    shares: dict[str, float] = field(default_factory=dict)  # of ranges of DOMAIN
    optics: dict[str, Any] = field(default_factory=dict)  # fields of Optics
    tissue: dict[str, Any] = field(default_factory=dict)  # fields of Style


def _stain_of(name: str, negative_density: float, positive_density: float) -> Stain:
    hematoxylin, dab = HELD_OUT[name]
    return Stain(hematoxylin, dab, between(BEIGE, hematoxylin, 0.8), negative_density, positive_density)


def _scanner(red: int, green: int, blue: int, noise: float) -> dict[str, Any]:
    return {
        "background_rgb": np.array([red, green, blue], float),
        "stray_light": np.full(3, 0.004),
        "blur_px": 0.7,
        "sharpening": 1.0,
        "noise": noise,
    }


LABORATORIES = {
    "A": Laboratory(201, _stain_of("A", 0.16, 1.75), optics=_scanner(221, 217, 209, 8.5)),
    "B": Laboratory(202, _stain_of("B", 0.24, 0.60), optics=_scanner(218, 230, 221, 8.0)),
    "C": Laboratory(203, tissue={"architecture": "glands", "texture": "punctate"}),
    "D": Laboratory(204, tissue={"architecture": "files", "texture": "vacuolated"}),
    "E": Laboratory(205, shares={"hematoxylin_hue": BEYOND}),
    "F": Laboratory(206, shares={"dab_hue": BEYOND}),
}


def laboratory_style(name: str, patient: int) -> Style:
    """Return the style of `patient` (1-based, of 8) of a laboratory of `LABORATORIES`."""
    laboratory = LABORATORIES[name]
    style = patient_style(laboratory.seed, patient, PATIENTS)
    rng = np.random.default_rng([laboratory.seed, 103, patient])
    usual = laboratory.stain or _drawn(laboratory)
    hematoxylin, dab = (
        unit(*(direction + np.radians(PATIENT_DEGREES) * rng.standard_normal(3)))
        for direction in (usual.hematoxylin, usual.dab)
    )
    negative, positive = np.exp(PATIENT_SPREAD * rng.standard_normal(2))
    own = replace(
        usual,
        hematoxylin=hematoxylin,
        dab=dab,
        negative_density=usual.negative_density * negative,
        positive_density=usual.positive_density * positive,
    )
    return replace(
        style,
        stain=own,
        optics=replace(style.optics, **laboratory.optics),
        **laboratory.tissue,
    )


def _drawn(laboratory: Laboratory) -> Stain:
    """A stain from the middle of the domain, but for the laboratory's own shares."""
    rng = np.random.default_rng([laboratory.seed, 102])
    shares = {name: rng.uniform(0.2, 0.8) for name in DOMAIN} | laboratory.shares
    return stain({name: DOMAIN[name].at(share) for name, share in shares.items()}, rng.uniform(0.6, 1.0))
