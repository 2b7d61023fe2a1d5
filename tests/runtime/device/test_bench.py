"""The benchmark: its record, its peers (present, absent, broken or damaged), and facts about the device."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bundle_recipe import floats, identity
from PIL import Image

from edgepatho.report.bench_record import read_bench
from edgepatho_runtime import cli, device, image
from edgepatho_runtime.bench import child, contender
from edgepatho_runtime.bench import record as bench
from edgepatho_runtime.bundle import reader
from edgepatho_runtime.errors import BundleError, BusyError
from edgepatho_runtime.scoring import decoder

QUICK = ["--runs", "3", "--warmup", "1", "--threads", "1"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A compress folder with both bundles, at a network size of 64 px."""
    inside = tmp_path / "compressed"
    inside.mkdir()
    recipe = identity()
    recipe.scoring["network_size_px"] = 64
    (inside / "model.epb").write_bytes(recipe.build())
    del recipe.graph["nodes"][0]["codebook"]
    del recipe.tensors["codebook"], recipe.tensors["mix.index"]
    recipe.tensors["mix.weight"] = ("F32", [1, 3, 1, 8], floats(*np.eye(3, 8).ravel()))
    (inside / "baseline.epb").write_bytes(recipe.build())
    return inside


def record_of(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    """Run a quick bench and return its record."""
    assert cli.main(["bench", *arguments, *QUICK, "--json", "-"]) == 0
    record: dict[str, Any] = json.loads(capsys.readouterr().out)
    return record


def test_a_folder_gives_a_row_for_each_bundle(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record = record_of(capsys, str(folder))
    assert [row["engine"] for row in record["rows"]] == ["edgepatho", "edgepatho-baseline"]
    for row in record["rows"]:
        assert row["error"] is None
        assert len(row["runs_ms"]) == 3
        assert min(row["init_ms"], row["first_ms"], row["warmup_mean_ms"], *row["runs_ms"]) > 0
        assert row["median_ms"] == sorted(row["runs_ms"])[1]
        assert 0 < row["peak_rss_over_python_bytes"] < row["peak_rss_bytes"]
        assert row["file_sha256"] == hashlib.sha256((folder / row["file"]).read_bytes()).hexdigest()
    assert record["settings"]["image"]["height"] == 64


def test_the_report_reads_the_record(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bench.json"
    assert cli.main(["bench", str(folder), *QUICK, "--json", str(path)]) == 0
    record = read_bench(path)
    assert [row.name for row in record.rows] == ["edgepatho index map", "edgepatho uncompressed"]
    written = json.loads(path.read_text())
    assert set(written["device"]) == {field.name for field in dataclasses.fields(record.device)}
    assert "edgepatho uncompressed" in capsys.readouterr().out


def test_all_engines_get_the_given_image(
    folder: Path, tmp_path: Path, save_picture: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    facts = record_of(capsys, str(folder), "--image", str(save_picture()))["settings"]["image"]
    assert (facts["name"], facts["height"], facts["width"]) == ("field.png", 64, 64)
    seen = image.resize(image.read(tmp_path / "field.png"), 64, 64)
    assert facts["sha256"] == hashlib.sha256(seen.rgb).hexdigest()


def test_a_picture_whose_decoder_dies_ends_the_benchmark_with_an_error(
    folder: Path,
    save_picture: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Untrusted pictures are decoded in a separate process, as in `score`."""
    monkeypatch.setattr(decoder, "CODE", "import os; os.kill(os.getpid(), 9)")
    assert cli.main(["bench", str(folder), *QUICK, "--image", str(save_picture())]) == 3
    assert "field.png cannot be read: " in capsys.readouterr().err


def test_a_picture_tiled_from_the_golden_one_repeats_it() -> None:
    golden = reader.parse(identity().build())
    tiled = np.frombuffer(bench._tiled(golden, 40), np.uint8).reshape(40, 40, 3)
    tile = np.frombuffer(golden.tensors["golden.input"].data, np.uint8).reshape(16, 16, 3)
    assert np.array_equal(tiled, np.tile(tile, (3, 3, 1))[:40, :40])


# -- TFLite engines, replaced by small fakes -----------------------------------------------------------

INTERPRETER = """
import numpy, os
class Interpreter:
    def __init__(self, model_path, num_threads):
        {on_create}
    def allocate_tensors(self): pass
    def get_input_details(self):
        return [dict(index=0, shape=numpy.array({shape}), dtype=numpy.{dtype}, quantization=(0.5 / 255, -7))]
    def get_tensor_details(self):
        return [dict(dtype=numpy.{weights})]
    def set_tensor(self, index, value):
        numpy.save({seen!r}, value)
    def invoke(self):
        {on_invoke}
"""


@pytest.fixture
def play(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Put a fake engine in front of what is installed; the returned file holds the input it was given."""
    lib = tmp_path / "engines"
    monkeypatch.setenv("PYTHONPATH", str(lib))

    def put(package: str, module: str, **parts: str) -> Path:
        seen = tmp_path / f"{package}.npy"
        defaults = {"shape": "[1, 256, 256, 3]", "dtype": "float32", "weights": "float32"}
        defaults |= {"on_create": "pass", "on_invoke": "pass"}
        (lib / module).mkdir(parents=True)
        (lib / module / "__init__.py").touch()
        text = INTERPRETER.format(**{**defaults, "seen": str(seen), **parts})
        (lib / module / "interpreter.py").write_text(text)
        facts = lib / f"{module}-9.8.7.dist-info"
        facts.mkdir()
        (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 9.8.7\n")
        return seen

    return put


PICTURE = np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8)


@pytest.fixture
def tflite_row(tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Measure a .tflite file with one engine and return the row."""
    Image.fromarray(PICTURE).save(tmp_path / "noise.png")

    def measure(
        engine: str, name: str = "baseline.tflite", content: bytes = b"", mark: str = ""
    ) -> dict[str, Any]:
        (tmp_path / name).write_bytes(content)
        todo = [task for task in contender.tasks([], [f"{tmp_path / name}{mark}"]) if task.engine == engine]
        record = bench.run(todo, bench.Settings(1, 1, 2, "fp32"), tmp_path / "noise.png", lambda text: None)
        row: dict[str, Any] = record["rows"][0]
        return row

    return measure


def test_a_float_engine_gets_the_picture_from_0_to_1(play: Any, tflite_row: Any) -> None:
    seen = play("ai-edge-litert", "ai_edge_litert")
    row = tflite_row("litert")
    assert row["error"] is None
    assert (row["name"], row["version"], row["precision"]) == ("ai-edge-litert fp32", "9.8.7", "fp32")
    assert np.array_equal(np.load(seen)[0], PICTURE.astype(np.float32) / 255)


def test_integer_kernels_with_float_inputs_are_called_int8(play: Any, tflite_row: Any) -> None:
    play("ai-edge-litert", "ai_edge_litert", weights="int8")
    row = tflite_row("litert", "int8.tflite")
    assert (row["name"], row["precision"], row["error"]) == ("ai-edge-litert int8", "int8", None)


def test_an_int8_engine_gets_the_picture_quantized_as_its_file_says(play: Any, tflite_row: Any) -> None:
    seen = play("ai-edge-litert", "ai_edge_litert", dtype="int8", weights="int8")
    row = tflite_row("litert", "int8.tflite")
    assert (row["name"], row["precision"], row["error"]) == ("ai-edge-litert int8", "int8", None)
    given = np.load(seen)[0]
    assert given.dtype == np.int8
    assert np.array_equal(given, np.clip(np.round(PICTURE * 2.0 - 7), -128, 127))


def test_another_file_is_named_in_its_row(play: Any, tflite_row: Any) -> None:
    play("ai-edge-litert", "ai_edge_litert")
    assert tflite_row("litert", "compressed.tflite")["name"] == "ai-edge-litert fp32 compressed.tflite"


def test_a_package_built_for_another_numpy_is_one_sentence(play: Any, tflite_row: Any) -> None:
    """As tflite-runtime 2.14 beside numpy 2: the import works, making an Interpreter does not."""
    play("tflite-runtime", "tflite_runtime", on_create="raise SystemError('returned with an exception set')")
    assert tflite_row("tflite-runtime")["error"] == (
        f"tflite-runtime does not work with the installed numpy {np.__version__}; "
        "install numpy below 2, or use ai-edge-litert."
    )


def test_a_missing_package_is_one_sentence(tmp_path: Path, play: Any, tflite_row: Any) -> None:
    play("tflite-runtime", "tflite_runtime")
    (tmp_path / "engines" / "tflite_runtime" / "interpreter.py").write_text("import not_there")
    error = tflite_row("tflite-runtime")["error"]
    assert error.startswith("tflite-runtime is not installed here, or incompletely: ")


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"on_create": "os.kill(os.getpid(), 11)"}, "killed by signal 11"),
        ({"on_invoke": "os._exit(3)"}, "exited with code 3"),
        ({"on_create": "raise ValueError('not a flatbuffer')"}, "not a flatbuffer"),
        ({"shape": "[1, 32, 32, 3]"}, "expected pixels (1, 256, 256, 3)"),
        ({"dtype": "float64"}, "Its input is float64"),
    ],
)
def test_an_engine_that_fails_leaves_an_error(
    play: Any, tflite_row: Any, parts: dict[str, str], words: str
) -> None:
    play("ai-edge-litert", "ai_edge_litert", **parts)
    row = tflite_row("litert")
    assert words in row["error"]
    assert row["median_ms"] is None
    assert row["runs_ms"] == []


def test_what_an_engine_prints_is_not_its_result(play: Any, tflite_row: Any) -> None:
    play("ai-edge-litert", "ai_edge_litert", on_invoke="os.write(1, b'{}'); print('[1]', flush=True)")
    assert tflite_row("litert")["error"] is None


def test_every_kind_of_file_goes_to_the_peers_that_run_it(tmp_path: Path) -> None:
    names = ["a.tflite", "b.onnx", "c.mnn", "d.xml", "e.param"]
    for name in [*names, "d.bin", "e.bin"]:
        (tmp_path / name).write_text(name)
    todo = contender.tasks([tmp_path / name for name in names], [])
    assert [(task.engine, task.content) for task in todo] == [
        ("litert", b"a.tflite"),
        ("tflite-runtime", b"a.tflite"),
        ("onnxruntime", b"b.onnx"),
        ("mnn", b"c.mnn"),
        ("openvino", b"d.xmld.bin"),
        ("ncnn", b"e.parame.bin"),
    ]


def test_a_failing_peer_leaves_the_other_rows(
    folder: Path, play: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    play("ai-edge-litert", "ai_edge_litert", on_create="os._exit(1)")
    (folder / "int8.tflite").touch()
    rows = record_of(capsys, str(folder))["rows"]
    assert [row["engine"] for row in rows] == ["edgepatho", "edgepatho-baseline", "litert", "tflite-runtime"]
    assert [row["error"] is None for row in rows[:3]] == [True, True, False]


def test_a_file_that_is_not_the_recorded_one_never_reaches_its_engine(
    tmp_path: Path, play: Any, tflite_row: Any
) -> None:
    seen = play("ai-edge-litert", "ai_edge_litert")
    right = hashlib.sha256(b"as exported").hexdigest()
    assert tflite_row("litert", content=b"as exported", mark=f"@{right}")["error"] is None
    seen.unlink()
    assert "damaged" in tflite_row("litert", content=b"as damaged", mark=f"@{right}")["error"]
    (tmp_path / "compress.json").write_text(json.dumps({"files": {"baseline.tflite": {"sha256": right}}}))
    assert "damaged" in tflite_row("litert", content=b"as damaged")["error"]
    assert not seen.exists()


def test_recorded_hashes_come_from_the_compress_folder_or_the_release(tmp_path: Path) -> None:
    file = tmp_path / "int8.tflite"
    assert contender.recorded_sha256(file) is None
    (tmp_path / "MANIFEST").write_text(f"{'1' * 64}  lib/x.py\n{'2' * 64}  int8.tflite\n")
    assert contender.recorded_sha256(file) == "2" * 64
    (tmp_path / "compress.json").write_text(json.dumps({"files": {"int8.tflite": {"sha256": "3" * 64}}}))
    assert contender.recorded_sha256(file) == "3" * 64
    (tmp_path / "compress.json").write_text("[]")
    assert contender.recorded_sha256(file) == "2" * 64


# -- what is refused -----------------------------------------------------------------------------------


def test_a_second_bench_must_wait(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with bench.only_bench():
        assert cli.main(["bench", str(folder), *QUICK]) == 1
        with pytest.raises(BusyError), bench.only_bench():
            pass
    assert "Another benchmark is running" in capsys.readouterr().err
    with bench.only_bench():
        pass


def test_benches_of_two_homes_run_side_by_side(monkeypatch: pytest.MonkeyPatch) -> None:
    with bench.only_bench():
        monkeypatch.setenv("HOME", "/home/" + 200 * "long")
        with bench.only_bench():
            pass
        with monkeypatch.context() as without:
            without.delenv("HOME")
            with bench.only_bench(), pytest.raises(BusyError), bench.only_bench():
                pass


def test_a_record_that_cannot_be_written_is_not_bad_input(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["bench", str(folder), *QUICK, "--json", "/proc/none/bench.json"]) == 1
    assert capsys.readouterr().err == "Error: /proc/none: No such file or directory.\n"


def test_a_missing_file_is_reported_before_anything_is_measured(
    tmp_path: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lost = str(tmp_path / "lost.tflite")
    assert cli.main(["bench", str(folder), lost, *QUICK]) == 3
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"Error: {lost} does not exist")


def test_a_record_makes_its_folder(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "new" / "bench.json"
    assert cli.main(["bench", str(folder / "model.epb"), *QUICK, "--json", str(path)]) == 0
    assert len(read_bench(path).rows) == 1


def test_a_folder_without_models_and_a_missing_tflite_file_are_refused(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(BundleError, match="holds none of"):
        contender.tasks([tmp_path], [])
    with pytest.raises(BundleError, match="is not a file"):
        contender.tasks([folder], [str(folder / "none.tflite")])


def test_tflite_alone_needs_a_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.tflite").touch()
    assert cli.main(["bench", str(tmp_path / "a.tflite"), *QUICK]) == 3
    assert "--image" in capsys.readouterr().err


def test_a_child_that_cannot_start_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child.python.sys, "executable", "/nowhere/python")
    assert "could not be started" in child.measured({})["error"]


# -- figures -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 2, 3, 19, 20, 21, 100])
def test_statistics_equal_numpys(count: int) -> None:
    runs = np.random.default_rng(count).gamma(3, 10, count)
    figures = bench.statistics(runs.tolist())
    assert figures["median_ms"] == pytest.approx(np.median(runs))
    assert figures["mean_ms"] == pytest.approx(runs.mean())
    assert figures["sd_ms"] == pytest.approx(runs.std(ddof=1) if count > 1 else 0)
    assert figures["p95_ms"] == np.quantile(runs, 0.95, method="inverted_cdf")


def facts(**changes: Any) -> dict[str, Any]:
    base = {"emulated": False, "throttled": False, "governor": "performance", "cores": 4}
    return {**base, "temperature_c_end": 50.0, **changes}


ROW = {"name": "engine", "error": None, "threads": 4, "sd_ms": 1.0, "median_ms": 100.0}


@pytest.mark.parametrize(
    ("changes", "row", "load", "words"),
    [
        ({"emulated": True}, ROW, 0.1, "emulated"),
        ({"throttled": True}, ROW, 0.1, "throttled"),
        ({"governor": "ondemand"}, ROW, 0.1, "governor is ondemand"),
        ({"temperature_c_end": 81.0}, ROW, 0.1, "81 °C"),
        ({}, ROW, 2.5, "load 2.5"),
        ({}, ROW | {"sd_ms": 11.0}, 0.1, "vary"),
        ({}, ROW | {"threads": 5}, 0.1, "5 threads share 4 cores"),
    ],
)
def test_each_reason_for_doubt_is_one_warning(
    changes: dict[str, Any], row: dict[str, Any], load: float, words: str
) -> None:
    (warning,) = bench.warnings(facts(**changes), [row], load)
    assert words in warning


def test_a_quiet_device_has_no_warnings() -> None:
    unknown = facts(governor=None, throttled=None, temperature_c_end=None)
    assert bench.warnings(unknown, [ROW, {"name": "x", "threads": 4, "error": "a sentence"}], 0.1) == []


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (None, None, None),
        (0, 0, False),
        (0x50000, 0x50000, False),  # long ago
        (0, 0x40000, True),  # during the run
        (0x4, 0x40004, True),
        (0, 0x1, True),
    ],
)
def test_throttling_counts_if_current_or_new(
    before: int | None, after: int | None, expected: bool | None
) -> None:
    assert bench._was_throttled(before, after) is expected


# -- the device ----------------------------------------------------------------------------------------

PI_CPU = "processor\t: 0\nFeatures\t: fp asimd\nCPU implementer\t: 0x41\nCPU part\t: 0xd08\n"
X86_CPU = "processor\t: 0\nvendor_id\t: GenuineIntel\nmodel name\t: Some Xeon\n"


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """Facts of a made-up system: file contents by path, and the machine's name."""

    def ask(machine: str, **texts: str) -> dict[str, Any]:
        for path, text in texts.items():
            file = tmp_path / "root" / path.replace("__", "/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        monkeypatch.setattr(device, "ROOT", tmp_path / "root")
        monkeypatch.setattr(device.platform, "machine", lambda: machine)
        return device.facts()

    return ask


def test_facts_of_a_pi(system: Any) -> None:
    facts = system(
        "aarch64",
        **{
            "proc__device-tree__model": "Raspberry Pi 4 Model B Rev 1.4\0",
            "proc__device-tree__compatible": "raspberrypi,4-model-b\0brcm,bcm2711\0",
            "proc__cpuinfo": PI_CPU,
            "proc__meminfo": "MemTotal:        1000 kB\nMemAvailable: 500 kB\n",
            "etc__os-release": 'NAME=x\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n',
            "sys__devices__system__cpu__cpu0__cpufreq__scaling_governor": "ondemand\n",
            "sys__class__thermal__thermal_zone0__temp": "48312\n",
        },
    )
    assert facts["model"] == "Raspberry Pi 4 Model B Rev 1.4"
    assert (facts["cpu"], facts["memory_bytes"], facts["governor"]) == ("Cortex-A72", 1_024_000, "ondemand")
    assert facts["os"] == "Debian GNU/Linux 12 (bookworm)"
    assert facts["emulated"] is False
    assert device.temperature_c() == 48.312


def test_unknown_facts_are_none(system: Any) -> None:
    unknown = {name for name, value in system("riscv64").items() if value is None}
    assert unknown == {"model", "cpu", "memory_bytes", "governor", "os"}
    assert device.temperature_c() is None


@pytest.mark.parametrize(
    ("machine", "files", "emulated"),
    [
        ("aarch64", {"proc__cpuinfo": X86_CPU}, True),  # qemu-user shows the host's processor
        ("aarch64", {"proc__self__comm": "qemu-aarch64-st\n", "proc__cpuinfo": PI_CPU}, True),
        ("aarch64", {"proc__device-tree__compatible": "linux,dummy-virt\0", "proc__cpuinfo": PI_CPU}, True),
        ("aarch64", {"sys__class__dmi__id__sys_vendor": "QEMU\n", "proc__cpuinfo": PI_CPU}, True),
        ("aarch64", {"proc__sys__kernel__arch": "x86_64\n", "proc__cpuinfo": PI_CPU}, True),
        ("aarch64", {"proc__sys__kernel__arch": "aarch64\n", "proc__cpuinfo": PI_CPU}, False),
        ("aarch64", {"proc__cpuinfo": PI_CPU}, False),
        ("x86_64", {"proc__cpuinfo": X86_CPU, "sys__class__dmi__id__sys_vendor": "QEMU\n"}, False),
    ],
)
def test_emulation_is_detected(system: Any, machine: str, files: dict[str, str], emulated: bool) -> None:
    assert system(machine, **files)["emulated"] is emulated


@pytest.mark.parametrize(
    ("answer", "bits"), [("throttled=0x50005", 0x50005), ("nonsense", None), (None, None)]
)
def test_throttling_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str | None, bits: int | None
) -> None:
    if answer is not None:
        command = tmp_path / "vcgencmd"
        command.write_text(f"#!/bin/sh\necho {answer}\n")
        command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
    assert device.throttled() == bits
