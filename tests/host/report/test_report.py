"""The page shows what the records hold: in order, escaped, self-contained, byte for byte reproducible."""

import json
import re
import shlex
from dataclasses import asdict
from html.parser import HTMLParser
from pathlib import Path

import pytest
import report_examples as examples

from edgepatho import palette
from edgepatho.commands import compress, compress_settings
from edgepatho.errors import InputError
from edgepatho.report.html import render

HEADINGS = [
    "Three sizes",
    "Accuracy",
    "Cells, before and after",
    "Example Board 7",
    "Inside the compression",
    "How to reproduce",
]


class Page(HTMLParser):
    """Text, headings, table cells and the attributes that could fetch something."""

    VOID = ("meta", "img", "link", "br")

    def __init__(self, source):
        super().__init__()
        self.source = source
        self.tags, self.addresses, self.handlers, self.texts, self.open = [], [], [], [], []
        self.headings = []
        self.feed(source)
        assert self.open == [], "every element is closed"

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)
        for name, value in attributes:
            if name in ("src", "href", "srcset", "data", "action", "xlink:href"):
                self.addresses.append(value)
            if name.startswith("on"):
                self.handlers.append(name)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.texts.append(data)
        if self.open and self.open[-1] == "h2":
            self.headings.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split())


def options_of(arguments):
    """The settings that `edgepatho compress` parses from these arguments."""
    context = compress.command.make_context("compress", ["PREPARED", "-o", "OUTPUT", *arguments])
    return compress_settings.options_of(Path("PREPARED"), context.params)


@pytest.fixture
def page(folder, bench, tmp_path):
    render(folder, [bench], tmp_path / "report.html")
    return Page((tmp_path / "report.html").read_text())


def rows_of(page, table):
    body = re.search(rf'<table[^>]*id="{table}">(.*?)</table>', page.source, re.S)[1]
    rows = [re.findall(r"<t[hd].*?</t[hd]>", row, re.S) for row in re.findall(r"<tr.*?</tr>", body, re.S)]
    return [[" ".join(re.sub(r"<[^>]+>", " ", cell).split()) for cell in row] for row in rows]


def test_the_verdict_comes_first_then_the_banner_then_the_table(page):
    places = [
        page.source.index(mark) for mark in ('id="verdict"', "Synthetic images, research", 'id="summary"')
    ]
    assert places == sorted(places)
    assert page.headings == HEADINGS


def test_the_summary_shows_original_compressed_and_ratio(page):
    rows = rows_of(page, "summary")
    assert rows[0] == ["", "original", "compressed", "ratio"]
    assert rows[1][1:] == ["13.0 MB", "3.25 MB", "4.00× smaller"]
    assert rows[2][1:] == ["0.862", "0.858", "0.4 points lower"]
    assert [row[1:] for row in rows if row[0].startswith("Inference")] == [
        ["90.0 ms", "81.0 ms", "1.11× faster"],
        ["67.5 ms", "81.0 ms", "1.20× slower"],
        ["40.5 ms", "81.0 ms", "2.00× slower"],
    ]


def test_there_are_three_sizes(page):
    rows = rows_of(page, "sizes")
    assert rows[0] == ["", ".tflite", ".tflite deflated", "bundle (.epb)"]
    assert rows[2] == [
        "compressed",
        "13.1 MB 13,050,000 bytes",
        "3.90 MB 3,900,000 bytes",
        "3.25 MB 3,250,000 bytes",
    ]


def test_accuracy_is_shown_with_the_control_under_both_protocols(page):
    rows = rows_of(page, "agreement")
    assert [row[0] for row in rows[1:]] == ["original", "control", "compressed"]
    assert rows[3][1] == "0.972"
    ours, published = page.text.index("Our protocol"), page.text.index("The published protocol")
    assert "0.878" in page.text[ours:published]  # compressed, immunopositive F1
    assert "0.928" in page.text[published:]


