"""Build the aarch64 wheel of the runtime with PyPI's zig: python runtime/build_wheel.py OUT

Works on x86-64 and aarch64, prints the wheel's path; the same sources give the same bytes. Needs the packages
of the root's `dev` group.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

RUNTIME = Path(__file__).resolve().parent
PLATFORM = "manylinux_2_28_aarch64"
EPOCH = "1700000000"  # of every file in the wheel


def build(out: Path) -> Path:
    """The wheel, written to folder `out`; RuntimeError if it needs more of a system than its tag says."""
    out.mkdir(parents=True, exist_ok=True)
    environment = dict(
        os.environ,
        PATH=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",  # python-zig, cython
        SOURCE_DATE_EPOCH=EPOCH,
        CMAKE_TOOLCHAIN_FILE=str(RUNTIME.parent / "cmake" / "aarch64-zig.cmake"),
        SKBUILD_CMAKE_DEFINE="EDGEPATHO_WARNINGS_AS_ERRORS=ON",
        _PYTHON_HOST_PLATFORM="linux-aarch64",  # else the wheel calls itself x86-64
    )
    with tempfile.TemporaryDirectory() as folder:
        flags = ("-q", "--no-build-isolation", "--no-deps", "-w", folder)
        _run("pip", "wheel", *flags, RUNTIME, env=environment)
        (wheel,) = Path(folder).glob("*.whl")
        report = " ".join(_run("auditwheel", "show", wheel).split())
        if "requires no external shared libraries" not in report or not _old_enough(report):
            raise RuntimeError(f"The wheel does not fit {PLATFORM}: {report}")
        name = _run("wheel", "tags", "--remove", "--platform-tag", PLATFORM, wheel, env=environment).split()[
            -1
        ]
        target = out / name
        target.write_bytes((Path(folder) / name).read_bytes())
    return target


def _old_enough(report: str) -> bool:
    """Whether auditwheel finds the wheel fit for our tag's C library or an older one."""
    _, _, found = report.partition('platform tag: "manylinux_')
    major, minor = found.split("_")[:2]
    return (int(major), int(minor)) <= (2, 28)


def _run(module: str, *arguments: str | Path, env: dict[str, str] | None = None) -> str:
    command = [sys.executable, "-m", module, *map(str, arguments)]
    return subprocess.run(command, check=True, env=env, stdout=subprocess.PIPE, text=True).stdout


if __name__ == "__main__":
    print(build(Path(sys.argv[1] if len(sys.argv) > 1 else "dist")))
