"""Scores: cells in pixels of the picture, indices with their classes, the interval over fields."""

from __future__ import annotations

import csv
import io
import json
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bundle_recipe import SCORING, identity
from field_drawing import CENTRES, drawn
from hypothesis import given
from hypothesis import strategies as st

from edgepatho import palette
from edgepatho.evaluate import cells as host_cells
from edgepatho.evaluate import patients
from edgepatho_runtime import image, tables
from edgepatho_runtime.bundle import reader
from edgepatho_runtime.errors import ImageError
from edgepatho_runtime.scoring import (
    batch,
    cellfiles,
    folders,
    legend,
    one_class,
    overlay,
    scale,
    score,
)

CLASSES = SCORING["classes"]


def picture_of(array: np.ndarray) -> image.Image:
    return image.Image(array.shape[0], array.shape[1], array.tobytes())


def scorer(**options: Any) -> score.Scorer:
    return score.Scorer(reader.parse(identity().build()), threads=1, **options)


# -- cells ---------------------------------------------------------------------------------------------


def test_cells_are_found_where_they_are_drawn() -> None:
    scored = scorer().score(picture_of(drawn(128, 128, CENTRES)))
    assert scored.counts == {"immunopositive": 3, "immunonegative": 1, "til": 2}
    for channel, name in enumerate(CLASSES):
        cells = [(cell.x_px, cell.y_px) for cell in scored.cells if cell.name == name]
        assert sorted(cells) == sorted(CENTRES.get(channel, []))


def test_a_large_picture_is_reduced_as_training_tiles_were() -> None:
    large = picture_of(np.kron(drawn(128, 128, CENTRES), np.ones((8, 8, 1), np.uint8)))
    scored = scorer(scale=1 / 8).score(large)
    assert (scored.network_height, scored.network_width) == (128, 128)
    assert sum(scored.counts.values()) == 6
    for cell in scored.cells:
        channel = CLASSES.index(cell.name)
        distances = [
            max(abs(cell.x_px - 8 * x - 3.5), abs(cell.y_px - 8 * y - 3.5)) for x, y in CENTRES[channel]
        ]
        assert min(distances) < 4


@pytest.mark.parametrize(
    ("height", "width", "factor", "expected"),
    [
        (1228, 1228, None, (256, 256)),
        (256, 256, None, (256, 256)),
        (100, 256, None, (100, 256)),
        (257, 100, None, (54, 21)),
        (3684, 4912, None, (768, 1024)),
        (921, 1228, None, (192, 256)),
        (2, 5000, None, (1, 1042)),
        (100, 100, 0.5, (50, 50)),
        (1228, 1228, 0.25, (307, 307)),
    ],
)
def test_the_size_that_the_network_sees(
    height: int, width: int, factor: float | None, expected: tuple[int, int]
) -> None:
    assert scale.network_size(height, width, 256, factor) == expected


def test_sizes_equal_the_table_in_the_documentation() -> None:
    """A host test holds `edgepatho prepare` to the same table."""
    document = (Path(__file__).parents[3] / "docs" / "device-cli.md").read_text()
    examples = re.findall(r"\| (\d+) x (\d+) \| (\d+) x (\d+) \|", document)
    assert len(examples) >= 8
    for height, width, expected_height, expected_width in (map(int, example) for example in examples):
        assert scale.network_size(height, width, 256) == (expected_height, expected_width)


