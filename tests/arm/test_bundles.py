"""Every kind of weights on every processor, and the instruction set chosen at start."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from benchmarks.arm import sysroot
from benchmarks.arm.boards import BOARDS

pytestmark = pytest.mark.arm

FIXTURES = Path(__file__).parents[1] / "fixtures" / "v1"
BUNDLES = sorted(FIXTURES.glob("*.epb"))
ISAS = {"a53": "neon-a53", "a72": "neon", "a76": "neon"}
Outputs = dict[str, np.ndarray]


@pytest.fixture
def run(userland, runtime_site: Path, tmp_path: Path) -> Callable[..., tuple[str, Outputs]]:
    """A function that runs all fixture bundles and returns the instruction set and the outputs by bundle."""
    picture = np.load(FIXTURES / "picture.npy")
    tasks: list[str] = []
    for bundle in BUNDLES:
        image = picture[:16, :16] if bundle.stem == "dense" else picture  # a dense layer fixes the size
        (tmp_path / f"{bundle.stem}.rgb").write_bytes(image.tobytes())
        tasks += [str(bundle), *map(str, image.shape[:2])]

    def run(board, *, threads: int = 1, precision: str = "fp32", isa: str = "", system=userland):
        script = str(Path(__file__).parent / "programs" / "run_bundles.py")
        done = system.run(
            board,
            ["python", script, str(threads), precision, str(tmp_path), *tasks],
            python_path=(runtime_site,),
            environment={"EDGEPATHO_ISA": isa},
        )
        assert done.returncode == 0, done.stderr
        outputs = {path.stem: np.fromfile(path, np.float32) for path in tmp_path.glob("*.f32")}
        return done.stdout.strip(), outputs

    return run


def errors(outputs: Outputs) -> dict[str, float]:
    """The largest difference from the frozen outputs, relative to their maximum, by bundle."""
    frozen = {name: np.load(FIXTURES / f"{name}.output.npy").ravel() for name in outputs}
    return {name: np.abs(outputs[name] - frozen[name]).max() / np.abs(frozen[name]).max() for name in outputs}


@pytest.mark.parametrize("threads", [1, 4])
def test_outputs_are_the_frozen_ones_on_the_instruction_set_of_the_board(run, board, threads):
    isa, outputs = run(board, threads=threads)
    assert isa == ISAS[board.cpu]
    assert len(outputs) == len(BUNDLES) >= 8
    assert max(errors(outputs).values()) <= 1e-5


def test_any_supported_instruction_set_gives_the_frozen_outputs(run):
    for isa in ("neon", "neon-a53"):
        chosen, outputs = run(BOARDS["a76"], isa=isa)
        assert chosen == isa
        assert max(errors(outputs).values()) <= 1e-5


def test_half_precision_is_opt_in_and_close(run):
    isa, outputs = run(BOARDS["a76"], precision="fp16")
    assert isa == "neon-fp16"
    largest = max(errors(outputs).values())
    assert 1e-5 < largest < 2e-2


def test_the_same_wheel_runs_on_the_python_of_the_next_debian(run, board):
    _, outputs = run(board, system=sysroot.userland("trixie"))
    assert max(errors(outputs).values()) <= 1e-5
