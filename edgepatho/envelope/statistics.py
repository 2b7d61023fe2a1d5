"""What the envelope compares of a picture: a few figures of its stain, its sharpness, its cells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepatho.envelope import colour
from edgepatho.envelope.colour import Colour, Float64

STRENGTHS_PER_UNIT = 500  # bins of the histograms of strength
HUES_PER_UNIT = 128  # of those of u and v
MOST_WEIGHT = 0.5  # a pixel's weight in a stain's direction is its strength, at most this
STAIN_SHARE = 0.001  # of the pixels that a stain needs to be measured
# Brown of at least this density in blue, and the share of the pixels that it needs to be measured.
BROWN = {"brown_core_pale": (0.15, 0.02), "brown_core_dense": (0.3, 0.01)}
CORE_PX = 2  # a brown pixel is core if it has brown at this distance on all four sides
LUMINANCE = (77, 150, 29)  # of R, G, B, in 256ths (ITU-R BT.601)
RADIUS_PX = 12  # of the profile around cells
INSIDE, AROUND = slice(0, 4), slice(6, 10)  # rings of 1 px around a cell's centre
LEAST_BROWN = 0.02  # density of a cell's inside and surroundings together
MIN_CELLS = 5


def of_picture(picture: NDArray[np.uint8], seen: Colour) -> dict[str, Any]:
    """Return the statistics of `picture` uint8 [h, w, 3] by name, None where there is too little to measure.

    Apart from `hematoxylin` and `dab`, directions of optical density, each is a number (docs/envelope.md).
    """
    pixels = seen.strength.size
    strong = seen.strength[seen.stained]
    owners = {"hematoxylin": seen.blue, "dab": ~seen.blue}
    enough = {name: own.any() and own.sum() >= STAIN_SHARE * pixels for name, own in owners.items()}
    ratio = None
    if all(enough.values()):
        blue, brown = (_percentile(strong[own], 0.95) for own in owners.values())
        ratio = brown / blue
    return {
        "background": float(seen.background.min()),
        "density": _percentile(seen.strength.ravel(), 0.5),
        "tissue": strong.size / pixels,
        "hematoxylin_area": np.count_nonzero(seen.blue) / pixels,
        "dab_area": np.count_nonzero(seen.brown & (seen.density[..., 2] > BROWN["brown_core_pale"][0]))
        / pixels,
        "saturation": float(np.hypot(seen.u, seen.v).mean()) if strong.size else None,
        "dab_to_hematoxylin": ratio,
        **{name: _core(seen, *limits) for name, limits in BROWN.items()},
        "sharpness": _sharpness(picture),
        **{name: _direction(seen, own, strong) if enough[name] else None for name, own in owners.items()},
    }


def unseen_colours(seen: Colour, known: NDArray[np.bool_]) -> float | None:
    """Return the share of a stain's pixels outside the colours `known` [5, 32, 32]; None without any stain.

    Of hematoxylin or of DAB, whichever has the greater share, of those with enough pixels to be measured.
    """
    shares = unseen_shares(colour.table(seen), stain_pixels(seen), known)
    return None if np.isnan(shares).all() else float(np.nanmax(shares))


def stain_pixels(seen: Colour) -> Float64:
    """Return the pixels of hematoxylin and of DAB, [2]; NaN for too few to be measured."""
    counts = np.array([np.count_nonzero(seen.blue), np.count_nonzero(~seen.blue)], float)
    return np.where(counts < max(1, STAIN_SHARE * seen.strength.size), np.nan, counts)


def unseen_shares(table: NDArray[np.int64], pixels: Float64, known: NDArray[np.bool_]) -> Float64:
    """Return the shares of hematoxylin's and DAB's `pixels` [..., 2] that the `table` has not as `known`."""
    seen = (table * known).sum(axis=(-3, -1))  # by u
    blue, brown = seen[..., colour.FIRST_BLUE :].sum(axis=-1), seen[..., : colour.FIRST_BLUE].sum(axis=-1)
    shares: Float64 = 1 - np.stack([blue, brown], axis=-1) / pixels
    return shares


def of_cells(seen: Colour, cells: Float64) -> dict[str, float | None]:
    """Return `nucleus_px` and `brown_rim` around `cells` [n, 2] (x, y); None for fewer than 5 cells.

    `nucleus_px` is the diameter at which the mean density has halved between its peak near the centre and
    its least value up to 12 px; `brown_rim` the brown at 6 to 9 px over that and the brown within 3 px.
    """
    if len(cells) < MIN_CELLS:
        return {"nucleus_px": None, "brown_rim": None}
    profile, counts = _profile(seen.strength, cells)
    peak = int(profile[:4].argmax())
    half = (profile[peak] + profile[peak:].min()) / 2
    diameter = None
    for ring in range(peak, RADIUS_PX):
        if profile[ring + 1] < half:
            part = float((profile[ring] - half) / (profile[ring] - profile[ring + 1]))
            diameter = 2 * (ring + part)
            break
    brown, _ = _profile(np.where(seen.brown, seen.strength, 0), cells)
    inside, around = (
        float((brown[rings] * counts[rings]).sum() / max(counts[rings].sum(), 1))
        for rings in (INSIDE, AROUND)
    )
    total = inside + around
    return {"nucleus_px": diameter, "brown_rim": around / total if total >= LEAST_BROWN else None}


def doubtful_heat(heat: NDArray[np.float32], thresholds: Sequence[float]) -> float | None:
    """Return the share of the heat [h, w, classes] above half the thresholds that is below them."""
    levels = np.asarray(thresholds, np.float32)
    above_half = np.count_nonzero(heat >= levels / 2)
    return 1 - np.count_nonzero(heat >= levels) / above_half if above_half else None


def _profile(values: Float64, cells: Float64) -> tuple[Float64, Float64]:
    """The mean of `values` [h, w] in rings of 1 px around all `cells`, and the rings' pixels, [13] each."""
    reach = np.arange(-RADIUS_PX, RADIUS_PX + 1)
    rings = np.floor(np.sqrt(reach[:, None] ** 2 + reach**2) + 0.5).astype(int)
    sums, counts = np.zeros(RADIUS_PX + 1), np.zeros(RADIUS_PX + 1)
    padded = np.pad(values, RADIUS_PX, constant_values=np.nan)
    for x, y in np.floor(cells + 0.5).astype(int):
        around = padded[y : y + len(reach), x : x + len(reach)]
        used = (rings <= RADIUS_PX) & ~np.isnan(around)
        sums += np.bincount(rings[used], around[used], RADIUS_PX + 1)
        counts += np.bincount(rings[used], minlength=RADIUS_PX + 1)
    return sums / np.maximum(counts, 1), counts


