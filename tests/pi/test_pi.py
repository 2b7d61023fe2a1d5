"""The whole workflow on a virtual Raspberry Pi, from synthetic tiles to a benchmark record, with failures.

    make test-pi

boots Bookworm and Trixie in turn. It is emulated: its times say nothing about a board. The log is also
written to benchmarks/results/test-pi-<suite>.log.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from pi_image import CPU, MEMORY_MB, build
from virtual_pi import HOST, VirtualPi

from edgepatho.deploy.job import Job
from edgepatho.deploy.probe import probe
from edgepatho.deploy.release import Release
from edgepatho.deploy.releases import list_releases
from edgepatho.deploy.ssh import Remote
from edgepatho.deploy.steps import deploy
from edgepatho.deploy.wheels import runtime_wheel
from edgepatho.errors import DeviceUnreachable

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "integration" / "deploy"))
from cutting_proxy import CuttingProxy  # noqa: E402

pytestmark = pytest.mark.pi
CLASSES = ("immunopositive", "immunonegative", "til")  # label_id 1, 2, 3 of a tile
SCORE = ".local/bin/edgepatho-run score tile.jpg --bundle .local/share/edgepatho/current/model.epb --json"
MAX_WHEEL_BYTES = 300_000
IDLE_LOAD = 0.5
Log = Callable[[str], None]


def shown(words: list[str]) -> str:
    """Return a command as a person would type it: file names without this machine's folders."""
    return " ".join(["edgepatho", *(Path(word).name if word.startswith("/") else word for word in words)])


def edgepatho(log: Log, *arguments: object, expected: int = 0) -> str:
    """Run a command of the host, log it with its output, and return its standard output."""
    words = [str(argument) for argument in arguments]
    log(f"$ {shown(words)}")
    started = time.monotonic()
    command = [sys.executable, "-m", "edgepatho", *words]
    done = subprocess.run(command, capture_output=True, text=True)
    output = re.sub(rf"{tempfile.gettempdir()}/[^\s:]*/", "", done.stderr + done.stdout).strip()
    log(output if "--json" not in words else f"({len(output):,} characters of JSON)")
    log(f"-> exit code {done.returncode} after {time.monotonic() - started:.1f} s\n")
    assert done.returncode == expected, output
    return done.stdout


@pytest.fixture(scope="session")
def workflow(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Path], Path, list[str]]:
    """Two folders that `edgepatho compress` wrote, a tile to score, and the log of how they were made.

    Few tiles and few retraining steps; the weights are the shipped ones.
    """
    folder = tmp_path_factory.mktemp("workflow")
    lines: list[str] = []
    tiles, prepared = folder / "tiles", folder / "prepared"
    edgepatho(lines.append, "synth", tiles, "--patients", 4, "--tiles", 4)
    edgepatho(lines.append, "prepare", tiles, prepared)
    for name, k in (("compressed", 256), ("smaller", 32)):
        options = ("-k", k, "--steps", 20, "--no-control")
        edgepatho(lines.append, "compress", prepared, "-o", folder / name, *options)
    return [folder / "compressed", folder / "smaller"], min((tiles / "Test").glob("*.jpg")), lines


