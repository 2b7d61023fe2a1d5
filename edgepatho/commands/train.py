"""`edgepatho train`"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

import click

from edgepatho.commands.options import FOLDER, SEED, json_option


@click.command()
@click.argument("prepared", type=FOLDER)
@click.option(
    "-o",
    "--output",
    "work",
    type=FOLDER,
    required=True,
    help="Folder for the weights and the training state.",
)
@click.option("--crop-steps", default=3000, show_default=True, help="Steps on random crops.")
@click.option("--whole-steps", default=200, show_default=True, help="Steps on whole tiles, at the end.")
@click.option("--batch", default=8, show_default=True, help="Tiles or crops per step.")
@click.option("--crop-px", default=128, show_default=True, help="Edge of a crop, a multiple of 16.")
@click.option("--rate", default=2e-3, show_default=True, help="Peak learning rate of Adam.")
@click.option("--l2", default=5e-4, show_default=True, help="L2 penalty on kernels, as in the paper.")
@click.option(
    "--seed",
    type=SEED,
    default=4,
    show_default=True,
    help="Seed of initial weights, crops, symmetries and augmentation.",
)
@click.option(
    "--augment/--no-augment",
    default=True,
    show_default=True,
    help="Vary stain, background, scale, sharpness, noise and JPEG quality at random.",
)
@click.option("--deterministic", is_flag=True, help="Train on one thread, for reproducible bytes.")
@json_option
def command(prepared: Path, work: Path, deterministic: bool, as_json: bool, **given: float) -> None:
    """Train PathoNet on the folder PREPARED that `edgepatho prepare` made.

    Ctrl-C stops after the current step and saves the state; the same command resumes from there.

    \b
    Example:
      edgepatho synth tiles && edgepatho prepare tiles prepared && edgepatho train prepared -o trained
    """
    from edgepatho.data.prepare import check_prepared
    from edgepatho.errors import INTERRUPTED, UsageError
    from edgepatho.interrupt import noticed
    from edgepatho.model import weights
    from edgepatho.model.reproducible import seed_everything
    from edgepatho.model.train import STATE, TrainingSettings, train, validation_mse
    from edgepatho.progress import progress

    settings = TrainingSettings(**given)  # type: ignore[arg-type]
    if settings.crop_px % 16 or settings.crop_px <= 0:
        raise UsageError(f"--crop-px is {settings.crop_px}; PathoNet needs a multiple of 16.")
    if not (0 < settings.rate <= 1 and 0 <= settings.l2 <= 1):
        raise UsageError(
            f"--rate {settings.rate:g} with --l2 {settings.l2:g} trains nothing; "
            "expected a rate above 0 and up to 1, and 0 to 1."
        )
    if settings.steps < 1 or settings.batch < 1:
        raise UsageError("training needs at least one step and a batch of at least 1.")
    check_prepared(prepared)
    seed_everything(settings.seed, deterministic)
    with noticed() as came, progress("training", settings.steps) as bar:
        model, state = train(prepared, work, settings, progress=bar, stop=lambda: bool(came))
    if state.step < settings.steps:
        click.echo(
            f"Interrupted after step {state.step} of {settings.steps}, saved in {work / STATE}; the same "
            "command resumes from there.",
            err=True,
        )
        sys.exit(INTERRUPTED)
    target = work / "weights.safetensors"
    weights.save(model, target)
    record = {
        "weights": str(target),
        "sha256": weights.sha256(model),
        "steps": state.step,
        "seconds": round(state.seconds, 1),
        "validation_mse": round(validation_mse(model, prepared), 3),
        "schedule": asdict(settings),
    }
    click.echo(
        json.dumps(record) if as_json else "\n".join(f"{key:15s} {value}" for key, value in record.items())
    )
