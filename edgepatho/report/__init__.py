"""Compression and benchmark records, rendered as one self-contained page."""
