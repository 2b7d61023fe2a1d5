"""Make a finished training run the package's shipped weights.

    python -m benchmarks.ship_weights TRAINED PREPARED "COMMAND"

TRAINED is the folder that `edgepatho train` wrote from the tiles PREPARED; COMMAND is what was run. Writes
edgepatho/model/demo_weights.safetensors (fp16; the rounded values are the original from then on),
demo_weights.json (their provenance) and demo_envelope.json (the limits of what they were trained on).
"""

from __future__ import annotations

import json
import platform
import sys
from pathlib import Path

import numpy as np

from edgepatho.files import canonical_json, write_aside
from edgepatho.model import pathonet, weights

NOTICE = "trained on synthetic tiles only; research use only"


def ship(trained: Path, prepared: Path, command: str) -> dict[str, object]:
    """Write the three files; return the record."""
    with np.load(trained / "state.npz", allow_pickle=False) as state:
        about = json.loads(str(state["about"]))
        model = pathonet.build(size=None)
        for index, variable in enumerate(model.variables):
            variable.assign(state[f"now{index}"])
    weights.save(model, weights.SHIPPED, "float16", {"notice": NOTICE})
    record = {
        "notice": NOTICE,
        "command": command,
        "schedule": about["key"]["settings"],
        "steps": about["step"],
        "hours": round(about["seconds"] / 3600, 2),
        "processor": _processor(),
        "validation_mse": about["history"][-1]["validation_mse"],
        "sha256": weights.sha256(weights.load_shipped(None)),
    }
    with write_aside(weights.SHIPPED.with_suffix(".json")) as aside:
        aside.write_text(json.dumps(record, indent=1) + "\n")
    with write_aside(weights.SHIPPED_ENVELOPE) as aside:
        aside.write_text(canonical_json(_envelope(prepared)) + "\n")
    return record


def _envelope(prepared: Path) -> dict[str, object]:
    """Return the envelope of the training and validation tiles, with the heat of the weights as shipped."""
    from edgepatho.compression import original as originals
    from edgepatho.compression import record

    measuring = originals.Measuring(test_tiles=1)
    shipped = originals.measure(weights.load_shipped(), prepared, measuring)
    return record.envelope(shipped, weights.SHIPPED, synthetic=True)


def _processor() -> str:
    names = (
        line.split(":", 1)[1].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    )
    return f"{next(names, 'unknown processor')} ({platform.machine()}), one thread"


def main() -> None:
    if len(sys.argv) != 4 or not (Path(sys.argv[1]) / "state.npz").is_file():
        sys.exit('usage: python -m benchmarks.ship_weights TRAINED PREPARED "COMMAND"; `train` wrote TRAINED')
    trained, prepared, command = sys.argv[1:]
    print(json.dumps(ship(Path(trained), Path(prepared), command), indent=1))


if __name__ == "__main__":
    main()
