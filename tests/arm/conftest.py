"""The ARM lab for tests: an arm64 userland, the boards, the cross-built wheel."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.arm import sysroot, wheel
from benchmarks.arm.boards import BOARDS, Board
from benchmarks.arm.tools import ToolMissing


@pytest.fixture(scope="session")
def userland(require: Callable[..., None]) -> sysroot.Userland:
    """The arm64 system with Python 3.11; skipped where its programs are not installed (a failure in CI)."""
    require("qemu-aarch64", "llvm-mca")
    try:
        return sysroot.userland()
    except ToolMissing as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def wheel_file() -> Path:
    """The aarch64 wheel that `make wheel-arm` built."""
    try:
        return wheel.find()
    except wheel.WheelMissing as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def runtime_site(wheel_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked wheel and nothing else, as in a release on a device."""
    return wheel.unpack(wheel_file, tmp_path_factory.mktemp("runtime"))


@pytest.fixture(params=list(BOARDS))
def board(request: pytest.FixtureRequest) -> Board:
    return BOARDS[request.param]
