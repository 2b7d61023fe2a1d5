"""`edgepatho score` runs its environment's `edgepatho-run score`: arguments, output, exit code, signals."""

from __future__ import annotations

import importlib.util
import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from edgepatho.cli import main

BUNDLE = Path(__file__).parents[1] / "fixtures" / "v1" / "coded.epb"
HOST = [sys.executable, "-P", "-m", "edgepatho", "score"]
DEVICE = [sys.executable, "-P", "-m", "edgepatho_runtime", "score"]


def save_picture(path: Path, size: int = 64) -> Path:
    pixels = np.random.default_rng(0).integers(0, 256, (size, size, 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--help"], 0),
        (["field.png", "--bundle", str(BUNDLE)], 0),
        (["--bundle", str(BUNDLE), "--", "-p.png"], 0),
        (["none.png", "field.png", "--bundle", str(BUNDLE)], 3),
        (["field.png"], 2),
        (["field.png", "--bundle", str(BUNDLE), "--unknown"], 2),
    ],
)
def test_arguments_output_and_exit_code_match_the_device(arguments, code, tmp_path):
    for name in ("field.png", "-p.png"):
        save_picture(tmp_path / name)
    host, device = (
        subprocess.run([*command, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False)
        for command in (HOST, DEVICE)
    )
    assert host.returncode == device.returncode == code
    assert without_times(host.stdout) == without_times(device.stdout)
    assert host.stderr == device.stderr


def without_times(text: str) -> str:
    return re.sub(r", [\d.]+ s\)", ")", text)


def test_stdout_holds_only_json(tmp_path):
    picture = save_picture(tmp_path / "field.png")
    done = subprocess.run(
        [*HOST, str(picture), "--bundle", str(BUNDLE), "--json"], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout)["images"][0]["image"] == "field.png"


def test_an_interrupt_reaches_the_scorer_which_keeps_finished_pictures(tmp_path):
    for number in range(60):
        save_picture(tmp_path / "fields" / f"{number:02}.png", size=250)
    command = [*HOST, str(tmp_path / "fields"), "--bundle", str(BUNDLE), "-o", str(tmp_path / "results")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("00.png")
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Interrupted after" in err
    assert json.loads((tmp_path / "results" / "scores.json").read_text())["complete"] is False


def test_a_module_in_the_working_folder_is_not_run(tmp_path):
    (tmp_path / "edgepatho_runtime").mkdir()
    (tmp_path / "edgepatho_runtime" / "__main__.py").write_text("print('the wrong one')")
    done = subprocess.run([*HOST, "--help"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("usage: edgepatho-run score")


def test_without_the_runtime_one_sentence_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    result = CliRunner().invoke(main, ["score", "field.png", "--bundle", str(BUNDLE)])
    assert result.exit_code == 3
    assert result.stdout == ""
    assert result.stderr.startswith("Error: edgepatho-runtime is not installed beside edgepatho")
    assert "make install" in result.stderr
    assert "pipx inject edgepatho" in result.stderr
    assert result.stderr.count("\n") == 1