def test_warnings_device_hashes_and_command_are_shown(page):
    for text in (
        "add --warmup 5",
        "tflite-runtime is not installed.",
        "Example-A99, 4 cores, aarch64",
        '{"k":256,"method":"cws","seed":4}',
        examples.digest("a"),
        "2.21.0",
        "Layers not compressed: conv10 (fewer weights than values)",
        "Ki-67 index 28.6 %",
    ):
        assert text in page.text


def test_values_are_shown_in_words_with_units(page):
    for text in (
        "immunopositive 62, immunonegative 57.5, TIL 41 of 255",
        "low below 16 %, high above 30 %, middle between",
        "low up to 10 %, high from 60 % on, middle between",
        "5 px of a 256 px tile",
        "6 px of a 256 px tile",
    ):
        assert text in page.text
    for key in ("ki67 cutoffs", "62.0; 57.5", "min distance px", "radius px of 256", "_px", "MiB"):
        assert key not in page.text


def test_the_legend_uses_the_colours_of_the_overlays(page):
    legend = re.search(r'<p class="legend">(.*?)</p>', page.source, re.S)[1]
    assert re.findall(r"--mark: (#\w+)\">([\w-]+)<", legend) == [
        (palette.CELLS["immunopositive"], "immunopositive"),
        (palette.CELLS["immunonegative"], "immunonegative"),
        (palette.CELLS["til"], "TIL"),
    ]
    assert "a dot is a labelled cell" in page.text
    assert "A square around a ring marks a cell that the other network did not find" in page.text
    assert "2 cells not found by the other network" in page.text
    assert "1 cell not found by the other network" in page.text
    assert len([a for a in page.addresses if a.startswith("data:")]) == 3  # the plain tile stands beside


def test_patients_in_both_splits_are_named_next_to_the_figures(page):
    assert "patients p3, p9 have pictures both for training and for testing" in page.text


def test_unseen_laboratories_are_beside_the_same_and_losses_on_top(page, tmp_path):
    assert "Laboratories that training" not in page.text
    record = examples.compress_record()
    rows = [
        examples.accuracy_row("original", 0.7),
        examples.accuracy_row("compressed", 0.65, agreement=0.912, ki67_change_points=3.5),
    ]
    basel = {"laboratory": "Basel", "tiles": 24, "patients": 8, "synthetic": False, "rows": rows}
    record["accuracy"] |= {"unseen": [basel], "notes": ["On unseen laboratory Basel, it agrees less."]}
    render(examples.write_folder(tmp_path / "unseen", record), [], tmp_path / "unseen.html")
    page = Page((tmp_path / "unseen.html").read_text())
    shown = rows_of(page, "unseen")[1:]
    assert [row[:2] for row in shown] == [
        *(["same laboratories", model] for model in ("original", "control", "compressed")),
        *(["Basel, 24 tiles of 8 patients", model] for model in ("original", "compressed")),
    ]
    assert shown[-1][2:] == ["0.670", "0.630", "0.550", "1.25", "0.912", "3.50"]
    assert page.text.index("it agrees less.") < page.text.index("Three sizes")


def test_without_labels_the_page_shows_agreement_and_no_f1(tmp_path):
    record = examples.compress_record()
    cells = {"immunopositive": 1204, "immunonegative": 877, "til": 15}
    compared = {"agreement": 0.972, "agreement_cells": 2096, "mse_to_original": 0.77}
    record["accuracy"] |= {
        "labelled": False,
        "notes": ["Without labels no thresholds can be chosen."],
        "rows": [
            {"model": "original", "cells": cells},
            {"model": "compressed", "cells": cells, "ki67_change_points": 0.5, **compared},
        ],
    }
    record["overlays"]["p9_0001_1"].pop("labels")
    render(examples.write_folder(tmp_path / "unlabelled", record), [], tmp_path / "page.html")
    page = Page((tmp_path / "page.html").read_text())
    assert "agreement is 2.8 points lower (1.000 to 0.972), on 96 synthetic tiles." in page.text
    assert "They have no labels" in page.text
    assert "Without labels no thresholds can be chosen." in page.text
    assert rows_of(page, "agreement")[2] == [
        "compressed", "0.972 2,096 cells", "1,204", "877", "15", "0.50", "0.770",
    ]  # fmt: skip
    assert "average F1" not in page.text
    assert "precision" not in page.text


