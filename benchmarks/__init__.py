"""Measurements: this runtime against its peers, on this machine and on emulated Raspberry Pi processors."""