@pytest.fixture(scope="module", params=["bookworm", "trixie"])
def suite(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def log(suite: str, workflow: tuple[list[Path], Path, list[str]]) -> Iterator[Log]:
    """A function that writes a line to the suite's log and to the terminal."""
    path = ROOT / "benchmarks" / "results" / f"test-pi-{suite}.log"
    with path.open("w", encoding="utf-8") as file:

        def write(text: str) -> None:
            print(text, flush=True)
            file.write(text + "\n")
            file.flush()

        write(f"Virtual Raspberry Pi: QEMU, {CPU}, {MEMORY_MB} MB, Debian {suite}, no network but SSH.")
        write("Emulated: no time in this log is a device's. Research use only; the tiles are synthetic.\n")
        for line in workflow[2]:
            write(line)
        yield write


@pytest.fixture(scope="module")
def pi(suite: str, log: Log, tmp_path_factory: pytest.TempPathFactory) -> Iterator[VirtualPi]:
    started = time.monotonic()
    image = build(suite)
    log(f"image ready after {time.monotonic() - started:.0f} s (0 s if it was in the cache)")
    path = os.environ["PATH"]
    with VirtualPi(image, tmp_path_factory.mktemp(suite)) as machine:
        log(f"booted to SSH in {machine.boot_s:.0f} s\n")
        os.environ["PATH"] = machine.client_path
        yield machine
    os.environ["PATH"] = path


def score(pi: VirtualPi, log: Log) -> dict[str, Any]:
    """Score the tile on the machine and return the record."""
    log(f"pi$ {SCORE}")
    started = time.monotonic()
    done = pi.ssh(SCORE)
    assert done.returncode == 0, done.stderr.decode()
    (image,) = json.loads(done.stdout)["images"]
    assert image["error"] is None
    log(f"{sum(image['counts'].values())} cells: {image['counts']}")
    log(f"-> exit code 0 after {time.monotonic() - started:.1f} s\n")
    return image


def labels(tile: Path) -> dict[str, int]:
    """Return how many cells of each class the synthetic tile was drawn with."""
    drawn = Counter(cell["label_id"] for cell in json.loads(tile.with_suffix(".json").read_text()))
    return {name: drawn[number] for number, name in enumerate(CLASSES, 1)}


def wait_until_idle(pi: VirtualPi) -> None:
    """Wait, for two minutes at most, until the machine's load is that of an idle one."""
    end = time.monotonic() + 120
    while float(pi.ssh("cat /proc/loadavg").stdout.split()[0]) > IDLE_LOAD and time.monotonic() < end:
        time.sleep(5)


def test_the_whole_workflow(
    pi: VirtualPi, log: Log, workflow: tuple[list[Path], Path, list[str]], tmp_path: Path
):
    (first, second), tile, _ = workflow
    with CuttingProxy(("127.0.0.1", pi.port)) as proxy:
        pi.point_client_at(proxy.port)
        edgepatho(log, "deploy", HOST, first, "--dry-run")
        before = proxy.bytes_up
        started = time.monotonic()
        result = json.loads(edgepatho(log, "deploy", HOST, first, "--json"))["hosts"][0]
        wall_s = time.monotonic() - started
        assert result["changed"]
        with Remote(HOST) as remote:
            wheel_bytes = runtime_wheel(probe(remote)).stat().st_size
        log(
            f"First deploy: {wall_s:.1f} s of wall time (emulated), {result['bytes_sent']:,} bytes sent "
            f"({proxy.bytes_up - before:,} on the wire)."
        )
        for step, seconds in result["seconds"].items():
            log(f"  {step.split('-cp')[0]:40s} {seconds:6.1f} s")
        log(f"The runtime's wheel: {wheel_bytes:,} bytes; the target is under {MAX_WHEEL_BYTES:,}.\n")
        assert wheel_bytes < MAX_WHEEL_BYTES
        assert "nothing changed" in edgepatho(log, "deploy", HOST, first)

        assert pi.ssh("cat > tile.jpg", input=tile.read_bytes()).returncode == 0
        drawn = labels(tile)
        log(f"tile.jpg is a synthetic tile, drawn with {sum(drawn.values())} cells: {drawn}")
        counts = score(pi, log)["counts"]
        assert sum(counts.values()) == pytest.approx(sum(drawn.values()), rel=0.5)

        record = tmp_path / "bench.json"
        wait_until_idle(pi)
        edgepatho(log, "bench", HOST, first, "--runs", 2, "--warmup", 1, "-o", record)
        bench = json.loads(record.read_text())
        assert bench["device"]["emulated"] is True
        assert {row["engine"] for row in bench["rows"]} == {"edgepatho", "edgepatho-baseline"}
        assert all(row["error"] is None and len(row["runs_ms"]) == 2 for row in bench["rows"])
        assert "emulated" in record.with_suffix(".html").read_text()

        log("The connection breaks in the middle of the upload:")
        proxy.cut_after((second / "model.epb").stat().st_size // 2)
        edgepatho(log, "deploy", HOST, second, expected=4)
        proxy.heal()
        assert score(pi, log)["counts"] == counts

        edgepatho(log, "deploy", HOST, second)
        score(pi, log)
        edgepatho(log, "rollback", HOST)
        assert score(pi, log)["counts"] == counts
        edgepatho(log, "ls", HOST)
    pi.point_client_at(pi.port)


def test_the_tflite_interpreter_is_deployed_too(
    pi: VirtualPi, log: Log, workflow: tuple[list[Path], Path, list[str]], tmp_path: Path
):
    first = workflow[0][0]
    edgepatho(log, "deploy", HOST, first, "--with-tflite")
    record = tmp_path / "bench.json"
    wait_until_idle(pi)
    edgepatho(log, "bench", HOST, first, "--runs", 2, "--warmup", 1, "-o", record)
    rows = json.loads(record.read_text())["rows"]
    measured = {(row["engine"], row["file"]) for row in rows if row["error"] is None}
    assert measured == {
        ("edgepatho", "model.epb"),
        ("edgepatho-baseline", "baseline.epb"),
        ("litert", "baseline.tflite"),
        ("litert", "int8.tflite"),
    }


def forget(pi: VirtualPi, release: Release) -> None:
    """Remove a release and its own parts from the machine by hand, so that the machine has never seen it."""
    parts = [part.sha256 for part in release.parts if part.name in ("model.epb", "MANIFEST")]
    paths = ["previous", f"releases/{release.id}", *(f"parts/{sha256}" for sha256 in parts)]
    command = f"cd .local/share/edgepatho && rm -rf {' '.join(paths)} && sync"
    assert pi.ssh(command).returncode == 0


@pytest.mark.parametrize(
    ("moment", "after_it"),
    [
        ("after upload MANIFEST", "old"),
        ("2 s into install", "old"),
        ("after install", "old"),
        ("after switch", "new"),
    ],
)
def test_a_power_cut_leaves_a_whole_release(
    pi: VirtualPi, log: Log, workflow: tuple[list[Path], Path, list[str]], moment: str, after_it: str
):
    """The plug is pulled; the disk has a journal and what was synced."""
    first, second = workflow[0]
    with Remote(HOST) as remote:
        device = probe(remote)
        old = Job(first, images=False).release_for(device)
        deploy(remote, old, device)
        new = Job(second, images=False).release_for(device)
    forget(pi, new)
    log(f"Power cut {moment}:")

    def pull_the_plug(step: str, seconds: float) -> None:
        if moment == f"after {step}":
            pi.cut_power()
        elif moment.endswith("into install") and step == "upload MANIFEST":  # install is next
            threading.Timer(float(moment.split()[0]), pi.cut_power).start()

    with Remote(HOST) as remote, suppress(DeviceUnreachable):
        deploy(remote, new, probe(remote), pull_the_plug)
    assert not pi.is_on
    pi.boot()
    with Remote(HOST) as remote:
        (current,) = (release for release in list_releases(remote) if release.mark == "current")
        assert current.state == "whole"
        assert current.id == {"old": old.id, "new": new.id}[after_it]
        log(f"booted again: current is the {after_it} release, whole")
        deploy(remote, new, probe(remote))
        assert probe(remote).current == new.id
        deploy(remote, old, probe(remote))
    log("the next deploys succeeded\n")
