"""Images and labels: the SHIDC layout, synthetic tiles, and prepared folders for training."""
