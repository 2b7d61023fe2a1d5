"""Every quantizer on a million draws of three distributions, beside the published code, and on PathoNet.

    python -m benchmarks.quantizer_table [WEIGHTS]     # also written to benchmarks/results/quantizers.json

Distortion is the mean squared error over the variance, entropy that of the indices in bits per weight; times
are on one processor. The published columns are measurements of the published quantizers
(AnacletoLAB/sHAM, as Gliozzo et al., arXiv 2401.00014, run them) at k = 256 on the same three distributions;
their CWS took 9 to 14 seconds for a million weights, PWS and ECSQ by extrapolation 71 and 141 for PathoNet's.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.results import RESULTS, save, table
from edgepatho.entropy import entropy_bits
from edgepatho.model.weight_files import read
from edgepatho.model.weights import SHIPPED
from edgepatho.quantize import cws, ecsq, pws, uq
from edgepatho.quantize.quantized import Quantized, distortion

DRAWS = 1_000_000
METHODS: dict[str, Callable[..., Quantized]] = {
    "cws": cws.quantize,
    "pws": pws.quantize,
    "uq": uq.quantize,
    "ecsq": ecsq.quantize,
}
PUBLISHED = {  # distortion and entropy at k = 256; None where the entropy was not measured
    ("normal", "cws"): (2.3e-4, 7.90),
    ("normal", "pws"): (3.7e-3, None),
    ("normal", "uq"): (1.5e-4, 6.62),
    ("normal", "ecsq"): (5.7e-4, 8.0),
    ("Laplace", "cws"): (9.2e-4, 7.77),
    ("Laplace", "pws"): (2.9e-2, None),
    ("Laplace", "uq"): (4.3e-4, 5.74),
    ("Laplace", "ecsq"): (3.2e-3, 8.0),
    ("Student t3", "cws"): (5.3e-2, 7.83),
    ("Student t3", "pws"): (1.0, None),
    ("Student t3", "uq"): (3.1e-3, 4.13),
    ("Student t3", "ecsq"): (7.7e-2, 8.0),
}
HEADER = ["weights", "method", "k or bits", "levels", "distortion", "entropy", "seconds"]
HEADER += ["published distortion", "entropy"]


def measure(source: str, weights: NDArray[Any], method: str, setting: dict[str, float]) -> dict[str, Any]:
    """Return one row: the result of `method` on `weights` [n] f32 at {"k": levels} or {"bits": rate}."""
    quantize = partial(METHODS[method], weights, **setting)
    begun = time.process_time()
    quantized = quantize()
    seconds = time.process_time() - begun
    published = PUBLISHED.get((source, method)) if setting == {"k": 256} else None
    return {
        "weights": source,
        "method": method,
        "k": setting.get("k"),
        "bits": setting.get("bits"),
        "levels": int(quantized.codebook.size),
        "distortion": distortion(weights, quantized.values),
        "entropy_bits": entropy_bits(quantized.index),
        "seconds": round(seconds, 3),
        "published_distortion": published and published[0],
        "published_entropy_bits": published and published[1],
    }


def rows_of(source: str, weights: NDArray[Any], ks: list[int], rates: list[float]) -> list[dict[str, Any]]:
    """Return the rows of all methods at every k, and of ECSQ at every rate in bits per weight."""
    rows = [measure(source, weights, method, {"k": k}) for k in ks for method in METHODS]
    return rows + [measure(source, weights, "ecsq", {"bits": rate}) for rate in rates]


def draws(number: int) -> dict[str, NDArray[Any]]:
    """Return `number` float32 draws of each distribution."""
    rng = np.random.default_rng(0)
    samples = {
        "normal": rng.normal(size=number),
        "Laplace": rng.laplace(size=number),
        "Student t3": rng.standard_t(3, number),
    }
    return {name: values.astype(np.float32) for name, values in samples.items()}


def main(weights_file: Path) -> None:
    """Print the table and save its rows."""
    rows = []
    for source, weights in draws(DRAWS).items():
        rows += rows_of(source, weights, [256], [4.0, 2.0])
    arrays = read(weights_file)
    kernels = [array.ravel() for name, array in arrays.items() if name.endswith("/kernel")]
    pathonet = np.concatenate(kernels).astype(np.float32)
    rows += rows_of("PathoNet", pathonet, [256, 64, 16], [4.0, 2.0, 1.0, 0.5])
    save(rows, RESULTS / "quantizers.json")
    print(table(HEADER, [cells(row) for row in rows]))


def cells(row: dict[str, Any]) -> list[str]:
    """Return a table row as text, blank where nothing was published."""
    published, entropy = row["published_distortion"], row["published_entropy_bits"]
    return [
        row["weights"],
        row["method"],
        f"k = {row['k']}" if row["k"] else f"{row['bits']:g} bits",
        str(row["levels"]),
        f"{row['distortion']:.2e}",
        f"{row['entropy_bits']:.2f}",
        f"{row['seconds']:.2f}",
        f"{published:.1e}" if published else "",
        f"{entropy:.2f}" if entropy else "",
    ]


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else SHIPPED)
