"""TensorFlow without the notices that its C++ code writes to stderr whatever its log level is."""

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
    """Import TensorFlow, if nothing has yet, without its notices; how it computes is left alone."""
    if "tensorflow" not in sys.modules:
        with quiet():
            importlib.import_module("tensorflow")


@contextmanager
def quiet() -> Iterator[None]:
    """Hold back what is written to stderr, by C++ too; afterwards write all lines of it but the notices."""
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
