"""`evaluate` on a few synthetic tiles: undefined figures, and no warnings from TensorFlow."""

import subprocess
import sys

import numpy as np

from edgepatho.evaluate import networks
from edgepatho.model import graph as graphs


def test_undefined_rates_and_classes_are_not_shown(prepared):
    """The tiles show no TIL and 14 tumour cells per patient; TensorFlow prints no warnings."""
    command = [sys.executable, "-m", "edgepatho", "evaluate", str(prepared), "--thresholds", "60,60,255"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    rates = [line.split()[2:] for line in done.stdout.splitlines() if " til " in line]
    assert rates == [["–", "–", "–"]] * 2  # by both protocols
    assert done.stdout.count("no class: under 30 tumour cells") == 2
    assert "right class" not in done.stdout
    assert "retracing" not in done.stderr
    assert "WARNING" not in done.stderr


def test_a_network_is_traced_once_whatever_the_last_batch_holds(monkeypatch):
    network = networks.load(None).graphs["original"]
    traced, evaluate = [], graphs.evaluate

    def counted(*arguments):
        traced.append(arguments)
        return evaluate(*arguments)

    monkeypatch.setattr(graphs, "evaluate", counted)
    assert networks.heat(network, np.zeros((9, 32, 32, 3), np.uint8)).shape == (9, 32, 32, 3)
    assert len(traced) == 1
