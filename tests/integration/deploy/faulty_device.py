"""A loopback device on which any command of any step can fail, and which can lose power.

Every program that the device scripts call is replaced by a shim. The shims count the calls of a remote
command, make a chosen one fail or stop the device, and record what `sync` has written to disk.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from loopback_device import LoopbackDevice

PROGRAMS = """
    awk basename cat chmod cp cut date df dirname du find flock getconf grep head ln mkdir mv nproc python3
    readlink rm sh sha256sum sort ssh-keygen stat sync tail timeout tr uname vcgencmd
"""

# `kill -9 0` ends the remote command with all its children, as a reset does.
SHIM = """#!/usr/bin/dash
faults={faults}
name=${{0##*/}}
if [ "$name" = sh ]; then
    read -r step < $faults/step
    step=$((step + 1))
    echo $step > $faults/step
    : > $faults/calls
    /usr/bin/dash "$@"
    code=$?
    echo $step > $faults/done
    while read -r target < $faults/target && [ "$target" = "$step hold" ]; do /usr/bin/sleep 0.02; done
    exit $code
fi
read -r step < $faults/step
read -r target < $faults/target
case $target in count | "$step "*)
    printf . >> $faults/calls # one byte per call: programs of one pipeline count concurrently
    call=$(/usr/bin/wc -c < $faults/calls)
    case $target in
        "$step $call fail") exit 1 ;;
        "$step $call stop") kill -9 0 ;;
    esac ;;
esac
if [ "$name" = sync ]; then
    [ -e $faults/synced ] || exit 0
    /usr/bin/stat -c 'file %i %.9Y %s' -- "$@" >> $faults/synced
    for path; do
        [ -d "$path" ] || continue
        folder=$(/usr/bin/stat -c %i -- "$path")
        /usr/bin/ls -A -- "$path" | /usr/bin/sed "s/^/entry $folder /" >> $faults/synced
    done
    exit 0
fi
exec /usr/bin/$name "$@"
"""


@dataclass(frozen=True)
class OnDisk:
    """What survives a power cut: files by (inode, mtime, size), entries by (folder's inode, name)."""

    files: frozenset[tuple[int, int, int]]
    entries: frozenset[tuple[int, str]]


class FaultyDevice(LoopbackDevice):
    """A loopback device with shims; `break_at` chooses what goes wrong next."""

    def __init__(self, folder: Path):
        self.faults = folder / "faults"
        shims = folder / "shims"
        shims.mkdir(parents=True)
        self.faults.mkdir()
        for program in PROGRAMS.split():
            if shutil.which(program) or program == "vcgencmd":
                (shims / program).write_text(SHIM.format(faults=self.faults))
                (shims / program).chmod(0o755)
        super().__init__(folder, device_path=f"{shims}:/usr/bin:/bin")
        self.repair()

    def repair(self) -> None:
        """Let everything work again and count steps from the start."""
        for name in ("step", "done", "target"):
            (self.faults / name).write_text("0\n")
        (self.faults / "calls").write_text("")
        (self.faults / "synced").unlink(missing_ok=True)

    def count_calls(self) -> None:
        """Count the programs of every remote command, until `repair`."""
        (self.faults / "target").write_text("count\n")

    def watch_disk(self) -> None:
        """Treat everything present as safely on disk and record what `sync` adds, until `repair`."""
        self._before = on_disk(self.home)
        (self.faults / "synced").write_text("")

    def break_at(self, step: int, call: int, action: str) -> None:
        """Make the call-th program of the step-th remote command `fail` or `stop` the device."""
        (self.faults / "target").write_text(f"{step} {call} {action}\n")

    def hold(self, step: int) -> None:
        """Keep the step-th remote command from ending once it has finished, until `repair`."""
        (self.faults / "target").write_text(f"{step} hold\n")

    def calls(self) -> int:
        """Return the number of programs that the last remote command called."""
        return (self.faults / "calls").stat().st_size

    def done(self) -> int:
        """Return the number of the last remote command that finished."""
        return int((self.faults / "done").read_text() or 0)

    def lose_power(self) -> None:
        """Leave on disk only what was there at `watch_disk` or was synced since; the worst a disk may do.

        A file without sync keeps its name and loses its content; a name in a folder without sync is gone.
        A name that was there before may keep its new meaning, as after a rename that did reach the disk.
        """
        files, entries = set(self._before.files), set(self._before.entries)
        for line in (self.faults / "synced").read_text().splitlines():
            kind, inode, rest = line.split(" ", 2)
            if kind == "file":
                seconds, size = rest.split(" ")
                files.add((int(inode), int(seconds.replace(".", "")), int(size)))
            else:
                entries.add((int(inode), rest))
        for folder, names, file_names in os.walk(self.store, topdown=True):
            inode = Path(folder).stat().st_ino
            for name in [*names, *file_names]:
                path = Path(folder) / name
                if (inode, name) not in entries:
                    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
                elif path.is_file() and not path.is_symlink() and _key(path) not in files:
                    os.truncate(path, 0)


def on_disk(folder: Path) -> OnDisk:
    """Return the state of a folder, treated as safely on disk."""
    files, entries = set(), set()
    for parent, names, file_names in os.walk(folder):
        inode = Path(parent).stat().st_ino
        entries |= {(inode, name) for name in [*names, *file_names]}
        files |= {_key(Path(parent) / name) for name in file_names}
    return OnDisk(frozenset(files), frozenset(entries))


def _key(path: Path) -> tuple[int, int, int]:
    facts = path.stat(follow_symlinks=False)
    return facts.st_ino, facts.st_mtime_ns, facts.st_size
