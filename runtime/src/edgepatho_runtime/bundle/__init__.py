"""The reader of bundles: one file in, checked tensors and texts out (docs/bundle-format.md)."""

from edgepatho_runtime.bundle.reader import Bundle, read

__all__ = ["Bundle", "read"]
