"""An arm64 Debian userland with Python, unpacked next to the host's system and run by qemu-aarch64.

    python -m benchmarks.arm.sysroot [--suite bookworm|trixie] [--with-peers]

The host is not changed: packages come from the machine's own Debian mirrors through a separate apt state and
are unpacked but never configured, so neither root nor an arm64 processor is needed. The result is cached
under a hash of its inputs.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import click

from benchmarks.arm import debian
from benchmarks.arm.boards import BOARDS, Board
from benchmarks.arm.tools import cache, find, only_builder, run_or_fail
from edgepatho.errors import UserError
from edgepatho.files import folder_aside

LAYOUT = "2"  # increment when old cache folders can no longer be used
PYTHON_OF_SUITE = {"bookworm": "3.11", "trixie": "3.13"}
DEBIAN_PACKAGES = ("libc6", "libstdc++6", "libgcc-s1", "libgomp1")
# numpy 1: the ABI of tflite-runtime 2.14. Listed with their few dependencies, because ncnn would also pull
# in a downloader, and OpenVINO a reporter of its use, that running a network does not need.
PEER_WHEELS = (
    "numpy==1.26.4",
    "tflite-runtime==2.14.0",
    "ai-edge-litert==2.3.0",
    "backports.strenum==1.2.8",
    "flatbuffers==25.12.19",
    "protobuf==7.36.2",
    "tqdm==4.70.1",
    "typing-extensions==4.16.0",
    "ncnn==1.0.20261020",
    "MNN==3.6.1",
    "onnxruntime==1.32.0",
    "packaging==26.4",
    "openvino==2026.4.1",
)


@dataclass(frozen=True)
class Userland:
    """An unpacked arm64 system: one root per board, identical except for /proc/cpuinfo.

    `<folder>/<cpu>/python` runs the arm64 Python of that board and is an ordinary program to the host.
    """

    folder: Path

    def run(
        self,
        board: Board,
        arguments: list[str],
        *,
        python_path: tuple[Path, ...] = (),
        environment: dict[str, str] | None = None,
        plugin: str | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run an arm64 program on the processor of `board`; `python` as its name is the userland's own.

        The program's environment is `environment` and PYTHONPATH from `python_path`, without the caller's
        variables. `plugin` is a QEMU plugin with its options. An instruction that the processor lacks ends
        the program with -SIGILL.
        """
        own = {
            "PATH": "/usr/bin:/bin",
            "LC_ALL": "C.UTF-8",
            "PYTHONPATH": ":".join(map(str, python_path)),
            "QEMU_CPU": board.qemu_cpu,
            "QEMU_LD_PREFIX": str(self.folder / board.cpu),
        }
        own |= {"QEMU_PLUGIN": plugin} if plugin else {}
        program, *rest = arguments
        python = str(self.folder / board.cpu / "python")
        command = [python, *rest] if program == "python" else [find("qemu-aarch64"), program, *rest]
        return subprocess.run(command, capture_output=True, text=True, env=own | (environment or {}))


def userland(suite: str = "bookworm") -> Userland:
    """Return the userland of a Debian suite, building it if it is not in the cache.

    Raises ToolMissing for a program that is not installed and UserError if packages cannot be fetched.
    """
    find("qemu-aarch64")
    version = PYTHON_OF_SUITE[suite]
    wanted = (*DEBIAN_PACKAGES, f"python{version}")
    folder = cache() / f"arm64-{suite}-{_key(suite, *wanted)}"
    with only_builder():
        if not folder.exists():
            with folder_aside(folder, "packages.txt") as aside:
                debian.unpack(wanted, suite, aside / "root")
                for board in BOARDS.values():
                    _add_board(aside, board, version)
                (aside / "packages.txt").write_text("\n".join(wanted) + "\n")
    return Userland(folder)


def peers() -> Path:
    """Return a folder of arm64 wheels for Python 3.11 (PEER_WHEELS), for the guest's PYTHONPATH.

    A wheel that pip cannot install is left out, which is said on stderr, and tried again by the next call.
    """
    folder = cache() / f"arm64-peers-{_key(*PEER_WHEELS)}"
    record = folder / "wheels.txt"
    tags = [f"manylinux_2_{minor}" for minor in (35, 34, 28, 27, 17)] + ["manylinux2014"]
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--only-binary=:all:", "--upgrade"]
    pip += ["--python-version=3.11", "--implementation=cp", f"--target={folder / 'site'}"]
    pip += [f"--platform={tag}_aarch64" for tag in tags]
    with only_builder():
        folder.mkdir(exist_ok=True)
        installed = record.read_text().splitlines() if record.exists() else []
        for wheel in PEER_WHEELS:
            if wheel not in installed:
                try:
                    run_or_fail([*pip, wheel], f"pip could not install {wheel} for arm64")
                except UserError as error:
                    click.echo(str(error), err=True)
                    continue
                installed.append(wheel)
                record.write_text("\n".join(installed) + "\n")
    return folder / "site"


def _key(*parts: str) -> str:
    return hashlib.sha256("\n".join((LAYOUT, *parts)).encode()).hexdigest()[:12]


def _add_board(folder: Path, board: Board, python_version: str) -> None:
    """Make `folder/<cpu>`: links to everything in `folder/root`, and its own /proc/cpuinfo and Python."""
    own = folder / board.cpu
    (own / "proc").mkdir(parents=True)
    (own / "proc" / "cpuinfo").write_text(board.cpuinfo())
    for entry in (folder / "root").iterdir():
        (own / entry.name).symlink_to(f"../root/{entry.name}")
    # -0: sys.executable is this script, so that programs Python starts with it also run
    (own / "python").write_text(
        "#!/bin/sh\n"
        f'export QEMU_CPU={board.qemu_cpu} QEMU_LD_PREFIX="${{0%/*}}" PYTHONHOME=/usr PYTHONNOUSERSITE=1\n'
        f'exec qemu-aarch64 -0 "$0" "$QEMU_LD_PREFIX/usr/bin/python{python_version}" "$@"\n'
    )
    (own / "python").chmod(0o755)


@click.command()
@click.option("--suite", type=click.Choice(sorted(PYTHON_OF_SUITE)), default="bookworm", show_default=True)
@click.option("--with-peers", is_flag=True, help="Also fetch the arm64 wheels of the peers.")
def main(suite: str, with_peers: bool) -> None:
    """Build the arm64 userland, if it is not in the cache, and print its folder."""
    try:
        click.echo(userland(suite).folder)
        if with_peers:
            click.echo(peers())
    except UserError as error:
        raise click.ClickException(str(error)) from error


if __name__ == "__main__":
    main()
