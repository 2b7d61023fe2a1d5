"""SHA-256 without hashlib, whose import loads OpenSSL: 3.7 MB that a small inference process would carry."""

try:
    from _sha2 import sha256  # CPython 3.12 and later
except ImportError:
    try:
        from _sha256 import sha256  # CPython 3.11
    except ImportError:
        from hashlib import sha256

__all__ = ["sha256"]
