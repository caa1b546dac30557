"""keras-bert's four loader functions, with keras-bert's signatures and safeload's checks.

`from keras_bert import load_trained_model_from_checkpoint` becomes
`from safeload.compat.keras_bert import load_trained_model_from_checkpoint`.

Source:
    keras_bert/loader.py, keras-bert 0.89.0.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from safeload import bert
from safeload._locked import opened_source
from safeload._paths import StrPath, resolve_path
from safeload.bert import _backend, _keras_bert
from safeload.bert._arguments import FULL_LENGTH, build_options, require_config_allows, require_training
from safeload.bert._check import checked_checkpoint
from safeload.bert._checkpoint import find_checkpoint
from safeload.bert._config import find_config, read_config, validate_config
from safeload.errors import ArgumentError
from safeload.report import Clock

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

__all__ = [
    "build_model_from_config",
    "load_model_weights_from_checkpoint",
    "load_trained_model_from_checkpoint",
    "load_vocabulary",
]


def build_model_from_config(
    config_file: StrPath,
    training: bool = False,  # noqa: FBT001, FBT002  (keras-bert's signature)
    trainable: bool | Collection[str] | None = None,  # noqa: FBT001
    output_layer_num: int | Sequence[int] = 1,
    seq_len: int | None = FULL_LENGTH,
    **kwargs: Any,  # noqa: ANN401  (keras-bert's own, each checked)
) -> tuple[Any, dict[str, Any]]:
    """Build the model graph with random values, and return it with its config.

    Args:
        config_file: `bert_config.json`, or its folder.
        training: As in `safeload.load_bert`.
        trainable: As in `safeload.load_bert`.
        output_layer_num: As in `safeload.load_bert`.
        seq_len: As in `safeload.load_bert`.
        **kwargs: As `get_model_options` in `safeload.load_bert`.

    Returns:
        The Keras model, and the config as a dict, in which `max_position_embeddings` is `seq_len`.

    Raises:
        SafeLoadError: As `safeload.load_bert`, but for what it says of checkpoints and vocabularies.
    """
    options = build_options(
        training=training,
        trainable=trainable,
        output_layer_num=output_layer_num,
        seq_len=seq_len,
        model_options=kwargs,
    )
    path = find_config(resolve_path(config_file, argument="config_file"), given=config_file)
    with opened_source(None, folder=os.path.dirname(path), base_dir=None, model="BERT", clock=Clock()) as source:
        config = read_config(path, given=config_file, source=source)
    require_config_allows(options, config)
    backend = _backend.require_backend()
    model, put_off = _keras_bert.build(backend, config, options)
    _keras_bert.initialise(model, put_off)
    positions = config.max_position_embeddings
    if seq_len is not None:
        positions = min(seq_len, positions)
    return model, {**config.raw, "max_position_embeddings": positions}


def load_model_weights_from_checkpoint(
    model: Any,  # noqa: ANN401  (a Keras model)
    config: Mapping[str, Any],
    checkpoint_file: StrPath,
    training: bool = False,  # noqa: FBT001, FBT002  (keras-bert's signature)
) -> None:
    """Fill a model that `build_model_from_config` or `keras_bert.get_model` has built.

    Layers that are not keras-bert's keep their values. Nothing is filled unless everything fits.

    Args:
        model: The Keras model.
        config: The config as a dict. Its `max_position_embeddings` may be smaller than the checkpoint's, as
            `build_model_from_config` leaves it for a shorter `seq_len`; the first rows are filled then.
        checkpoint_file: As in `safeload.load_bert`.
        training: If true, the pooler and the heads are filled too.

    Raises:
        SafeLoadError: As `safeload.load_bert`, but for what it says of vocabularies.
    """
    flag = require_training(training)
    _require_what_build_returned(model, config)
    path = resolve_path(checkpoint_file, argument="checkpoint_file")
    folder = path if os.path.isdir(path) else os.path.dirname(path)
    valid = validate_config(config, path="the dict that was passed as config")
    with (
        opened_source(None, folder=folder, base_dir=None, model="BERT", clock=Clock()) as source,
        checked_checkpoint(
            valid,
            find_checkpoint(path, given=checkpoint_file, source=source),
            given=checkpoint_file,
            training=flag,
            clipped=True,
            source=source,
        ) as checked,
    ):
        backend = _backend.require_backend()
        _keras_bert.fill(backend, model, checked.variables, checked.read_values(), config=checked.config)
        checked.bundle.require_unchanged()


def _require_what_build_returned(model: object, config: object) -> None:
    if not isinstance(config, Mapping):
        message = f"config must be the dict that build_model_from_config returns, not of type {type(config).__name__}"
        raise ArgumentError(message, argument="config", hints=["pass the second of the two things that it returns"])
    if not hasattr(model, "weights"):
        message = f"model must be a Keras model, not of type {type(model).__name__}"
        raise ArgumentError(
            message, argument="model", hints=["pass the first of the two that build_model_from_config returns"]
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
    """Load a verified model: `safeload.load_bert` under keras-bert's name, with keras-bert's order of arguments.

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
    """Return the verified vocabulary: `safeload.load_vocabulary` under keras-bert's parameter name.

    Raises:
        SafeLoadError: As `safeload.load_vocabulary`.
    """
    return bert.load_vocabulary(vocab_path)
