"""Images and labels: the SHIDC layout, synthetic tiles in it, and what training reads."""
