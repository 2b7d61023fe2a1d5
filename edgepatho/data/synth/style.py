"""Properties that are constant within a patient: stain, optics, tumour biology."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from edgepatho.data.synth.optics import Optics, optics
from edgepatho.data.synth.stain import DOMAIN, Stain, held_out, stain

ARCHITECTURES = ("sheet", "nest", "discohesive", "cords")
MAGNIFICATION = (0.8, 1.25)
CROWDED_SHARE = 0.25  # of patients, whose nuclei touch all over the tumour
CROWDED = (110, 400)  # tumour cells a tile
# Of each of these a set of patients holds as many low values as high ones.
STRATIFIED = (
    "ki67_index",
    "tumour_cells",
    "sharpness",
    "level",
    "clarity",
    "quality",
    "magnification",
    *DOMAIN,
)


@dataclass(frozen=True)
class Style:
    """A patient's look. Lengths in pixels of a 1228 px tile at magnification 1, stain in optical density."""

    patient: int
    ki67_index: float
    tumour_cells: float  # expected a tile
    diameter_px: float
    size_variation: float
    aspect: float
    vesicular_share: float
    texture: str  # of chromatin, a key of nuclei.TEXTURES
    tils: float  # expected a tile
    architecture: str
    packing: float  # of the nuclei in the tumour; 1 leaves no room for another
    closeness: float  # least distance of two nuclei over the sum of their radii
    stroma: float  # how many fibroblasts, relative
    cytoplasm: float
    weak_share: float  # of immunopositive nuclei that are barely brown
    brown_share: float  # of other nuclei with a brown rim, specks, a halo, or faintly brown
    diffuse_dab: float
    first_field: int
    magnification: float
    stain: Stain
    optics: Optics


def patient_style(seed: int, patient: int, patients: int) -> Style:
    """Return the style of `patient` (1-based) of a set of `patients`.

    What `STRATIFIED` names is stratified over the set, so that few patients span the clinical range and the
    domain of stains and cameras. Stains of the held-out laboratories are left out.
    """
    rng = np.random.default_rng([seed, 101, patient])
    share = {
        name: _stratum(seed, stream, patient, patients, rng)
        for stream, name in enumerate(STRATIFIED, start=11)
    }
    index = float(np.clip(stats.beta.ppf(share["ki67_index"], 1.2, 2.5), 0.02, 0.90))
    cells = _tumour_cells(share["tumour_cells"])
    diameter = float(np.clip(60 * (72 / cells) ** 0.28 * np.exp(rng.normal(0, 0.10)), 42, 86))
    architecture = str(rng.choice(ARCHITECTURES, p=[0.35, 0.35, 0.12, 0.18]))
    loose = architecture == "discohesive"
    low, high = MAGNIFICATION
    return Style(
        patient=patient,
        ki67_index=index,
        tumour_cells=cells,
        diameter_px=diameter,
        size_variation=rng.uniform(0.10, 0.28),
        aspect=rng.uniform(1.15, 1.6),
        vesicular_share=rng.beta(2.2, 1.0),
        texture="plain",
        tils=float(np.clip(rng.gamma(1.0, 1.9), 0.1, 9)),
        architecture=architecture,
        packing=rng.uniform(0.25, 0.45) if loose else rng.uniform(0.65, 0.95),
        closeness=rng.uniform(0.74, 0.9),
        stroma=rng.uniform(0.4, 1.2),
        cytoplasm=rng.uniform(0.03, 0.09),
        weak_share=rng.uniform(0.15, 0.55),
        brown_share=rng.uniform(0.02, 0.3),
        diffuse_dab=float(rng.gamma(1.2, 0.013)),
        first_field=int(rng.integers(100, 330)),
        magnification=float(low * (high / low) ** share["magnification"]),
        stain=_seen_stain(rng, share),
        optics=optics(rng, **{name: share[name] for name in ("sharpness", "level", "clarity", "quality")}),
    )


def _tumour_cells(share: float) -> float:
    """Tumour cells a tile at `share` of the patients in order of it: as in SHIDC, then crowded ones."""
    crowded = (share - (1 - CROWDED_SHARE)) / CROWDED_SHARE
    if crowded >= 0:
        low, high = CROWDED
        return float(low * (high / low) ** crowded)
    return float(np.clip(68 * np.exp(0.45 * stats.norm.ppf(share / (1 - CROWDED_SHARE))), 18, 190))


def _stratum(seed: int, stream: int, patient: int, patients: int, rng: np.random.Generator) -> float:
    """A share 0..1 of a range: that of the patient's place in a random order, somewhere in its middle."""
    order = np.random.default_rng([seed, stream]).permutation(patients)
    return float((order[patient - 1] + rng.uniform(0.15, 0.85)) / patients)


def _seen_stain(rng: np.random.Generator, share: dict[str, float]) -> Stain:
    """The stain at `share` of the domain; near a held-out one its DAB is drawn again."""
    blueness = rng.uniform(0.6, 1.1)
    while held_out(drawn := stain({name: DOMAIN[name].at(share[name]) for name in DOMAIN}, blueness)):
        share = share | {"dab_hue": rng.uniform()}
    return drawn
