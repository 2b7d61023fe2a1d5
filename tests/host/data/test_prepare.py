"""Prepared folders: splits without leaks, resizing as in Pillow."""

from __future__ import annotations

import errno
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
from edgepatho.data import shidc, source, split
from edgepatho.data.density import density_map, published_density_map
from edgepatho.data.prepare import _claimed, arrays, check_prepared, prepare, records
from edgepatho.data.synth import generate
from edgepatho.data.tile import to_network
from edgepatho.errors import InputError
from edgepatho.evaluate.tiles import load


@pytest.fixture(scope="module")
def tiles(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prepare") / "tiles"
    generate(folder, patients=8, tiles=2, size=400, seed=3)
    return folder


@pytest.fixture(scope="module")
def prepared(tiles):
    folder = tiles.parent / "prepared"
    prepare(tiles, folder)
    return folder


def test_patients_stay_in_one_split(tiles):
    train, validation = split.by_patient(source.find(tiles).train)
    ours, held_out = {t.patient for t in train}, {t.patient for t in validation}
    assert not ours & held_out
    assert len(held_out) == math.ceil(0.2 * len(ours | held_out))


def test_the_published_split_is_by_image(tiles):
    members = source.find(tiles).train
    names = sorted(tile.image.name for tile in members)
    random.Random(4).shuffle(names)
    train, validation = split.by_image(members)
    count = int(0.2 * len(names))
    assert [t.image.name for t in validation] == names[:count]
    assert [t.image.name for t in train] == names[count:]


def test_too_few_images_for_the_published_split_are_named(tiles):
    with pytest.raises(InputError, match="are 4 images to split; a split by image needs at least 5"):
        split.by_image(source.find(tiles).train[:4])


def test_the_published_choices_reach_the_folder(tmp_path):
    """A tile of SHIDC's own size gets a map bit-identical to the published one."""
    picture, cells = (
        np.full((1228, 1228, 3), 200, np.uint8),
        np.array([[3, 1227, 1], [640, 90, 2], [648, 90, 2]]),
    )
    for part, names in (("Train", [f"p{n}_0001_1" for n in range(1, 6)]), ("Test", ["p9_0001_1"])):
        (tmp_path / "set" / part).mkdir(parents=True)
        for name in names:
            shidc.write_tile(tmp_path / "set" / part / name, picture, cells)
    about = prepare(tmp_path / "set", tmp_path / "p", split_by="image", labels="published")
    assert about == check_prepared(tmp_path / "p")
    assert (about["split_by"], about["labels"], about["synthetic"]) == ("image", "published", False)
    assert about["tiles"] == {"train": 4, "validation": 1, "test": 1}
    for name in about["tiles"]:
        _, maps = arrays(tmp_path / "p", name)
        np.testing.assert_array_equal(maps[0], published_density_map(cells, 1228, 1228))


def test_other_tiles_have_another_hash(tiles, prepared, tmp_path):
    shutil.copytree(tiles, tmp_path / "tiles")
    one = next((tmp_path / "tiles" / "Train").glob("*.json"))
    cells = json.loads(one.read_text())
    cells[0]["x"] = 400 - cells[0]["x"]
    one.write_text(json.dumps(cells))
    known = check_prepared(prepared)
    same, other = (prepare(source, tmp_path / "p") for source in (tiles, tmp_path / "tiles"))
    assert same == known
    assert other["tiles"] == known["tiles"]
    assert other["sha256"] != known["sha256"]


def test_images_are_downscaled_like_training_tiles_and_padded(tiles, prepared):
    """400 px of a tile are 83 px of the network (400 * 256 / 1228), as `edgepatho-run score` sees them."""
    images, _ = arrays(prepared, "test")
    for index, (tile, entry) in enumerate(
        zip(source.find(tiles).test, records(prepared, "test"), strict=True)
    ):
        with Image.open(tile.image) as image:
            expected = np.asarray(image.convert("RGB").resize((83, 83), Image.Resampling.BILINEAR))
        np.testing.assert_array_equal(images[index][:83, :83], expected)
        assert (images[index][83:, :83] == expected[-1]).all()
        assert (images[index][:, 83:] == images[index][:, 82:83]).all()
        assert (entry["height"], entry["width"]) == (83, 83)


def test_maps_are_rendered_from_the_recorded_points(prepared):
    _, maps = arrays(prepared, "train")
    found = records(prepared, "train")
    assert len(found) == len(maps)
    for entry, rendered in zip(found, maps, strict=True):
        points = np.array(entry["points"], float).reshape(-1, 3)
        assert (points[:, :2] < 82.5).all()
        difference = density_map(points).astype(int) - rendered
        assert abs(difference).max() <= 1  # points are recorded to four decimals
    assert sum(len(entry["points"]) for entry in found) > 10


def test_pixel_centres_map_to_pixel_centres():
    corners = to_network(np.array([[0.0, 0, 1], [1227, 1227, 1]]), (1228, 1228), (256, 256))
    scale = 256 / 1228
    np.testing.assert_allclose(corners[:, :2] + 0.5, [[0.5 * scale] * 2, [256 - 0.5 * scale] * 2])


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
        ("test.json", b"{}", "is not a list of name, patient, size, points of 4 tiles"),
        ("test.json", b"[]", "is not a list of name, patient, size, points of 4 tiles"),
        ("test.json", b'[{"name": "p1_0001_1"}, 1, 2, 3]', "is not a list of name, patient, size, points"),
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
def test_mismatched_arrays_and_records_are_named(prepared, tmp_path, damage):
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
        (
            lambda data: data[:500],
            "cannot be read: it is a damaged JPEG(: it has no pixels|, or one that Pillow cannot decode)\\.$",
        ),
        (lambda data: b"", "cannot be read: it is empty\\.$"),
        (lambda data: b"P6 1 1 255 abc", "cannot be read: it is not a JPEG, PNG or TIFF\\.$"),
        (claim(10_100), "cannot be read: it has 10100 x 10100 pixels, more than 100000000; cut it up"),
        (claim(65_000), r"cannot be read: it has (65000 x 65000 pixels, )?more than 100000000"),
    ],
)
def test_a_damaged_picture_is_named_and_nothing_is_left(tmp_path, damage, sentence):
    broken = tmp_path / "tiles"
    generate(broken, patients=4, tiles=1, size=64, seed=1)
    victim = source.find(broken).train[0].image
    victim.write_bytes(damage(victim.read_bytes()))
    with pytest.raises(InputError, match=rf"{victim.name} {sentence}"):
        prepare(broken, tmp_path / "prepared")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tiles"]


