"""The core's own tests in C, as they are and under the address and undefined-behaviour sanitizers."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

RUNTIME = Path(__file__).resolve().parents[3] / "runtime"


@pytest.mark.slow
@pytest.mark.parametrize("sanitizers", ["", "address,undefined"], ids=["plain", "sanitized"])
def test_core(tmp_path, sanitizers):
    if not (shutil.which("cc") and shutil.which("cmake")):
        pytest.skip("needs cmake and the system's C compiler, which has the sanitizers")
    build = [
        ["cmake", "-S", RUNTIME, "-B", tmp_path, f"-DEDGEPATHO_SANITIZE={sanitizers}"],
        ["cmake", "--build", tmp_path, "--parallel", "2"],
        ["ctest", "--test-dir", tmp_path, "--output-on-failure"],
    ]
    for command in build:
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    assert "100% tests passed" in done.stdout
