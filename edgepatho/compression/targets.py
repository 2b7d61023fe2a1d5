"""Targets for a compression: bounds on size, memory and loss."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from edgepatho.compression.sweep import Row


@dataclass(frozen=True)
class Target:
    """Bounds on a row of the frontier; None means no bound."""

    name: str
    method: str | None = None
    k: int | None = None
    most_k: int | None = None
    bundle_bytes: int | None = None
    weights_ram_bytes: int | None = None
    agreement: float = 0
    f1_loss_points: float | None = None
    ki67_change_points: float | None = None
    patients_changing_ki67_class: int | None = None

    def met_by(self, row: Row) -> bool:
        """Whether a row of the frontier meets every bound of this target."""
        most = {
            "levels": self.most_k,
            "bundle_bytes": self.bundle_bytes,
            "weights_ram_bytes": self.weights_ram_bytes,
            "ki67_change_points": self.ki67_change_points,
            "patients_changing_ki67_class": self.patients_changing_ki67_class,
        }
        return (
            self.method in (None, row["method"])
            and self.k in (None, row["k"])
            and row["agreement"] >= self.agreement
            and (self.f1_loss_points is None or -row["f1_delta_points"] <= self.f1_loss_points)
            and all(bound is None or row[key] <= bound for key, bound in most.items())
        )


TARGETS = (
    *(
        Target(
            f"no loss, {method} at k = 256",
            method=method,
            k=256,
            agreement=0.98,
            f1_loss_points=0.2,
            ki67_change_points=0.5,
            patients_changing_ki67_class=0,
        )
        for method in ("cws", "uq", "ecsq")
    ),
    Target("at most 0.5 MB", bundle_bytes=500_000, agreement=0.98, f1_loss_points=0.5),
    Target("at most 0.25 MB", bundle_bytes=250_000, agreement=0.95, f1_loss_points=1.0),
    Target("at most 1.7 MB of memory, k <= 16", most_k=16, weights_ram_bytes=1_700_000, agreement=0.97),
)


def judged(rows: list[Row]) -> list[dict[str, Any]]:
    """Return each target, JSON-ready; `by` is the row of best agreement that meets it, or None."""
    verdicts = []
    for target in TARGETS:
        meeting = [row for row in rows if target.met_by(row)]
        best = max(meeting, key=lambda row: row["agreement"], default=None)
        verdicts.append(asdict(target) | {"met": best is not None, "by": best})
    return verdicts
