"""TensorFlow without the notices that its C++ code writes to stderr at any log level."""

from __future__ import annotations

import importlib
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

NOTICES = (
    b"absl::InitializeLog()",  # printed at import, before TF_CPP_MIN_LOG_LEVEL is read
    b"oneDNN custom operations are on",
    b"fully_quantize: ",  # by the converter to int8
)


def import_tensorflow() -> None:
    """Import TensorFlow, if not yet imported, without its notices and with oneDNN's convolutions.

    TensorFlow itself turns oneDNN on for some processors only; without it a training step takes twice as
    long. TF_ENABLE_ONEDNN_OPTS=0 in the environment leaves it off.
    """
    if "tensorflow" not in sys.modules:
        os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
        with quiet():
            importlib.import_module("tensorflow")


@contextmanager
def quiet() -> Iterator[None]:
    """Hold back everything written to stderr, also by C++; afterwards write all lines except the notices."""
    if sys.stderr is None:  # it was closed from outside
        yield
        return
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(stderr, 2)
            os.close(stderr)
            held.seek(0)
            lines = [line for line in held if not any(notice in line for notice in NOTICES)]
            os.write(2, b"".join(lines))
