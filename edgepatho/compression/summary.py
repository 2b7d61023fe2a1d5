"""The accuracy table and the file sizes of a compression as text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgepatho.data.split import shared_patients_warning
from edgepatho.evaluate import table


def summary(output: Path, record: dict[str, Any]) -> str:
    """Return what `edgepatho compress` prints of compress.json."""
    accuracy, files = record["accuracy"], record["files"]
    warning = shared_patients_warning(accuracy["shared_patients"])
    kind = "synthetic tiles" if accuracy["synthetic"] else "tiles"
    if not accuracy["labelled"]:
        kind += " without labels"
    lines = [
        f"{output}: {accuracy['tiles']} {kind} of {accuracy['patients']} patients",
        *table.lines(accuracy["rows"], accuracy["unseen"]),
    ]
    sizes = "  ".join(f"{name} {entry['bytes']:,}" for name, entry in files.items() if name != "shared.npz")
    if warning:
        lines.append(warning)
    return "\n".join([*lines, f"bytes: {sizes}", f"original {record['original']['sha256']}"])
