"""The verdict is computed from the figures and says if compression made something worse."""

import pytest
import report_examples as examples

from edgepatho.report import figures
from edgepatho.report.bench_record import BenchRecord, read_bench
from edgepatho.report.record import CompressRecord, read_compress


@pytest.fixture
def compress(folder) -> CompressRecord:
    return read_compress(folder)


def bench_of(tmp_path, **changes) -> BenchRecord:
    record = examples.bench_record()
    record["device"] |= changes.pop("device", {})
    record |= changes
    return read_bench(examples.write_bench(tmp_path / "bench.json", record))


def test_the_verdict_names_gains_and_losses(compress, tmp_path):
    first, second = figures.verdict(compress, [bench_of(tmp_path)])
    assert first == (
        "Compressed, the file is 4.00× smaller (13.0 MB to 3.25 MB) "
        "and average F1 is 0.4 points lower (0.862 to 0.858), on 96 synthetic tiles."
    )
    assert "On Example Board 7 with 4 threads" in second
    assert "inference is 81.0 ms, 1.11× faster than the uncompressed network" in second
    assert "1.20× slower than TFLite fp32, 2.00× slower than TFLite int8" in second


def test_a_larger_file_is_called_larger(tmp_path):
    record = examples.compress_record()
    record["files"]["model.epb"]["bytes"] = 26_000_000
    folder = examples.write_folder(tmp_path / "compressed", record)
    assert "the file is 2.00× larger" in figures.verdict(read_compress(folder), [])[0]


def test_the_fastest_peer_at_the_same_number_of_threads_is_the_rival(tmp_path):
    rows = examples.bench_record()["rows"]
    rows.append(examples.bench_row("slow peer", "tflite-runtime", 500.0, 1))
    rows.append(examples.bench_row("more threads", "litert", 1.0, 1, threads=16))
    lines = figures.measured(bench_of(tmp_path, rows=rows))
    assert [line.before for line in lines if line.what == "inference"] == ["90.0 ms", "67.5 ms", "40.5 ms"]


def test_emulated_machines_have_no_latency(tmp_path):
    bench = bench_of(tmp_path, device={"emulated": True})
    assert {line.what for line in figures.measured(bench)} == {"peak memory"}
    sentences = figures.verdict(None, [bench])
    assert sentences[-1] == "Example Board 7 was emulated, so no latency is given."
    assert " ms" not in " ".join(sentences)


def test_without_our_row_nothing_is_compared(tmp_path):
    bench = bench_of(tmp_path, rows=examples.bench_record()["rows"][1:])
    assert figures.verdict(None, [bench]) == ["On Example Board 7, there was nothing to compare."]


@pytest.mark.parametrize(
    ("before", "after", "words", "better"),
    [
        (10, 5, "2.00× smaller", True),
        (5, 10, "2.00× larger", False),
        (1000, 1004, "the same", None),
        (0, 0, "the same", None),
        (0, 5, "larger", False),
        (1e9, 1, "1,000,000,000.00× smaller", True),
    ],
)
def test_ratios_in_words(before, after, words, better):
    assert figures.ratio(before, after, "smaller", "larger") == (words, better)


@pytest.mark.parametrize(
    ("before", "after", "words", "better"),
    [
        (0.80, 0.83, "3.0 points higher", True),
        (0.80, 0.7994, "0.1 points lower", False),
        (0.8, 0.8004, "the same", None),
    ],
)
def test_points_in_words(before, after, words, better):
    assert figures.points(before, after) == (words, better)


def test_caveats_name_what_makes_a_run_incomparable(compress, tmp_path):
    rows = examples.bench_record()["rows"]
    rows[0]["file_sha256"] = examples.digest("9")
    bench = bench_of(tmp_path, rows=rows, device={"throttled": True, "governor": "ondemand"})
    sentences = " ".join(figures.caveats(compress, bench))
    assert "throttled" in sentences
    assert "The governor ondemand" in sentences
    assert "edgepatho index map ran a model.epb from another compression." in sentences
    assert "tflite-runtime fp32 did not run" in sentences


def test_a_warning_from_the_device_is_not_repeated(compress, tmp_path):
    device = {"emulated": True, "throttled": True, "governor": "ondemand"}
    warnings = [
        "This is an emulated device: its wall times say nothing about a real one.",
        "The processor was throttled: check power supply and cooling, then measure again.",
        "The CPU governor is ondemand; for steady times: ...",
    ]
    bench = bench_of(tmp_path, device=device, warnings=warnings, rows=examples.bench_record()["rows"][:4])
    assert figures.caveats(None, bench) == warnings


@pytest.mark.parametrize(
    ("count", "shown"), [(427_000, "427 kB"), (3_250_000, "3.25 MB"), (999_999, "1,000 kB"), (0, "0.00 kB")]
)
def test_sizes_are_decimal_as_in_the_readme(count, shown):
    assert figures.size(count) == shown