def test_the_command_on_the_page_reproduces_the_settings(tmp_path):
    """Parsed by the command, the line on the page gives the settings in the record."""
    given = ["--method", "ecsq", "--bits", "1.5", "--prune", "30", "--steps", "7", "--layer", "conv10=skip"]
    given += ["--scale", "channel", "--index-rate", "0.002", "--target", "original", "--test-tiles", "5"]
    made = asdict(options_of([*given, "--seed", "4", "--no-control"]))
    record = examples.compress_record() | {"command": json.loads(json.dumps(made))}
    folder = examples.write_folder(tmp_path / "c", record)
    render(folder, [], tmp_path / "report.html")
    (line,) = re.findall(
        r"edgepatho compress PREPARED -o OUTPUT.*", Page((tmp_path / "report.html").read_text()).text
    )
    words = shlex.split(line.split(" PREPARED is the folder")[0])
    assert words[5:7] == ["--weights", "demo weights"]
    assert asdict(options_of(words[7:])) == made


def test_the_page_is_self_contained(page):
    assert page.addresses
    assert all(address.startswith("data:image/png;base64,") for address in page.addresses)
    assert page.handlers == []
    assert not {"script", "link", "iframe", "object", "base", "form"} & set(page.tags)
    assert "url(" not in page.source
    assert "@import" not in page.source
    assert "default-src 'none'" in page.source


def test_equal_records_give_equal_bytes_without_paths(folder, bench, tmp_path):
    pages = [tmp_path / name for name in ("a.html", "b.html")]
    for output in pages:
        render(folder, [bench], output)
    assert pages[0].read_bytes() == pages[1].read_bytes()
    assert str(tmp_path) not in pages[0].read_text()


@pytest.mark.parametrize("with_compression", [True, False])
def test_either_record_alone_is_enough(with_compression, folder, bench, tmp_path):
    output = tmp_path / "report.html"
    if with_compression:
        render(folder / "compress.json", [], output)
        page = Page(output.read_text())
        assert "Latency and memory were not measured." in page.text
        assert len(page.addresses) == 3
    else:
        render(None, [bench], output)
        page = Page(output.read_text())
        assert page.headings == ["Example Board 7", "How to reproduce"]
        assert "1.20× slower than TFLite fp32" in page.text


def test_a_minimal_record_renders(tmp_path):
    record = examples.compress_record()
    for optional in ("space", "codebook", "layers", "overlays", "scoring"):
        del record[optional]
    record["training"] = {"steps": 0, "history": []}
    record["files"] = {"model.epb": record["files"]["model.epb"]}
    record["accuracy"]["rows"] = [
        {key: row[key] for key in ("model", "immunopositive", "immunonegative", "til", "average_f1")}
        for row in record["accuracy"]["rows"]
        if row["model"] != "control"
    ]
    folder = examples.write_folder(tmp_path / "compressed", record)
    render(folder, [], tmp_path / "report.html")
    assert "0.4 points lower" in Page((tmp_path / "report.html").read_text()).text


def test_the_output_of_a_broken_network_may_be_off_by_any_amount(tmp_path):
    """Few shared values without retraining: an MSE of 1e12 and more is a result like any other."""
    record = examples.compress_record()
    for value in (1_018_991_902_798, 1.7e308):
        record["accuracy"]["rows"][2]["mse_to_original"] = value
        record["quantizer"]["mse_to_original"] = record["training"]["history"][0]["train_mse"] = value
        folder = examples.write_folder(tmp_path / f"{value:.0e}", record)
        render(folder, [], tmp_path / "report.html")
        page = Page((tmp_path / "report.html").read_text())
        assert rows_of(page, "agreement")[-1][-1] == f"{value:.2e}"
        assert not re.search(r' (d|points|[xy][12]?)="[^"]*(inf|nan)', page.source)
    for value in (float("inf"), -1):
        record["quantizer"]["mse_to_original"] = value
        with pytest.raises(InputError):
            render(examples.write_folder(tmp_path / f"{value}", record), [], tmp_path / "none.html")


