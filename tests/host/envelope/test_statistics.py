"""Statistics of pictures against SciPy, and against pictures whose figures are known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from edgepatho.envelope import colour, statistics

HEMATOXYLIN, DAB = np.array([0.65, 0.70, 0.29]), np.array([0.27, 0.57, 0.78])
PAPER = 230


def stained(*layers: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """A picture of amounts [h, w] of stain, each with its direction of optical density."""
    density = sum(amount[..., None] * direction for amount, direction in layers)
    return np.rint(PAPER * 10**-density).astype(np.uint8)


def discs(radius: float, spacing: int = 32, size: int = 128, hollow: float = 0) -> np.ndarray:
    """1 in discs on a grid, 0 elsewhere and within `hollow` of their centres."""
    y, x = np.mgrid[:size, :size] % spacing - spacing // 2
    away = np.hypot(y, x)
    return ((away <= radius) & (away >= hollow)).astype(float)


def nuclei(radius: float = 5) -> np.ndarray:
    """Blue nuclei, every second one brown."""
    row, column = np.mgrid[:128, :128] // 32
    brown = discs(radius) * ((row + column) % 2)
    return stained((0.3 * (discs(radius) - brown), HEMATOXYLIN), (0.9 * brown, DAB))


def of(picture: np.ndarray) -> dict:
    return statistics.of_picture(picture, colour.colour(picture))


def test_background_and_median_density_agree_with_scipy():
    picture = np.random.default_rng(0).integers(20, 250, (60, 70, 3), np.uint8)
    means = ndimage.uniform_filter(picture.astype(float), (3, 3, 1), mode="nearest")
    light = np.percentile(means.reshape(-1, 3), 97, axis=0, method="inverted_cdf")
    density = np.linalg.norm(np.maximum(np.log10(light / means), 0), axis=2)
    found = of(picture)
    assert found["background"] == pytest.approx(light.min())
    assert found["density"] == pytest.approx(np.median(density), abs=0.002)
    assert found["tissue"] == pytest.approx((density > 0.06).mean(), abs=1e-3)


def test_sharpness_agrees_with_scipy():
    picture = np.random.default_rng(1).integers(0, 256, (50, 40, 3), np.uint8)
    grey = picture @ np.array([77, 150, 29]) / 256
    laplacian = ndimage.laplace(grey)[1:-1, 1:-1]
    assert of(picture)["sharpness"] == pytest.approx(laplacian.var() / grey.var(), rel=1e-3)


def test_a_blurred_picture_is_less_sharp():
    sharp = nuclei()
    blurred = ndimage.gaussian_filter(sharp, (2, 2, 0))
    assert of(blurred)["sharpness"] < 0.2 * of(sharp)["sharpness"]


def test_stains_are_found_with_their_directions():
    found = of(nuclei(7))
    for name, direction in (("hematoxylin", HEMATOXYLIN), ("dab", DAB)):
        assert np.dot(found[name], direction / np.linalg.norm(direction)) > np.cos(np.radians(2))
    assert found["dab_to_hematoxylin"] == pytest.approx(3, rel=0.1)


@pytest.mark.parametrize(
    ("picture", "missing"),
    [
        (stained((0.3 * discs(5), HEMATOXYLIN)), "dab"),
        (stained((0.9 * discs(5), DAB)), "hematoxylin"),
    ],
    ids=["hematoxylin only", "DAB only"],
)
def test_a_stain_that_is_not_there_has_no_direction(picture, missing):
    found = of(picture)
    assert found[missing] is None
    assert found["dab_to_hematoxylin"] is None
    assert found[f"{missing}_area"] == 0


def test_a_grey_picture_has_no_saturation_and_glass_none_at_all():
    grey = np.repeat(nuclei().mean(axis=2, keepdims=True), 3, axis=2).astype(np.uint8)
    assert of(grey)["saturation"] == 0
    glass = of(np.full((40, 40, 3), PAPER, np.uint8))
    assert glass["tissue"] == 0
    assert glass["saturation"] is glass["sharpness"] is glass["hematoxylin"] is None


def test_nuclei_have_a_core_and_membranes_have_none():
    full, rims = (stained((0.9 * discs(8, hollow=hollow), DAB)) for hollow in (0, 7))
    assert of(full)["brown_core_pale"] > 0.5
    assert of(rims)["brown_core_pale"] < 0.05


def test_a_core_agrees_with_binary_erosion():
    generator = np.random.default_rng(2)
    ground = ndimage.gaussian_filter(generator.random((90, 90)), 3)
    picture = stained((np.maximum(ground - np.median(ground), 0) * 20, DAB))
    seen = colour.colour(picture)
    cross = np.zeros((5, 5), bool)
    cross[[2, 0, 4, 2, 2], [2, 2, 2, 0, 4]] = True
    brown = seen.brown & (seen.density[..., 2] > 0.3)
    eroded = ndimage.binary_erosion(brown, cross)
    assert statistics.of_picture(picture, seen)["brown_core_dense"] == eroded.sum() / brown.sum()


@pytest.mark.parametrize("radius", [4, 6, 8])
def test_the_diameter_of_nuclei_is_measured_around_their_centres(radius):
    seen = colour.colour(nuclei(radius))
    y, x = np.mgrid[16:128:32, 16:128:32]
    found = statistics.of_cells(seen, np.column_stack([x.ravel(), y.ravel()]).astype(float))
    assert found["nucleus_px"] == pytest.approx(2 * radius, abs=1.2)
    assert found["brown_rim"] < 0.3


def test_brown_around_nuclei_is_a_rim():
    blue, rims = discs(5), discs(8, hollow=6.5)
    seen = colour.colour(stained((0.3 * blue, HEMATOXYLIN), (0.9 * rims, DAB)))
    y, x = np.mgrid[16:128:32, 16:128:32]
    assert statistics.of_cells(seen, np.column_stack([x.ravel(), y.ravel()]).astype(float))["brown_rim"] > 0.9


def test_too_few_cells_give_nothing():
    seen = colour.colour(nuclei())
    assert set(statistics.of_cells(seen, np.ones((4, 2))).values()) == {None}


def test_doubtful_heat_is_between_half_a_threshold_and_the_threshold():
    heat = np.array([[[10, 30, 0], [20, 40, 0]], [[60, 0, 0], [5, 5, 19.9]]], np.float32)
    assert statistics.doubtful_heat(heat, [20, 40, 40]) == pytest.approx(2 / 5)
    assert statistics.doubtful_heat(np.zeros((2, 2, 3), np.float32), [20, 40, 40]) is None


def test_colours_outside_the_table_are_unseen():
    seen = colour.colour(nuclei(7))
    counts = colour.table(seen)
    assert counts.sum() == seen.stained.sum()
    assert statistics.unseen_colours(seen, counts > 0) == 0
    assert statistics.unseen_colours(seen, np.zeros(colour.TABLE, bool)) == 1


def test_a_few_pixels_of_dab_in_strange_colours_count_as_all_of_it():
    picture = np.full((60, 60, 3), 240, np.uint8)
    picture[5:50, 5:50] = (100, 110, 200)
    usual = colour.table(colour.colour(picture)) > 0
    picture[52:57, 20:40] = (200, 40, 120)  # red, in 3 % of the pixels
    seen = colour.colour(picture)
    share = statistics.unseen_colours(seen, usual)
    assert share == statistics.unseen_shares(colour.table(seen), statistics.stain_pixels(seen), usual).max()
    assert share > 0.9 > 0.1 > 1 - colour.table(seen)[usual].sum() / seen.stained.sum()
