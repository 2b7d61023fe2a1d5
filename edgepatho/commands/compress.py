"""`edgepatho compress`"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_args

import click

from edgepatho.choices import CodebookScope, Method, PruneScope, RetrainingTarget, Scale, Solver
from edgepatho.commands.compress_settings import options_of
from edgepatho.commands.options import (
    AT_LEAST_1,
    FILE,
    FOLDER,
    SEED,
    json_option,
    thresholds_option,
    unseen_option,
)
from edgepatho.errors import UsageError


@click.command()
@click.argument("prepared", type=FOLDER, required=False)
@click.option("-o", "--output", type=FOLDER, required=True, help="The folder to write.")
@click.option(
    "--weights",
    "weights_file",
    type=FILE,
    help="PathoNet weights (.keras, .h5, .hdf5, .npz, .safetensors); default: the shipped ones.",
)
@click.option(
    "--pictures",
    type=FOLDER,
    help="Instead of PREPARED, pictures without labels; the pictures of a sub-folder are one patient's.",
)
@click.option(
    "--picture-scale",
    type=click.FloatRange(0, 16, min_open=True),
    help="Network pixels per pixel of --pictures at a different magnification from SHIDC's tiles.",
)
@thresholds_option
@click.option(
    "--method",
    type=click.Choice(get_args(Method)),
    default="cws",
    show_default=True,
    help="Quantizer.",
)
@click.option("-k", "k", default=256, show_default=True, help="Levels of a codebook, 2 to 65536.")
@click.option("--bits", type=float, help="Entropy of the indices in bits per weight (ecsq only).")
@click.option(
    "--prune", default=0.0, show_default=True, help="Per cent of weights to set to zero first, 0 to 99."
)
@click.option(
    "--prune-scope",
    type=click.Choice(get_args(PruneScope)),
    default="layer",
    show_default=True,
    help="Apply the percentage to every layer, or to all weights together.",
)
@click.option(
    "--codebook",
    type=click.Choice(get_args(CodebookScope)),
    default="shared",
    show_default=True,
    help="One codebook, or one per layer.",
)
@click.option(
    "--scale",
    type=click.Choice(get_args(Scale)),
    default="none",
    show_default=True,
    help="Factor of the codebook's values, free at run time: the root mean square of a layer or channel, "
    "or the inverse of the output's sensitivity to a layer.",
)
@click.option(
    "--layer", "layers", multiple=True, metavar="NAME=K|skip", help="A different k for one layer, or skip it."
)
@click.option(
    "--solver",
    type=click.Choice(get_args(Solver)),
    default="exact",
    show_default=True,
    help="For cws: our own k-means, or scikit-learn's as in the published code.",
)
@click.option(
    "--preset",
    type=click.Choice(["paper-k256"]),
    help="The published settings of --method; all other settings but --test-tiles are then ignored.",
)
@click.option(
    "--steps", type=click.IntRange(0), default=60, show_default=True, help="Retraining steps; 0 for none."
)
@click.option(
    "--validate-every", type=AT_LEAST_1, default=20, show_default=True, help="Steps between validations."
)
@click.option(
    "--patience",
    type=AT_LEAST_1,
    default=5,
    show_default=True,
    help="Validations without improvement before stopping.",
)
@click.option("--codebook-rate", default=1e-4, show_default=True, help="Learning rate of the codebook.")
@click.option(
    "--rate", default=1e-4, show_default=True, help="Learning rate of biases and batch normalization."
)
@click.option(
    "--index-rate",
    default=0.0,
    show_default=True,
    help="Learning rate of the latent weights that reassign the indices; 0 keeps the indices fixed.",
)
@click.option(
    "--reassign-every",
    type=AT_LEAST_1,
    default=10,
    show_default=True,
    help="Steps between reassignments of the indices.",
)
@click.option(
    "--target",
    type=click.Choice(get_args(RetrainingTarget)),
    show_default="labels; original with --pictures",
    help="Target of retraining: the labels, or the output of the original.",
)
@click.option("--batch", type=AT_LEAST_1, default=8, show_default=True, help="Crops per step.")
@click.option("--crop-px", default=128, show_default=True, help="Edge of a crop, a multiple of 16.")
@click.option("--test-tiles", type=AT_LEAST_1, help="Evaluate on this many test tiles instead of all.")
@unseen_option
@click.option(
    "--control/--no-control",
    default=True,
    show_default=True,
    help="Also measure the control row, which --pictures does not have.",
)
@click.option(
    "--seed",
    type=SEED,
    default=0,
    show_default=True,
    help="Seed of pws and of the batches.",
)
@click.option("--deterministic", is_flag=True, help="Train on one thread, for reproducible bytes.")
@json_option
def command(
    prepared: Path | None,
    output: Path,
    pictures: Path | None,
    picture_scale: float | None,
    weights_file: Path | None,
    unseen: tuple[Path, ...],
    deterministic: bool,
    as_json: bool,
    **settings: Any,
) -> None:
    """Share PathoNet's weights, retrain the codebook on the folder PREPARED, evaluate and export.

    PREPARED was made by `edgepatho prepare` from labelled pictures. Without labels, give --pictures: the
    output of the original is then the target, and what is evaluated is the agreement with the original.

    Writes model.epb, baseline.epb, TFLite files (float32, shared, int8), compress.json and report.html. The
    control row is the original after the same number of ordinary training steps. An interrupted retraining
    resumes from OUTPUT.retraining.npz when the command is given again. With --unseen, a warning says where
    the compressed network agrees less with the original than on PREPARED.

    \b
    Examples:
      edgepatho compress prepared -o compressed
      edgepatho compress prepared -o small --method ecsq --bits 0.5 --target original \\
          --codebook per-layer --scale output
      edgepatho compress prepared -o published --method uq --preset paper-k256
      edgepatho compress --pictures FOLDER --weights PathoNet.hdf5 --thresholds eval.json -o own
      edgepatho compress prepared -o out --unseen other-laboratory
    """
    from edgepatho.compression.compress import run, state_of
    from edgepatho.compression.summary import summary
    from edgepatho.model.reproducible import seed_everything
    from edgepatho.progress import progress

    if (prepared is None) == (pictures is None):
        raise UsageError("give either PREPARED, a folder of labelled tiles, or --pictures FOLDER.")
    if pictures is None and picture_scale is not None:
        raise UsageError(
            "--picture-scale is for --pictures; PREPARED has its scale from `edgepatho prepare`."
        )
    if pictures is not None and unseen:
        raise UsageError("--unseen needs thresholds and figures from labels; give PREPARED with it.")
    options = options_of(prepared, settings)
    seed_everything(options.hyperparameters.seed, deterministic)
    steps = options.budget.steps * (1 + (options.control and pictures is None))
    with (
        _tiles(prepared, pictures, picture_scale, output) as tiles,
        progress("compressing", steps) as bar,
    ):
        try:
            record = run(
                tiles,
                output,
                options,
                weights_file=weights_file,
                unseen=unseen,
                progress=bar,
                say=bar.say,
            )
        except KeyboardInterrupt:
            if (state := state_of(output)).exists():
                bar.say(
                    f"{state} holds the last validation; the same command resumes there. "
                    "Later steps are lost."
                )
            else:
                bar.say("No validation was saved yet: the same command starts again from step 0.")
            raise
    click.echo(json.dumps(record) if as_json else summary(output, record))


@contextmanager
def _tiles(prepared: Path | None, pictures: Path | None, scale: float | None, output: Path) -> Iterator[Path]:
    """Yield the prepared folder; that of pictures without labels is removed afterwards."""
    from edgepatho.data.prepare import prepare_unlabelled
    from edgepatho.files import folder_beside
    from edgepatho.progress import progress

    if prepared is not None:
        yield prepared
    elif pictures is not None:
        with folder_beside(output.resolve()) as room:
            with progress("preparing") as bar:
                prepare_unlabelled(pictures, room / "prepared", scale=scale, progress=bar)
            yield room / "prepared"
