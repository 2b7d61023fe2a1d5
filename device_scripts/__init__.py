"""The scripts that `edgepatho deploy` runs on a device, as package data; see README.md in this folder."""
