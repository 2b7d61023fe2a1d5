"""Wheels for a device: the runtime's from this package, others downloaded by pip on the host."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from importlib import metadata, resources
from pathlib import Path

from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from edgepatho.deploy.probe import Device
from edgepatho.errors import InputError

OLDEST_MANYLINUX = 17  # manylinux_2_17, also called manylinux2014
NUMPY = "numpy==2.3.5"  # one for Python 3.11 to 3.14; simplejpeg imports it, and ai_edge_litert.interpreter
TFLITE = ("ai-edge-litert==2.3.0", NUMPY)


def runtime_wheel(device: Device, given: Path | None = None) -> Path:
    """Return the runtime's wheel for the device: `given`, else the one in this package.

    Raises InputError if `given` does not fit or there is no wheel that fits.
    """
    if given is not None:
        if not given.is_file():
            raise InputError(f"{given} is not a file; give --wheel an edgepatho_runtime wheel.")
        if not fits(given.name, device):
            raise InputError(
                f"{given} does not fit the device (Python {device.facts.get('python')} on {device.machine}); "
                "give --wheel an edgepatho_runtime wheel for it."
            )
        return given
    folder = Path(str(resources.files("edgepatho.wheels")))
    fitting = [wheel for wheel in sorted(folder.glob("*.whl")) if fits(wheel.name, device)]
    if not fitting:
        raise InputError(
            f"This installation of edgepatho has no runtime for {device.machine or 'the device'}: run "
            "`make wheel-arm` in its source folder, or give --wheel FILE."
        )
    return max(fitting, key=lambda wheel: parse_wheel_filename(wheel.name)[1])


def image_wheels(device: Device) -> list[Path]:
    """Return the wheels of the packages that decode JPEG and TIFF."""
    return [_fetched(pin, device, "give --no-images: PNG and PPM need none") for pin in image_pins()]


def image_pins() -> list[str]:
    """Return pins of the packages that decode JPEG and TIFF, at the versions installed on the host."""
    return [*(f"{name}=={metadata.version(name)}" for name in ("pillow", "simplejpeg")), NUMPY]


def tflite_wheels(device: Device) -> list[Path]:
    """Return the wheels of the TFLite interpreter and its dependencies."""
    return [_fetched(pin, device, "leave out --with-tflite") for pin in TFLITE]


def fits(name: str, device: Device) -> bool:
    """Return whether a wheel of this file name installs on the device."""
    try:
        return not parse_wheel_filename(name)[3].isdisjoint(_tags(device))
    except InvalidWheelFilename:
        return False


def _tags(device: Device) -> Iterable[Tag]:
    version = device.python[:2]
    name = "cp{}{}".format(*version)
    platforms = [*_manylinux(device), f"linux_{device.machine}"]
    yield from cpython_tags(version, [name], platforms)
    yield from compatible_tags(version, name, platforms)


def _manylinux(device: Device) -> list[str]:
    newest = device.glibc[1] if device.glibc[:1] == (2,) else OLDEST_MANYLINUX
    names = [f"manylinux_2_{minor}_{device.machine}" for minor in range(newest, OLDEST_MANYLINUX - 1, -1)]
    return [*names, f"manylinux2014_{device.machine}"]


def _fetched(pin: str, device: Device, way_out: str) -> Path:
    """Return the cached wheel of `pin` for the device; pip downloads it the first time."""
    cache = Path(os.environ.get("EDGEPATHO_CACHE", Path.home() / ".cache" / "edgepatho")) / "wheels"
    name, version = pin.split("==")
    for wheel in cache.glob(f"{name.replace('-', '_')}-{version}-*.whl"):
        if fits(wheel.name, device):
            return wheel
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as aside:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
        command += [f"--platform={platform}" for platform in _manylinux(device)]
        command += [
            "--python-version={}.{}".format(*device.python[:2]),
            "--implementation=cp",
            f"--dest={aside}",
            pin,
        ]
        done = subprocess.run(command, capture_output=True, text=True)
        wheels = list(Path(aside).glob("*.whl"))
        if done.returncode or not wheels:
            reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise InputError(
                f"pip could not download {pin} for {device.machine}, Python {device.facts.get('python')} "
                f"({reason}); connect this computer to a package index once, or {way_out}."
            )
        return wheels[0].replace(cache / wheels[0].name)
