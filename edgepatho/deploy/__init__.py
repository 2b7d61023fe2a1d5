"""Releases on devices over SSH; the layout and the promise are in docs/release-layout.md."""
