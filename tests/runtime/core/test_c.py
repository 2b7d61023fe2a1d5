"""The C code compiles without warnings and passes its tests, plain and with sanitizers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

RUNTIME = Path(__file__).resolve().parents[3] / "runtime"
TOOLS = Path(sys.executable).parent  # cmake and ninja are PyPI's


@pytest.mark.slow
@pytest.mark.needs("cc")  # the system's compiler has the sanitizers, zig's does not
@pytest.mark.parametrize("sanitizers", ["", "address,undefined"], ids=["plain", "sanitized"])
def test_core(tmp_path, sanitizers):
    options = ["-G", "Ninja", f"-DCMAKE_MAKE_PROGRAM={TOOLS / 'ninja'}"]
    options += [f"-DEDGEPATHO_SANITIZE={sanitizers}", "-DEDGEPATHO_WARNINGS_AS_ERRORS=ON"]
    build = [
        [TOOLS / "cmake", "-S", RUNTIME, "-B", tmp_path, *options],
        [TOOLS / "ninja", "-C", tmp_path],
        [TOOLS / "ctest", "--test-dir", tmp_path, "--output-on-failure", "--parallel", "2"],
    ]
    for command in build:
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    assert "100% tests passed" in done.stdout
