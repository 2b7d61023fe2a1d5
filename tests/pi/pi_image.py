"""The image of the virtual Raspberry Pi, made from Debian packages that are unpacked, not configured.

No arm64 instruction runs while it is built, which takes under a minute on an idle machine.
It needs root, because its files have several owners, and a Debian host.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # benchmarks is a package of the checkout

from benchmarks.arm import debian
from benchmarks.arm.tools import cache
from edgepatho.files import folder_aside

HOST_PACKAGES = (
    *("qemu-system-arm", "qemu-utils", "ipxe-qemu", "e2fsprogs", "device-tree-compiler", "xz-utils"),
    "openssh-client",
)
PYTHON_OF_SUITE = {"bookworm": "3.11", "trixie": "3.13"}
# A subset of what Raspberry Pi OS Lite installs (libstdc++6 with apt); busybox only runs /sbin/init.
PACKAGES = (
    *("base-files", "base-passwd", "bash", "busybox-static", "coreutils", "dash", "debianutils", "diffutils"),
    *("findutils", "grep", "gzip", "hostname", "libc-bin", "libstdc++6", "login", "mawk", "mount", "netbase"),
    *("openssh-client", "openssh-server", "passwd", "procps", "python3", "sed", "tar", "util-linux"),
)
# The cloud kernel has NVMe and ext4 built in, so no initrd is needed; the network card's modules go into the
# image, in load order.
KERNEL = "linux-image-cloud-arm64"
MODULES = (
    *("failover", "net_failover", "virtio_ring", "virtio", "virtio_pci_legacy_dev", "virtio_pci_modern_dev"),
    *("virtio_pci", "virtio_net"),
)
BOARD = "Raspberry Pi 4 Model B Rev 1.4"
CPU = "cortex-a72"
MEMORY_MB = 1024
DISK_MB = 1024
MACHINE = ("-cpu", CPU, "-smp", "2", "-m", str(MEMORY_MB), "-display", "none")

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
# QEMU's machine has no sensors; this stand-in for a Pi's tool answers as on a healthy board.
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
        sys.exit("The files of the virtual Pi's image have several owners: build it as root.")
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
            run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", aside / name)
        _add_modules(kernel, root / "modules")
        _configure(root, aside)
        _compile(root, suite)
        run("mke2fs", "-q", "-t", "ext4", "-d", root, aside / "disk.ext4", f"{DISK_MB}M")
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
            content = run("xz", "--decompress", "--stdout", file) if packed else file.read_bytes()
            (target / f"{name}.ko").write_bytes(content)


def _compile(root: Path, suite: str) -> None:
    """Byte-compile Python's library as its maintainer script does, if this machine has that Python.

    Without it the guest's Python starts a few seconds later; doing it in emulation would take minutes.
    """
    python = f"python{PYTHON_OF_SUITE[suite]}"
    if shutil.which(python) and subprocess.run([python, "-c", ""], capture_output=True).returncode == 0:
        options = ["-q", "--invalidation-mode", "unchecked-hash", "-s", root, "-p", "/"]
        run(python, "-m", "compileall", *options, root / f"usr/lib/{python}")


def _make_board(tree: Path) -> None:
    """Write QEMU's device tree with a Raspberry Pi's model name."""
    run("qemu-system-aarch64", "-M", f"virt,dumpdtb={tree}", *MACHINE)
    run("fdtput", "-t", "s", tree, "/", "model", BOARD)


def run(program: str, *arguments: str | Path) -> bytes:
    """Return the standard output of a program; end with one sentence if it is missing or fails."""
    if shutil.which(program) is None:
        sys.exit(f"{program} is not installed; on Debian run `apt-get install -y {' '.join(HOST_PACKAGES)}`.")
    done = subprocess.run([program, *map(str, arguments)], capture_output=True)
    if done.returncode:
        sys.exit(f"{program} failed: {done.stderr.decode(errors='replace')[-600:]}")
    return done.stdout
