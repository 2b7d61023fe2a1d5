"""Properties that are constant within a patient: stain, optics, tumour biology."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

# Optical density of R, G, B for one unit of stain. Hematoxylin as measured on Ki-67 images (more green than
# Ruifrok & Johnston 2001, Anal Quant Cytol Histol 23); DAB between a reddish and an orange brown.
HEMATOXYLIN = np.array([0.62, 0.725, 0.295])
FADED_HEMATOXYLIN = np.array([-0.10, -0.02, 0.14])  # what an old or over-blued stain adds
DAB_RED = np.array([0.34, 0.59, 0.73])
DAB_ORANGE = np.array([0.19, 0.47, 0.86])
MATRIX = np.array([0.46, 0.58, 0.67])  # unspecific grey-beige of cytoplasm and stroma
ARCHITECTURES = ("sheet", "nest", "discohesive", "cords")


@dataclass(frozen=True)
class Style:
    """A patient's look. Lengths in pixels of a 1228 px tile, stain in optical density."""

    patient: int
    ki67_index: float
    tumour_cells: float  # expected a tile
    diameter_px: float
    size_variation: float
    aspect: float
    vesicular_share: float
    tils: float  # expected a tile
    architecture: str
    hematoxylin: NDArray[Any]
    dab: NDArray[Any]
    matrix: NDArray[Any]
    hematoxylin_gain: float
    dab_gain: float
    background_rgb: NDArray[Any]
    stray_light: NDArray[Any]
    blur_px: float
    colour_shift_px: float
    colour_shift_angle: float
    membranes: float
    cytoplasm: float
    weak_share: float  # of immunopositive nuclei that are barely brown
    blush_share: float  # of immunonegative nuclei that are faintly brown
    diffuse_dab: float
    first_field: int
    light: NDArray[Any]


def patient_style(seed: int, patient: int, patients: int) -> Style:
    """Return the style of `patient` (1-based) of a set of `patients`.

    Ki-67 index and cell density are stratified over the set, so that few patients span the clinical range.
    """
    rng = np.random.default_rng([seed, 101, patient])

    def stratum(stream: int, margin: float) -> float:
        order = np.random.default_rng([seed, stream]).permutation(patients)
        return float((order[patient - 1] + rng.uniform(margin, 1 - margin)) / patients)

    index = float(np.clip(stats.beta.ppf(stratum(11, 0.15), 1.2, 2.5), 0.02, 0.90))
    cells = float(np.clip(62 * np.exp(0.50 * stats.norm.ppf(stratum(12, 0.2))), 18, 190))
    diameter = float(np.clip(62 * (72 / cells) ** 0.28 * np.exp(rng.normal(0, 0.12)), 42, 92))
    orange = rng.beta(1.1, 1.7)
    yellow = rng.uniform(-1, 1)
    return Style(
        patient=patient,
        ki67_index=index,
        tumour_cells=cells,
        diameter_px=diameter,
        size_variation=rng.uniform(0.16, 0.36),
        aspect=rng.uniform(1.2, 1.8),
        vesicular_share=rng.beta(1.5, 1.3),
        tils=float(np.clip(rng.gamma(1.0, 1.9), 0.1, 9)),
        architecture=str(rng.choice(ARCHITECTURES, p=[0.4, 0.3, 0.2, 0.1])),
        hematoxylin=_unit(HEMATOXYLIN + rng.normal(0, 0.05, 3) + rng.uniform(0, 1) * FADED_HEMATOXYLIN),
        dab=_unit((1 - orange) * DAB_RED + orange * DAB_ORANGE + rng.normal(0, 0.012, 3)),
        matrix=_unit(MATRIX + rng.normal(0, 0.03, 3)),
        hematoxylin_gain=rng.uniform(0.5, 1.15),
        dab_gain=rng.uniform(0.55, 1.25),
        background_rgb=np.array([236, 232, 206])
        + np.array([1.5, 0.3, -7.5]) * yellow
        + rng.normal(0, 2.5)
        + rng.normal(0, 1.5, 3),
        stray_light=np.array([0.15, 0.085, 0.095]) * rng.uniform(0.75, 1.2),
        blur_px=rng.uniform(0.95, 1.65),
        colour_shift_px=rng.uniform(0.5, 1.8),
        colour_shift_angle=rng.uniform(0, 2 * np.pi),
        membranes=rng.uniform(0.12, 0.34),
        cytoplasm=rng.uniform(0.035, 0.09),
        weak_share=rng.uniform(0.10, 0.40),
        blush_share=rng.uniform(0.05, 0.5),
        diffuse_dab=float(rng.gamma(1.4, 0.025)),
        first_field=int(rng.integers(100, 330)),
        light=rng.uniform(-0.5, 0.5, 2),
    )


def _unit(vector: NDArray[Any]) -> NDArray[Any]:
    unit: NDArray[Any] = vector / np.linalg.norm(vector)
    return unit
