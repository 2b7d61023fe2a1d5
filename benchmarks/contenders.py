"""The contenders of the benchmarks, and which file of `benchmarks.models` each one runs."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgepatho.errors import UserError
from edgepatho_runtime.bench.peers import PEERS

SIDE = 256
# Of the output's maximum. MNN's fast convolutions reach 1.2e-4, every other engine stays below 1e-5.
FP32_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Contender:
    """An engine with the model file it runs; "edgepatho" runs the index map, "-baseline" plain float32."""

    engine: str
    precision: str
    model: str

    @property
    def runs_rewritten(self) -> bool:
        """Whether the engine runs the network with late upsampling (`exporters.rewrite`)."""
        return self.engine.startswith("edgepatho") or self.engine.endswith("-rewritten")

    @property
    def package(self) -> str:
        peer = PEERS.get(self.engine.removesuffix("-rewritten"))
        return peer.package if peer else "edgepatho-runtime"

    @property
    def module(self) -> str:
        """The module to import, up to its first dot."""
        peer = PEERS.get(self.engine.removesuffix("-rewritten"))
        return peer.module.partition(".")[0] if peer else "edgepatho_runtime"

    def files(self, models: Path) -> list[Path]:
        """Return the model's files; ncnn and OpenVINO have two."""
        model = models / self.model
        peer = PEERS.get(self.engine)
        return [model, model.with_suffix(peer.weights)] if peer and peer.weights else [model]

    def file_bytes(self, models: Path) -> int:
        return sum(file.stat().st_size for file in self.files(models))

    def sha256(self, models: Path) -> str:
        return hashlib.sha256(b"".join(file.read_bytes() for file in self.files(models))).hexdigest()

    def network(self, models: Path) -> dict[str, Any]:
        """Return the network's name and parameters, and the multiply-adds of the graph that this engine runs.

        Every convolution counts its direct products, padding included; fast algorithms do with fewer.
        """
        facts = json.loads((models / FACTS).read_text())
        multiply_adds = facts["multiply_adds"]["rewritten" if self.runs_rewritten else "drawn"]
        return {"model": facts["model"], "multiply_adds": multiply_adds, "parameters": facts["parameters"]}

    def unconverted(self, models: Path) -> str | None:
        """Return the sentence that says why this engine has no file, if it has none."""
        if all(file.exists() for file in self.files(models)):
            return None
        failures = json.loads((models / FACTS).read_text())["failures"]
        return f"{self.model} could not be made: {failures.get(self.engine, 'its converter left none')}."


FACTS = "facts.json"  # of the network and its conversions, beside the files of `benchmarks.models`
COMMON = (
    Contender("edgepatho", "fp32", "model.epb"),
    Contender("edgepatho-baseline", "fp32", "baseline.epb"),
    Contender("tflite-runtime", "fp32", "fp32.tflite"),
    Contender("litert", "fp32", "fp32.tflite"),
    Contender("litert-rewritten", "fp32", "rewritten.tflite"),
    Contender("litert", "int8", "int8.tflite"),
    Contender("litert-rewritten", "int8", "rewritten-int8.tflite"),
    Contender("ncnn", "fp32", "ncnn.param"),
    Contender("onnxruntime", "fp32", "fp32.onnx"),
    Contender("mnn", "fp32", "fp32.mnn"),
    Contender("mnn", "int8", "int8.mnn"),
    Contender("openvino", "fp32", "fp32.xml"),
    Contender("openvino", "int8", "int8.xml"),
)
# ONNX Runtime has a fast kernel for unsigned activations on x86-64, for signed ones on ARM.
X86_64 = (*COMMON, Contender("onnxruntime", "int8", "int8-unsigned.onnx"))
ARM = (*COMMON, Contender("onnxruntime", "int8", "int8-signed.onnx"))
ARM_FP16 = (
    Contender("edgepatho", "fp16", "model.epb"),
    Contender("ncnn", "fp16", "ncnn.param"),
    Contender("onnxruntime", "fp16", "fp16.onnx"),
    Contender("mnn", "fp16", "fp16.mnn"),
    Contender("openvino", "fp16", "fp32.xml"),
)


def difference(contender: Contender, output: Path, models: Path) -> float:
    """Return the largest difference of an engine's heat maps from TensorFlow's, over their maximum.

    Raises UserError for infinite values, and if an fp32 engine did not compute the network: its time would
    be meaningless.
    """
    expected = np.fromfile(models / "expected.f32", np.float32)
    answer = np.fromfile(output, np.float32)
    if answer.shape != expected.shape:
        raise UserError(
            f"{contender.engine} wrote {answer.size} values to {output}, expected {expected.size}."
        )
    if not np.all(np.isfinite(answer)):
        raise UserError(f"{contender.engine} {contender.precision} gave heat maps with nan or infinity.")
    error = float(np.max(np.abs(answer - expected)) / np.max(np.abs(expected)))
    if contender.precision == "fp32" and not error <= FP32_TOLERANCE:
        raise UserError(
            f"{contender.engine} fp32 differs from TensorFlow by {error:.2e} of the output's maximum "
            f"(at most {FP32_TOLERANCE} expected): it did not compute this network, so it is not timed."
        )
    return error
