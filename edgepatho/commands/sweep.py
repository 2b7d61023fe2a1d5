"""`edgepatho sweep`"""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from edgepatho.choices import CodebookScope, Method, RetrainingTarget, Scale
from edgepatho.commands.options import AT_LEAST_1, FILE, FOLDER, SEED, json_option, unseen_option

if TYPE_CHECKING:
    from edgepatho.compression.sweep import Point


@click.command()
@click.argument("prepared", type=FOLDER)
@click.option(
    "-o", "--output", type=FOLDER, required=True, help="Folder for the study, frontier.json and the plot."
)
@click.option(
    "--weights",
    "weights_file",
    type=FILE,
    help="PathoNet weights; default: the shipped ones.",
)
@click.option(
    "--preset",
    type=click.Choice(["frontier", "paper-k256"]),
    help="A fixed list of points; the grid options are then ignored.",
)
@click.option(
    "--method",
    "methods",
    multiple=True,
    type=click.Choice(get_args(Method)),
    help="Quantizer; default: cws.",
)
@click.option("-k", "ks", multiple=True, type=int, help="Levels of a codebook.")
@click.option("--bits", "rates_bits", multiple=True, type=float, help="Bits per weight (ecsq only).")
@click.option("--prune", "prunes", multiple=True, type=float, help="Per cent of weights to prune first.")
@click.option(
    "--codebook",
    "codebooks",
    multiple=True,
    type=click.Choice(get_args(CodebookScope)),
    help="One codebook, or one per layer.",
)
@click.option(
    "--scale",
    "scales",
    multiple=True,
    type=click.Choice(get_args(Scale)),
    help="Divisor of the weights before sharing.",
)
@click.option(
    "--codebook-rate", "codebook_rates", multiple=True, type=float, help="Learning rate of the codebook."
)
@click.option("--rate", "rates", multiple=True, type=float, help="Rate of biases and batch normalization.")
@click.option(
    "--index-rate", "index_rates", multiple=True, type=float, help="Rate of latent weights; 0: fixed indices."
)
@click.option(
    "--target",
    type=click.Choice(get_args(RetrainingTarget)),
    default="labels",
    show_default=True,
    help="Target of retraining; with labels, the control is measured too.",
)
@click.option(
    "--steps",
    type=click.IntRange(0),
    default=60,
    show_default=True,
    help="Retraining steps for each point of the grid.",
)
@click.option("--test-tiles", type=AT_LEAST_1, help="Evaluate on this many test tiles instead of all.")
@unseen_option
@click.option("--seed", type=SEED, default=0, show_default=True, help="Seed of pws and of the batches.")
@click.option(
    "--reclaim", is_flag=True, help="Take over the points of a killed worker; no other worker may be running."
)
@json_option
def command(
    prepared: Path,
    output: Path,
    weights_file: Path | None,
    unseen: tuple[Path, ...],
    test_tiles: int | None,
    reclaim: bool,
    as_json: bool,
    **grid: Any,
) -> None:
    """Compress PathoNet at every point of a grid or preset; write frontier.json and a plot.

    The study in OUTPUT/study.log keeps every finished point: the same command resumes after an interruption,
    and several workers, on one machine or on several that share the folder, divide the points among them.
    Repeat options to span the grid.

    \b
    Examples:
      edgepatho sweep prepared -o frontier --preset frontier
      edgepatho sweep prepared -o small --method cws -k 16 -k 8 --scale channel --codebook-rate 1e-4
    """
    from edgepatho.compression import frontier, frontier_view, sweep
    from edgepatho.compression.original import Measuring
    from edgepatho.files import write_aside
    from edgepatho.model.reproducible import seed_everything
    from edgepatho.progress import progress

    seed_everything(grid["seed"], deterministic=False)
    points = _points(prepared, grid)
    with progress("points", len(points)) as bar:
        original, about = frontier.original(prepared, weights_file, Measuring(test_tiles), bar, unseen)
        rows = sweep.run(
            points,
            output / "study.log",
            about,
            lambda point: frontier.row(original, point, about["original_sha256"]),
            reclaim=reclaim,
            progress=bar,
            say=lambda text: click.echo(text, err=True),
        )
    record = frontier.summary(rows, about, frontier.figures_of(original), judged=grid["preset"] == "frontier")
    with write_aside(output / "frontier.json") as aside:
        aside.write_text(json.dumps(record, indent=1, allow_nan=False) + "\n")
    frontier_view.plot(record, output / "frontier.png")
    click.echo(json.dumps(record) if as_json else frontier_view.table(record))


def _points(prepared: Path, given: dict[str, Any]) -> list[Point]:
    from edgepatho.compression import frontier
    from edgepatho.compression.hyperparameters import Hyperparameters
    from edgepatho.compression.presets import PAPER_RATES, paper_k256
    from edgepatho.compression.sweep import Point
    from edgepatho.data.prepare import check_prepared
    from edgepatho.errors import UsageError
    from edgepatho.quantize.quantizer import DEFAULT_K, Quantizer
    from edgepatho.quantize.retrain import Budget

    tiles = check_prepared(prepared)["tiles"]
    if given["preset"] == "frontier":
        return frontier.points(given["seed"])
    if given["preset"] == "paper-k256":
        options = [paper_k256(method, tiles["train"]) for method in PAPER_RATES]
        return [Point(each.quantizer, each.budget, each.hyperparameters) for each in options]
    if given["rates_bits"] and "ecsq" not in given["methods"]:
        raise UsageError("--bits works only with ecsq; add --method ecsq, or give -k instead.")
    default, seed = Hyperparameters(), given["seed"]
    budget = Budget(given["steps"])
    points = []
    if given["target"] == "labels":
        rate = (given["rates"] or (default.rate,))[0]
        points.append(Point(None, budget, Hyperparameters(rate=rate, seed=seed)))
    for method, prune, codebook, scale, codebook_rate, rate, index_rate in product(
        given["methods"] or ("cws",),
        given["prunes"] or (0.0,),
        given["codebooks"] or ("shared",),
        given["scales"] or ("none",),
        given["codebook_rates"] or (default.codebook_rate,),
        given["rates"] or (default.rate,),
        given["index_rates"] or (0.0,),
    ):
        bits = given["rates_bits"] if method == "ecsq" else ()
        levels: list[dict[str, Any]] = [{"k": k} for k in given["ks"] or (() if bits else (DEFAULT_K,))]
        for level in [*levels, *({"bits": each} for each in bits)]:
            quantizer = Quantizer(method, prune=prune, codebook=codebook, scale=scale, seed=seed, **level)
            hyperparameters = Hyperparameters(
                codebook_rate, rate, seed=seed, index_rate=index_rate, target=given["target"]
            )
            points.append(Point(quantizer, budget, hyperparameters))
    return points
