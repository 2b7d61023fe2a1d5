"""Cells from heat maps: threshold, distance transform, peaks, watershed, centroid of each region.

The steps of PathoNet's own pipeline (Negahbani et al. 2021), with the region's centroid instead of the centre
of its smallest enclosing circle. The device does the same in C; a test checks that both agree.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

MIN_DISTANCE_PX = 5
Points = NDArray[np.float64]  # [cells, 2]: x (column), y (row)


def find(heat: NDArray[np.float32], thresholds: Sequence[float]) -> list[Points]:
    """Return the cells of each class in `heat` [height, width, classes], in raster order of their peaks.

    A pixel belongs to a cell where `heat >= threshold`; x and y are means over the region's pixels.
    """
    return [centroids(regions(heat[..., at] >= threshold)) for at, threshold in enumerate(thresholds)]


def regions(mask: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Return `mask` [height, width] divided into one region per peak, labelled 1, 2, ...; 0 elsewhere.

    Peaks are maxima of the Euclidean distance to the background, at least MIN_DISTANCE_PX apart in x or
    in y; the borders between regions are those of the watershed.
    """
    from scipy import ndimage
    from skimage.feature import peak_local_max
    from skimage.segmentation import watershed

    if not mask.any():
        return np.zeros(mask.shape, np.int32)
    distance = ndimage.distance_transform_edt(mask)
    peaks = peak_local_max(
        distance, min_distance=MIN_DISTANCE_PX, exclude_border=False, labels=mask.astype(np.int32)
    )
    markers = np.zeros(mask.shape, np.int32)
    ordered = peaks[np.lexsort((peaks[:, 1], peaks[:, 0]))]
    markers[tuple(ordered.T)] = np.arange(1, len(ordered) + 1)
    labels: NDArray[np.int32] = watershed(-distance, markers, mask=mask)
    return labels


def centroids(labels: NDArray[np.int32]) -> Points:
    """Return the mean x and y of the pixels of each label from 1 on, [labels, 2]."""
    y, x = np.nonzero(labels)
    which = labels[y, x]
    size = np.bincount(which)[1:]
    return np.stack([np.bincount(which, x)[1:] / size, np.bincount(which, y)[1:] / size], axis=1)
