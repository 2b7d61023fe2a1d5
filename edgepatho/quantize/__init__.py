"""Weight sharing: quantizers, pruning, retraining of the codebook, and the records of both."""