def test_pictures_of_several_sizes_are_scored_in_turn() -> None:
    work = scorer()
    for size in (128, 90, 128, 37):
        scored = work.score(picture_of(drawn(size, size, {0: [(size // 3, size // 2)]})))
        assert (scored.network_width, scored.counts["immunopositive"]) == (size, 1)


def test_an_impossible_size_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ImageError, match="cannot take"):
        scorer(scale=10).score(picture_of(np.zeros((512, 512, 3), np.uint8)))
    monkeypatch.setattr(score.device, "memory_bytes", lambda field: 1000)
    with pytest.raises(ImageError, match=r"needs \d+ MiB and 0 MiB are free"):
        scorer().score(picture_of(np.zeros((128, 128, 3), np.uint8)))


def test_the_host_finds_the_same_cells() -> None:
    """`edgepatho evaluate` and the device agree one for one, over more than 500 cells."""
    generator, count = np.random.default_rng(11), 0
    for _ in range(4):
        points = {channel: [tuple(p) for p in generator.integers(0, 256, (90, 2))] for channel in range(3)}
        heat = drawn(256, 256, points).astype(np.float32)  # type: ignore[arg-type]
        host = host_cells.find(heat, SCORING["thresholds"])
        device = score.cells_of(heat, 256, 256, SCORING)
        for channel, name in enumerate(CLASSES):
            assert [(x, y) for x, y, of in device if of == name] == [tuple(p) for p in host[channel]]
        count += len(device)
    assert count >= 500


@pytest.mark.parametrize("thresholds", [[60, 55, 40], [20.0, 90.5, 33.3], [0, 30, 30]])
def test_the_host_keeps_the_same_one_of_several_classes(thresholds: list[float]) -> None:
    """Discs whose centres are shared by two classes or up to 5 px apart, of any heat."""
    generator, left_out = np.random.default_rng(5), 0
    for _ in range(4):
        heat = np.zeros((192, 192, 3), np.float32)
        rows, columns = np.mgrid[:192, :192]
        for x, y in generator.integers(4, 188, (70, 2)):
            for channel in generator.permutation(3)[: generator.integers(1, 4)]:
                right, down = generator.integers(-3, 4, 2)
                disc = (rows - y - down) ** 2 + (columns - x - right) ** 2 <= generator.integers(4, 17)
                heat[disc, channel] = generator.choice([60.0, 120.0, generator.uniform(20, 255)])
        alone = host_cells.candidates(np.where(heat > 0, heat, -1), thresholds)
        host = host_cells.one_class(alone, heat, thresholds)
        device = score.cells_of(heat, 192, 192, SCORING | {"thresholds": thresholds})
        for channel, name in enumerate(CLASSES):
            assert [(x, y) for x, y, of in device if of == name] == [tuple(p) for p in host[channel]]
        left_out += sum(map(len, alone)) - len(device)
    assert left_out >= 50


def discs_at(places: list[tuple[int, int, int, float]]) -> np.ndarray:
    """A heat map with a disc of radius 3 for each (x, y, channel, heat)."""
    heat = np.zeros((40, 60, 3), np.float32)
    rows, columns = np.mgrid[:40, :60]
    for x, y, channel, value in places:
        heat[(rows - y) ** 2 + (columns - x) ** 2 <= 9, channel] = value
    return heat


@pytest.mark.parametrize(
    ("places", "kept"),
    [
        # heat / threshold of 60, 55, 40: 2 against 2.2, although the heat is lower
        ([(20, 20, 0, 120.0), (20, 20, 2, 88.0)], [(20, 20, "til")]),
        ([(20, 20, 0, 120.0), (23, 20, 1, 200.0)], [(23, 20, "immunonegative")]),
        ([(20, 20, 0, 120.0), (24, 20, 1, 200.0)], [(20, 20, "immunopositive"), (24, 20, "immunonegative")]),
        # equal: the class that comes first
        ([(20, 20, 2, 80.0), (20, 20, 0, 120.0)], [(20, 20, "immunopositive")]),
        # the middle one is left out, and excludes nothing
        (
            [(20, 20, 0, 180.0), (23, 20, 1, 110.0), (26, 20, 2, 80.0)],
            [(20, 20, "immunopositive"), (26, 20, "til")],
        ),
    ],
)
def test_cells_of_several_classes_at_one_place_are_one_cell(
    places: list[tuple[int, int, int, float]], kept: list[tuple[float, float, str]]
) -> None:
    heat = discs_at(places)
    assert score.cells_of(heat, 40, 60, SCORING) == kept
    host = host_cells.find(heat, SCORING["thresholds"])
    assert [(*place, name) for name, each in zip(CLASSES, host, strict=True) for place in each] == kept


def test_both_sides_name_the_rule_alike() -> None:
    assert host_cells.ONE_CELL_ONE_CLASS == one_class.RULE


# -- indices -------------------------------------------------------------------------------------------


@given(st.tuples(*[st.integers(0, 1000)] * 3))
def test_indices_and_classes_equal_the_hosts(cells: tuple[int, int, int]) -> None:
    summary = score.summary(dict(zip(CLASSES, cells, strict=True)), SCORING)
    host, classes = patients.scores(cells), patients.classes(cells)
    words = ["low", "middle", "high"]
    if cells[0] + cells[1]:
        assert summary["ki67_index"] == host.ki67
        assert summary["ki67_class"] == (words[classes[0]] if classes else None)
    else:
        assert summary["ki67_index"] is None
    if sum(cells):
        assert summary["til_score"] == host.til
        assert summary["til_class"] == (words[classes[1]] if classes else None)
    else:
        assert summary["til_score"] is None


def test_host_and_device_say_alike_why_there_is_no_class() -> None:
    assert score.MIN_TUMOUR_CELLS == patients.MIN_TUMOUR_CELLS
    assert tables.NO_CLASS == patients.NO_CLASS


@pytest.mark.parametrize(
    ("index", "expected"), [(0.159, "low"), (0.16, "middle"), (0.30, "middle"), (0.301, "high")]
)
def test_ki67_cut_offs_belong_to_the_middle(index: float, expected: str) -> None:
    assert score.ki67_class(index, [0.16, 0.30]) == expected


@pytest.mark.parametrize(
    ("value", "expected"), [(0.10, "low"), (0.101, "middle"), (0.599, "middle"), (0.60, "high")]
)
def test_til_cut_offs_belong_to_the_ends(value: float, expected: str) -> None:
    assert score.til_class(value, [0.10, 0.60]) == expected


def test_other_classes_have_counts_but_no_indices() -> None:
    assert score.summary({"mitosis": 3}, SCORING)["ki67_index"] is None


def counts(*pairs: tuple[int, int]) -> list[score.Counts]:
    return [{"immunopositive": a, "immunonegative": b, "til": 0} for a, b in pairs]


def test_the_interval_holds_the_index_and_is_the_same_every_time() -> None:
    fields = counts((10, 20), (30, 10), (5, 45), (22, 20))
    low, high = score.interval(fields) or (0.0, 0.0)
    assert low < 67 / 162 < high
    assert score.interval(fields) == (low, high)


def test_the_interval_agrees_with_resampling_by_numpy() -> None:
    fields = counts((10, 20), (30, 10), (5, 45), (22, 20), (1, 9), (14, 30))
    pairs = np.array([(f["immunopositive"], f["immunonegative"]) for f in fields])
    drawn_again = pairs[np.random.default_rng(0).integers(0, len(pairs), (20_000, len(pairs)))].sum(axis=1)
    expected = np.quantile(drawn_again[:, 0] / drawn_again.sum(axis=1), [0.025, 0.975])
    assert np.allclose(score.interval(fields) or (0, 0), expected, atol=0.02)


def test_equal_fields_have_an_interval_of_width_zero_and_one_field_has_none() -> None:
    assert score.interval(counts((1, 3), (1, 3), (1, 3))) == (0.25, 0.25)
    assert score.interval(counts((1, 3))) is None
    assert score.interval(counts((0, 0), (0, 0))) is None


def test_pooling_sums_cells_not_indices() -> None:
    pooled = score.pooled(counts((1, 1), (0, 98)), SCORING)
    assert pooled["ki67_index"] == 0.01
    assert pooled["fields"] == 2


# -- results -------------------------------------------------------------------------------------------

CELLS = [
    score.Cell(10.0, 20.0, "immunopositive", 2.0, 4.0),
    score.Cell(30.5, 1.0, "immunopositive", 6.0, 0.0),
    score.Cell(5.0, 5.0, "til", 1.0, 1.0),
]


def test_geojson_has_qupaths_names_and_corner_coordinates() -> None:
    features = json.loads(cellfiles.geojson(CELLS, CLASSES))["features"]
    assert [f["properties"]["classification"]["name"] for f in features] == ["Positive", "Immune cells"]
    assert features[0]["geometry"] == {"type": "MultiPoint", "coordinates": [[10.5, 20.5], [31.0, 1.5]]}
    assert all(f["properties"]["objectType"] == "annotation" for f in features)
    assert json.loads(cellfiles.geojson([], CLASSES)) == {"type": "FeatureCollection", "features": []}


def test_csv_has_a_row_per_cell() -> None:
    rows = list(csv.DictReader(io.StringIO(cellfiles.table(CELLS))))
    assert rows[1] == {
        "x_px": "30.5",
        "y_px": "1.0",
        "class": "immunopositive",
        "x_network_px": "6.0",
        "y_network_px": "0.0",
        "note": "",
    }
    assert len(rows) == len(CELLS)


def test_the_overlay_rings_cells_and_leaves_the_rest() -> None:
    ground = np.full((60, 80, 3), 200, np.uint8)
    cells = [score.Cell(40.0, 30.0, "immunonegative", 40.0, 30.0), score.Cell(0.0, 59.0, "til", 0.0, 59.0)]
    drawn_over = overlay.draw(picture_of(ground), cells, CLASSES, 80)
    result = np.frombuffer(drawn_over.rgb, np.uint8).reshape(-1, 80, 3)[:60]
    radius = overlay.RADIUS_NETWORK_PX
    assert tuple(result[30, 40 + radius]) == overlay.COLOURS[1]
    assert tuple(result[59 - radius, 0]) == overlay.COLOURS[2]
    assert tuple(result[30, 40 + radius + 1]) == overlay.EDGE
    changed = np.any(result != ground, axis=2)
    rows, columns = np.mgrid[:60, :80]
    distances = [np.hypot(rows - cell.y_px, columns - cell.x_px) for cell in cells]
    assert not changed[(distances[0] > radius + 2) & (distances[1] > radius + 2)].any()
    assert not changed[30, 40]


def test_the_legend_is_below_the_picture_whatever_rows_are_drawn() -> None:
    ground = np.random.default_rng(0).integers(0, 256, (300, 1228, 3), np.uint8)
    drawn = overlay.draw(picture_of(ground), [], CLASSES, 256)
    whole = np.frombuffer(drawn.rgb, np.uint8).reshape(drawn.height, 1228, 3)
    assert np.array_equal(whole[:300], ground)
    assert drawn.height == 300 + 2 * (3 * legend.LETTER_ROWS + 2 * legend.MARGIN_PX)
    colours = {tuple(map(int, colour)) for colour in np.unique(whole[300:].reshape(-1, 3), axis=0)}
    assert colours == {*overlay.COLOURS, (0, 0, 0), (255, 255, 255)}
    bands = b"".join(bytes(band) for _, band in drawn.bands())
    assert bands == drawn.rgb


def test_the_legend_spells_the_class_beside_its_colour() -> None:
    strip = legend.Legend({"til": (204, 121, 167)}, 40)
    rows = np.frombuffer(strip.rows(2, 10), np.uint8).reshape(8, 40, 3)
    assert tuple(rows[3, 2 + 3]) == (204, 121, 167)
    letters = ["".join(" #"[int(pixel == 0)] for pixel in row).rstrip() for row in rows[:7, 11:, 0]]
    assert letters == [
        " #      #    ##",
        " #            #",
        "###    ##     #",
        " #      #     #",
        " #      #     #",
        " # #    #     #",
        "  #    ###   ###",
    ]


def test_cells_have_the_colours_of_the_report() -> None:
    assert tuple(palette.rgb(colour) for colour in palette.CELLS.values()) == overlay.COLOURS


# -- batches -------------------------------------------------------------------------------------------


def test_folders_are_expanded_in_order_and_an_empty_one_is_refused(tmp_path: Path) -> None:
    for name in ("b.PNG", "a.jpg", "notes.txt", "c.tiff"):
        (tmp_path / name).touch()
    (tmp_path / "empty").mkdir()
    assert [path.name for path in folders.expand([tmp_path]).paths] == ["a.jpg", "b.PNG", "c.tiff"]
    assert folders.expand([tmp_path / "none.png"]).paths == [tmp_path / "none.png"]
    with pytest.raises(ImageError, match="contains no pictures"):
        folders.expand([tmp_path / "empty"])


def test_results_of_equal_names_do_not_overwrite_each_other(tmp_path: Path, save_picture: Any) -> None:
    results = tmp_path / "results"
    results.mkdir()
    with batch.Batch(scorer(), results, anonymize=False, max_pixels=100_000) as work:
        for folder in ("one", "two"):
            assert work.score(save_picture(f"{folder}/field.png"))["error"] is None
    assert {path.name for path in results.iterdir()} == {
        f"{name}.{kind}"
        for name in ("field.png", "field.png-2")
        for kind in ("cells.csv", "geojson", "overlay.png", "score.json")
    }


ODD_NAMES = [
    b"patient\xe2\x80\xaf7.jpg",  # U+202F, which macOS puts into names of screenshots
    b"patient\xff\xfe.jpg",
    b"patient\t7.jpg",
    b"patient\\7.jpg",
    b"patient'7\".jpg",
    b"patient\n7.jpg",
]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_anonymous_results_do_not_name_the_file(tmp_path: Path, save_picture: Any, name: bytes) -> None:
    results, odd = tmp_path / "results", tmp_path / os.fsdecode(name)
    results.mkdir()
    sound = save_picture("sound.png")
    sound.rename(odd)
    texts = []
    with batch.Batch(scorer(), results, anonymize=True, max_pixels=100_000) as work:
        work.score(odd)
        for content in (b"\xff\xd8\xffdamaged", b"II*\0damaged", b"damaged", b"", None):
            odd.unlink()
            if content is not None:
                odd.write_bytes(content)
            error = work.score(odd)["error"]
            assert error.startswith(f"image-{len(work.images):04} cannot be read")
        texts.append(json.dumps(work.record(complete=True), ensure_ascii=False))
    texts += [path.name for path in results.iterdir()] + [
        path.read_text("latin-1") for path in results.iterdir()
    ]
    assert "patient" not in "".join(texts)
    assert "7" not in work.images[1]["error"]
