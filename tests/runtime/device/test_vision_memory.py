"""The image and cell code in C under the address and undefined-behaviour sanitizers."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

CORE = Path(__file__).parents[3] / "runtime" / "core"
FLAGS = [
    "-std=c11",
    "-O1",
    "-g",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-ffp-contract=off",
    "-fsanitize=address,undefined",
    "-fno-sanitize-recover=all",
]


@pytest.mark.needs("cc")
def test_random_pictures_and_maps_stay_inside_their_buffers(tmp_path: Path) -> None:
    program = tmp_path / "test_vision"
    sources = [CORE / "tests" / "test_vision.c", CORE / "src" / "image.c", CORE / "src" / "cells.c"]
    subprocess.run(["cc", *FLAGS, f"-I{CORE / 'include'}", *sources, "-o", program], check=True)
    done = subprocess.run([program, "1500"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "1500 rounds\n"
