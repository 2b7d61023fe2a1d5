"""Made-up records and pictures for the report's tests. No figure here was measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from edgepatho.palette import CELLS, rgb

MARKER = rgb(CELLS["immunopositive"])


def digest(letter: str) -> str:
    return letter * 64


def scores(f1: float) -> dict[str, Any]:
    return {
        "precision": f1 + 0.01,
        "recall": f1 - 0.01,
        "f1": f1,
        "tp": 400,
        "fp": 50,
        "fn": 60,
    }


def accuracy_row(model: str, f1: float, **more: Any) -> dict[str, Any]:
    classes = {
        "immunopositive": scores(f1 + 0.02),
        "immunonegative": scores(f1 - 0.02),
        "til": scores(f1 - 0.1),
        "average_f1": f1,
    }
    published = {name: scores(value["f1"] + 0.05) for name, value in classes.items() if name != "average_f1"}
    return {
        "model": model,
        **classes,
        "ki67_mae_points": 1.25,
        "seed_protocol": {**published, "average_f1": f1 + 0.05, "tiles_left_out": 0},
        **more,
    }


def compress_record() -> dict[str, Any]:
    generator = np.random.default_rng(4)
    values = np.sort(generator.laplace(0, 0.05, 256))
    return {
        "format": "edgepatho-compress",
        "version": 2,
        "command": {"quantizer": {"method": "cws", "k": 256, "seed": 4}, "control": True},
        "versions": {"edgepatho": "0.1.0", "tensorflow": "2.21.0"},
        "original": {"name": "demo weights", "sha256": digest("a"), "parameters": 3236907},
        "quantizer": {
            "method": "cws",
            "k": 256,
            "levels_used": 251,
            "entropy_bits": 7.91,
            "distortion": 2.5e-7,
        },
        "training": {
            "steps": 100,
            "history": [
                {
                    "step": step,
                    "train_mse": 40 / (1 + step / 20) + step % 30 / 20,
                    "validation_mse": 41 / (1 + step / 25) if step % 20 == 0 else None,
                }
                for step in range(0, 101, 5)
            ],
        },
        "accuracy": {
            "tiles": 96,
            "patients": 8,
            "synthetic": True,
            "shared_patients": ["p3", "p9"],
            "protocol": {"matching": "one to one (Hungarian)", "radius_px_of_256": 6},
            "rows": [
                accuracy_row("original", 0.862),
                accuracy_row("control", 0.866, agreement=0.981, mse_to_original=0.51),
                accuracy_row("compressed", 0.858, agreement=0.972, mse_to_original=0.77),
            ],
        },
        "files": {
            name: {"bytes": size, "sha256": digest(letter), "deflated_bytes": deflated}
            for name, letter, size, deflated in (
                ("baseline.epb", "b", 13_000_000, 12_000_000),
                ("model.epb", "c", 3_250_000, 3_200_000),
                ("baseline.tflite", "d", 12_950_000, 11_990_000),
                ("compressed.tflite", "e", 13_050_000, 3_900_000),
                ("int8.tflite", "f", 3_400_000, 2_700_000),
            )
        },
        "space": {"seed_ratio": 3.99, "measured_ratio": 4.0},
        "scoring": {
            "thresholds": [62.0, 57.5, 41.0],
            "min_distance_px": 5,
            "ki67_cutoffs": [0.16, 0.3],
            "til_cutoffs": [0.1, 0.6],
        },
        "codebook": {
            "values": values.tolist(),
            "counts": generator.integers(2000, 22000, values.size).tolist(),
        },
        "layers": [
            *(
                {"name": f"b{i}_1", "parameters": 4608 * i, "levels_used": min(256, 90 + 5 * i)}
                for i in range(1, 46)
            ),
            {"name": "conv10", "parameters": 96, "skipped": "fewer weights than values"},
        ],
        "overlays": {
            "p9_0001_1": {
                "original": {"immunopositive": 12, "immunonegative": 30, "til": 2},
                "compressed": {"immunopositive": 11, "immunonegative": 31, "til": 2},
                "labels": {"immunopositive": 12, "immunonegative": 32, "til": 1},
                "only_original": {"immunopositive": 1, "immunonegative": 1, "til": 0},
                "only_compressed": {"immunopositive": 0, "immunonegative": 1, "til": 0},
            }
        },
    }  # fmt: skip


def bench_row(name: str, engine: str, median: float, memory: int, **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "engine": engine,
        "version": "1.0",
        "file": "model.epb",
        "file_sha256": digest("c"),
        "file_bytes": 3_250_000,
        "precision": "fp32",
        "threads": 4,
        "init_ms": 12.0,
        "first_ms": median * 1.3,
        "warmup_mean_ms": median * 1.1,
        "median_ms": median,
        "mean_ms": median * 1.01,
        "p95_ms": median * 1.1,
        "sd_ms": median * 0.04,
        "runs_ms": [median] * 3,
        "peak_rss_bytes": memory + 9 * 2**20,
        "peak_rss_over_python_bytes": memory,
        "error": None,
        **more,
    }


def bench_record() -> dict[str, Any]:
    return {
        "format": "edgepatho-bench",
        "version": 1,
        "device": {
            "model": "Example Board 7",
            "machine": "aarch64",
            "cpu": "Example-A99",
            "cores": 4,
            "memory_bytes": 8 * 2**30,
            "python": "3.13.5",
            "kernel": "6.12.0",
            "os": "Debian GNU/Linux 13",
            "temperature_c_start": 51.0,
            "temperature_c_end": 60.5,
            "throttled": False,
            "governor": "performance",
            "emulated": False,
        },
        "settings": {
            "threads": 4,
            "warmup_runs": 2,
            "runs": 3,
            "image": {"name": "p9_0001_1.png", "sha256": digest("1"), "height": 256, "width": 256},
        },
        "rows": [
            bench_row("edgepatho index map", "edgepatho", 81.0, 14 * 2**20, arena_bytes=9 * 2**20),
            bench_row(
                "edgepatho uncompressed", "edgepatho-baseline", 90.0, 28 * 2**20,
                file="baseline.epb", file_sha256=digest("b"),
            ),
            bench_row(
                "ai-edge-litert fp32", "litert", 67.5, 70 * 2**20,
                file="baseline.tflite", file_sha256=digest("d"),
            ),
            bench_row(
                "ai-edge-litert int8", "litert", 40.5, 60 * 2**20,
                file="int8.tflite", file_sha256=digest("f"), precision="int8",
            ),
            bench_row("tflite-runtime fp32", "tflite-runtime", 0, 0, error="tflite-runtime is not installed.")
            | dict.fromkeys(("init_ms", "first_ms", "median_ms", "mean_ms", "p95_ms", "sd_ms")),
        ],
        "warnings": ["The first run took 1.3 times the median: add --warmup 5."],
    }  # fmt: skip


def tile_picture(side: int = 256, shift: int = 0) -> Image.Image:
    """A pale field with brown and blue discs, the brown ones ringed with the marker's colour."""
    y, x = np.mgrid[:side, :side]
    pixels = np.full((side, side, 3), (236, 222, 226), np.uint8)
    for index, (row, column) in enumerate((r, c) for r in range(24, side, 48) for c in range(24, side, 48)):
        distance = np.hypot(y - row, x - column - (shift if index == 5 else 0))
        pixels[distance < 13] = (122, 80, 52) if index % 3 == 0 else (96, 108, 168)
        if index % 3 == 0:
            pixels[(distance >= 13) & (distance < 16)] = MARKER
    return Image.fromarray(pixels)


def write_folder(folder: Path, record: dict[str, Any] | None = None) -> Path:
    """Write a compress folder with one pair of overlays; returns the folder."""
    (folder / "overlays").mkdir(parents=True)
    (folder / "compress.json").write_text(json.dumps(compress_record() if record is None else record))
    for model, shift in (("plain", 0), ("original", 0), ("compressed", 2)):
        tile_picture(shift=shift).save(folder / "overlays" / f"p9_0001_1-{model}.png")
    return folder


def write_bench(path: Path, record: dict[str, Any] | None = None) -> Path:
    path.write_text(json.dumps(bench_record() if record is None else record))
    return path


def frontier_rows() -> list[dict[str, Any]]:
    return [
        {
            "method": method,
            "k": k,
            "bits": None,
            "prune": 0.0,
            "bundle_bytes": 3_300_000 * k.bit_length() // 9,
            "f1_delta_points": -penalty / k,
            "agreement": 0.9,
        }
        for method, penalty in (("cws", 40.0), ("uq", 70.0), ("ecsq", 25.0))
        for k in (16, 32, 64, 128, 256)
    ]
