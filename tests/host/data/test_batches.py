"""Batches: a function of seed and number, with labels that follow their image."""

from __future__ import annotations

import hashlib
import itertools
import json

import numpy as np
import pytest
from skimage import measure

from edgepatho.data import appearance, symmetry
from edgepatho.data.appearance import Appearance
from edgepatho.data.batches import batches
from edgepatho.data.density import NETWORK_PX, density_map
from edgepatho.data.prepare import FORMAT, VERSION, arrays

# Of the third batch of `spots` without augmentation: a retraining takes the same steps in every version.
PLAIN_SHA256 = "3a2342f6babc5856f5544da6dc87da3c306a1d775ff1946050081775a65388c5"


def write_prepared(folder, labels):
    """Two tiles of dark Gaussian spots, red ones of class 1 and green ones of class 2."""
    folder.mkdir()
    rng = np.random.default_rng(5)
    images = np.full((2, NETWORK_PX, NETWORK_PX, 3), 220, np.uint8)
    maps = np.zeros_like(images)
    entries = []
    rows, columns = np.mgrid[:NETWORK_PX, :NETWORK_PX]
    grid = np.stack(np.meshgrid(np.arange(5), np.arange(5)), -1).reshape(-1, 2)
    for number in range(2):
        points = np.column_stack([28 + 50 * grid + rng.uniform(-8, 8, grid.shape), 1 + grid[:, 0] % 2])
        for x, y, label in points:
            spot = np.rint(180 * np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / (2 * 4**2)))
            images[number, ..., int(label) - 1] -= spot.astype(np.uint8)
        maps[number] = density_map(points)
        entries.append({"name": "a", "patient": "p", "height": 256, "width": 256, "points": points.tolist()})
    about = {"format": FORMAT, "version": VERSION, "labels": labels, "synthetic": True, "sha256": "0" * 64}
    about |= {"tiles": {"train": 2, "validation": 0, "test": 0}, "shared_patients": []}
    (folder / "prepared.json").write_text(json.dumps(about))
    (folder / "train.json").write_text(json.dumps(entries))
    np.save(folder / "train_images.npy", images)
    np.save(folder / "train_labels.npy", maps)
    return folder


@pytest.fixture(scope="module")
def spots(tmp_path_factory):
    return write_prepared(tmp_path_factory.mktemp("batches") / "true", "true")


@pytest.fixture
def same_look(monkeypatch):
    """Augmentation changes the scale alone."""
    monkeypatch.setattr(appearance, "draw", lambda present, rng: Appearance(present))


def test_the_eight_symmetries_are_the_group_of_the_square():
    image = np.arange(18).reshape(3, 3, 2)
    turned = {symmetry.turned(image, n).tobytes() for n in range(symmetry.COUNT)}
    group = {view.tobytes() for k in range(4) for view in (np.rot90(image, k), np.rot90(image[:, ::-1], k))}
    assert turned == group
    assert len(turned) == 8


@pytest.mark.parametrize("augment", [False, True])
def test_batches_are_a_function_of_seed_and_number(prepared, augment):
    stream = list(itertools.islice(batches(prepared, "train", 3, seed=1, crop=64, augment=augment), 6))
    later = next(batches(prepared, "train", 3, seed=1, crop=64, augment=augment, start=4))
    np.testing.assert_array_equal(stream[4][0], later[0])
    np.testing.assert_array_equal(stream[4][1], later[1])
    other = next(batches(prepared, "train", 3, seed=2, crop=64, augment=augment, start=4))
    assert not np.array_equal(other[0], later[0])
    x, y = later
    assert x.shape == y.shape == (3, 64, 64, 3)
    assert x.dtype == y.dtype == np.float32
    assert 0 <= x.min() < x.max() <= 1


def test_an_epoch_sees_every_tile_once(prepared):
    images, _ = arrays(prepared, "train")
    stream = itertools.islice(batches(prepared, "train", 1, seed=7, symmetries=1), len(images))
    seen = [np.round(x[0] * 255).astype(np.uint8).tobytes() for x, _ in stream]
    assert sorted(seen) == sorted(image.tobytes() for image in images)