def test_a_frontier_is_drawn_by_method(folder, tmp_path):
    (folder / "frontier.json").write_text(json.dumps(examples.frontier_rows()))
    render(folder, [], tmp_path / "report.html")
    page = Page((tmp_path / "report.html").read_text())
    assert page.tags.count("circle") == 15
    assert {"cws", "uq", "ecsq"} <= set(page.texts)


def test_an_emulated_machine_shows_no_wall_time(folder, tmp_path):
    record = examples.bench_record()
    record["device"]["emulated"] = True
    record["warnings"] = []
    bench = examples.write_bench(tmp_path / "bench.json", record)
    render(folder, [bench], tmp_path / "report.html")
    page = Page((tmp_path / "report.html").read_text())
    assert "This machine was emulated" in page.text
    assert "peak memory is 14.7 MB" in page.text
    assert not re.search(r"\bms\b|faster|slower|81\.0|67\.5", page.text)


def test_hostile_text_stays_text(tmp_path):
    attack = "</style></code><script>alert(1)</script><img src=x onerror=alert(1)>\"'"
    record, bench = examples.compress_record(), examples.bench_record()
    record["original"]["name"] = attack
    record["command"] = {attack: attack}
    record["versions"] = {attack: [attack]}
    record["accuracy"]["protocol"] = {attack: {attack: attack}}
    record["quantizer"]["method"] = attack
    record["files"][attack] = record["files"]["model.epb"]
    record["layers"] = [{"name": attack, "parameters": 1, "levels_used": 1, "skipped": attack}]
    bench["device"] |= dict.fromkeys(
        ("model", "cpu", "machine", "python", "kernel", "os", "governor"), attack
    )
    bench["settings"]["image"]["name"] = attack
    bench["rows"] = [row | {"name": attack, "file": attack, "version": attack} for row in bench["rows"]]
    bench["rows"][0] |= {"error": attack}
    bench["warnings"] = [attack]
    folder = examples.write_folder(tmp_path / "compressed", record)
    hostile_tile = "<script>alert(2)<|script>"
    for model in ("original", "compressed"):
        examples.tile_picture().save(folder / "overlays" / f"{hostile_tile}-{model}.png")
    rows = examples.frontier_rows()
    rows[0]["method"] = attack
    (folder / "frontier.json").write_text(json.dumps(rows))
    output = tmp_path / "report.html"
    render(folder, [examples.write_bench(tmp_path / "<b>.json", bench)], output)
    page = Page(output.read_text())
    assert "script" not in page.tags
    assert page.handlers == []
    assert all(address.startswith("data:image/png;base64,") for address in page.addresses)
    assert "<script>alert(1)</script>" in "".join(page.texts)
    assert hostile_tile in "".join(page.texts)


@pytest.mark.parametrize("damage", ["missing partner", "not a PNG", "empty"])
def test_a_damaged_overlay_is_one_sentence_and_no_page(damage, folder, tmp_path):
    picture = folder / "overlays" / "p9_0001_1-compressed.png"
    output = tmp_path / "report.html"
    output.write_text("an earlier page")
    if damage == "missing partner":
        picture.unlink()
    else:
        picture.write_bytes(b"<svg onload=alert(1)>" if damage == "not a PNG" else b"")
    with pytest.raises(InputError, match=r"p9_0001_1-compressed\.png"):
        render(folder, [], output)
    assert output.read_text() == "an earlier page"
    assert not list(tmp_path.glob(".report*"))
