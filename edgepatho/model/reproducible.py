"""Reproducible training: the same command writes the same bytes."""

from __future__ import annotations


def seed_everything(seed: int, deterministic: bool) -> None:
    """Seed Python, numpy and TensorFlow; with `deterministic`, train on one thread.

    On two threads, TensorFlow's graph mode differs in the last digits between runs even with op determinism;
    on one it does not. Must be called before TensorFlow runs its first operation, or TensorFlow raises
    RuntimeError.
    """
    from edgepatho.model.quiet import import_tensorflow

    import_tensorflow()
    import keras
    import tensorflow as tf

    if deterministic:
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        tf.config.experimental.enable_op_determinism()
    keras.utils.set_random_seed(seed)
