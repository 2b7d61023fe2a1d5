"""SHA-256 without hashlib, whose import of OpenSSL costs a small inference process 3.7 MB."""

try:
    from _sha2 import sha256  # CPython 3.12 and later
except ImportError:
    try:
        from _sha256 import sha256  # CPython 3.11
    except ImportError:
        from hashlib import sha256

__all__ = ["sha256"]
