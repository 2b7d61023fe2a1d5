"""Pictures: files of five formats read into RGB, and resized as Pillow does."""

from edgepatho_runtime.image.picture import Image, resize
from edgepatho_runtime.image.reader import MAX_PIXELS, SUFFIXES, read

__all__ = ["MAX_PIXELS", "SUFFIXES", "Image", "read", "resize"]
