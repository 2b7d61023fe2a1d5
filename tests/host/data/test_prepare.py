"""Prepared folders: splits without leaks, resizing as Pillow does, batches that can be taken up anywhere."""

from __future__ import annotations

import errno
import itertools
import json
import math
import os
import random
import shutil

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from edgepatho.cli import main
from edgepatho.data import augment, shidc, split
from edgepatho.data.density import density_map, published_density_map
from edgepatho.data.prepare import _claimed, arrays, batches, check_prepared, prepare, records, to_network
from edgepatho.data.synth import generate
from edgepatho.errors import InputError
from edgepatho.evaluate.tiles import load


@pytest.fixture(scope="module")
def tiles(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prepare") / "tiles"
    generate(folder, patients=8, tiles=2, size=300, seed=3)
    return folder


@pytest.fixture(scope="module")
def prepared(tiles):
    folder = tiles.parent / "prepared"
    prepare(tiles, folder)
    return folder


def test_patients_stay_on_one_side(tiles):
    train, validation = split.by_patient(shidc.tiles(tiles, "Train"))
    ours, held_out = {t.patient for t in train}, {t.patient for t in validation}
    assert not ours & held_out
    assert len(held_out) == math.ceil(0.2 * len(ours | held_out))


def test_the_published_split_is_by_image(tiles):
    members = shidc.tiles(tiles, "Train")
    names = sorted(tile.image.name for tile in members)
    random.Random(4).shuffle(names)
    train, validation = split.by_image(members)
    count = int(0.2 * len(names))
    assert [t.image.name for t in validation] == names[:count]
    assert [t.image.name for t in train] == names[count:]


def test_too_few_images_for_the_published_split_are_named(tiles):
    with pytest.raises(InputError, match="holds 4 images; a split by image needs at least 5"):
        split.by_image(shidc.tiles(tiles, "Train")[:4])


def test_the_published_choices_reach_the_folder(tiles, tmp_path):
    about = prepare(tiles, tmp_path / "p", split_by="image", labels="published")
    assert about == check_prepared(tmp_path / "p")
    assert (about["split_by"], about["labels"], about["synthetic"]) == ("image", "published", True)
    _, maps = arrays(tmp_path / "p", "validation")
    _, expected = split.by_image(shidc.tiles(tiles, "Train"))
    assert len(maps) == len(expected) == about["tiles"]["validation"]
    for tile, rendered in zip(expected, maps, strict=True):
        labels = shidc.read_labels(tile, 300, 300)
        np.testing.assert_array_equal(rendered, published_density_map(labels, 300, 300))


def test_other_tiles_are_told_by_their_hash(tiles, prepared, tmp_path):
    shutil.copytree(tiles, tmp_path / "tiles")
    one = next((tmp_path / "tiles" / "Train").glob("*.json"))
    cells = json.loads(one.read_text())
    cells[0]["x"] = 300 - cells[0]["x"]
    one.write_text(json.dumps(cells))
    known = check_prepared(prepared)
    same, other = (prepare(source, tmp_path / "p") for source in (tiles, tmp_path / "tiles"))
    assert same == known
    assert other["tiles"] == known["tiles"]
    assert other["sha256"] != known["sha256"]


def test_images_are_resized_as_pillow_does(tiles, prepared):
    images, _ = arrays(prepared, "test")
    for index, tile in enumerate(shidc.tiles(tiles, "Test")):
        with Image.open(tile.image) as image:
            expected = image.convert("RGB").resize((256, 256), Image.Resampling.BILINEAR)
        np.testing.assert_array_equal(images[index], np.asarray(expected))


def test_maps_are_rendered_from_the_recorded_points(prepared):
    _, maps = arrays(prepared, "train")
    found = records(prepared, "train")
    assert len(found) == len(maps)
    for entry, rendered in zip(found, maps, strict=True):
        points = np.array(entry["points"], float).reshape(-1, 3)
        difference = density_map(points).astype(int) - rendered
        assert abs(difference).max() <= 1  # points are recorded to four decimals
    assert sum(len(entry["points"]) for entry in found) > 10


def test_pixel_centres_map_to_pixel_centres():
    corners = to_network(np.array([[0, 0, 1], [1227, 1227, 1]]), 1228, 1228)
    scale = 256 / 1228
    np.testing.assert_allclose(corners[:, :2] + 0.5, [[0.5 * scale] * 2, [256 - 0.5 * scale] * 2])


def test_the_eight_symmetries_are_the_group_of_the_square():
    image = np.arange(18).reshape(3, 3, 2)
    turned = {augment.symmetry(image, n).tobytes() for n in range(augment.FULL)}
    group = {view.tobytes() for k in range(4) for view in (np.rot90(image, k), np.rot90(image[:, ::-1], k))}
    assert turned == group
    assert len(turned) == 8


def test_batches_are_a_function_of_seed_and_number(prepared):
    stream = list(itertools.islice(batches(prepared, "train", 3, seed=1, crop=64), 6))
    later = next(batches(prepared, "train", 3, seed=1, crop=64, start=4))
    np.testing.assert_array_equal(stream[4][0], later[0])
    np.testing.assert_array_equal(stream[4][1], later[1])
    other = next(batches(prepared, "train", 3, seed=2, crop=64, start=4))
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


def test_labels_turn_with_their_image(prepared):
    """A batch's maps are those of the turned picture: undo the turn of both and find the original pair."""
    images, maps = arrays(prepared, "train")
    originals = {image.tobytes(): label for image, label in zip(images, maps, strict=True)}
    for x, y in itertools.islice(batches(prepared, "train", 1, seed=11), 8):
        picture = np.round(x[0] * 255).astype(np.uint8)
        candidates = [(augment.symmetry(picture, n), augment.symmetry(y[0], n)) for n in range(augment.FULL)]
        matches = [(p, m) for p, m in candidates if p.tobytes() in originals]
        assert matches
        np.testing.assert_array_equal(matches[0][1], originals[matches[0][0].tobytes()])


def test_a_folder_that_prepare_did_not_make_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"holds no prepared\.json"):
        check_prepared(tmp_path)
    (tmp_path / "prepared.json").write_text("{}")
    with pytest.raises(InputError, match="not a record of this version"):
        check_prepared(tmp_path)


