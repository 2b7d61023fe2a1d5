"""Facts about the device that a measurement needs, each None where unknown."""

import os
import platform
import re
import subprocess
from pathlib import Path
from typing import Any

ROOT = Path("/")
ARM_CORES = {
    "0xd03": "Cortex-A53",
    "0xd04": "Cortex-A35",
    "0xd05": "Cortex-A55",
    "0xd07": "Cortex-A57",
    "0xd08": "Cortex-A72",
    "0xd09": "Cortex-A73",
    "0xd0a": "Cortex-A75",
    "0xd0b": "Cortex-A76",
    "0xd0c": "Neoverse-N1",
}
THROTTLED_NOW = 0x0000F  # under-voltage, frequency capped, throttled, soft temperature limit
THROTTLED_SINCE_START = 0xF0000


def facts() -> dict[str, Any]:
    """Return what does not change: model, processor, memory, software, and whether it is emulated."""
    return {
        "model": _text("proc/device-tree/model") or _text("sys/class/dmi/id/product_name"),
        "machine": platform.machine(),
        "cpu": _cpu(),
        "cores": cores(),
        "memory_bytes": memory_bytes("MemTotal"),
        "python": platform.python_version(),
        "kernel": platform.release(),
        "os": _os_name(),
        "governor": _text("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        "emulated": is_emulated(),
    }


def cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0))


def memory_bytes(field: str) -> int | None:
    """Return a field of /proc/meminfo, such as MemTotal or MemAvailable, in bytes."""
    for line in (_text("proc/meminfo") or "").splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return int(value.split()[0]) * 1024
    return None


def free_bytes() -> int | None:
    """Return how much memory a process may still allocate: the system's, or less in a control group (v2)."""
    available = [memory_bytes("MemAvailable")]
    group = (_text("proc/self/cgroup") or "").rpartition("0::/")[2]
    parts = [part for part in group.split("/") if part]
    for depth in range(len(parts) + 1):
        folder = "/".join(["sys/fs/cgroup", *parts[:depth]])
        limit, used = _text(f"{folder}/memory.max"), _text(f"{folder}/memory.current")
        if limit and used and limit.isdigit() and used.isdigit():
            cached = re.search(r"^inactive_file (\d+)$", _text(f"{folder}/memory.stat") or "", re.M)
            available.append(max(0, int(limit) - int(used) + (int(cached[1]) if cached else 0)))
    return min((value for value in available if value is not None), default=None)


def temperature_c() -> float | None:
    """Return the processor's temperature in degrees Celsius."""
    text = _text("sys/class/thermal/thermal_zone0/temp")
    return int(text) / 1000 if text and text.lstrip("-").isdigit() else None


def throttled() -> int | None:
    """Return the Raspberry Pi firmware's throttling bits: 0 to 3 now, 16 to 19 since boot."""
    try:
        command = ["vcgencmd", "get_throttled"]
        answer = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout
        return int(answer.strip().removeprefix("throttled="), 16)
    except (OSError, ValueError, subprocess.SubprocessError):
        return None


def is_emulated() -> bool:
    """Return whether QEMU emulates this ARM userland or board; its times say nothing about a device."""
    if (_text("proc/self/comm") or "").startswith("qemu-"):
        return True
    machine, kernel = platform.machine(), _text("proc/sys/kernel/arch")  # QEMU does not translate the latter
    if machine not in ("aarch64", "arm64"):
        return False
    if kernel not in (None, machine):
        return True
    virtual = "dummy-virt" in (_text("proc/device-tree/compatible") or "")  # whatever the model is
    foreign = "vendor_id" in (_text("proc/cpuinfo") or "")  # an x86 field, from the emulator's host
    return virtual or foreign or (_text("sys/class/dmi/id/sys_vendor") or "") == "QEMU"


def _cpu() -> str | None:
    fields: dict[str, str] = {}
    for line in (_text("proc/cpuinfo") or "").splitlines():
        name, _, value = line.partition(":")
        fields.setdefault(name.strip(), value.strip())
    part = fields.get("CPU part")
    return ARM_CORES.get(part, f"ARM part {part}") if part else fields.get("model name")


def _os_name() -> str | None:
    for line in (_text("etc/os-release") or "").splitlines():
        if line.startswith("PRETTY_NAME="):
            return line.partition("=")[2].strip('"')
    return None


def _text(path: str) -> str | None:
    """Return a small file's text, without the NUL characters that device trees end their strings with."""
    try:
        return (ROOT / path).read_text(errors="replace").replace("\0", " ").strip()
    except OSError:
        return None
