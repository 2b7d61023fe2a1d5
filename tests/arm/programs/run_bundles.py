"""Run bundles: raw float32 outputs go beside the pictures, the instruction set to stdout.

python run_bundles.py THREADS PRECISION FOLDER [BUNDLE HEIGHT WIDTH]...    pictures are FOLDER/<bundle>.rgb
"""

import sys
from pathlib import Path

from edgepatho_runtime import bundle
from edgepatho_runtime.network import Network

threads, precision, folder, *rest = sys.argv[1:]
for path, height, width in zip(rest[::3], rest[1::3], rest[2::3], strict=True):
    picture = Path(folder) / f"{Path(path).stem}.rgb"
    network = Network(bundle.read(path), int(height), int(width), int(threads), precision)
    picture.with_suffix(".f32").write_bytes(network.run(picture.read_bytes()))
print(network.isa)
