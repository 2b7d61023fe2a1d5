"""A compress folder, a benchmark record and a headless browser for the report's tests."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import report_examples as examples

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
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
def chromium(tmp_path: Path) -> Callable[..., str]:
    """Return a function that runs a browser with these arguments and returns what it prints."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        missing = "the report's browser test needs Chromium (apt install chromium)"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)

    def run(*arguments: str) -> str:
        profile = tmp_path / "profile"
        command = [browser, *FLAGS, f"--user-data-dir={profile}", *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout

    return run
