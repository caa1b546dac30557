"""Replace keras-bert's four loader functions: the same signatures, with safeload's checks.

`from keras_bert import load_trained_model_from_checkpoint` becomes
`from safeload.compat.keras_bert import load_trained_model_from_checkpoint`.

Source:
    keras_bert/loader.py, keras-bert 0.89.0.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from safeload import bert
from safeload._boundary import typed_errors
from safeload._bytes.files import FileRef
from safeload._bytes.paths import StrPath, resolve_path
from safeload._fit import check_weights
from safeload._forms.finding import find_weights
from safeload._frameworks.tensorflow import require_keras_bert
from safeload._model_kind import Clock
from safeload._recognise import BERT
from safeload._reports import warn_of
from safeload._steps import opened_source
from safeload.bert._arguments import FULL_LENGTH, build_options
from safeload.bert._config import find_config, read_config, validate_config
from safeload.bert._model import bert as bert_kind
from safeload.bert._model import require_config_allows
from safeload.bert._vocabulary import read_vocabulary
from safeload.bert.builders import keras_bert as builder
from safeload.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

__all__ = [
    "build_model_from_config",
    "load_model_weights_from_checkpoint",
    "load_trained_model_from_checkpoint",
    "load_vocabulary",
]


@typed_errors
def build_model_from_config(
    config_file: StrPath,
    training: bool = False,  # noqa: FBT001, FBT002  (keras-bert's signature)
    trainable: bool | Collection[str] | None = None,  # noqa: FBT001
    output_layer_num: int | Sequence[int] = 1,
    seq_len: int | None = FULL_LENGTH,
    **kwargs: Any,  # noqa: ANN401  (keras-bert's own, each checked)
) -> tuple[Any, dict[str, Any]]:
    """Build a model with random values, and return it with its config.

    Args:
        config_file: As in `safeload.load_bert`.
        training: As in `safeload.load_bert`.
        trainable: As in `safeload.load_bert`.
        output_layer_num: As in `safeload.load_bert`.
        seq_len: As in `safeload.load_bert`.
        **kwargs: As `get_model_options` in `safeload.load_bert`.

    Returns:
        The Keras model, and the config as a dict whose `max_position_embeddings` is at most `seq_len`.

    Raises:
        SafeLoadError: As `safeload.load_bert`, except the errors about checkpoints and vocabularies.
    """
    options = build_options(
        training=training,
        trainable=trainable,
        output_layer_num=output_layer_num,
        seq_len=seq_len,
        model_options=kwargs,
    )
    path = resolve_path(config_file, argument="config_file")
    ref = find_config(FileRef(path=path, role="config", given=config_file))
    with opened_source(BERT, [os.path.dirname(ref.path)], Clock()) as source:
        config = read_config(replace(ref, source=source))
    require_config_allows(options, config)
    backend = require_keras_bert()
    model, deferred = builder.build(backend, config, options)
    builder.initialise(model, deferred)
    positions = config.max_position_embeddings
    if seq_len is not None:
        positions = min(seq_len, positions)
    return model, {**config.raw, "max_position_embeddings": positions}


@typed_errors
def load_model_weights_from_checkpoint(
    model: Any,  # noqa: ANN401  (a Keras model)
    config: Mapping[str, Any],
    checkpoint_file: StrPath,
    training: bool = False,  # noqa: FBT001, FBT002  (keras-bert's signature)
) -> None:
    """Load a checkpoint into a model from `build_model_from_config` or `keras_bert.get_model`.

    Layers that keras-bert did not build keep their values. If anything does not fit, no variable is changed.

    Args:
        model: The Keras model.
        config: The config as a dict. Its `max_position_embeddings` may be smaller than the checkpoint's, as
            `build_model_from_config` returns it for a shorter `seq_len`; then only the first rows are loaded.
        checkpoint_file: As in `safeload.load_bert`.
        training: If true, also load the pooler and the heads.

    Raises:
        SafeLoadError: As `safeload.load_bert`, except the errors about vocabularies.
    """
    kind = bert_kind(build_options(training=training, seq_len=FULL_LENGTH), may_be_clipped=True)
    _require_what_build_returned(model, config)
    path = resolve_path(checkpoint_file, argument="checkpoint_file")
    folder = path if os.path.isdir(path) else os.path.dirname(path)
    valid = validate_config(config, FileRef(path="the dict that was passed as config", role="config"))
    clock = Clock()
    with opened_source(BERT, [folder], clock) as source:
        ref = FileRef(path=path, role="checkpoint", given=checkpoint_file, source=source)
        checked = check_weights(kind, valid, find_weights(ref, BERT), (), clock, keep_values=True)
    builder.fill(require_keras_bert(), model, checked.values, config=checked.config)
    warn_of(checked.report)


def _require_what_build_returned(model: object, config: object) -> None:
    if not isinstance(config, Mapping):
        message = f"config must be the dict that build_model_from_config returns, not of type {type(config).__name__}"
        raise ArgumentError(message, argument="config", hints=["pass the second value that it returns"])
    if not hasattr(model, "weights"):
        message = f"model must be a Keras model, not of type {type(model).__name__}"
        raise ArgumentError(
            message, argument="model", hints=["pass the first value that build_model_from_config returns"]
        )


def load_trained_model_from_checkpoint(
    config_file: StrPath,
    checkpoint_file: StrPath,
    training: bool = False,  # noqa: FBT001, FBT002  (keras-bert's signature)
    trainable: bool | Collection[str] | None = None,  # noqa: FBT001
    output_layer_num: int | Sequence[int] = 1,
    seq_len: int | None = FULL_LENGTH,
    **kwargs: Any,  # noqa: ANN401  (keras-bert's own, each checked)
) -> Any:  # noqa: ANN401  (a Keras model)
    """Verify the files of a BERT model and load it, as `safeload.load_bert` does.

    Raises:
        SafeLoadError: As `safeload.load_bert`.
    """
    return bert.load_bert(
        config_file,
        checkpoint_file,
        training=training,
        trainable=trainable,
        output_layer_num=output_layer_num,
        seq_len=seq_len,
        **kwargs,
    )


def load_vocabulary(vocab_path: StrPath) -> dict[str, int]:
    """Verify a vocabulary and return its token ids, as `safeload.load_vocabulary` does.

    Raises:
        SafeLoadError: As `safeload.load_vocabulary`.
    """
    path = resolve_path(vocab_path, argument="vocab_path")
    return read_vocabulary(FileRef(path=path, role="vocab", given=vocab_path))
