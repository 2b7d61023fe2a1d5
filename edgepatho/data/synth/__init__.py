"""Synthetic Ki-67 tiles in the SHIDC layout.

The published data set may not be redistributed; these tiles stand in for it. They show that the tools
work and say nothing about clinical accuracy.
"""

from edgepatho.data.synth.dataset import generate, generate_laboratory

__all__ = ["generate", "generate_laboratory"]
