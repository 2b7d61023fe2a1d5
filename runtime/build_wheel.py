"""Build the runtime's wheels for other machines: python runtime/build_wheel.py SOURCE OUT MACHINE...

SOURCE is this folder or its sdist, a MACHINE aarch64 or x86_64; PyPI's zig compiles for both on either.
Prints the wheels' paths; the same sources give the same bytes. Needs the packages of the root's `dev` group.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

TOOLCHAINS = Path(__file__).resolve().parents[1] / "cmake"
C_LIBRARY = (2, 28)
EPOCH = "1700000000"  # of every file in the wheel


def build(source: Path, out: Path, machine: str) -> Path:
    """Build a wheel into folder `out`; RuntimeError if it needs a newer system than its tag states."""
    out.mkdir(parents=True, exist_ok=True)
    platform = "manylinux_{}_{}_{}".format(*C_LIBRARY, machine)
    environment = dict(
        os.environ,
        PATH=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",  # python-zig, cython
        SOURCE_DATE_EPOCH=EPOCH,
        CMAKE_TOOLCHAIN_FILE=str(TOOLCHAINS / f"{machine}-zig.cmake"),
        _PYTHON_HOST_PLATFORM=f"linux-{machine}",  # otherwise the wheel gets the tag of the build machine
        SKBUILD_CMAKE_DEFINE="EDGEPATHO_WARNINGS_AS_ERRORS=ON",
    )
    with tempfile.TemporaryDirectory() as folder:
        flags = ("-q", "--no-build-isolation", "--no-deps", "--no-index", "-w", folder)
        _run("pip", "wheel", *flags, source.resolve(), env=environment)
        (wheel,) = Path(folder).glob("*.whl")
        report = " ".join(_run("auditwheel", "show", wheel).split())
        if not _fits(report):
            raise RuntimeError(f"The wheel does not conform to {platform}: {report}")
        tagged = _run("wheel", "tags", "--remove", "--platform-tag", platform, wheel, env=environment)
        name = tagged.split()[-1]
        return Path(shutil.copy(Path(folder) / name, out))


def _fits(report: str) -> bool:
    """Whether auditwheel reports that the wheel needs only our tag's C library or an older one."""
    tag = re.search(r'consistent with the following platform tag: "manylinux_(\d+)_(\d+)_', report)
    return tag is not None and (int(tag[1]), int(tag[2])) <= C_LIBRARY


def _run(module: str, *arguments: str | Path, env: dict[str, str] | None = None) -> str:
    command = [sys.executable, "-m", module, *map(str, arguments)]
    return subprocess.run(command, check=True, env=env, stdout=subprocess.PIPE, text=True).stdout


if __name__ == "__main__":
    source, out, *machines = sys.argv[1:]
    for machine in machines:
        print(build(Path(source), Path(out), machine))
