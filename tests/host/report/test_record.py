"""The error for a damaged or foreign record names the file, the field and what was expected."""

import copy
import json
import math
from contextlib import suppress

import numpy as np
import pytest
import report_examples as examples
from hypothesis import given, settings
from hypothesis import strategies as st

from edgepatho.errors import InputError
from edgepatho.evaluate import accuracy
from edgepatho.evaluate.tiles import Tiles
from edgepatho.report import bench_record, decode, record

DELETED = object()

COMPRESS_DEFECTS = [
    (["accuracy", "rows", 0, "til", "f1"], 1.5, r"accuracy\.rows\[0\]\.til\.f1 is 1\.5, expected a number"),
    (["accuracy", "rows", 0, "til", "f1"], True, r"til\.f1 is true, expected a number"),
    (["accuracy", "rows", 0, "til", "f1"], "0.8", r"til\.f1 is 0\.8, expected a number"),
    (["accuracy", "rows", 0, "til", "f1"], None, r"til\.f1 is null, expected a number"),
    (["accuracy", "rows", 0, "model"], "best", r"model is best, expected original or control or compressed"),
    (["accuracy", "rows", 0, "recal"], 0.5, r"accuracy\.rows\[0\]\.recal is unknown"),
    (["accuracy", "rows"], {}, r"accuracy\.rows is \{\}, expected a list"),
    (["quantizer", "distortion"], DELETED, r"the field distortion is missing in quantizer"),
    (["quantiser"], {}, r"the field quantiser is unknown; did you mean quantizer\?"),
    (["files", "model.epb", "bytes"], -1, r"files\.model\.epb\.bytes is -1, expected a number from 0"),
    (["files", "model.epb", "bytes"], 3.5, r"bytes is 3\.5, expected an integer"),
    (["files", "model.epb", "sha256"], "c" * 63, r"sha256 is c+, expected 64 hexadecimal digits"),
    (["files", "model.epb", "sha256"], "../" + "c" * 61, r"expected 64 hexadecimal digits"),
    (["original", "name"], "n" * 5000, r"original\.name is a string of 5000 characters, expected at most"),
    (["original"], [], r"original is \[\], expected an object"),
    (["version"], 3, r"version is 3, expected a number from 1 to 2"),
    (["format"], "edgepatho-bench", r"is not an edgepatho-compress record"),
    (["codebook", "counts"], [1], r"codebook has 256 values and 1 counts"),
    (["accuracy", "rows", 2, "model"], "control", r"no row for the compressed model"),
]  # fmt: skip

BENCH_DEFECTS = [
    (["rows", 1, "median_ms"], 1e30, r"rows\[1\]\.median_ms is 1e\+30, expected a number from 0 to 1e\+09"),
    (["rows", 1, "median_ms"], -0.5, r"median_ms is -0\.5, expected"),
    (["rows", 1, "runs_ms"], [1.0, "fast"], r"rows\[1\]\.runs_ms\[1\] is fast, expected a number"),
    (["device", "emulated"], DELETED, r"the field emulated is missing in device"),
    (["device", "emulated"], 0, r"device\.emulated is 0, expected true or false"),
    (["device", "throttled"], "0x50000", r"device\.throttled is 0x50000, expected true or false"),
    (["settings", "image", "height"], "256\n<b>", r"height is 256\\n<b>, expected an integer"),
    (["warnings"], "hot", r"warnings is hot, expected a list"),
]


def damaged(value, where, replacement):
    value = copy.deepcopy(value)
    *path, last = where
    holder = value
    for key in path:
        holder = holder[key]
    if replacement is DELETED:
        del holder[last]
    else:
        holder[last] = replacement
    return value


def test_valid_records_are_read_completely(folder, bench):
    compress = record.read_compress(folder)
    assert compress == record.read_compress(folder / "compress.json")
    assert compress.accuracy.of("compressed").immunopositive.f1 == pytest.approx(0.878)
    assert compress.files["model.epb"].bytes == 3_250_000
    assert bench_record.read_bench(bench).rows[2].median_ms == 67.5


@pytest.mark.parametrize(("where", "value", "sentence"), COMPRESS_DEFECTS)
def test_each_defect_of_compress_json_is_named(where, value, sentence, tmp_path):
    path = tmp_path / "compress.json"
    path.write_text(json.dumps(damaged(examples.compress_record(), where, value)))
    with pytest.raises(InputError, match=sentence) as error:
        record.read_compress(tmp_path)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("where", "value", "sentence"), BENCH_DEFECTS)
