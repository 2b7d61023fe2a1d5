"""Compression end to end: its stages, its record, grids of settings and the frontier."""
