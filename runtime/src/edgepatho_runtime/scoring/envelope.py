"""The device knows its limits: a picture is compared with the pictures of training (docs/envelope.md)."""

from typing import Any, NamedTuple

from edgepatho_runtime import _vision
from edgepatho_runtime.image import Image
from edgepatho_runtime.tables import WARNING

Measured = dict[str, Any]  # by name: a number, a direction [R, G, B], or None where there is too little

# By statistic: what a value below its range is called, what one above (its name if nothing), its unit.
WORDS = {
    "tissue": ("no tissue", "", ""),
    "background": ("dark background", "", ""),
    "density": ("tissue too pale", "tissue too dense", ""),
    "hematoxylin_area": ("no hematoxylin", "", ""),
    "dab_area": ("no DAB", "", ""),
    "saturation": ("no colour", "", ""),
    "unseen_colours": ("", "stain of other colours", ""),
    "dab_to_hematoxylin": ("DAB paler than hematoxylin", "", ""),
    "brown_core_pale": ("brown lines, not nuclei", "", ""),
    "brown_core_dense": ("brown lines, not nuclei", "", ""),
    "brown_rim": ("", "brown around nuclei, not in them", ""),
    "sharpness": ("out of focus", "noisy or too sharp", ""),
    "nucleus_px": ("nuclei too small", "nuclei too large", " px"),
    "doubtful_heat": ("", "the network is unsure", ""),
}
STAINS = {"hematoxylin": "hematoxylin", "dab": "DAB"}
OF_STAIN = ("unseen_colours", "dab_to_hematoxylin")


class Verdict(NamedTuple):
    """How a picture compares with those of training: `outside` names statistics, `text` is empty if none."""

    measured: Measured
    outside: list[str]
    text: str


def judge(
    envelope: dict[str, Any],
    seen: Image,
    heat: memoryview,
    thresholds: list[float],
    cells: list[tuple[float, float]],
) -> Verdict:
    """Return the verdict on a picture at the network's size, its heat map and the centres of its cells."""
    known = bytes.fromhex("".join(envelope["colours"]))
    measured: Measured = _vision.measure(seen.rgb, seen.height, seen.width, known, cells)
    measured["doubtful_heat"] = _vision.doubtful_heat(heat, seen.height * seen.width, thresholds)
    outside = [name for name in WORDS if _side(envelope["ranges"].get(name), measured[name])]
    if _side(envelope["ranges"].get("tissue"), measured["tissue"]) < 0:
        outside = ["tissue"]  # whatever else there is would be measured on dust
    return Verdict(measured, outside, _text(envelope, measured, outside) if outside else "")


def _text(envelope: dict[str, Any], measured: Measured, outside: list[str]) -> str:
    phrases = [_phrase(name, envelope["ranges"][name], measured[name]) for name in outside]
    if any(name in outside for name in OF_STAIN):
        phrases += [
            f"{name} {_colour(measured[key])}, training {_colour(lowest)} to {_colour(highest)}"
            for key, name in STAINS.items()
            for lowest, highest in [envelope["stains"][key]]
            if measured[key] is not None
        ]
    phrases.append(f"trained on {envelope['trained_on']}")
    return f"OUTSIDE TRAINING ({'; '.join(dict.fromkeys(phrases))}): {WARNING}"


def _phrase(name: str, ends: list[float | None], value: float) -> str:
    side, unit = _side(ends, value), WORDS[name][2]
    words, end = WORDS[name][side > 0] or name, ends[side > 0]
    return f"{words}: {value:.3g}{unit}, limit {end:.3g}{unit}"


def _side(ends: list[float | None] | None, value: float | None) -> int:
    """Return -1 for a value below its range, 1 above, 0 inside or where there is nothing to compare."""
    if ends is None or value is None:
        return 0
    low, high = ends
    return -1 if low is not None and value < low else 1 if high is not None and value > high else 0


def _colour(direction: list[float]) -> str:
    """Return a direction of optical density as .80 .55 .24."""
    return " ".join(f"{share:.2f}".removeprefix("0") for share in direction)