@pytest.mark.parametrize(
    ("file", "content", "sentence"),
    [
        ("test.json", None, "cannot be read"),
        ("test.json", b"", "cannot be read"),
        ("test.json", b"\xff\xfe", "cannot be read"),
        ("test.json", b"[" * 100_000, "cannot be read"),
        ("test.json", b"{}", "is not a list of name, patient and points of 4 tiles"),
        ("test.json", b"[]", "is not a list of name, patient and points of 4 tiles"),
        ("test.json", b'[{"name": "p1_0001_1"}, 1, 2, 3]', "is not a list of name, patient and points"),
        ("test_images.npy", None, "cannot be read"),
        ("test_images.npy", b"", "cannot be read"),
        ("test_images.npy", b"PK\x03\x04", "cannot be read"),
        ("prepared.json", b'{"format": "edgepatho-prepared"}', "is not a record of this version"),
        ("prepared.json", b"\xff", "is not a record of this version"),
    ],
)
def test_a_damaged_file_of_a_prepared_folder_is_named(prepared, tmp_path, file, content, sentence):
    folder = tmp_path / "p"
    shutil.copytree(prepared, folder)
    if content is None:
        (folder / file).unlink()
    else:
        (folder / file).write_bytes(content)
    with pytest.raises(InputError, match=f"{file} {sentence}.*run `edgepatho prepare` again"):
        load(folder, "test")


@pytest.mark.parametrize("damage", ["cut", "float", "other tiles", "points of two numbers"])
def test_arrays_and_records_that_do_not_belong_together_are_named(prepared, tmp_path, damage):
    folder = tmp_path / "p"
    shutil.copytree(prepared, folder)
    images = folder / "test_images.npy"
    whole = np.load(images)
    if damage == "cut":
        images.write_bytes(images.read_bytes()[:-1])
    elif damage == "float":
        np.save(images, whole.astype(np.float32))
    elif damage == "other tiles":
        np.save(images, whole[:2])
    else:
        entries = json.loads((folder / "test.json").read_text())
        entries[0]["points"] = [[1.0, 2.0]]
        (folder / "test.json").write_text(json.dumps(entries))
    with pytest.raises(InputError, match="run `edgepatho prepare` again"):
        load(folder, "test")


def claim(edge):
    """Write another height and width into a JPEG's frame header (ITU-T T.81, B.2.2)."""

    def change(data):
        frame = data.index(b"\xff\xc0")
        return data[: frame + 5] + edge.to_bytes(2, "big") * 2 + data[frame + 9 :]

    return change


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda data: data[:500], "is not a readable JPEG"),
        (lambda data: b"", "is not a readable JPEG"),
        (lambda data: b"P6 1 1 255 abc", "is not a readable JPEG"),
        (claim(8300), "has 8300 x 8300 px, more than 67108864; cut it up"),
        (claim(10_000), "is not a readable JPEG"),
        (claim(65_000), "is not a readable JPEG"),
    ],
)
def test_a_damaged_picture_is_named_and_nothing_is_left(tmp_path, damage, sentence):
    broken = tmp_path / "tiles"
    generate(broken, patients=4, tiles=1, size=64, seed=1)
    victim = shidc.tiles(broken, "Train")[0].image
    victim.write_bytes(damage(victim.read_bytes()))
    with pytest.raises(InputError, match=rf"{victim.name} {sentence}"):
        prepare(broken, tmp_path / "prepared")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tiles"]


def test_a_foreign_folder_is_neither_read_nor_replaced(tiles, tmp_path):
    (tmp_path / "notes.txt").write_text("keep me")
    with pytest.raises(InputError, match="has no folder Train"):
        prepare(tmp_path, tmp_path / "prepared")
    with pytest.raises(InputError, match=r"holds no prepared\.json"):
        prepare(tiles, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_room_on_disk_is_claimed_before_it_is_mapped(tmp_path):
    """Writing to a mapped hole on a full disk is a bus error, which no handler can turn into a sentence."""
    array = _claimed(tmp_path / "a.npy", (40, 256, 256, 3))
    assert (tmp_path / "a.npy").stat().st_blocks * 512 >= array.nbytes


def test_a_full_disk_names_the_file(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match=r"No space left.*b\.npy"):
        _claimed(tmp_path / "b.npy", (1, 256, 256, 3))


def test_the_command_prints_what_it_made(tiles, tmp_path):
    result = CliRunner().invoke(main, ["prepare", str(tiles), str(tmp_path / "p"), "--json"])
    assert result.exit_code == 0
    assert json.loads(result.stdout)["tiles"] == {"train": 8, "validation": 4, "test": 4}
    refused = CliRunner().invoke(main, ["prepare", str(tmp_path / "nowhere"), str(tmp_path / "q")])
    assert refused.exit_code == 3
    assert "has no folder Train" in refused.stderr
