"""Both readers of bundles, the host's and the device's: they must agree on every file."""

from __future__ import annotations

import tracemalloc

import pytest

from edgepatho.exporters import bundle, refusals
from edgepatho_runtime.bundle import reader
from edgepatho_runtime.errors import BundleError

READERS = {"host": (bundle.parse, refusals.BundleError), "device": (reader.parse, BundleError)}
MAX_REFUSED_BYTES = 16 << 20  # less than any bomb decodes to, more than the largest header takes in memory


def refused(data: bytes) -> str:
    """The refusal that both readers give for a file, each in one sentence and without unpacking a bomb."""
    names = set()
    for parse, error in READERS.values():
        tracemalloc.start()
        with pytest.raises(error) as caught:
            parse(data)
        _, peak_bytes = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak_bytes < MAX_REFUSED_BYTES
        sentence = str(caught.value)
        assert sentence.endswith(".")
        assert "\n" not in sentence
        assert len(sentence) < 600
        names.add(caught.value.refusal)
    (name,) = names
    return str(name)


def answers(data: bytes) -> dict[str, str | None]:
    """By reader: the refusal's name, None if the file is accepted."""
    given: dict[str, str | None] = {}
    for name, (parse, error) in READERS.items():
        try:
            parse(data)
            given[name] = None
        except error as refusal:
            given[name] = refusal.refusal
    return given
