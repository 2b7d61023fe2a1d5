"""What users install: both wheels and sdists are complete and work outside the source tree."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest

from edgepatho import __version__

ROOT = Path(__file__).parents[3]
BUNDLE = ROOT / "tests" / "fixtures" / "v1" / "coded.epb"
# Where the folders of the source tree go in the host's wheel.
HOST_FOLDERS = {
    "edgepatho": "edgepatho",
    "exporters": "edgepatho/exporters",
    "device_scripts": "edgepatho/device_scripts",
}
NOT_IN_THE_RUNTIMES_SDIST = {"build_wheel.py", "CMakePresets.json"}  # need cmake/ of the repository


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both sdists, the host's wheel built from one, and the runtime's wheel."""
    out = tmp_path_factory.mktemp("dist")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # cython, ninja
    pip = ("pip", "wheel", "-q", "--no-build-isolation", "--no-deps", "--no-index", "-w", str(out))
    for command in (
        ("build", "-q", "--no-isolation", "-o", str(out), str(ROOT)),
        ("build", "-q", "--no-isolation", "--sdist", "-o", str(out), str(ROOT / "runtime")),
        (*pip, str(ROOT / "runtime")),  # in place, to reuse what `make install` compiled
    ):
        done = subprocess.run(
            [sys.executable, "-m", *command], env={**os.environ, "PATH": path}, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
    return out


@pytest.fixture(scope="module")
def host_wheel(dist: Path) -> Path:
    return dist / f"edgepatho-{__version__}-py3-none-any.whl"


@pytest.fixture(scope="module")
def runtime_wheel(dist: Path) -> Path:
    (wheel,) = dist.glob(f"edgepatho_runtime-{__version__}-cp311-abi3-*.whl")
    return wheel


def sources(folder: Path) -> set[str]:
    """All hand-written files of a folder, as paths relative to it."""
    made = {"__pycache__", "build"}
    files = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {
        str(path) for path in files if made.isdisjoint(path.parts) and path.suffix not in (".whl", ".pyc")
    }


def content(wheel: Path) -> set[str]:
    """The names in a wheel, except its metadata and the runtime wheels inside."""
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    return {name for name in names if ".dist-info/" not in name and not name.endswith(".whl")}


def members(sdist: Path) -> set[str]:
    with tarfile.open(sdist) as archive:
        return {name.partition("/")[2] for name in archive.getnames()}


def metadata(wheel: Path) -> tuple[Message, str]:
    """A wheel's METADATA and entry points."""
    with zipfile.ZipFile(wheel) as archive:
        names = {Path(name).name: name for name in archive.namelist() if ".dist-info/" in name}
        text = archive.read(names["METADATA"]).decode()
        return Parser().parsestr(text), archive.read(names["entry_points.txt"]).decode()


def test_the_host_wheel_holds_exactly_the_source_files(host_wheel):
    expected = {
        f"{inside}/{name}" for folder, inside in HOST_FOLDERS.items() for name in sources(ROOT / folder)
    }
    assert content(host_wheel) == expected


def test_the_runtime_wheel_holds_its_python_files_and_two_extensions(runtime_wheel):
    package = ROOT / "runtime" / "src" / "edgepatho_runtime"
    written = {f"edgepatho_runtime/{name}" for name in sources(package) if not name.endswith(".pyx")}
    compiled = {f"edgepatho_runtime/{name}.abi3.so" for name in ("_core", "_vision")}
    assert content(runtime_wheel) == written | compiled


def test_the_runtime_sdist_holds_everything_a_wheel_is_built_from(dist):
    found = members(dist / f"edgepatho_runtime-{__version__}.tar.gz")
    assert found - {"PKG-INFO"} == sources(ROOT / "runtime") - NOT_IN_THE_RUNTIMES_SDIST


def test_the_host_sdist_holds_its_sources_without_tests(dist):
    found = members(dist / f"edgepatho-{__version__}.tar.gz")
    for folder in HOST_FOLDERS:
        assert {f"{folder}/{name}" for name in sources(ROOT / folder)} <= found
    assert {name.split("/")[0] for name in found} == {
        *HOST_FOLDERS,
        *("LICENSE", "PKG-INFO", "README.md", "edgepatho.egg-info", "pyproject.toml", "setup.cfg", ""),
    }


@pytest.mark.arm
def test_the_host_wheel_carries_the_runtime_for_the_device(host_wheel):
    with zipfile.ZipFile(host_wheel) as archive:
        carried = [name for name in archive.namelist() if name.endswith(".whl")]
    assert carried == [
        f"edgepatho/wheels/edgepatho_runtime-{__version__}-cp311-abi3-manylinux_2_28_aarch64.whl"
    ]


def test_metadata_states_the_license_and_python_versions(host_wheel, runtime_wheel):
    host, host_commands = metadata(host_wheel)
    device, device_commands = metadata(runtime_wheel)
    assert (host["Name"], host["Requires-Python"]) == ("edgepatho", "<3.14,>=3.11")
    assert (device["Name"], device["Requires-Python"]) == ("edgepatho-runtime", ">=3.11")
    assert host_commands.split() == ["[console_scripts]", "edgepatho", "=", "edgepatho.cli:main"]
    assert device_commands.split() == [
        "[console_scripts]",
        "edgepatho-run",
        "=",
        "edgepatho_runtime.cli:main",
    ]
    assert all(name.endswith('; extra == "images"') for name in device.get_all("Requires-Dist"))
    assert not any(name.startswith("edgepatho") for name in host.get_all("Requires-Dist"))
    licence = (ROOT / "LICENSE").read_text()
    for wheel, about, readme in (
        (host_wheel, host, ROOT / "README.md"),
        (runtime_wheel, device, ROOT / "runtime" / "README.md"),
    ):
        assert about["Version"] == __version__
        assert about["License-Expression"] == "MIT"
        assert about["Description-Content-Type"] == "text/markdown"
        assert about.get_payload().strip() == readme.read_text().strip()
        with zipfile.ZipFile(wheel) as archive:
            (name,) = [name for name in archive.namelist() if name.endswith("/licenses/LICENSE")]
            assert archive.read(name).decode() == licence


class Installation:
    """A virtual environment with both wheels; it sees our dependencies, not the source tree."""

    def __init__(self, folder: Path, wheels: list[Path]) -> None:
        venv.create(folder / "venv", with_pip=False, symlinks=True)
        self.folder, self.bin = folder, folder / "venv" / "bin"
        python = self.bin / "python"
        pip = [sys.executable, "-m", "pip", f"--python={python}", "install", "-q", "--no-deps", "--no-index"]
        subprocess.run([*pip, *map(str, wheels)], check=True, cwd=folder)
        self.site = Path(
            self.run("python", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))")[:-1]
        )
        # a folder named in a .pth file is added without reading its own .pth files (the editable install's)
        (self.site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")

    def run(self, command: str, *arguments: str | Path) -> str:
        """Run a command of the environment in its folder; return its standard output."""
        outside = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        done = subprocess.run(
            [self.bin / command, *arguments], cwd=self.folder, env=outside, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def installed(
    host_wheel: Path, runtime_wheel: Path, tmp_path_factory: pytest.TempPathFactory
) -> Installation:
    return Installation(tmp_path_factory.mktemp("away"), [host_wheel, runtime_wheel])


def test_nothing_is_imported_from_the_source_tree(installed):
    code = (
        "import edgepatho.exporters as e, edgepatho.device_scripts as d, edgepatho_runtime._core as c, sys\n"
    )
    code += "print(e.__file__, d.__file__, c.__file__)\nprint(*sys.path, sep='\\n')"
    files, *path = installed.run("python", "-I", "-c", code).splitlines()
    assert all(Path(name).is_relative_to(installed.site) for name in files.split())
    assert not any(Path(name).is_relative_to(ROOT) for name in path if name != sysconfig.get_path("purelib"))


def test_both_commands_print_their_version(installed):
    assert installed.run("edgepatho", "--version") == f"edgepatho, version {__version__}\n"
    assert installed.run("edgepatho-run", "--version") == f"edgepatho-run {__version__}\n"
    assert installed.run("edgepatho", "--help").startswith("Usage: edgepatho ")
    assert "HOST" in installed.run("edgepatho", "deploy", "--help")


def test_a_bundle_can_be_inspected_tested_and_scored_with(installed):
    about = json.loads(installed.run("edgepatho", "inspect", BUNDLE, "--json"))
    assert about["file"] == "coded.epb"
    assert json.loads(installed.run("edgepatho-run", "selftest", BUNDLE, "--json"))["passed"]
    picture = installed.folder / "field.ppm"
    picture.write_bytes(b"P6 64 64 255\n" + bytes(range(256)) * 48)
    on_host, on_device = (
        json.loads(installed.run(command, "score", picture, "--bundle", BUNDLE, "--json"))
        for command in ("edgepatho", "edgepatho-run")
    )
    assert on_host["pooled"] == on_device["pooled"]
    assert on_host["images"][0]["counts"].keys() == {"immunopositive", "immunonegative", "til"}


def test_a_record_is_rendered_as_a_page(installed):
    installed.run("edgepatho-run", "bench", BUNDLE, "--runs", "1", "--warmup", "0", "--json", "bench.json")
    installed.run("edgepatho", "report", "bench.json", "-o", "report.html")
    assert "</html>" in (installed.folder / "report.html").read_text()


@pytest.mark.parametrize(
    ("package", "name", "source"),
    [
        ("edgepatho.model", "demo_weights.safetensors", "edgepatho/model/demo_weights.safetensors"),
        ("edgepatho.report", "templates/report.html.j2", "edgepatho/report/templates/report.html.j2"),
        ("edgepatho.device_scripts", "store.sh", "device_scripts/store.sh"),
        ("edgepatho.device_scripts", "ansible/tasks/main.yml", "device_scripts/ansible/tasks/main.yml"),
    ],
)
def test_data_files_are_found_as_resources(package, name, source, installed):
    code = f"from importlib import resources as r; print((r.files({package!r}) / {name!r}).absolute())"
    found = Path(installed.run("python", "-I", "-c", code).rstrip("\n"))
    assert found.is_relative_to(installed.site)
    assert found.read_bytes() == (ROOT / source).read_bytes()
