"""The cross-built wheel is what its name claims: arm64, limited API, its glibc; and it is hardened."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import re
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

pytestmark = pytest.mark.arm

SYSTEM_LIBRARIES = {"libc.so.6", "libm.so.6", "libpthread.so.0", "libdl.so.2", "ld-linux-aarch64.so.1"}


@pytest.fixture(scope="module")
def libraries(wheel_file: Path) -> dict[str, ELFFile]:
    """The shared libraries inside the wheel, by name."""
    with zipfile.ZipFile(wheel_file) as archive:
        contents = {name: archive.read(name) for name in archive.namelist() if ".so" in Path(name).name}
    assert contents, f"{wheel_file} holds no shared library"
    return {name: ELFFile(io.BytesIO(data)) for name, data in contents.items()}


def dynamic(library: ELFFile) -> list:
    return list(library.get_section_by_name(".dynamic").iter_tags())


def segment(library: ELFFile, kind: str):
    return next((part for part in library.iter_segments() if part["p_type"] == kind), None)


def test_name_and_contents_agree_on_python_and_processor(wheel_file, libraries):
    assert re.search(r"-cp311-abi3-manylinux_2_\d+_aarch64\.whl$", wheel_file.name)
    with zipfile.ZipFile(wheel_file) as archive:
        (info,) = [name for name in archive.namelist() if name.endswith(".dist-info/WHEEL")]
        tags = re.findall(r"^Tag: (\S+)$", archive.read(info).decode(), re.MULTILINE)
    assert tags == ["-".join(wheel_file.stem.split("-")[-3:])]
    for name, library in libraries.items():
        assert name.endswith(".abi3.so")
        assert library["e_machine"] == "EM_AARCH64", name
        assert (library.elfclass, library.little_endian) == (64, True), name


def test_libraries_are_hardened(libraries):
    for name, library in libraries.items():
        assert segment(library, "PT_GNU_RELRO") is not None, f"{name} has no RELRO"
        flags = {tag.entry.d_tag: tag.entry.d_val for tag in dynamic(library) if "FLAGS" in tag.entry.d_tag}
        assert flags.get("DT_FLAGS", 0) & 0x8 or flags.get("DT_FLAGS_1", 0) & 0x1, f"{name} binds lazily"
        stack = segment(library, "PT_GNU_STACK")
        assert stack is not None, f"{name} does not say that its stack is not executable"
        assert not stack["p_flags"] & 0x1, f"{name} has an executable stack"


def test_libraries_need_no_more_than_the_glibc_of_the_tag(wheel_file, libraries):
    promised = int(re.search(r"manylinux_2_(\d+)_", wheel_file.name)[1])
    for name, library in libraries.items():
        needed = {tag.needed for tag in dynamic(library) if tag.entry.d_tag == "DT_NEEDED"}
        assert needed <= SYSTEM_LIBRARIES, f"{name} needs {needed - SYSTEM_LIBRARIES}"
        versions = [
            version.name
            for _, wanted in library.get_section_by_name(".gnu.version_r").iter_versions()
            for version in wanted
        ]
        assert versions
        for version in versions:
            match = re.fullmatch(r"GLIBC_2\.(\d+)(\.\d+)?", version)
            assert match, f"{name} needs {version}"
            assert int(match[1]) <= promised, f"{name} needs {version}"


def test_the_wheel_depends_on_nothing_and_is_whole(wheel_file):
    with zipfile.ZipFile(wheel_file) as archive:
        names = {name for name in archive.namelist() if not name.endswith("/")}
        (metadata,) = [name for name in names if name.endswith(".dist-info/METADATA")]
        requires = Parser().parsestr(archive.read(metadata).decode()).get_all("Requires-Dist", [])
        assert [one for one in requires if "extra ==" not in one] == []
        (record,) = [name for name in names if name.endswith(".dist-info/RECORD")]
        rows = list(csv.reader(archive.read(record).decode().splitlines()))
        assert {row[0] for row in rows} == names
        for path, digest, size in rows:
            if path == record:
                continue
            data = archive.read(path)
            expected = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            assert (digest, int(size)) == (f"sha256={expected}", len(data)), path


def test_no_trace_of_the_machine_that_built_it(wheel_file):
    here = str(Path(__file__).parents[2]).encode()
    with zipfile.ZipFile(wheel_file) as archive:
        for name in archive.namelist():
            assert here not in archive.read(name), name
