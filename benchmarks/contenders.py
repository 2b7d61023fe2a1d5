"""The contenders of the benchmarks, and which file of `benchmarks.models` each one runs."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgepatho.errors import UserError

SIDE = 256
FP32_TOLERANCE = 1e-4  # of the output's maximum; any engine that computes the network is far below it


@dataclass(frozen=True)
class Contender:
    """An engine with the model file it runs; "edgepatho" runs the index map, "-baseline" plain float32."""

    engine: str
    precision: str
    model: str

    def files(self, models: Path) -> list[Path]:
        """Return the model's files; ncnn has two."""
        model = models / self.model
        return [model, model.with_suffix(".bin")] if self.engine == "ncnn" else [model]

    def file_bytes(self, models: Path) -> int:
        return sum(file.stat().st_size for file in self.files(models))

    def sha256(self, models: Path) -> str:
        return hashlib.sha256(b"".join(file.read_bytes() for file in self.files(models))).hexdigest()


CONTENDERS = (
    Contender("edgepatho", "fp32", "model.epb"),
    Contender("edgepatho-baseline", "fp32", "baseline.epb"),
    Contender("tflite-runtime", "fp32", "fp32.tflite"),
    Contender("litert", "fp32", "fp32.tflite"),
    Contender("litert-rewritten", "fp32", "rewritten.tflite"),
    Contender("litert", "int8", "int8.tflite"),
    Contender("litert-rewritten", "int8", "rewritten-int8.tflite"),
    Contender("ncnn", "fp32", "ncnn.param"),
)
HALF_PRECISION = (
    Contender("edgepatho", "fp16", "model.epb"),
    Contender("ncnn", "fp16", "ncnn.param"),
)


def difference(contender: Contender, output: Path, models: Path) -> float:
    """Return the largest difference of an engine's heat maps from TensorFlow's, over their maximum.

    Raises UserError if an fp32 engine did not compute the network: its time would be meaningless.
    """
    expected = np.fromfile(models / "expected.f32", np.float32)
    answer = np.fromfile(output, np.float32)
    if answer.shape != expected.shape:
        raise UserError(
            f"{contender.engine} wrote {answer.size} values to {output}, expected {expected.size}."
        )
    error = float(np.max(np.abs(answer - expected)) / np.max(np.abs(expected)))
    if contender.precision == "fp32" and not error <= FP32_TOLERANCE:
        raise UserError(
            f"{contender.engine} fp32 differs from TensorFlow by {error:.2e} of the output's maximum "
            f"(at most {FP32_TOLERANCE} expected): it did not compute this network, so it is not timed."
        )
    return error
