"""Bundle reader: one file in, checked tensors and metadata out (docs/bundle-format.md)."""

from edgepatho_runtime.bundle.reader import Bundle, read

__all__ = ["Bundle", "read"]