def test_each_defect_of_bench_json_is_named(where, value, sentence, tmp_path):
    path = examples.write_bench(tmp_path / "bench.json", damaged(examples.bench_record(), where, value))
    with pytest.raises(InputError, match=sentence) as error:
        bench_record.read_bench(path)
    assert str(error.value).startswith(str(path))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "not a valid JSON record"),
        ("[1, 2", "not a valid JSON record"),
        ('{"a": NaN}', "it holds NaN, expected a finite number"),
        ('{"a": -Infinity}', "it holds -Infinity"),
        ('{"a": 1e999}', "it holds 1e999, expected a finite number"),
        ('{"a": ' + "9" * 5000 + "}", "it holds the number 9+"),
        ('{"a": 1, "a": 2}', "it holds the field a twice"),
        ("[" * 100_000, "not a valid JSON record"),
        ('{"a": "\\ud800"}', "not a valid JSON record"),
        ("null", "is not an edgepatho-bench record"),
        ('{"format": ["edgepatho-bench"]}', "is not an edgepatho-bench record"),
    ],
)
def test_malformed_json_is_refused(text, sentence, tmp_path):
    path = tmp_path / "bench.json"
    path.write_text(text)
    with pytest.raises(InputError, match=sentence):
        bench_record.read_bench(path)


def test_report_reads_what_evaluate_writes(tmp_path):
    heat = np.zeros((2, 64, 64, 3), np.float32)
    heat[0, 20, 30, 0] = 200
    points = [np.array([[30.0, 20.0]]), np.zeros((0, 2)), np.array([[30.0, 20.0]])]
    pictures = np.zeros((2, 64, 64, 3), np.uint8)
    tiles = Tiles(pictures, pictures, [points, points], ["p1", "p2"], ["a", "b"], [pictures.shape[1:3]] * 2)
    settings = accuracy.Protocol((60.0, 55.0, 40.0))
    found = accuracy.find(heat, settings.thresholds)
    value = examples.compress_record()
    value["accuracy"]["protocol"] = settings.as_json()
    value["accuracy"]["rows"] = [
        {"model": "original", **accuracy.row(heat, tiles, settings)},
        {"model": "compressed", **accuracy.row(heat * 0, tiles, settings, (heat, found))},
    ]
    (tmp_path / "compress.json").write_text(json.dumps(value))
    read = record.read_compress(tmp_path).accuracy
    assert read.of("original").immunopositive.tp == 1
    assert read.of("compressed").seed_protocol.tiles_left_out == 2
    assert read.of("compressed").mse_to_original > 0


def test_bytes_that_are_not_utf8_are_refused(tmp_path):
    path = tmp_path / "bench.json"
    path.write_bytes(b"\xff\xfe\x00{")
    with pytest.raises(InputError, match="not a valid JSON record"):
        bench_record.read_bench(path)


def test_a_missing_file_a_folder_and_a_huge_file_are_refused(tmp_path, monkeypatch):
    with pytest.raises(InputError, match="cannot be read"):
        bench_record.read_bench(tmp_path / "none.json")
    with pytest.raises(InputError, match=r"compress\.json cannot be read"):
        record.read_compress(tmp_path)
    with pytest.raises(InputError, match="cannot be read"):
        bench_record.read_bench(tmp_path)
    monkeypatch.setattr(decode, "MAX_FILE_BYTES", 100)
    with pytest.raises(InputError, match="larger than 100 bytes"):
        bench_record.read_bench(examples.write_bench(tmp_path / "bench.json"))


def test_a_frontier_is_a_list_or_an_object_and_may_hold_more(tmp_path):
    path = tmp_path / "frontier.json"
    rows = examples.frontier_rows()
    path.write_text(json.dumps(rows))
    plain = record.read_frontier(path)
    path.write_text(json.dumps({"rows": rows, "settings": {"steps": 100}}))
    assert record.read_frontier(path) == plain
    assert len(plain.rows) == 15
    path.write_text(json.dumps([rows[0] | {"bundle_bytes": math.pi}]))
    with pytest.raises(InputError, match=r"rows\[0\]\.bundle_bytes is 3\.14"):
        record.read_frontier(path)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None, max_examples=200)
@given(data=st.data())
def test_any_value_in_any_field_is_accepted_or_refused(data, tmp_path_factory):
    value = examples.bench_record()
    where = []
    holder = value
    while isinstance(holder, (dict, list)) and holder and (not where or data.draw(st.booleans())):
        where.append(
            data.draw(st.sampled_from(sorted(holder) if isinstance(holder, dict) else range(len(holder))))
        )
        holder = holder[where[-1]]
    path = tmp_path_factory.getbasetemp() / "any.json"
    path.write_text(json.dumps(damaged(value, where, data.draw(json_values))))
    with suppress(InputError):  # and nothing else
        assert bench_record.read_bench(path).rows is not None
