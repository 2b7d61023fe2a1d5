"""A loopback device for each test module, and releases with a stand-in payload."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import fault_matrix
import pytest
import standin_payload
from fault_matrix import Laboratory
from loopback_device import HOST, LoopbackDevice

from edgepatho.deploy.probe import probe
from edgepatho.deploy.release import Release
from edgepatho.deploy.ssh import Remote
from edgepatho.deploy.steps import Outcome, deploy

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "v1"
needs_root = pytest.mark.skipif(os.getuid() != 0, reason="mounts a small disk, which takes root")


@pytest.fixture(scope="session")
def openssh(require: Callable[..., None]) -> None:
    """The programs that a loopback device needs; without them tests are skipped."""
    require("ssh", "sshd", "ssh-keygen")


@pytest.fixture(scope="module")
def server(openssh: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoopbackDevice]:
    with LoopbackDevice(tmp_path_factory.mktemp("device") / "device") as device:
        yield device


@pytest.fixture
def device(server: LoopbackDevice, monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopbackDevice]:
    """A device with an empty home folder that ssh knows as HOST."""
    server.empty()
    monkeypatch.setenv("PATH", server.client_path)
    yield server
    server.point_client_at(server.port)


@pytest.fixture(scope="session")
def release(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Release]:
    """A function that makes a release named `name`; its bundles contain that name."""
    folder = tmp_path_factory.mktemp("releases")
    return lambda name: standin_payload.release(folder, name)


@pytest.fixture
def deployed(device: LoopbackDevice) -> Callable[[Release], Outcome]:
    """A function that deploys a release to the device."""

    def to_device(release: Release) -> Outcome:
        with Remote(HOST) as remote:
            return deploy(remote, release, probe(remote))

    return to_device


@pytest.fixture(scope="session")
def laboratory(openssh: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laboratory]:
    """The fault matrix's device; it needs root for its own small disk."""
    if os.getuid() != 0:
        pytest.skip("mounts a small disk, which takes root")
    with fault_matrix.laboratory(tmp_path_factory.mktemp("laboratory")) as lab:
        yield lab


@pytest.fixture
def compress_folder(tmp_path: Path) -> Path:
    """A compress folder with what deploy needs: small real bundles."""
    folder = tmp_path / "compressed"
    folder.mkdir()
    shutil.copy(FIXTURES / "coded.epb", folder / "model.epb")
    shutil.copy(FIXTURES / "dense.epb", folder / "baseline.epb")
    return folder


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    return standin_payload.wheel(tmp_path)
