"""Files appear whole under their name; what a killed process left goes with the next run."""

import subprocess
import sys
from pathlib import Path

from edgepatho_runtime import files

WRITING = """
import sys
from pathlib import Path
from edgepatho_runtime import files
with files.written(Path("a.csv"), Path("b.csv")) as (one, other):
    one.write(b"half")
    one.flush()
    print("writing", flush=True)
    sys.stdin.read()
    other.write(b"more")
"""


def writer(folder: Path) -> subprocess.Popen[bytes]:
    command, pipe = [sys.executable, "-P", "-c", WRITING], subprocess.PIPE
    process = subprocess.Popen(command, cwd=folder, stdin=pipe, stdout=pipe)
    assert process.stdout is not None
    assert process.stdout.readline() == b"writing\n"
    return process


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_what_a_killed_writer_left_is_removed_by_the_next_and_a_live_ones_is_not(tmp_path: Path) -> None:
    (tmp_path / ".notes.part").touch()
    with writer(tmp_path) as killed:
        killed.kill()
    assert len(names(tmp_path)) == 3
    with writer(tmp_path) as live:
        at_work = names(tmp_path)
        assert len(at_work) == 3
        assert all(name.startswith(f".{live.pid}.") for name in at_work - {".notes.part"})
        files.write_text(tmp_path / "c.csv", "next")
        assert names(tmp_path) == at_work | {"c.csv"}
        live.communicate()
    assert live.returncode == 0
    assert names(tmp_path) == {".notes.part", "a.csv", "b.csv", "c.csv"}
    assert (tmp_path / "a.csv").read_bytes() + (tmp_path / "b.csv").read_bytes() == b"halfmore"
