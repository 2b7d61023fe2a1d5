"""edgepatho: PathoNet, compressed by weight sharing, on a Raspberry Pi. Research use only."""

__version__ = "0.1.0"
