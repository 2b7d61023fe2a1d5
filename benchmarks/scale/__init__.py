"""Time and peak memory over image size and network width, beside LiteRT."""
