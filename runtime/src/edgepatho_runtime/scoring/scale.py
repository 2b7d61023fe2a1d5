"""The scale at which the network sees a picture."""

SOURCE_TILE_PX = 1228  # side of a SHIDC tile, which training resized to the network's size


def network_size(height: int, width: int, network_px: int, scale: float | None = None) -> tuple[int, int]:
    """Return the height and width at which the network sees a picture.

    A picture of at most `network_px` on both sides is taken as it is. A larger one is reduced like the
    training tiles, SOURCE_TILE_PX to `network_px`, so that nuclei have the size that the network was trained
    on; `scale` (network pixels per pixel) overrides this for pictures of another magnification.
    """
    if scale is None:
        scale = 1.0 if is_small(height, width, network_px) else network_px / SOURCE_TILE_PX
    return max(1, int(height * scale + 0.5)), max(1, int(width * scale + 0.5))


def is_small(height: int, width: int, network_px: int) -> bool:
    """Return whether a picture is taken as already reduced, unless a scale is given."""
    return max(height, width) <= network_px


def assumption(height: int, width: int, network_px: int, scale: float | None) -> str:
    """Return what was assumed about a small picture's scale, empty if nothing was."""
    if scale is not None or not is_small(height, width, network_px):
        return ""
    return (
        f"SCALE ASSUMED: at most {network_px} px, so taken as already reduced (scale 1); "
        f"if it was cut from a larger picture, give --scale {network_px / SOURCE_TILE_PX:.3f}"
    )
