"""A BERT into keras-bert, and its checks."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING, Any

from models import GOOGLES, form_of

from sides.files import after_dropping_pages
from sides.process import process

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sides.process import Call


def load_google(folder: Path) -> Call:
    """safeload, the same model from Google's checkpoint."""
    return load_bert(folder / GOOGLES)


def load_bert(folder: Path) -> Call:
    """safeload, every check."""
    import safeload

    _imported()
    return lambda: safeload.load_bert(folder)


def keras_bert(folder: Path) -> Call:
    """keras-bert's own loader."""
    upstream = _imported()
    config, prefix = str(folder / "bert_config.json"), str(folder / "bert_model.ckpt")
    return lambda: upstream.load_trained_model_from_checkpoint(config, prefix)


def keras_bert_graph(folder: Path) -> Call:
    """keras-bert's graph alone: no initialisers, no AutoGraph, no weights; counters, which are made without a shape, are as ever."""
    import tensorflow as tf

    upstream = _imported()
    build = tf.autograph.experimental.do_not_convert(upstream.loader.build_model_from_config)

    def creator(following: Callable[..., Any], **options: Any) -> Any:
        shape, dtype = options["shape"], options["dtype"]
        if shape is not None:
            options["initial_value"] = lambda: tf.raw_ops.Empty(shape=shape, dtype=dtype)
        return following(**options)

    def run() -> object:
        with tf.variable_creator_scope(creator):
            return build(str(folder / "bert_config.json"))

    return run


def tensorflow_restore(folder: Path) -> Call:
    """TensorFlow's own reader, every variable."""
    import tensorflow as tf

    def restore() -> object:
        reader = tf.train.load_checkpoint(str(folder / "bert_model.ckpt"))
        return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}

    return restore


def check_bert(folder: Path) -> Call:
    """safeload's check, every checksum."""
    import safeload
    from safeload import testing

    with tempfile.TemporaryDirectory() as name:  # what a check imports is not a part of what is timed
        safeload.check_bert(testing.write_bert(name, form=form_of(folder)))
    return lambda: safeload.check_bert(folder, training=True)


def cold_check_bert(folder: Path) -> Call:
    """safeload's check from a disk whose pages are not in memory."""
    return after_dropping_pages(folder, check_bert(folder))


def process_check_bert(folder: Path) -> Call:
    """A whole process that checks."""
    return process(f"import safeload; safeload.check_bert({str(folder)!r}, training=True)")


def process_import_tensorflow(folder: Path) -> Call:  # noqa: ARG001  (each side takes one)
    """A whole process that imports TensorFlow and does nothing."""
    return process("import tensorflow")


def _imported() -> Any:
    from safeload._frameworks.tensorflow import require_keras_bert

    require_keras_bert().tf.zeros(1)
    import keras_bert as upstream

    return upstream
