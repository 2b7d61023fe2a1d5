"""The SHIDC layout, and one clear sentence for every way in which a folder can miss it."""

from __future__ import annotations

import json

import numpy as np
import pytest

from edgepatho.data import shidc
from edgepatho.errors import InputError


@pytest.fixture
def layout(tmp_path):
    for part in shidc.PARTS:
        (tmp_path / part).mkdir()
    picture = np.full((40, 60, 3), 200, np.uint8)
    shidc.write_tile(tmp_path / "Train" / "p1_0300_2", picture, np.array([[59, 39, 1], [0, 0, 3]]))
    return tmp_path


def test_labels_come_back_as_written(layout):
    (tile,) = shidc.tiles(layout, "Train")
    assert tile.patient == "p1"
    assert shidc.read_labels(tile, 60, 40).tolist() == [[59, 39, 1], [0, 0, 3]]


def test_a_missing_and_an_empty_folder_are_named(layout):
    with pytest.raises(InputError, match="no folder Train"):
        shidc.tiles(layout / "nowhere", "Train")
    with pytest.raises(InputError, match=r"holds no \.jpg"):
        shidc.tiles(layout, "Test")


def test_an_image_without_labels_is_named(layout):
    (layout / "Train" / "p1_0300_2.json").unlink()
    with pytest.raises(InputError, match=r"p1_0300_2\.jpg has no labels"):
        shidc.tiles(layout, "Train")


def test_a_foreign_name_is_refused(layout):
    (layout / "Train" / "holiday.jpg").write_bytes(b"")
    with pytest.raises(InputError, match=r"holiday\.jpg is not named like"):
        shidc.tiles(layout, "Train")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ([{"x": 60, "y": 3, "label_id": 1}], r"entry 0 lies at \(60, 3\), outside the 60 x 40 px"),
        ([{"x": 1, "y": -1, "label_id": 1}], "outside the 60 x 40 px"),
        ([{"x": 1, "y": 1, "label_id": 4}], "label_id 4; expected 1, 2 or 3"),
        ([{"x": 1.5, "y": 1, "label_id": 1}], "entry 0 is not"),
        ([{"x": True, "y": 1, "label_id": 1}], "entry 0 is not"),
        ([{"x": 1, "y": 1}], "entry 0 is not"),
        ([7], "entry 0 is not"),
        ({"x": 1}, "holds no list"),
    ],
)
def test_every_bad_label_is_one_sentence_with_its_place(layout, content, sentence):
    (layout / "Train" / "p1_0300_2.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=sentence):
        shidc.read_labels(shidc.tiles(layout, "Train")[0], 60, 40)


@pytest.mark.parametrize("text", ["", "[", "nonsense", "[" * 100_000])
def test_what_is_not_json_is_refused(layout, text):
    (layout / "Train" / "p1_0300_2.json").write_text(text)
    with pytest.raises(InputError, match="is not JSON"):
        shidc.read_labels(shidc.tiles(layout, "Train")[0], 60, 40)
