"""Real checkpoints, written by TensorFlow."""

from __future__ import annotations

PREFIX = "bert_model.ckpt"
SHARD = f"{PREFIX}.data-00000-of-00001"


def write_checkpoint(prefix, tensors):
    """Let TensorFlow write a V2 checkpoint of name -> array, in one shard."""
    import tensorflow as tf

    tf.raw_ops.SaveV2(
        prefix=str(prefix),
        tensor_names=list(tensors),
        shape_and_slices=[""] * len(tensors),
        tensors=list(tensors.values()),
    )


def write_sharded(prefix, *shards):
    """Let TensorFlow write a V2 checkpoint with one shard for each of the dicts."""
    import tensorflow as tf

    parts = [f"{prefix}_part{number}" for number in range(len(shards))]
    for part, tensors in zip(parts, shards, strict=True):
        write_checkpoint(part, tensors)
    tf.raw_ops.MergeV2Checkpoints(checkpoint_prefixes=parts, destination_prefix=str(prefix))


def bert_tensors(config=None, *, training=True, seed=0):
    """Return random values for every variable that keras-bert reads."""
    import numpy as np

    from safeload.bert._config import validate_config
    from safeload.bert._variables import list_variables
    from safeload.demo import CONFIG

    rows = list_variables(validate_config(config or CONFIG, path="test"), training=training)
    random = np.random.default_rng(seed)
    return {name: random.normal(0, 0.02, row.spec.shape).astype(np.float32) for name, row in rows.items()}
