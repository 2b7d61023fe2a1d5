"""ONNX Runtime's fp16 and int8 files, by its own converters.

    python -m benchmarks.peers.onnxruntime FOLDER

int8 is static quantization in the QDQ format after pre-processing, with the defaults of `quantize_static` and
tiles that calibrate it. Signed activations are the default; its documentation has unsigned ones for x86-64,
where they take half the time (https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx
from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process
from onnxruntime.transformers.float16 import convert_float_to_float16

from benchmarks.peers.calibration import inputs


class CalibrationReader(CalibrationDataReader):  # type: ignore[misc]
    """Calibration inputs, one after the other."""

    def __init__(self, folder: Path, name: str) -> None:
        self.left: Iterator[dict[str, Any]] = ({name: image} for image in inputs(folder))

    def get_next(self) -> dict[str, Any] | None:
        return next(self.left, None)


def convert(folder: Path) -> None:
    """Write fp16.onnx, int8-unsigned.onnx and int8-signed.onnx from fp32.onnx."""
    source = folder / "fp32.onnx"
    network = onnx.load(source)
    name = network.graph.input[0].name
    onnx.save(convert_float_to_float16(network, keep_io_types=True), folder / "fp16.onnx")
    prepared = folder / "prepared.onnx"
    quant_pre_process(source, prepared, skip_symbolic_shape=True)  # every shape is fixed
    for kind, activation in (("unsigned", QuantType.QUInt8), ("signed", QuantType.QInt8)):
        file = folder / f"int8-{kind}.onnx"
        quantize_static(prepared, file, CalibrationReader(folder, name), activation_type=activation)
    prepared.unlink()


if __name__ == "__main__":
    convert(Path(sys.argv[1]))
