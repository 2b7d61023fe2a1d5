"""`edgepatho compress`"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from edgepatho.choices import CodebookScope, Method, PruneScope, RetrainingTarget, Scale, Solver
from edgepatho.commands.options import AT_LEAST_1, FILE, FOLDER, SEED, json_option, unseen_option

if TYPE_CHECKING:
    from edgepatho.compression.compress import Options


@click.command()
@click.argument("prepared", type=FOLDER)
@click.option("-o", "--output", type=FOLDER, required=True, help="The folder to write.")
@click.option(
    "--weights",
    "weights_file",
    type=FILE,
    help="PathoNet weights (.keras, .h5, .hdf5, .npz, .safetensors); default: the shipped ones.",
)
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
    default="labels",
    show_default=True,
    help="Target of retraining: the labels, or the output of the original.",
)
@click.option("--batch", type=AT_LEAST_1, default=8, show_default=True, help="Crops per step.")
@click.option("--crop-px", default=128, show_default=True, help="Edge of a crop, a multiple of 16.")
@click.option("--test-tiles", type=AT_LEAST_1, help="Evaluate on this many test tiles instead of all.")
@unseen_option
@click.option("--control/--no-control", default=True, show_default=True, help="Also measure the control row.")
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
    prepared: Path,
    output: Path,
    weights_file: Path | None,
    unseen: tuple[Path, ...],
    deterministic: bool,
    as_json: bool,
    **settings: Any,
) -> None:
    """Share PathoNet's weights, retrain the codebook on the folder PREPARED, evaluate and export.

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
      edgepatho synth lab --laboratory A && edgepatho prepare lab A && \\
          edgepatho compress prepared -o out --unseen A
    """
    from edgepatho.compression.compress import run, state_of
    from edgepatho.compression.summary import summary
    from edgepatho.model.reproducible import seed_everything
    from edgepatho.progress import progress

    options = _options(prepared, settings)
    seed_everything(options.hyperparameters.seed, deterministic)
    with progress("compressing", options.budget.steps * (1 + options.control)) as bar:
        try:
            record = run(
                prepared,
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


def _options(prepared: Path, given: dict[str, Any]) -> Options:
    from dataclasses import replace

    from edgepatho.compression.compress import Options
    from edgepatho.compression.hyperparameters import Hyperparameters
    from edgepatho.compression.original import Measuring
    from edgepatho.compression.presets import paper_k256
    from edgepatho.data.prepare import check_prepared
    from edgepatho.errors import UsageError
    from edgepatho.quantize.quantizer import Quantizer
    from edgepatho.quantize.retrain import Budget

    if given["preset"]:
        train_tiles = check_prepared(prepared)["tiles"]["train"]
        options = paper_k256(given["method"], train_tiles)
        return replace(options, measuring=replace(options.measuring, test_tiles=given["test_tiles"]))
    if given["crop_px"] % 16 or not 16 <= given["crop_px"] <= 256:
        raise UsageError(f"--crop-px is {given['crop_px']}; PathoNet needs a multiple of 16 up to 256.")
    return Options(
        quantizer=Quantizer(
            method=given["method"],
            k=given["k"],
            bits=given["bits"],
            prune=given["prune"],
            prune_scope=given["prune_scope"],
            codebook=given["codebook"],
            scale=given["scale"],
            solver=given["solver"],
            seed=given["seed"],
            layers=dict(_override(text) for text in given["layers"]),
        ),
        budget=Budget(given["steps"], given["validate_every"], given["patience"], given["reassign_every"]),
        hyperparameters=Hyperparameters(
            given["codebook_rate"],
            given["rate"],
            given["batch"],
            given["crop_px"],
            seed=given["seed"],
            index_rate=given["index_rate"],
            target=given["target"],
        ),
        measuring=Measuring(test_tiles=given["test_tiles"]),
        control=given["control"],
    )


def _override(text: str) -> tuple[str, int | None]:
    from edgepatho.errors import UsageError

    layer, _, k = text.partition("=")
    if k != "skip" and not k.isdecimal():
        raise UsageError(f"--layer {text} is not NAME=K or NAME=skip, as in --layer conv10=skip.")
    return layer, None if k == "skip" else int(k)
