"""A virtual Raspberry Pi: QEMU, a real arm64 kernel, Debian's userland as on a fresh Lite system, sshd.

    python tests/pi/virtual_pi.py [--suite bookworm|trixie] [--port 2222]

builds the image if it is not in the cache, boots it and says how to log in. The machine has no network
but the one forwarded SSH port, no pip, no compiler, a disk with a journal, and 1 GB of memory. Its times
are QEMU's and say nothing about a real board.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from pi_image import MACHINE, PYTHON_OF_SUITE, build, cache, run

HOST = "pi"
BOOT_LIMIT_S = 600  # ten seconds on an idle machine


@dataclass
class VirtualPi:
    """A booted machine whose disk, an overlay in `folder`, keeps its content from boot to boot."""

    image: Path
    folder: Path
    port: int = 0
    boot_s: float = 0.0
    _qemu: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def __enter__(self) -> VirtualPi:
        self.folder.mkdir(parents=True, exist_ok=True)
        disk = self.folder / "disk.qcow2"
        base = ["-b", self.image / "disk.ext4", "-F", "raw"]
        run("qemu-img", "create", "-q", "-f", "qcow2", *base, disk)
        self.port = self.port or _free_port()
        self._write_client()
        self.boot()
        return self

    def __exit__(self, *exception: object) -> None:
        self.cut_power()

    @property
    def client_path(self) -> str:
        """Return a PATH whose first ssh knows this machine as HOST."""
        return f"{self.folder / 'client'}:{os.environ['PATH']}"

    def boot(self) -> None:
        """Start the machine and return when its SSH server answers."""
        disk = f"file={self.folder / 'disk.qcow2'},if=none,format=qcow2,id=disk"
        command = [
            *(
                "qemu-system-aarch64",
                "-M",
                "virt",
                *MACHINE,
                "-accel",
                "tcg,thread=multi",
                "-monitor",
                "none",
            ),
            *("-dtb", self.image / "board.dtb", "-kernel", self.image / "vmlinuz", "-no-reboot"),
            *("-append", "root=/dev/nvme0n1 rw console=ttyAMA0 init=/sbin/init quiet panic=-1"),
            *("-drive", disk, "-device", "nvme,drive=disk,serial=1"),
            # restrict: only the forwarded port, as in a hospital without internet access
            *("-netdev", f"user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:{self.port}-:22"),
            *(
                "-device",
                "virtio-net-pci,netdev=net,romfile=",
                "-serial",
                f"file:{self.folder / 'console.log'}",
            ),
        ]
        started = time.monotonic()
        with (self.folder / "qemu.log").open("ab") as log:
            self._qemu = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        while (answer := self.ssh("true")).returncode:
            if self._qemu.poll() is not None or time.monotonic() - started > BOOT_LIMIT_S:
                self.cut_power()
                said = answer.stderr.decode(errors="replace").strip()
                raise RuntimeError(f"the virtual Pi did not boot ({said}); see {self.folder}/console.log")
            time.sleep(0.5)
        self.boot_s = time.monotonic() - started

    @property
    def is_on(self) -> bool:
        return self._qemu is not None and self._qemu.poll() is None

    def cut_power(self) -> None:
        """Stop the machine as pulling the plug does: what it has not flushed is lost."""
        if self._qemu is not None and self.is_on:
            self._qemu.send_signal(signal.SIGKILL)
            self._qemu.wait()

    def ssh(self, command: str, **standard_input: bytes) -> subprocess.CompletedProcess[bytes]:
        """Run a shell command on the machine and return how it ended."""
        ssh = [self.folder / "client" / "ssh", "-o", "ConnectTimeout=60", HOST, command]
        return subprocess.run(ssh, capture_output=True, **standard_input)

    def _write_client(self) -> None:
        key = (self.image / "host_key.pub").read_text()
        (self.folder / "known_hosts").write_text(f"{HOST} {key}")
        self.point_client_at(self.port)
        client = self.folder / "client" / "ssh"
        client.parent.mkdir(exist_ok=True)
        client.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {self.folder / "ssh_config"} "$@"\n')
        client.chmod(0o755)

    def point_client_at(self, port: int) -> None:
        """Make the client reach the machine through another port, such as a proxy's."""
        (self.folder / "ssh_config").write_text(
            f"Host {HOST}\n    HostName 127.0.0.1\n    Port {port}\n    User pi\n    HostKeyAlias {HOST}\n"
            f"    IdentityFile {self.image / 'id_pi'}\n    IdentitiesOnly yes\n"
            f"    UserKnownHostsFile {self.folder / 'known_hosts'}\n    LogLevel ERROR\n"
        )


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--suite", choices=sorted(PYTHON_OF_SUITE), default="bookworm")
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args()
    folder = cache() / f"virtual-pi-{options.suite}-running"
    with VirtualPi(build(options.suite), folder, options.port) as pi:
        print(
            f"ready after {pi.boot_s:.0f} s: ssh -F {folder / 'ssh_config'} {HOST}    (Ctrl-C pulls the plug)"
        )
        signal.pause()


if __name__ == "__main__":
    main()
