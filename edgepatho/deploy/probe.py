"""What kind of device this is, asked in one round trip, and whether the runtime can run on it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property

from edgepatho.deploy.ssh import Remote
from edgepatho.errors import DeviceUnfit

OLDEST_PYTHON = (3, 11)  # the runtime's wheel is cp311-abi3
OLDEST_GLIBC = (2, 27)
MIN_MEMORY_KIB = 400_000
YEAR_2024 = 1_704_067_200  # seconds since 1970; an earlier clock has not been set
SHOWN_FEATURES = ("asimd", "asimddp", "asimdhp", "avx2", "avx512f")


@dataclass(frozen=True)
class Device:
    """Facts reported by device_scripts/probe.sh; what a device lacks is an empty string or missing."""

    facts: dict[str, str]
    releases: frozenset[str] = field(default_factory=frozenset)
    parts: frozenset[str] = field(default_factory=frozenset)
    missing_tools: tuple[str, ...] = ()

    @property
    def current(self) -> str:
        """Return the id of the current release, "" if there is none."""
        return self.facts.get("current", "")

    @property
    def machine(self) -> str:
        """Return the kernel's name for the processor, such as aarch64. The userland may be 32-bit."""
        return self.facts.get("kernel_machine", "")

    @cached_property
    def python(self) -> tuple[int, ...]:
        """Return the device's Python version, () if it has none."""
        return _version(self.facts.get("python", ""))

    @cached_property
    def glibc(self) -> tuple[int, ...]:
        """Return the version of the C library, () if it is not glibc."""
        return _version(self.facts.get("glibc", ""))

    @property
    def free_bytes(self) -> int:
        return self.number("free_kib") * 1024

    def number(self, name: str) -> int:
        """Return a fact as a whole number, 0 if the device did not report it."""
        text = self.facts.get(name, "")
        return int(text) if re.fullmatch(r"-?[0-9]{1,15}", text) else 0

    def describe(self) -> str:
        """Return a one-line description: model, system, Python, processor, temperature."""
        features = [name for name in SHOWN_FEATURES if name in self.facts.get("cpu_features", "").split()]
        words = [
            self.facts.get("model") or self.machine,
            self.facts.get("os", ""),
            f"Python {self.facts.get('python', '')}",
            f"{self.facts.get('cores')} cores{' with ' + ' '.join(features) if features else ''}",
        ]
        if self.facts.get("temperature_millicelsius"):
            words.append(f"{self.number('temperature_millicelsius') / 1000:.0f} °C")
        return " · ".join(filter(None, words))

    def warnings(self) -> list[str]:
        """Return warnings, a sentence each, that do not stop a deploy."""
        sentences = []
        if self.number("clock") < YEAR_2024:
            sentences.append(
                "its clock is not set, so results will have wrong dates; it needs network time or an RTC."
            )
        if self.facts.get("throttled", "0x0") not in ("", "0x0"):
            sentences.append(
                f"it reports throttling ({self.facts['throttled']}), now or since it started: check its "
                "power supply and cooling before you measure anything."
            )
        return sentences


def probe(remote: Remote) -> Device:
    """Return what the device reports about itself, in one round trip; nothing on it changes."""
    lines = [line.partition("=")[::2] for line in remote.run("probe").splitlines()]
    several = {"release", "part", "missing"}

    def every(name: str) -> list[str]:
        return [value for key, value in lines if key == name]

    return Device(
        facts={key: value.strip() for key, value in lines if key not in several},
        releases=frozenset(every("release")),
        parts=frozenset(every("part")),
        missing_tools=tuple(every("missing")),
    )


def check_fit(device: Device, host: str) -> None:
    """Raise DeviceUnfit, with a remedy, if the runtime cannot run on the device."""
    facts = device.facts
    if not device.python:
        problem = "has no python3; on Raspberry Pi OS and Debian run `sudo apt install python3` there."
    elif facts.get("python_bits") != "64":
        problem = (
            "runs a 32-bit system; the runtime needs a 64-bit one. Its kernel may say "
            f"{device.machine or 'aarch64'}, but Python there is 32-bit: install Raspberry Pi OS (64-bit)."
        )
    elif device.python < OLDEST_PYTHON or facts.get("python_name") != "cpython":
        where = f" ({facts['python_path']})" if facts.get("python_path") else ""
        problem = (
            f"has Python {facts['python']}{where} first in its PATH; the runtime needs CPython 3.11 or "
            "later: install Raspberry Pi OS Bookworm or later, or put another python3 first in PATH."
        )
    elif not device.glibc or device.glibc < OLDEST_GLIBC:
        library = f"glibc {facts['glibc']}" if device.glibc else "a C library other than glibc"
        problem = (
            f"has {library}; the runtime needs glibc 2.27 or later: install Raspberry Pi OS Bookworm or "
            "later."
        )
    elif device.missing_tools:
        problem = (
            f"lacks {', '.join(device.missing_tools)}; install coreutils, findutils and util-linux there."
        )
    elif facts.get("writable") != "yes":
        problem = (
            f"cannot write to {facts.get('root')}: mount its file system writable "
            "(`sudo mount -o remount,rw /`) or correct the folder's owner."
        )
    elif facts.get("runs_programs") == "no":
        mount_point = facts.get("mount_point") or "MOUNT_POINT"
        problem = (
            f"cannot run programs from {facts.get('root')}: its file system is mounted noexec or has no "
            f"execute bit. Mount it with exec (`sudo mount -o remount,exec {mount_point}`, and set it in "
            "/etc/fstab)."
        )
    elif 0 < device.number("memory_kib") < MIN_MEMORY_KIB:
        problem = (
            f"has {device.number('memory_kib') // 1024} MiB of memory; the runtime needs 512 MB or more."
        )
    else:
        return
    raise DeviceUnfit(f"{host} {problem}")


def check_room(device: Device, host: str, needed_bytes: int, there_bytes: int = 0) -> None:
    """Raise DeviceUnfit unless the device's disk has room for three times `needed_bytes`.

    `there_bytes` of that are uploaded already; these and leftovers of interrupted deploys count as free.
    """
    room_bytes = device.free_bytes + device.number("leftover_kib") * 1024 + there_bytes
    if room_bytes < 3 * needed_bytes:
        raise DeviceUnfit(
            f"{host} has {device.free_bytes / 1e6:.0f} MB free under {device.facts.get('root')}; this "
            f"release needs {3 * needed_bytes / 1e6:.0f} MB while it is installed: make room there, for "
            f"example with `edgepatho rm {host} RELEASE`."
        )


def _version(text: str) -> tuple[int, ...]:
    # A device may answer anything, and wheel tags are enumerated down from these numbers.
    return tuple(map(int, text.split("."))) if re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,3})*", text) else ()
