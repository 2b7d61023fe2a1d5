"""Records of compression and benchmark, rendered as one self-contained page."""
