"""The whole road on a virtual Raspberry Pi, from a compress folder to a benchmark record, with breakdowns.

    make test-pi

boots Bookworm and Trixie in turn. Emulated: its times say nothing about a board. What happened is also
written to benchmarks/results/test-pi-<suite>.log.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
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
from edgepatho.errors import DeviceUnreachable

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "integration" / "deploy"))
from cutting_proxy import CuttingProxy  # noqa: E402

pytestmark = pytest.mark.pi
BUNDLE = ".local/share/edgepatho/current/model.epb"
SCORE = f".local/bin/edgepatho-run score tile.png --bundle {BUNDLE} --json"
POWER_CUTS = ("upload MANIFEST", "install", "switch")  # right after these steps


class Log:
    """A log that a person can read: what was done, how it went, how long it took."""

    def __init__(self, path: Path):
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("w", encoding="utf-8")

    def __call__(self, text: str) -> None:
        print(text, flush=True)
        self._file.write(text + "\n")
        self._file.flush()

    def close(self) -> None:
        self._file.close()

    def edgepatho(self, *arguments: object, expected: int = 0) -> str:
        """Run a command of the host, log it with its output, and return its standard output."""
        words = [str(argument) for argument in arguments]
        shown = [Path(word).name if word.startswith("/") else word for word in words]
        self(f"$ edgepatho {' '.join(shown)}")
        started = time.monotonic()
        command = [sys.executable, "-m", "edgepatho", *words]
        done = subprocess.run(command, capture_output=True, text=True)
        output = re.sub(rf"{tempfile.gettempdir()}/\S*/", "", done.stderr + done.stdout).strip()
        self(output if "--json" not in words else f"({len(output)} characters of JSON)")
        self(f"-> exit code {done.returncode} after {time.monotonic() - started:.1f} s\n")
        assert done.returncode == expected, output
        return done.stdout


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two compress folders, as far as deploy goes: PathoNet with 256 and with 16 shared values."""
    code = """
import sys
from pathlib import Path
from edgepatho.exporters import bundle
from edgepatho.model import graph, weights
from edgepatho.quantize.quantizer import Quantizer, share

network = graph.from_keras(weights.load_shipped())
about = {"scoring": bundle.SCORING, "provenance": {"method": "cws"}, "accuracy": {}}
for folder, k in zip(sys.argv[1:], (256, 16)):
    bundle.write(Path(folder) / "model.epb", share(network, Quantizer(k=k)), **about)
    bundle.write(Path(folder) / "baseline.epb", network, **about)
"""
    found = [tmp_path_factory.mktemp(f"k{k}") for k in (256, 16)]
    subprocess.run([sys.executable, "-c", code, *found], check=True, capture_output=True)
    return found


@pytest.fixture(scope="module")
def tile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A synthetic picture of 128 x 128 pixels: emulation takes its time."""
    import numpy as np
    from PIL import Image

    from edgepatho.exporters import golden

    path = tmp_path_factory.mktemp("tile") / "tile.png"
    Image.fromarray(np.tile(golden.patch(), (2, 2, 1))).save(path)
    return path


@pytest.fixture(scope="module", params=["bookworm", "trixie"])
def suite(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def log(suite: str) -> Iterator[Log]:
    log = Log(ROOT / "benchmarks" / "results" / f"test-pi-{suite}.log")
    log(f"Virtual Raspberry Pi: QEMU, {CPU}, {MEMORY_MB} MB, Debian {suite}; emulated, no device's times.\n")
    yield log
    log.close()


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
    log(f"cells {image['counts']}")
    log(f"-> exit code 0 after {time.monotonic() - started:.1f} s\n")
    return image


def test_the_whole_road(pi: VirtualPi, log: Log, folders: list[Path], tile: Path, tmp_path: Path):
    first, second = folders
    with CuttingProxy(("127.0.0.1", pi.port)) as proxy:
        pi.point_client_at(proxy.port)
        log.edgepatho("deploy", HOST, first, "--dry-run")
        before = proxy.bytes_up
        result = json.loads(log.edgepatho("deploy", HOST, first, "--json"))["hosts"][0]
        seconds = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in result["seconds"].items())
        sent = proxy.bytes_up - before
        log(f"first deploy: {seconds}")
        log(f"payload {result['bytes_sent']} bytes, over the wire to the device {sent} bytes\n")
        assert result["changed"]
        assert "nothing changed" in log.edgepatho("deploy", HOST, first)

        assert pi.ssh("cat > tile.png", input=tile.read_bytes()).returncode == 0
        found = score(pi, log)
        assert found["error"] is None

        record = tmp_path / "bench.json"
        log.edgepatho("bench", HOST, "--runs", 2, "--warmup", 0, "-o", record)
        bench = json.loads(record.read_text())
        assert bench["device"]["emulated"] is True
        assert {row["engine"] for row in bench["rows"]} == {"edgepatho", "edgepatho-baseline"}
        assert all(row["error"] is None and len(row["runs_ms"]) == 2 for row in bench["rows"])
        assert record.with_suffix(".html").exists()

        log("the connection breaks in the middle of the upload:")
        proxy.cut_after(1_000_000)
        log.edgepatho("deploy", HOST, second, expected=4)
        proxy.heal()
        assert score(pi, log)["counts"] == found["counts"]

        log.edgepatho("deploy", HOST, second)
        score(pi, log)
        log.edgepatho("rollback", HOST)
        assert score(pi, log)["counts"] == found["counts"]
        log.edgepatho("ls", HOST)
    pi.point_client_at(pi.port)


def forget(pi: VirtualPi, release: Release) -> None:
    """Remove a release and its own parts from the machine by hand, so that it is new there."""
    parts = [part.sha256 for part in release.parts if part.name in ("model.epb", "MANIFEST")]
    paths = ["previous", f"releases/{release.id}", *(f"parts/{sha256}" for sha256 in parts)]
    command = f"cd .local/share/edgepatho && rm -rf {' '.join(paths)} && sync"
    assert pi.ssh(command).returncode == 0


@pytest.mark.parametrize("step", POWER_CUTS)
def test_a_power_cut_leaves_a_whole_release(pi: VirtualPi, log: Log, folders: list[Path], step: str):
    """The plug is pulled right after a step; the disk has a journal and what was synced."""
    first, second = folders
    with Remote(HOST) as remote:
        device = probe(remote)
        wanted = Job(first, images=False).release_for(device)
        deploy(remote, wanted, device)
        other = Job(second, images=False).release_for(device)
    forget(pi, other)
    log(f"power cut right after the step: {step}")

    def pull_the_plug(name: str, seconds: float) -> None:
        done.append(name)
        if name == step:
            pi.cut_power()

    done: list[str] = []
    with Remote(HOST) as remote, suppress(DeviceUnreachable):
        deploy(remote, other, probe(remote), pull_the_plug)
    assert done[-1] == step
    pi.boot()
    with Remote(HOST) as remote:
        (current,) = (release for release in list_releases(remote) if release.mark == "current")
        assert current.state == "whole"
        assert current.id in {wanted.id, other.id}
        log(f"booted again: current is {'the old' if current.id == wanted.id else 'the new'} release, whole")
        deploy(remote, other, probe(remote))
        assert probe(remote).current == other.id
        deploy(remote, wanted, probe(remote))
    log("the next deploys succeeded\n")