def test_labels_are_transformed_with_their_image(prepared):
    """Undoing the same symmetry on picture and maps of a batch gives an original pair."""
    images, maps = arrays(prepared, "train")
    originals = {image.tobytes(): label for image, label in zip(images, maps, strict=True)}
    for x, y in itertools.islice(batches(prepared, "train", 1, seed=11), 8):
        picture = np.round(x[0] * 255).astype(np.uint8)
        candidates = [(symmetry.turned(picture, n), symmetry.turned(y[0], n)) for n in range(symmetry.COUNT)]
        matches = [(p, m) for p, m in candidates if p.tobytes() in originals]
        assert matches
        np.testing.assert_array_equal(matches[0][1], originals[matches[0][0].tobytes()])


def test_without_augmentation_batches_are_the_same_in_every_version(spots):
    x, y = next(batches(spots, "train", 4, seed=3, crop=96, start=2))
    assert hashlib.sha256(x.tobytes() + y.tobytes()).hexdigest() == PLAIN_SHA256


@pytest.mark.usefixtures("same_look")
def test_labels_follow_the_scale(spots):
    """A map is that of the spots found in the crop, and its Gaussians keep their width."""
    areas = []
    for x, y in itertools.islice(batches(spots, "train", 4, seed=6, crop=96, augment=True), 4):
        for image, density in zip(x, y, strict=True):
            found = []
            for label in (1, 2):
                dark = 220 - 255 * image[..., label - 1]
                for spot in measure.regionprops(measure.label(dark > 60), dark):
                    found.append([*spot.centroid_weighted[::-1], label])
                    if min(spot.bbox[:2]) > 0 and max(spot.bbox[2:]) < 96:
                        areas.append(spot.area)
            expected = density_map(np.array(found), 96).astype(float)
            inside = slice(12, -12)  # a spot cut by the edge has its centroid elsewhere
            assert expected[inside, inside].max() > 200
            assert np.abs(expected - density)[inside, inside].max() < 20
    assert min(areas) < 0.75 * np.median(areas)
    assert max(areas) > 1.3 * np.median(areas)


@pytest.mark.parametrize("labels", ["true", "published"])
@pytest.mark.parametrize("augment", [False, True])
def test_crops_seek_the_class_with_the_fewest_cells(tmp_path, labels, augment):
    """Spots are 50 px apart, so most crops of 32 px hold none of class 2 by themselves."""
    folder = write_prepared(tmp_path / "spots", labels)
    peaks = {}
    for rare in (0.0, 0.5, 1.0):
        stream = batches(folder, "train", 16, seed=8, crop=32, augment=augment, rare=rare)
        peaks[rare] = np.concatenate([y[..., 1].max(axis=(1, 2)) for _, y in itertools.islice(stream, 4)])
    assert (peaks[1.0] > 200).all()
    assert np.mean(peaks[0.0] > 200) < np.mean(peaks[0.5] > 200) < 1


@pytest.mark.usefixtures("same_look")
@pytest.mark.parametrize(("labels", "crop"), [("true", None), ("published", 96)])
def test_whole_tiles_and_published_maps_keep_their_scale(tmp_path, labels, crop):
    folder = write_prepared(tmp_path / "spots", labels)
    plain, augmented = (
        next(batches(folder, "train", 2, seed=6, crop=crop, augment=augment)) for augment in (False, True)
    )
    np.testing.assert_array_equal(augmented[0], plain[0])
    np.testing.assert_array_equal(augmented[1], plain[1])


def test_augmentation_changes_the_look_of_whole_tiles(spots):
    plain, augmented = (
        next(batches(spots, "train", 2, seed=6, augment=augment)) for augment in (False, True)
    )
    assert np.abs(augmented[0] - plain[0]).mean() > 0.01
