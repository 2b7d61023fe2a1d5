"""A release on the host: its id, its parts, the wheels it accepts, and what it refuses."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
import standin_payload

from edgepatho.deploy import wheels
from edgepatho.deploy.probe import Device
from edgepatho.deploy.release import build, chosen_files
from edgepatho.errors import InputError


def device(machine: str = "aarch64", python: str = "3.11.2", glibc: str = "2.36") -> Device:
    return Device({"kernel_machine": machine, "python": python, "glibc": glibc, "python_bits": "64"})


def wheel_with(folder: Path, name: str, content: str = "x") -> Path:
    path = folder / "odd-1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(zipfile.ZipInfo(name), content)
    return path


def test_equal_content_has_the_same_id_wherever_it_is(tmp_path: Path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    one = standin_payload.release(tmp_path / "a", "same")
    other = standin_payload.release(tmp_path / "b", "same")
    assert one.id == other.id
    assert one.id != standin_payload.release(tmp_path / "a", "different").id


def test_the_manifest_lists_every_file_once_and_the_release_lists_its_parts(tmp_path: Path):
    release = standin_payload.release(tmp_path, "any")
    parts = {part.name: part for part in release.parts}
    lines = parts["MANIFEST"].source.decode().splitlines()
    paths = [line.split("  ", 1)[1] for line in lines]
    assert paths == sorted(set(paths))
    assert {"model.epb", "baseline.epb", "release.json", "bin/edgepatho-run"} <= set(paths)
    assert "lib/edgepatho_runtime/__main__.py" in paths
    stated = {part["name"]: part["bytes"] for part in json.loads(parts["release.json"].source)["parts"]}
    assert stated["model.epb"] == parts["model.epb"].size_bytes
    assert parts["MANIFEST"].sha256.startswith(release.id)


@pytest.mark.parametrize("name", ["../outside.py", "/etc/passwd", "a/../../b", "line\nbreak", "back\\slash"])
def test_a_wheel_that_would_write_elsewhere_is_refused(tmp_path: Path, name: str):
    with pytest.raises(InputError, match="which no wheel may hold"):
        build([], [wheel_with(tmp_path, name)])


def test_a_wheel_that_needs_an_installer_is_refused(tmp_path: Path):
    with pytest.raises(InputError, match="unpacking is not enough"):
        build([], [wheel_with(tmp_path, "odd-1.data/scripts/tool")])


def test_a_damaged_wheel_is_refused(tmp_path: Path):
    wheel = standin_payload.wheel(tmp_path)
    wheel.write_bytes(wheel.read_bytes()[:100])
    with pytest.raises(InputError, match="cannot be read as a wheel"):
        build([], [wheel])


def test_two_wheels_with_the_same_file_are_refused(tmp_path: Path):
    other = wheel_with(tmp_path, "edgepatho_runtime/__main__.py")
    with pytest.raises(InputError, match=r"both hold lib/edgepatho_runtime/__main__\.py"):
        build([], [standin_payload.wheel(tmp_path), other])


def test_a_folder_without_a_baseline_names_the_option_to_omit_it(compress_folder: Path):
    (compress_folder / "baseline.epb").unlink()
    with pytest.raises(InputError, match=r"holds no baseline\.epb.*--no-baseline"):
        chosen_files(compress_folder)
    assert [file.name for file in chosen_files(compress_folder, baseline=False)] == ["model.epb"]


def test_a_damaged_bundle_is_not_deployed(compress_folder: Path):
    bundle = compress_folder / "model.epb"
    content = bytearray(bundle.read_bytes())
    content[-1] ^= 1
    bundle.write_bytes(content)
    with pytest.raises(InputError, match=r"model\.epb"):
        chosen_files(compress_folder)


@pytest.mark.parametrize(
    ("name", "wanted", "fits"),
    [
        ("edgepatho_runtime-0.1-cp311-abi3-manylinux_2_28_aarch64.whl", device(), True),
        (
            "edgepatho_runtime-0.1-cp311-abi3-manylinux_2_28_aarch64.whl",
            device(python="3.13.5", glibc="2.41"),
            True,
        ),
        ("edgepatho_runtime-0.1-cp311-abi3-manylinux_2_28_aarch64.whl", device("x86_64"), False),
        ("edgepatho_runtime-0.1-cp311-abi3-manylinux_2_28_aarch64.whl", device(glibc="2.27"), False),
        ("edgepatho_runtime-0.1-cp312-abi3-manylinux_2_28_aarch64.whl", device(), False),
        ("edgepatho_runtime-0.1-cp311-abi3-linux_x86_64.whl", device("x86_64"), True),
        ("pillow-13.0.0-cp311-cp311-manylinux_2_27_aarch64.manylinux_2_28_aarch64.whl", device(), True),
        ("pillow-13.0.0-cp311-cp311-manylinux_2_27_aarch64.whl", device(python="3.13.5"), False),
        ("pillow-13.0.0-cp311-cp311-musllinux_1_2_aarch64.whl", device(), False),
        ("any-1-py3-none-any.whl", device(), True),
        ("no wheel.whl", device(), False),
    ],
)
def test_wheels_are_chosen_by_the_devices_processor_python_and_c_library(
    name: str, wanted: Device, fits: bool
):
    assert wheels.fits(name, wanted) is fits


def test_a_given_wheel_that_does_not_fit_is_refused(tmp_path: Path):
    wheel = standin_payload.wheel(tmp_path, tag="cp311-abi3-linux_x86_64")
    with pytest.raises(InputError, match="does not fit the device"):
        wheels.runtime_wheel(device(), wheel)
    assert wheels.runtime_wheel(device("x86_64"), wheel) == wheel
    with pytest.raises(InputError, match="is not a file"):
        wheels.runtime_wheel(device("x86_64"), wheel.with_name("missing.whl"))


def test_a_missing_runtime_wheel_says_how_to_build_it():
    with pytest.raises(InputError, match="make wheel-arm"):
        wheels.runtime_wheel(device("riscv64"))


def test_a_cached_wheel_needs_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from importlib.metadata import version

    monkeypatch.setenv("EDGEPATHO_CACHE", str(tmp_path))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    pins = {"pillow": version("pillow"), "simplejpeg": version("simplejpeg"), "numpy": wheels.NUMPY[7:]}
    (tmp_path / "wheels").mkdir()
    cached = [
        tmp_path / "wheels" / f"{name}-{number}-cp311-cp311-manylinux_2_28_aarch64.whl"
        for name, number in pins.items()
    ]
    for path in cached:
        path.write_text("a wheel")
    assert wheels.image_wheels(device()) == cached


def test_offline_without_a_cached_wheel_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("EDGEPATHO_CACHE", str(tmp_path))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(InputError, match=r"could not download pillow==.* give --no-images"):
        wheels.image_wheels(device(machine="riscv64"))