def _percentile(values: Float64, share: float) -> float:
    """The middle of the first bin of strength up to which `share` of `values` lie."""
    reached = np.cumsum(np.bincount((values * STRENGTHS_PER_UNIT).astype(int)))
    return float((np.searchsorted(reached, share * values.size) + 0.5) / STRENGTHS_PER_UNIT)


def _direction(seen: Colour, own: NDArray[np.bool_], strong: Float64) -> list[float]:
    weights = (np.minimum(strong[own], MOST_WEIGHT) * 1000).astype(int)
    return colour.direction(*(_weighted_median(hue[own], weights) for hue in (seen.u, seen.v)))


def _weighted_median(hues: Float64, weights: NDArray[np.int64]) -> float:
    """The middle of the first bin of hue up to which half of `weights` lie."""
    bins = np.floor(hues * HUES_PER_UNIT).astype(int)
    reached = np.cumsum(np.bincount(bins - bins.min(), weights))
    return float((bins.min() + np.searchsorted(reached, reached[-1] / 2) + 0.5) / HUES_PER_UNIT)


def _core(seen: Colour, least_density: float, least_share: float) -> float | None:
    """The share of brown that has brown on all four sides: high in nuclei, low in membranes."""
    brown = seen.brown & (seen.density[..., 2] > least_density)
    count = np.count_nonzero(brown)
    if not count or count < least_share * brown.size:
        return None
    height, width = brown.shape
    padded = np.pad(brown, CORE_PX)
    core = brown.copy()
    for y, x in ((0, CORE_PX), (2 * CORE_PX, CORE_PX), (CORE_PX, 0), (CORE_PX, 2 * CORE_PX)):
        core &= padded[y : y + height, x : x + width]
    return np.count_nonzero(core) / count


def _sharpness(picture: NDArray[np.uint8]) -> float | None:
    """The variance of the Laplacian over the variance, of luminance; exact sums of integers."""
    grey = picture.astype(np.int64) @ np.array(LUMINANCE) >> 4
    if min(grey.shape) < 3 or grey.min() == grey.max():
        return None
    middle = grey[1:-1, 1:-1]
    laplacian = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:] - 4 * middle
    return _variance(laplacian) / _variance(grey)


def _variance(values: NDArray[np.int64]) -> float:
    mean = int(values.sum()) / values.size
    return int((values**2).sum()) / values.size - mean * mean
