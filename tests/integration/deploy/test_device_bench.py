"""`edgepatho bench HOST`: the record it fetches, what it deploys first, and what it refuses."""

from __future__ import annotations

import json
import shutil
import subprocess
from importlib import util
from pathlib import Path

import pytest
import standin_payload
from click.testing import CliRunner, Result
from conftest import FIXTURES
from loopback_device import HOST, LoopbackDevice
from runtime_wheel import runtime_wheel

from edgepatho.cli import main
from edgepatho.deploy import bench, ssh
from edgepatho.report.bench_record import BenchDevice, BenchImage, BenchRecord, BenchRow, BenchSettings

pytestmark = pytest.mark.slow

LYING = """
import sys
print("self-test passed" if sys.argv[1] == "selftest" else {answer!r})
"""
needs_runtime = pytest.mark.skipif(
    util.find_spec("edgepatho_runtime") is None,
    reason="measures with the installed runtime: `make install`",
)


def cli(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def runtime(tmp_path: Path) -> Path:
    return runtime_wheel(tmp_path)


@needs_runtime
class TestWithTheRuntime:
    def test_bench_deploys_what_is_missing_and_fetches_record_and_report(
        self, device: LoopbackDevice, compress_folder: Path, runtime: Path, tmp_path: Path
    ):
        shutil.copy(FIXTURES / "plain.epb", compress_folder / "baseline.epb")
        record = tmp_path / "records" / "device.json"
        options = ("--wheel", runtime, "--runs", 3, "--warmup", 1, "--threads", 1, "-o", record)
        first = cli("bench", HOST, compress_folder, *options)
        assert first.exit_code == 0, first.output
        assert device.current()
        bench = json.loads(record.read_text())
        assert [row["file"] for row in bench["rows"]] == ["model.epb", "baseline.epb"]
        assert all(row["error"] is None and len(row["runs_ms"]) == 3 for row in bench["rows"])
        assert bench["settings"]["threads"] == 1
        assert "<html" in record.with_suffix(".html").read_text()

        deployed = device.current()
        again = cli("bench", HOST, "--runs", 2, "-o", record, "--json")
        assert json.loads(again.stdout) == json.loads(record.read_text())
        assert device.current() == deployed

    def test_a_release_with_the_wanted_content_is_kept(
        self, device: LoopbackDevice, compress_folder: Path, runtime: Path, tmp_path: Path
    ):
        shutil.copy(FIXTURES / "plain.epb", compress_folder / "baseline.epb")
        options = ("--wheel", runtime, "--no-images")
        assert cli("deploy", HOST, compress_folder, *options).exit_code == 0
        without_pillow = device.current()
        cli("bench", HOST, compress_folder, "--wheel", runtime, "--runs", 1, "-o", tmp_path / "bench.json")
        assert device.current() == without_pillow

    def test_the_record_of_a_failing_engine_is_fetched_with_exit_code_1(
        self, device: LoopbackDevice, compress_folder: Path, runtime: Path, tmp_path: Path
    ):
        """The fixture's baseline ends in dense layers, which accept only one picture size."""
        record = tmp_path / "bench.json"
        options = ("--wheel", runtime, "--runs", 1, "-o", record)
        result = cli("bench", HOST, compress_folder, *options)
        assert result.exit_code == 1, result.output
        assert "expects 320 input channels" in result.stdout
        assert [row["error"] is None for row in json.loads(record.read_text())["rows"]] == [True, False]
        assert record.with_suffix(".html").exists()


@pytest.mark.parametrize(
    "answer", ["", "hello", '{"format": "edgepatho-bench"}', '{"format": "edgepatho-bench", "version": 9}']
)
def test_an_invalid_record_is_refused_and_leaves_the_old_one(
    device: LoopbackDevice, compress_folder: Path, tmp_path: Path, answer: str
):
    wheel = standin_payload.wheel(tmp_path, main=LYING.format(answer=answer))
    assert cli("deploy", HOST, compress_folder, "--wheel", wheel, "--no-images").exit_code == 0
    record = tmp_path / "bench.json"
    record.write_text("an earlier record")
    result = cli("bench", HOST, "-o", record)
    assert result.exit_code == 3, result.output
    assert HOST in result.output
    assert record.read_text() == "an earlier record"
    assert not record.with_suffix(".html").exists()


def test_control_characters_in_device_output_are_escaped(
    device: LoopbackDevice, compress_folder: Path, tmp_path: Path
):
    lying = (
        LYING.format(answer="hello") + 'sys.argv[1] == "bench" and print("\\x1b[2Jgone", file=sys.stderr)\n'
    )
    wheel = standin_payload.wheel(tmp_path, main=lying)
    assert cli("deploy", HOST, compress_folder, "--wheel", wheel, "--no-images").exit_code == 0
    result = cli("bench", HOST, "-o", tmp_path / "bench.json")
    assert "\n\\x1b[2Jgone\n" in "\n" + result.stderr
    assert "\x1b" not in result.output


def test_progress_is_shown_as_it_arrives(
    device: LoopbackDevice, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    """The script ends only once its line is shown, and a program that it started keeps the pipes open."""
    script = """
        echo 1/2 edgepatho >&2
        until [ -e "$HOME/shown" ]; do sleep 0.05; done
        sleep 300 &
        echo $! >"$HOME/sleeping"
    """
    monkeypatch.setattr(ssh, "device_script", lambda name: script)
    said: list[str] = []

    def show(shown: ssh._Shown, errors: bytearray) -> None:
        original(shown, errors)
        said.append(capsys.readouterr().err)
        if "1/2" in said[-1]:
            (device.home / "shown").touch()

    original = ssh._Shown.__call__
    monkeypatch.setattr(ssh._Shown, "__call__", show)
    with ssh.Remote(HOST) as remote:
        remote.run("bench", show_progress=True)
    subprocess.run(["kill", (device.home / "sleeping").read_text().strip()], check=True)
    assert "".join(said) == "1/2 edgepatho\n"


def test_control_characters_in_a_record_are_escaped():
    erase = "\x1b[2J"
    device = BenchDevice(erase, "aarch64", None, 4, None, "3.11", None, None, emulated=False)
    settings = BenchSettings(1, 0, 1, BenchImage("golden.input", "0" * 64, 256, 256))
    row = BenchRow(erase, "litert", None, "int8.tflite", "int8", 1, error=erase)
    printed = "\n".join(bench.lines(BenchRecord("edgepatho-bench", 1, device, settings, [row])))
    assert printed.count("[2J") == 3
    assert "\x1b" not in printed


def test_a_device_without_a_release_is_named(device: LoopbackDevice, tmp_path: Path):
    result = cli("bench", HOST, "-o", tmp_path / "bench.json")
    assert result.exit_code == 5
    assert not (tmp_path / "bench.json").exists()


def test_bench_explains_an_unknown_host_key_too(device: LoopbackDevice, tmp_path: Path):
    known = device.folder / "known_hosts"
    text = known.read_text()
    known.write_text("")
    try:
        result = cli("bench", HOST, "-o", tmp_path / "bench.json")
    finally:
        known.write_text(text)
    assert result.exit_code == 4
    assert "not known yet" in result.output


@pytest.mark.parametrize("threads", [0, 17])
def test_threads_have_the_same_range_as_on_the_device(threads: int):
    result = cli("bench", HOST, "--threads", threads)
    assert result.exit_code == 2
    assert "1<=x<=16" in result.output
