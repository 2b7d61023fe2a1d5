"""A virtual Raspberry Pi: QEMU, a real arm64 kernel, Debian's userland as on a fresh Lite system, sshd.

    python tests/pi/virtual_pi.py [--suite bookworm|trixie] [--port 2222]

builds the image if it is not in the cache, boots it and says how to log in. The machine has no network
but the one forwarded SSH port, no pip, no compiler, a disk with a journal, and 1 GB of memory. Packages
are unpacked, not configured: no arm64 instruction runs while the image is built, which takes under a
minute. Needs root (files of several owners go into the image) and a Debian host. Its times are QEMU's
and say nothing about a real board.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # benchmarks is a package of the checkout

from benchmarks.arm import debian
from benchmarks.arm.tools import cache
from edgepatho.files import folder_aside

HOST = "pi"
PYTHON_OF_SUITE = {"bookworm": "3.11", "trixie": "3.13"}
# A subset of what Raspberry Pi OS Lite installs; busybox only runs /sbin/init.
PACKAGES = (
    *("base-files", "base-passwd", "bash", "busybox-static", "coreutils", "dash", "debianutils", "diffutils"),
    *("findutils", "grep", "gzip", "hostname", "libc-bin", "login", "mawk", "mount", "netbase"),
    *("openssh-client", "openssh-server", "passwd", "procps", "python3", "sed", "tar", "util-linux"),
)
# The cloud kernel has NVMe and ext4 built in, so that no initrd is needed; the network card's modules go
# into the image, in the order in which they load.
KERNEL = "linux-image-cloud-arm64"
MODULES = (
    *("failover", "net_failover", "virtio_ring", "virtio", "virtio_pci_legacy_dev", "virtio_pci_modern_dev"),
    *("virtio_pci", "virtio_net"),
)
BOARD = "Raspberry Pi 4 Model B Rev 1.4"
CPU = "cortex-a72"
MEMORY_MB = 1024
CORES = 2
DISK_MB = 1024
BOOT_LIMIT_S = 180

INIT = """#!/bin/busybox sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -o remount,rw /
mountpoint -q /dev || mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs tmpfs /run
mkdir -p /run/sshd
hostname pi
for module in MODULES; do [ -f /modules/$module.ko ] && insmod /modules/$module.ko; done
busybox ip link set lo up
busybox ip link set eth0 up
busybox ip addr add 10.0.2.15/24 dev eth0
/usr/sbin/sshd -e
echo "ready after $(cut -d ' ' -f 1 /proc/uptime) s"
trap 'sync; busybox poweroff -f' TERM USR2
while :; do busybox sleep 1000 & wait $!; done
"""
SSHD = """HostKey /etc/ssh/host_key
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
Subsystem sftp /usr/lib/openssh/sftp-server
"""
# QEMU's machine has no sensors; a Pi's tool answers as on a board that is well.
VCGENCMD = """#!/bin/sh
case "$1" in
    measure_temp) echo "temp=48.7'C" ;;
    get_throttled) echo "throttled=0x0" ;;
    *) exit 1 ;;
esac
"""


def build(suite: str = "bookworm") -> Path:
    """Return the folder of the suite's image (vmlinuz, disk.ext4, board.dtb, keys), built if need be."""
    if os.getuid() != 0:
        sys.exit("The virtual Pi's image holds files of several owners: build it as root.")
    recipe = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:12]
    folder = cache() / f"virtual-pi-{suite}-{recipe}"
    if folder.exists():
        return folder
    with folder_aside(folder, "disk.ext4") as aside:
        root, kernel = aside / "root", aside / "kernel"
        debian.unpack(PACKAGES, suite, root)
        debian.unpack((KERNEL,), suite, kernel)
        shutil.copy(next(kernel.glob("boot/vmlinuz-*")), aside / "vmlinuz")
        for name in ("host_key", "id_pi"):
            _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", aside / name)
        _add_modules(kernel, root / "modules")
        _configure(root, aside)
        _compile(root, suite)
        _run("mke2fs", "-q", "-t", "ext4", "-d", root, aside / "disk.ext4", f"{DISK_MB}M")
        _make_board(aside / "board.dtb")
        for scratch in ("root", "kernel"):
            shutil.rmtree(aside / scratch)
    return folder


