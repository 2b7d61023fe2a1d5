"""The envelope: what the pictures of training look like, so that a device can say when one does not."""
