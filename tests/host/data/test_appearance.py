"""Random looks: stain separation as scikit-image does it, and bounds that keep pictures plausible."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage
from skimage import color

from edgepatho.data import appearance, stain
from edgepatho.data.appearance import Appearance
from edgepatho.data.stain import Staining

PRESENT = Staining(stain.unit(stain.HEMATOXYLIN), stain.unit(stain.DAB), np.array([228.0, 224.0, 212.0]))
WHITE = replace(PRESENT, background=np.full(3, 255.0))


@pytest.fixture
def rng():
    return np.random.default_rng(8)


def painted(rng, stains, shape=(128, 128)):
    """A picture of pixels with hematoxylin, DAB or neither."""
    amounts = np.zeros((*shape, 3))
    kind = rng.integers(0, 3, shape)
    for number in (0, 1):
        amounts[..., number] = (kind == number) * rng.uniform(0.2, 1.2, shape)
    picture = stains.background * np.exp(-amounts @ stains.matrix())
    return np.rint(picture).astype(np.uint8)


def test_no_change_of_look_changes_no_pixel(rng):
    image = rng.integers(0, 256, (64, 64, 3), np.uint8)
    changed = Appearance(PRESENT).of(image, PRESENT, rng).astype(int)
    np.testing.assert_array_equal(np.maximum(changed, 1), np.maximum(image, 1))  # black has no density


def test_stains_are_separated_and_combined_as_in_scikit_image(rng):
    amounts = np.zeros((40, 40, 3))
    amounts[..., :2] = rng.uniform(0, 0.12, (40, 40, 2))  # scikit-image's unit is 13.8 of optical density
    image = np.rint(255 * color.combine_stains(amounts, color.rgb_from_hdx)).astype(np.uint8)
    for _ in range(5):
        look = appearance.draw(WHITE, rng)
        new = replace(look.stains, background=WHITE.background)
        amounts = color.separate_stains(image, np.linalg.inv(WHITE.matrix()))
        expected = color.combine_stains(amounts * [*look.gains, 1], new.matrix())
        changed = stain.restained(image, WHITE, new, look.gains)
        assert np.abs(changed - 255 * expected).max() < 2.5  # separate_stains drops negative amounts


def test_stains_of_a_picture_are_measured(rng):
    for _ in range(5):
        stains = appearance.draw(PRESENT, rng).stains
        measured = stain.estimate(painted(rng, stains))
        assert np.degrees(np.arccos(measured.hematoxylin @ stains.hematoxylin)) < 2
        assert np.degrees(np.arccos(measured.dab @ stains.dab)) < 2
        np.testing.assert_allclose(measured.background, stains.background, atol=1)


def test_a_stain_that_a_picture_lacks_is_the_published_one(rng):
    empty = stain.estimate(np.full((64, 64, 3), 230, np.uint8))
    np.testing.assert_array_equal(empty.matrix(), PRESENT.matrix())
    blue = painted(rng, PRESENT)
    blue[blue[..., 0] > blue[..., 2]] = PRESENT.background
    np.testing.assert_array_equal(stain.estimate(blue).dab, PRESENT.dab)
    assert not np.array_equal(stain.estimate(blue).hematoxylin, PRESENT.hematoxylin)


def test_black_pictures_stay_finite(rng):
    black = np.zeros((32, 32, 3), np.uint8)
    changed = appearance.draw(stain.estimate(black), rng).of(black, stain.estimate(black), rng)
    assert changed.shape == black.shape


def test_background_becomes_the_drawn_background(rng):
    image = np.full((64, 64, 3), PRESENT.background, np.uint8)
    backgrounds = []
    for _ in range(30):
        look = appearance.draw(PRESENT, rng)
        changed = look.of(image, PRESENT, rng)
        assert (
            np.abs(changed.mean(axis=(0, 1)) - look.stains.background).max() < 3
        )  # the coarsest JPEG rounds chroma
        backgrounds.append(look.stains.background)
    assert np.min(backgrounds) > 175
    assert np.ptp(backgrounds, axis=0).min() > 30


def test_draws_stay_within_their_bounds(rng):
    looks = [appearance.draw(PRESENT, rng) for _ in range(200)]
    for number, name in enumerate(("hematoxylin", "dab")):
        drawn = np.array([getattr(look.stains, name) for look in looks])
        angles = np.degrees(np.arccos(drawn @ getattr(PRESENT, name)))
        np.testing.assert_allclose(np.linalg.norm(drawn, axis=1), 1)
        assert drawn.min() > 0.1  # every stain absorbs every colour
        assert 10 < angles.max() < 12.1
        gains = [look.gains[number] for look in looks]
        assert 0.65 <= min(gains) < 0.7
        assert 1.5 < max(gains) <= 1.6
        if name == "dab":
            red, green, blue = drawn.T
            assert ((red <= green) & (green <= blue)).all()
            assert np.all(np.abs((green - red) / (blue - red) - 0.55) < 0.201)
        else:
            assert (drawn[:, 2] < drawn[:, :2].min(axis=1)).all()
    qualities = [look.jpeg_quality for look in looks if look.jpeg_quality is not None]
    assert 60 <= min(qualities) < 63
    assert 95 < max(qualities) <= 98
    assert all(look.blur_px == 0 or 0.3 <= look.blur_px <= 1 for look in looks)
    assert all(look.noise == 0 or 0.5 <= look.noise <= 3 for look in looks)


def test_blur_is_a_gaussian(rng):
    image = rng.integers(0, 256, (48, 48, 3), np.uint8)
    blurred = Appearance(PRESENT, blur_px=0.8).of(image, PRESENT, rng)
    expected = ndimage.gaussian_filter(image.astype(float), (0.8, 0.8, 0), mode="mirror")
    assert np.abs(blurred - expected).max() < 1


def test_noise_has_its_standard_deviation(rng):
    image = np.full((128, 128, 3), 128, np.uint8)
    noisy = Appearance(PRESENT, noise=3.0).of(image, PRESENT, rng)
    np.testing.assert_allclose(noisy.std(axis=(0, 1)), 3, rtol=0.05)
    assert abs(np.corrcoef(noisy[..., 0].ravel(), noisy[..., 1].ravel())[0, 1]) < 0.05


def test_jpeg_keeps_colours_and_loses_detail_with_quality(rng):
    image = np.full((64, 64, 3), (180, 120, 60), np.uint8)
    image += rng.integers(0, 40, (64, 64, 1), np.uint8)
    best, worst = (Appearance(PRESENT, jpeg_quality=quality).of(image, PRESENT, rng) for quality in (98, 60))
    np.testing.assert_allclose(worst.mean(axis=(0, 1)), image.mean(axis=(0, 1)), atol=2)
    assert 0 < np.abs(best - image.astype(int)).mean() < np.abs(worst - image.astype(int)).mean()
