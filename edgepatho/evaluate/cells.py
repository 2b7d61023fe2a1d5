"""Cells from heat maps: threshold, distance transform, peaks, watershed, centroid of each region.

The steps of PathoNet's own pipeline (Negahbani et al. 2021), with the region's centroid instead of the centre
of its smallest enclosing circle. Cells of two classes at one place are one cell. The device does the same in
C and plain Python; a test checks that both agree.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

MIN_DISTANCE_PX = 5
ONE_CLASS_PX = 3.0  # cells of two classes at most this far apart are one
ONE_CELL_ONE_CLASS = f"the class of the highest heat / threshold within {ONE_CLASS_PX:g} px"
Points = NDArray[np.float64]  # [cells, 2]: x (column), y (row)


def find(heat: NDArray[np.float32], thresholds: Sequence[float]) -> list[Points]:
    """Return the cells of each class in `heat` [height, width, classes], in raster order of their peaks.

    A pixel belongs to a cell where `heat >= threshold`; x and y are means over the region's pixels. Where
    cells of several classes are one, `one_class` keeps one of them.
    """
    return one_class(candidates(heat, thresholds), heat, thresholds)


def candidates(heat: NDArray[np.float32], thresholds: Sequence[float]) -> list[Points]:
    """Return the cells of each class on its own; cells of two classes may be at one place."""
    return [centroids(regions(heat[..., at] >= threshold)) for at, threshold in enumerate(thresholds)]


def one_class(found: list[Points], heat: NDArray[np.float32], thresholds: Sequence[float]) -> list[Points]:
    """Return `found` without cells that have a more certain one of another class within ONE_CLASS_PX.

    Certainty is the heat of a cell's class at its centre, divided by the class' threshold. The most certain
    cell is kept first, of equal ones that of the earlier class; a cell that was left out excludes no other.
    """
    from scipy.spatial import KDTree

    places = np.concatenate(found)
    kinds = np.repeat(np.arange(len(found)), [len(points) for points in found])
    column, row = np.floor(places + 0.5).astype(int).T
    height, limit = heat[row, column, kinds].astype(float), np.asarray(thresholds, float)[kinds]
    certainty = np.divide(height, limit, out=np.full(len(places), np.inf), where=limit > 0)
    pairs = KDTree(places).query_pairs(ONE_CLASS_PX + 1, output_type="ndarray")  # + 1: the line below decides
    close = np.sum((places[pairs[:, 0]] - places[pairs[:, 1]]) ** 2, axis=-1) <= ONE_CLASS_PX**2
    pairs = pairs[close & (kinds[pairs[:, 0]] != kinds[pairs[:, 1]])]
    rivals = np.concatenate([pairs, pairs[:, ::-1]])
    kept = np.ones(len(places), bool)
    disputed = np.unique(rivals)
    kept[disputed] = False
    for at in disputed[np.argsort(-certainty[disputed], kind="stable")]:
        kept[at] = not kept[rivals[rivals[:, 0] == at, 1]].any()
    return [places[kept & (kinds == at)] for at in range(len(found))]


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
