"""`edgepatho evaluate`"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import click

from edgepatho.choices import Split
from edgepatho.classes import CLASSES
from edgepatho.commands.options import (
    AT_LEAST_1,
    FILE,
    FOLDER,
    Words,
    json_option,
    numbers,
    thresholds_of,
    thresholds_option,
    unseen_option,
)
from edgepatho.rates import rate

PROTOCOLS = {"ours": "one to one, 6 px of 256", "published": "published protocol"}


@click.command()
@click.argument("prepared", type=FOLDER)
@click.argument("model", type=click.Path(path_type=Path), required=False)
@click.option(
    "--split",
    type=click.Choice(get_args(Split)),
    default="test",
    show_default=True,
    help="Which tiles of the folder.",
)
@click.option("--tiles", type=AT_LEAST_1, help="Evaluate on this many tiles instead of all.")
@unseen_option
@click.option("--calibrate", is_flag=True, help="Choose thresholds again, on the validation split.")
@thresholds_option
@click.option("--ki67-cutoffs", metavar="A,B", help="Cut-offs of the Ki-67 index; default: 0.16,0.30.")
@click.option("--til-cutoffs", metavar="A,B", help="Cut-offs of the TIL score; default: 0.10,0.60.")
@click.option(
    "--protocol",
    type=Words(["both", *PROTOCOLS], {"seed": "published"}),
    default="both",
    show_default=True,
    help="What to print; the record always holds both. Only the published one uses 60/55/40.",
)
@click.option("--csv", "csv_file", type=FILE, help="Write the counts of every tile here.")
@json_option
def command(
    prepared: Path,
    model: Path | None,
    protocol: str,
    thresholds: str | None,
    ki67_cutoffs: str | None,
    til_cutoffs: str | None,
    csv_file: Path | None,
    as_json: bool,
    **settings: Any,
) -> None:
    """Evaluate MODEL on the folder PREPARED that `edgepatho prepare` made, by two protocols.

    MODEL is a weights file, a bundle or a compress folder (then both original and compressed); default: the
    shipped weights. Thresholds are the model's own; a weights file has none, so they are chosen on the
    validation split.

    \b
    Examples:
      edgepatho evaluate prepared compressed
      edgepatho evaluate prepared weights.h5 --protocol published --csv tiles.csv
    """
    from edgepatho.data.split import shared_patients_warning
    from edgepatho.evaluate import table
    from edgepatho.evaluate.evaluation import Request, evaluate, write_csv
    from edgepatho.model.reproducible import seed_everything
    from edgepatho.progress import progress

    request = Request(
        prepared,
        thresholds=thresholds_of(thresholds),
        ki67_cutoffs=_pair("--ki67-cutoffs", ki67_cutoffs),
        til_cutoffs=_pair("--til-cutoffs", til_cutoffs),
        **settings,
    )
    seed_everything(0, deterministic=False)
    with progress("evaluating") as bar:
        record = evaluate(model, request, bar)
    if csv_file is not None:
        write_csv(record, csv_file)
    if as_json:
        click.echo(json.dumps(record, allow_nan=False))
        return
    kind = "synthetic tiles" if record["synthetic"] else "tiles"
    click.echo(f"{record['tiles']} {kind} of the {record['split']} split, {record['sha256']}")
    if warning := shared_patients_warning(record["shared_patients"]):
        click.echo(warning)
    for name in PROTOCOLS if protocol == "both" else (protocol,):
        click.echo(_table(name, record))
    if record["unseen"]:
        click.echo(f"\nunseen laboratories, {PROTOCOLS['ours']}")
        click.echo("\n".join(table.lines(record["rows"], record["unseen"])))


def _table(protocol: str, record: dict[str, Any]) -> str:
    lines = [f"\n{PROTOCOLS[protocol]}", f"{'':12s}{'':16s}precision  recall      F1"]
    for row in record["rows"]:
        figures = row if protocol == "ours" else row["seed_protocol"]
        for name in CLASSES:
            if name in figures:
                each = figures[name]
                rates = (
                    f"{rate(each, 'precision', 4):>9s}{rate(each, 'recall', 4):>8s}{rate(each, 'f1', 4):>8s}"
                )
                lines.append(f"{row['model']:12s}{name:16s}{rates}")
        if "ki67_rmse" in figures:
            lines.append(
                f"{'':12s}RMSE per patient: Ki-67 {figures['ki67_rmse']:.4f}, TIL {figures['til_rmse']:.4f}; "
                + _right_class(figures)
            )
        if protocol == "ours" and "agreement" in row:
            lines.append(
                f"{'':12s}agreement with the original {row['agreement']:.4f} "
                f"over {row['agreement_cells']} cells, MSE {row['mse_to_original']:.3f}"
            )
        if protocol == "published":
            lines.append(f"{'':12s}tiles left out because no cell was found: {figures['tiles_left_out']}")
    if protocol == "published":
        lines += [f"  - {defect}" for defect in record["protocol"]["seed_protocol_defects"]]
    return "\n".join(lines)


def _right_class(figures: dict[str, Any]) -> str:
    """The shares of patients in their class, of those who have one."""
    from edgepatho.evaluate.patients import MIN_TUMOUR_CELLS, NO_CLASS

    if not figures["patients_with_class"]:
        return NO_CLASS
    ki67, til = figures["ki67_cutoff_accuracy"], figures["til_cutoff_accuracy"]
    return (
        f"right class: Ki-67 {ki67:.3f}, TIL {til:.3f} of {figures['patients_with_class']} with "
        f"{MIN_TUMOUR_CELLS} tumour cells"
    )


def _pair(option: str, text: str | None) -> tuple[float, float] | None:
    pair = numbers(option, text, 2, 1)
    return None if pair is None else (pair[0], pair[1])