def test_a_foreign_folder_is_neither_read_nor_replaced(tiles, tmp_path):
    (tmp_path / "notes.txt").write_text("keep me")
    with pytest.raises(InputError, match="holds no JPEG, PNG or TIFF"):
        prepare(tmp_path, tmp_path / "prepared")
    with pytest.raises(InputError, match=r"holds no prepared\.json"):
        prepare(tiles, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_disk_space_is_allocated_before_it_is_mapped(tmp_path):
    """Writing to a mapped hole on a full disk is a bus error, which no handler can report."""
    array = _claimed(tmp_path / "a.npy", (40, 256, 256, 3))
    assert (tmp_path / "a.npy").stat().st_blocks * 512 >= array.nbytes


def test_a_full_disk_names_the_file(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match=r"No space left.*b\.npy"):
        _claimed(tmp_path / "b.npy", (1, 256, 256, 3))


@pytest.fixture
def field(tmp_path):
    """Three whole fields of 4912 x 3684 px with a cell in the middle of each of their 12 crops."""
    (tmp_path / "set").mkdir()
    middles = [(1228 * column + 614, 1228 * row + 614) for row in range(3) for column in range(4)]
    for patient in ("a", "b", "c"):
        Image.new("RGB", (4912, 3684), "white").save(tmp_path / "set" / f"{patient}.PNG", compress_level=1)
        rows = "".join(f"{x},{y},til,0,0\n" for x, y in middles)
        (tmp_path / "set" / f"{patient}.cells.csv").write_text(
            f"x_px,y_px,class,x_network_px,y_network_px\n{rows}"
        )
    rows = "".join(f"patient {name},{name}.PNG\n" for name in "abc")
    (tmp_path / "set" / "patients.csv").write_text(f"patient,image\n{rows}")
    return tmp_path / "set"


def test_a_field_is_cut_into_the_tiles_of_the_data_set(field, tmp_path):
    """12 crops as in SHIDC, none distorted; without Train/ and Test/, one patient per split by seed 4."""
    about = prepare(field, tmp_path / "p")
    assert about["tiles"] == {"train": 12, "validation": 12, "test": 12}
    patients = ["patient a", "patient b", "patient c"]
    random.Random(4).shuffle(patients)
    entries = records(tmp_path / "p", "test")
    assert {entry["patient"] for entry in entries} == {patients[0]}
    letter = patients[0][-1]
    assert [entry["name"] for entry in entries] == [
        f"{letter}-{r}-{c}" for r in (1, 2, 3) for c in (1, 2, 3, 4)
    ]
    assert [entry["points"] for entry in entries] == [[[127.6042, 127.6042, 3]]] * 12
    assert about["adapted"] == {}


def test_a_cell_beyond_a_tile_reaches_into_its_map_but_is_counted_once(field, tmp_path):
    cells = "x_px,y_px,class\n1227,614,til\n"
    for path in field.glob("*.cells.csv"):
        path.write_text(cells)
    prepare(field, tmp_path / "p")
    entries, (_, maps) = records(tmp_path / "p", "test"), arrays(tmp_path / "p", "test")
    assert [len(entry["points"]) for entry in entries[:2]] == [1, 0]
    assert maps[0][127, 255, 2] > maps[1][127, 0, 2] > 150


def test_a_patient_for_training_and_testing_is_named(tiles, tmp_path):
    shutil.copytree(tiles, tmp_path / "set")
    moved = sorted((tmp_path / "set" / "Train").glob("*_1.*")) or sorted(
        (tmp_path / "set" / "Train").iterdir()
    )
    patient = moved[0].name.split("_")[0]
    for path in (tmp_path / "set" / "Train").glob(f"{patient}_*"):
        if path.stem == moved[0].stem:
            path.rename(tmp_path / "set" / "Test" / path.name)
    result = CliRunner().invoke(main, ["prepare", str(tmp_path / "set"), str(tmp_path / "p"), "--json"])
    assert result.exit_code == 0
    assert f"patient {patient} has pictures both for training and for testing" in result.stderr
    assert check_prepared(tmp_path / "p")["shared_patients"] == [patient]


def test_input_that_the_published_code_accepted_is_accepted_and_counted(tiles, tmp_path):
    shutil.copytree(tiles / "Train", tmp_path / "set" / "train256")
    shutil.copytree(tiles / "Test", tmp_path / "set" / "test256")
    one = sorted((tmp_path / "set" / "train256").glob("*.json"))[0]
    one.write_text(
        '[{"x": 400, "y": 3, "label_id": 1}, {"x": "51", "y": 3, "label_id": 1},'
        ' {"x": 5.0, "y": 3, "label_id": 2}]'
    )
    result = CliRunner().invoke(main, ["prepare", str(tmp_path / "set"), str(tmp_path / "p")])
    assert result.exit_code == 0
    for line in (
        "1 x folders called train256 and test256",
        "1 x on the far edge",
        "1 x numbers as text",
        "1 x whole numbers with a decimal point",
    ):
        assert line in result.stdout


def test_the_command_prints_what_it_made(tiles, tmp_path):
    result = CliRunner().invoke(main, ["prepare", str(tiles), str(tmp_path / "p"), "--json"])
    assert result.exit_code == 0
    assert json.loads(result.stdout)["tiles"] == {"train": 8, "validation": 4, "test": 4}
    refused = CliRunner().invoke(main, ["prepare", str(tmp_path / "nowhere"), str(tmp_path / "q")])
    assert refused.exit_code == 3
    assert "is not a folder" in refused.stderr
