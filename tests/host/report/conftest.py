"""A compress folder, a benchmark record and a headless browser for the report's tests."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import needs
import pytest
import report_examples as examples

HANGS_S = 600  # far longer than a working browser takes on the slowest machine
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return examples.write_folder(tmp_path / "compressed")


@pytest.fixture
def bench(tmp_path: Path) -> Path:
    return examples.write_bench(tmp_path / "bench.json")


@pytest.fixture
def chromium(tmp_path: Path, require: Callable[..., None]) -> Callable[..., str]:
    """Return a function that runs a browser with the given arguments and returns its output."""
    require("Chromium")

    def run(*arguments: str) -> str:
        profile = tmp_path / "profile"
        command = [needs.find("Chromium"), *FLAGS, f"--user-data-dir={profile}", *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=HANGS_S).stdout

    return run
