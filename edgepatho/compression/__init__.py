"""A compression as a whole: its stages, its record, grids of settings and the frontier."""
