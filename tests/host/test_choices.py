"""Settings given as words are checked when made; a renamed word is refused with its new name."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from edgepatho.cli import main
from edgepatho.data.prepare import prepare
from edgepatho.errors import UsageError
from edgepatho.evaluate import tiles
from edgepatho.evaluate.evaluation import Request
from edgepatho.quantize import cws, prune
from edgepatho.quantize.quantizer import Quantizer

WEIGHTS = np.linspace(-1, 1, 50, dtype=np.float32)

MISSPELT = {
    "method": (lambda: Quantizer(method="kmeans"), "expected cws, pws, uq or ecsq"),
    "codebook": (lambda: Quantizer(codebook="perlayer"), "expected shared or per-layer"),
    "prune_scope": (lambda: Quantizer(prune_scope="layers"), "expected layer or global"),
    "scale": (lambda: Quantizer(scale="chanel"), "expected none, layer, channel or output"),
    "solver": (lambda: Quantizer(solver="minibach"), "expected exact or minibatch"),
    "solver of cws": (lambda: cws.quantize(WEIGHTS, 4, solver="minibach"), "expected exact or minibatch"),
    "scope of prune": (lambda: prune.masks({"a": WEIGHTS}, 10, "layers"), "expected layer or global"),
    "split of evaluate": (lambda: Request(Path(), split="tests"), "expected train, validation or test"),
    "split of tiles": (lambda: tiles.load(Path(), "tests"), "expected train, validation or test"),
    "split_by of prepare": (lambda: prepare(Path(), Path(), split_by="tile"), "expected patient or image"),
    "labels of prepare": (lambda: prepare(Path(), Path(), labels="seed"), "expected true or published"),
}


@pytest.mark.parametrize("setting", MISSPELT)
def test_an_unknown_word_is_refused_when_the_setting_is_made(setting):
    make, expected = MISSPELT[setting]
    with pytest.raises(UsageError, match=expected) as error:
        make()
    assert str(error.value).startswith(f"{setting.split()[0]} is '")


@pytest.mark.parametrize(
    "arguments", [["prepare", "tiles", "out", "--labels"], ["evaluate", "prepared", "--protocol"]]
)
def test_a_renamed_word_is_refused_with_its_new_name(arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, [*arguments, "seed"])
    assert result.exit_code == 2
    assert "'seed' is now called 'published'" in result.stderr
    assert not list(tmp_path.iterdir())
