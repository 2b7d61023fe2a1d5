"""Runs compressed PathoNet bundles on small 64-bit ARM boards. Research use only.

Needs only the standard library; arrays are passed as buffers.
"""

__version__ = "0.1.0"
