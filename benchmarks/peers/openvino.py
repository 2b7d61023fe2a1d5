"""OpenVINO's files, by its own converter and its quantizer NNCF.

    python -m benchmarks.peers.openvino FOLDER

int8 uses the preset for activations that are not ReLU's (asymmetric), as NNCF's documentation advises
(https://docs.openvino.ai/2026/openvino-workflow/model-optimization-guide/quantizing-models-post-training.html).
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ["CI"] = "true"  # otherwise both packages report their use to a server

import nncf
import openvino

from benchmarks.peers.calibration import inputs


def convert(folder: Path) -> None:
    """Write fp32.xml and int8.xml with their weights (.bin) from fp32.onnx."""
    network = openvino.convert_model(folder / "fp32.onnx")
    openvino.save_model(network, folder / "fp32.xml", compress_to_fp16=False)
    calibration = nncf.Dataset(list(inputs(folder)))
    quantized = nncf.quantize(network, calibration, preset=nncf.QuantizationPreset.MIXED)
    openvino.save_model(quantized, folder / "int8.xml", compress_to_fp16=False)


if __name__ == "__main__":
    convert(Path(sys.argv[1]))
