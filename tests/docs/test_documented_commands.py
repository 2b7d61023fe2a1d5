"""The commands of README and tutorial run as written there and print what the pages show."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import console
import pytest
from loopback_device import LoopbackDevice
from runtime_wheel import runtime_wheel

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("README.md", "docs/tutorial.md", "docs/score-pictures.md")
EXAMPLE_NETWORK = """
import keras

image = keras.Input((32, 32, 3), name="image")
x = keras.layers.Conv2D(8, 3, padding="same", activation="relu")(image)
model = keras.Model(image, keras.layers.Conv2D(3, 1)(x))
"""
SUBSTITUTIONS = {
    entry["documented"]: entry["run"]
    for entry in tomllib.loads((Path(__file__).parent / "substitutions.toml").read_text())["substitution"]
}


class Reader:
    """Somebody who works through the pages in one folder; what occurs twice is run once."""

    def __init__(self, folder: Path, path: str, wheel: Path) -> None:
        self.folder, self.path, self.wheel = folder, path, wheel
        self.printed: dict[str, list[str]] = {}

    def run(self, command: str) -> list[str]:
        """Run a documented command, or what stands in for it; return the lines it printed on stdout."""
        lines: list[str] = []
        for text in SUBSTITUTIONS.get(command, [command]):
            if text not in self.printed:
                self.printed[text] = self._run(shlex.split(text.format(wheel=self.wheel)))
            lines += self.printed[text]
        return lines

    def _run(self, arguments: list[str]) -> list[str]:
        environment = os.environ | {"PATH": self.path}
        done = subprocess.run(arguments, cwd=self.folder, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, f"{shlex.join(arguments)}\n{done.stdout}{done.stderr}"
        return done.stdout.splitlines()


@pytest.fixture(scope="module")
def reader(require: Callable[..., None], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """A folder, a PATH with the commands of this environment, and a device on the loopback."""
    require("ssh", "sshd", "ssh-keygen")
    folder = tmp_path_factory.mktemp("reader")
    with LoopbackDevice(tmp_path_factory.mktemp("device") / "device") as device:
        path = f"{Path(sys.executable).parent}:{device.client_path}"
        yield Reader(folder, path, runtime_wheel(tmp_path_factory.mktemp("wheel")))


@pytest.mark.parametrize("page", PAGES)
def test_the_commands_of_a_page_run_and_print_what_it_shows(reader: Reader, page: str) -> None:
    commands = console.commands(ROOT / page)
    assert commands
    for command in commands:
        printed = reader.run(command.text)
        shown = "\n".join(printed)
        assert console.matches(command.output, printed), (
            f"{page}:{command.line}: `{command.text}` prints\n{shown}"
        )


def test_the_python_example_of_the_readme_runs(tmp_path: Path) -> None:
    (example,) = console.python_blocks(ROOT / "README.md")
    script = EXAMPLE_NETWORK + example
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    selftest = [sys.executable, "-m", "edgepatho_runtime", "selftest", "network.epb"]
    subprocess.run(selftest, cwd=tmp_path, check=True, capture_output=True)


def test_every_substitution_stands_for_a_documented_command() -> None:
    documented = {command.text for page in PAGES for command in console.commands(ROOT / page)}
    assert set(SUBSTITUTIONS) <= documented


@pytest.mark.parametrize(
    ("documented", "printed", "same"),
    [
        (["a 1.5 b"], ["a  22 b"], True),
        (["a 1.5 b"], ["a 22 c"], False),
        (["first", "..."], ["first", "second", "third"], True),
        (["...", "last"], ["first", "last"], True),
        (["..."], [], True),
        (["only"], ["only", "more"], False),
        ([], ["anything"], True),
    ],
)
def test_what_a_page_shows_is_compared_but_for_numbers(documented, printed, same) -> None:
    assert console.matches(documented, printed) is same
