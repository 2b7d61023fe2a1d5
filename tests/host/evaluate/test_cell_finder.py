"""The cell finder against scipy and scikit-image, step by step, and on shapes with known cells."""

import numpy as np
import pytest
from scipy import ndimage
from skimage.feature import peak_local_max
from skimage.measure import regionprops
from skimage.segmentation import watershed

from edgepatho.evaluate import cells, published_protocol


def blobs(seed: int, number: int, size: int = 128) -> np.ndarray:
    """A heat map of Gaussian blobs, many of which overlap."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size]
    heat = np.zeros((size, size), np.float32)
    for cx, cy in rng.uniform(0, size, (number, 2)):
        heat = np.maximum(heat, 255 * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / rng.uniform(10, 40)))
    return heat.astype(np.float32)


def published_steps(heat: np.ndarray, threshold: float) -> list[tuple[float, float]]:
    """PathoNet's pipeline as published, but with regionprops' centroid at the end."""
    image = np.where(heat < threshold, 0, 255).astype(np.uint8)
    distance = ndimage.distance_transform_edt(image)
    peaks = peak_local_max(distance, min_distance=5, exclude_border=False, labels=(image > 0).astype(int))
    local = np.zeros(image.shape, bool)
    local[tuple(peaks.T)] = True
    markers, _ = ndimage.label(local, structure=np.ones((3, 3)))
    labels = watershed(-distance, markers, mask=image)
    return [region.centroid[::-1] for region in regionprops(labels)]


@pytest.mark.parametrize("seed", range(6))
def test_cells_match_the_published_steps(seed):
    heat = blobs(seed, number=60)
    found = cells.candidates(np.stack([heat, heat / 2, heat * 0], axis=-1), (60, 55, 40))
    assert [len(points) for points in found] == [
        len(published_steps(heat, 60)),
        len(published_steps(heat / 2, 55)),
        0,
    ]
    assert len(found[0]) > 20
    np.testing.assert_allclose(sorted(map(tuple, found[0])), sorted(published_steps(heat, 60)), atol=1e-9)
    np.testing.assert_allclose(sorted(map(tuple, found[1])), sorted(published_steps(heat / 2, 55)), atol=1e-9)


def test_touching_discs_are_two_cells_at_their_centres():
    y, x = np.mgrid[:40, :60]
    mask = ((x - 20) ** 2 + (y - 20) ** 2 <= 64) | ((x - 34) ** 2 + (y - 20) ** 2 <= 64)
    found = cells.find((100.0 * mask[..., None]).astype(np.float32), (50,))[0]
    np.testing.assert_allclose(found, [[20, 20], [34, 20]], atol=0.5)


def test_a_value_equal_to_the_threshold_belongs_to_a_cell():
    heat = np.zeros((16, 16, 1), np.float32)
    heat[4:7, 8:11] = 60
    assert cells.find(heat, (60,))[0].tolist() == [[9, 5]]
    assert cells.find(heat, (60.001,))[0].shape == (0, 2)


def test_the_published_protocol_takes_the_enclosing_circle():
    heat = np.zeros((32, 32, 3), np.float32)
    heat[10:15, 4:9, 0] = 100  # a square with a tail: circle centre and centroid differ
    heat[12, 9:13, 0] = 100
    (centroid,) = cells.find(heat, (60, 55, 40))[0]
    (circle,) = published_protocol.find(heat)[0]
    assert circle[0] == pytest.approx(7.8, abs=0.3)
    assert centroid[0] == pytest.approx((25 * 6 + 4 * 10.5) / 29)
