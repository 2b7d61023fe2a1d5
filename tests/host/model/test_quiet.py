"""TensorFlow's notices are kept off stderr; everything else is passed on."""

import os
import subprocess
import sys

import pytest

from edgepatho.model.quiet import quiet


def test_the_first_import_prints_nothing():
    code = "import edgepatho.cli; from edgepatho.model import quiet; quiet.import_tensorflow()"
    code += "; import tensorflow; print(tensorflow.add(1, 2).numpy())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("3\n", "")


def test_other_lines_are_kept_even_after_an_error(capfd):
    @quiet()
    def fail():
        os.write(2, b"I0000 port.cc:153] oneDNN custom operations are on. You may see\n")
        os.write(2, b"the disk is full\n")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    os.write(2, b"later\n")
    assert capfd.readouterr().err == "the disk is full\nlater\n"
