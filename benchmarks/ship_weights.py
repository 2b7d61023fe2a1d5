"""Make a finished training run the package's shipped weights.

    python -m benchmarks.ship_weights TRAINED "COMMAND"

TRAINED is the folder that `edgepatho train` wrote; COMMAND is the command that was run. Writes
edgepatho/model/demo_weights.safetensors (fp16; the rounded values are the original from then on) and
edgepatho/model/demo_weights.json (their provenance).
"""

from __future__ import annotations

import json
import platform
import sys
from pathlib import Path

import numpy as np

from edgepatho.files import write_aside
from edgepatho.model import pathonet, weights

NOTICE = "trained on synthetic tiles only; research use only"


def ship(trained: Path, command: str) -> dict[str, object]:
    """Write both files; return the record."""
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
    return record


def _processor() -> str:
    names = (
        line.split(":", 1)[1].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    )
    return f"{next(names, 'unknown processor')} ({platform.machine()}), one thread"


def main() -> None:
    if len(sys.argv) != 3 or not (Path(sys.argv[1]) / "state.npz").is_file():
        sys.exit(
            'usage: python -m benchmarks.ship_weights TRAINED "COMMAND"; `edgepatho train` wrote TRAINED'
        )
    print(json.dumps(ship(Path(sys.argv[1]), sys.argv[2]), indent=1))


if __name__ == "__main__":
    main()
