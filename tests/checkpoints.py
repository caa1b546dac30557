"""Real checkpoints, written by TensorFlow."""

from __future__ import annotations

from safeload.testing._bert import BERT_CONFIG, PREFIX, TOKENS, bert_tensors

__all__ = ["BERT_CONFIG", "PREFIX", "SHARD", "TOKENS", "bert_tensors", "write_checkpoint", "write_sharded"]

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
