"""What `edgepatho deploy` runs on the device, as package data; see README.md in this folder."""
