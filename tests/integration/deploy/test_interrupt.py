"""Ctrl-C on the host: one word, exit code 130, no leftovers, and the promise of a whole release."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from loopback_device import HOST, LoopbackDevice, is_whole

from edgepatho.deploy.release import Release
from edgepatho.deploy.steps import Outcome

# The n-th ssh interrupts what a terminal would, before it connects or once it is done.
SSH = """#!/bin/sh
case " $* " in *" -O exit "*) exec {ssh} "$@" ;; esac
echo >>{folder}/calls
printf '%s\\n' "$@" >>{folder}/arguments
call=$(wc -l <{folder}/calls)
if [ "$call {moment}" = "{number} before" ]; then kill -INT 0; fi
{ssh} "$@"
code=$?
if [ "$call {moment}" = "{number} after" ]; then kill -INT 0; fi
exit $code
"""


# 1 probe, 2 to 5 upload (wheel and programs are there already), 6 install, 7 switch
@pytest.mark.parametrize(("number", "moment"), [(1, "before"), (3, "after"), (6, "after"), (7, "after")])
def test_interrupts_at_any_time(
    device: LoopbackDevice,
    deployed: Callable[[Release], Outcome],
    release: Callable[[str], Release],
    compress_folder: Path,
    wheel: Path,
    tmp_path: Path,
    number: int,
    moment: str,
):
    deployed(release("old"))
    old = device.current()
    client = tmp_path / "client"
    client.mkdir()
    text = SSH.format(ssh=device.folder / "client" / "ssh", folder=client, number=number, moment=moment)
    (client / "ssh").write_text(text)
    (client / "ssh").chmod(0o755)
    options = ["--wheel", wheel, "--no-images", "--json"]
    command = [sys.executable, "-m", "edgepatho", "deploy", HOST, compress_folder, *options]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        env={**os.environ, "PATH": f"{client}:{os.environ['PATH']}"},
        start_new_session=True,  # the signal is for this command, not for the tests
    )
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr.strip().splitlines()[-1] == "Interrupted."
    assert "Traceback" not in done.stderr
    said = (client / "arguments").read_text().splitlines()
    sockets = {Path(line.removeprefix("ControlPath=")) for line in said if line.startswith("ControlPath=")}
    assert sockets
    assert not any(socket.parent.exists() for socket in sockets)
    assert is_whole(device.store / "releases" / device.current())

    again = subprocess.run(command, capture_output=True, text=True, check=True)
    (host,) = json.loads(again.stdout)["hosts"]
    assert host["release"] == device.current() != old
    assert is_whole(device.store / "releases" / device.current())