def _configure(root: Path, keys: Path) -> None:
    """Write what maintainer scripts and the first boot would have written."""
    for folder in ("dev", "home/pi/.ssh", "proc", "root", "run", "sys", "tmp", "var/tmp"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for folder in ("tmp", "var/tmp"):
        (root / folder).chmod(0o1777)
    shutil.rmtree(root / "usr/share/doc", ignore_errors=True)
    shutil.rmtree(root / "usr/share/man", ignore_errors=True)
    shutil.rmtree(root / "usr/share/locale", ignore_errors=True)
    etc = root / "etc"
    people = (root / "usr/share/base-passwd/passwd.master").read_text()
    people += "sshd:x:105:65534::/run/sshd:/usr/sbin/nologin\npi:x:1000:1000:,,,:/home/pi:/bin/bash\n"
    (etc / "passwd").write_text(people)
    (etc / "group").write_text((root / "usr/share/base-passwd/group.master").read_text() + "pi:x:1000:\n")
    names = [line.split(":")[0] for line in people.splitlines()]
    (etc / "shadow").write_text("".join(f"{name}:*:19700:0:99999:7:::\n" for name in names))
    (etc / "shadow").chmod(0o640)
    (etc / "hostname").write_text("pi\n")
    (etc / "hosts").write_text("127.0.0.1 localhost\n127.0.1.1 pi\n")
    for link, target in {"sh": "dash", "awk": "mawk"}.items():
        (root / "usr/bin" / link).unlink(missing_ok=True)
        (root / "usr/bin" / link).symlink_to(target)
    shutil.copy(keys / "host_key", etc / "ssh/host_key")
    (etc / "ssh/host_key").chmod(0o600)
    (etc / "ssh/sshd_config").write_text(SSHD)
    shutil.copy(keys / "id_pi.pub", root / "home/pi/.ssh/authorized_keys")
    for path in (root / "home/pi", *(root / "home/pi").rglob("*")):
        path.chmod(0o700 if path.is_dir() else 0o600)
        os.chown(path, 1000, 1000)
    for program, text in {
        "usr/sbin/init": INIT.replace("MODULES", " ".join(MODULES)),
        "usr/bin/vcgencmd": VCGENCMD,
    }.items():
        (root / program).unlink(missing_ok=True)
        (root / program).write_text(text)
        (root / program).chmod(0o755)


def _add_modules(kernel: Path, target: Path) -> None:
    """Put the network card's modules into `target`; those built into the kernel have no file."""
    target.mkdir()
    for name in MODULES:
        for file in kernel.rglob(f"{name}.ko*"):
            packed = file.suffix == ".xz"
            content = _run("xz", "--decompress", "--stdout", file) if packed else file.read_bytes()
            (target / f"{name}.ko").write_bytes(content)


def _compile(root: Path, suite: str) -> None:
    """Byte-compile Python's library as its maintainer script does, if this machine has that Python.

    Without it the guest's Python starts a few seconds later; doing it in emulation would take minutes.
    """
    python = f"python{PYTHON_OF_SUITE[suite]}"
    if shutil.which(python) and subprocess.run([python, "-c", ""], capture_output=True).returncode == 0:
        options = ["-q", "--invalidation-mode", "unchecked-hash", "-s", root, "-p", "/"]
        _run(python, "-m", "compileall", *options, root / f"usr/lib/{python}")


def _make_board(tree: Path) -> None:
    """Write QEMU's device tree with a Raspberry Pi's model name."""
    _run("qemu-system-aarch64", "-M", f"virt,dumpdtb={tree}", *_machine())
    _run("fdtput", "-t", "s", tree, "/", "model", BOARD)


def _machine() -> list[str]:
    return ["-cpu", CPU, "-smp", str(CORES), "-m", str(MEMORY_MB), "-display", "none"]


def _run(program: str, *arguments: str | Path) -> bytes:
    done = subprocess.run([program, *map(str, arguments)], capture_output=True)
    if done.returncode:
        sys.exit(f"{program} failed: {done.stderr.decode(errors='replace')[-600:]}")
    return done.stdout


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
        _run("qemu-img", "create", "-q", "-f", "qcow2", *base, disk)
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
                *_machine(),
                "-accel",
                "tcg,thread=multi",
                "-monitor",
                "none",
            ),
            *("-dtb", self.image / "board.dtb", "-kernel", self.image / "vmlinuz", "-no-reboot"),
            *("-append", "root=/dev/nvme0n1 rw console=ttyAMA0 init=/sbin/init quiet panic=-1"),
            *("-drive", disk, "-device", "nvme,drive=disk,serial=1"),
            # restrict: nothing but the forwarded port, as in a hospital without internet
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

    def cut_power(self) -> None:
        """Stop the machine as pulling the plug does: what it has not flushed is lost."""
        if self._qemu is not None and self._qemu.poll() is None:
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
