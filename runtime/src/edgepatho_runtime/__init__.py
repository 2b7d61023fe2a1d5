"""Runs compressed PathoNet bundles on small 64-bit ARM boards. Research use only.

Needs the standard library only; arrays cross as buffers.
"""

__version__ = "0.1.0"
