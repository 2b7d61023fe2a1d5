"""Releases on devices over SSH; layout and guarantees are in docs/release-layout.md."""
