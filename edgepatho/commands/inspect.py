"""`edgepatho inspect`"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import click

from edgepatho.commands.options import FILE, json_option
from edgepatho.text import printable

BARS = " ▁▂▃▄▅▆▇█"


@click.command()
@click.argument("file", type=FILE, metavar="FILE.epb")
@json_option
def command(file: Path, as_json: bool) -> None:
    """Show the contents of a bundle: layers, codebook use, entropy, sizes, provenance.

    A layer's histogram covers its weights from minus to plus the largest magnitude, on a logarithmic scale.
    Entropy is in bits per weight.
    """
    from edgepatho.exporters.inspection import inspect

    facts = inspect(file)
    if as_json:
        click.echo(json.dumps(facts))
        return
    _print(facts)


def _print(facts: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 1))
    table.add_column("layer", no_wrap=True)
    for heading in ("kernel", "channels", "weights", "levels", "entropy", "stored"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("histogram", no_wrap=True)
    for layer in facts["layers"]:
        height, width = layer["kernel"]
        dilated = f" /{layer['dilation']}" if layer["dilation"] > 1 else ""
        table.add_row(
            layer["name"],
            f"{height}x{width}{dilated}",
            f"{layer['in_channels']} > {layer['out_channels']}",
            f"{layer['weights']:,}",
            str(layer.get("levels_used", "plain")),
            f"{layer['entropy_bits']:.2f}" if "entropy_bits" in layer else "",
            f"{layer['stored_bytes']:,}",
            bars(layer["histogram"]),
        )
    console = Console(soft_wrap=True, highlight=False)
    console.print(table)
    for name, book in facts["codebooks"].items():
        console.print(
            f"{name}: {book['levels_used']} of {book['levels']} levels used, "
            f"{book['smallest']:.4g} to {book['largest']:.4g}"
        )
    if facts["entropy_bits"] is not None:
        console.print(
            f"entropy: {facts['entropy_bits']:.3f} bits per weight over {facts['shared_weights']:,} shared "
            f"weights; an ideal code by layer takes {facts['entropy_bytes']:,} bytes"
        )
    for kind, size in facts["bytes"].items():
        decoded = f", {size['decoded']:,} decoded" if size["decoded"] != size["stored"] else ""
        console.print(f"{kind}: {size['stored']:,} bytes{decoded}")
    console.print(f"file: {facts['file_bytes']:,} bytes, {facts['deflated_bytes']:,} deflated")
    console.print(f"bundle: {facts['file_sha256']} (SHA-256 of its content, as used in records)")
    console.print(f"sha256sum: {facts['sha256sum']} (of the file)")
    for part in ("provenance", "accuracy", "scoring"):
        entries = ", ".join(f"{key} {value}" for key, value in facts[part].items())
        console.print(f"{part}: {printable(entries) or 'none'}", markup=False)
    for name, content in facts["parts"].items():
        entries = ", ".join(f"{key} {value}" for key, value in content.items() if key != "colours")
        console.print(f"{name}: {printable(entries)}", markup=False)


def bars(counts: list[int]) -> str:
    """A bar for each count on a logarithmic scale; blank only where the count is 0."""
    top = math.log1p(max(counts))
    return "".join(
        BARS[math.ceil(math.log1p(count) / top * (len(BARS) - 1))] if count else " " for count in counts
    )
