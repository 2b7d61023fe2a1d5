"""Weight sharing: quantizers, pruning, and retraining of the codebook."""
