"""MNN's files, by its own converter and offline quantizer.

    python -m benchmarks.peers.mnn FOLDER

The native functions behind `mnnconvert` and `mnnquant` are called here: the commands themselves run
`pip install` and report their use to a server. Both functions take a command line. Of the quantizer's
methods EMA is the asymmetric one that its documentation calls the most accurate
(https://mnn-docs.readthedocs.io/en/latest/tools/quant.html); KL needs hundreds of pictures.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import _tools
from PIL import Image

from benchmarks.peers.calibration import tiles


def convert(folder: Path) -> None:
    """Write fp32.mnn, fp16.mnn (half-precision weights) and int8.mnn from fp32.onnx."""
    for precision, options in (("fp32", []), ("fp16", ["--fp16"])):
        paths = ["--modelFile", str(folder / "fp32.onnx"), "--MNNModel", str(folder / f"{precision}.mnn")]
        _tools.mnnconvert(["mnnconvert", "-f", "ONNX", *paths, "--bizCode", "edgepatho", *options])
    with tempfile.TemporaryDirectory() as scratch:
        images = Path(scratch) / "images"
        images.mkdir()
        calibration = tiles(folder)
        for number, tile in enumerate(calibration):
            Image.fromarray(tile).save(images / f"{number}.png")
        settings = {
            "format": "RGB",
            "mean": [0, 0, 0],
            "normal": [1 / 255] * 3,
            "width": calibration.shape[2],
            "height": calibration.shape[1],
            "path": f"{images}/",
            "used_image_num": len(calibration),
            "feature_quantize_method": "EMA",
            "weight_quantize_method": "MAX_ABS",
        }
        (Path(scratch) / "settings.json").write_text(json.dumps(settings))
        files = [str(folder / "fp32.mnn"), str(folder / "int8.mnn"), str(Path(scratch) / "settings.json")]
        _tools.mnnquant(["mnnquant", *files])
    (folder / "int8.mnn.json").unlink(missing_ok=True)  # the scales it found


if __name__ == "__main__":
    convert(Path(sys.argv[1]))
