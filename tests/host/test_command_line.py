"""The command line: fast help, and one sentence with a documented exit code for every error."""

from __future__ import annotations

import errno
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from edgepatho import demo
from edgepatho.cli import COMMANDS, main
from edgepatho.commands import report
from edgepatho.errors import DeviceUnfit, InputError, RolledBack, UserError


def test_help_loads_only_click_and_the_standard_library():
    """Few imports make help fast on any machine."""
    code = "import sys; before = {*sys.modules}; import edgepatho.cli as c; "
    code += "c.main(['--help'], standalone_mode=False); print(*{*sys.modules} - before)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.splitlines()[-1].split()}
    assert loaded - sys.stdlib_module_names == {"click", "edgepatho"}
    for name in COMMANDS:
        assert f"\n  {name} " in done.stdout


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "score"])  # the device's own help
def test_every_command_has_help(name):
    result = CliRunner().invoke(main, [name, "--help"])
    assert result.exit_code == 0
    assert result.output.startswith(f"Usage: main {name} ")


def test_every_option_has_help():
    """Host commands only: `score` passes its options to the device, where the same is tested."""
    unexplained = [
        f"{name} {option.opts[-1]}"
        for name in COMMANDS
        for option in main.get_command(click.Context(main), name).params
        if isinstance(option, click.Option) and not option.help
    ]
    assert unexplained == []


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        (InputError("x.h5 is cut."), 3, "x.h5 is cut."),
        (DeviceUnfit("no Python."), 5, "no Python."),
        (RolledBack("it failed."), 6, "it failed."),
        (KeyboardInterrupt(), 130, "Interrupted."),
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "out/x.npy"), 1, "out/x.npy: No space left"),
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), 1, "reading or writing: No space left"),
    ],
)
def test_an_error_is_one_sentence_on_stderr(error, code, sentence, monkeypatch):
    def fail(*arguments, **options):
        raise error

    monkeypatch.setattr(report.command, "callback", fail)
    result = CliRunner().invoke(main, ["report", "record.json"])
    assert result.exit_code == code
    assert result.stdout == ""
    assert sentence in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_bug_keeps_its_traceback(monkeypatch):
    monkeypatch.setattr(report.command, "callback", lambda **options: 1 // 0)
    result = CliRunner().invoke(main, ["report", "record.json"])
    assert result.exit_code == 1
    assert isinstance(result.exception, ZeroDivisionError)


def test_the_demo_names_the_device_command_that_failed(tmp_path):
    with pytest.raises(UserError, match="edgepatho-run info ended with exit code 3"):
        demo._run(demo.device_command(), "info", str(tmp_path / "none.epb"))


def test_the_demo_needs_the_device_runtime(monkeypatch, tmp_path):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    result = CliRunner().invoke(main, ["demo", str(tmp_path / "demo")])
    assert result.exit_code == 3
    assert "edgepatho-runtime is not installed" in result.stderr
    assert not list(Path(tmp_path).iterdir())
