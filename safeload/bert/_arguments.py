"""The arguments of `load_bert` that are not paths, checked before any file is opened."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeGuard

from safeload import _paths
from safeload.errors import ArgumentError

if TYPE_CHECKING:
    from safeload.bert._config import BertConfig

FULL_LENGTH = int(1e9)
"""The default of `seq_len`: as long as the config allows. The number is keras-bert's own default."""

ACTIVATIONS = (
    "gelu", "relu", "elu", "exponential", "hard_sigmoid", "linear", "selu", "sigmoid", "softplus", "softsign",
    "swish", "tanh",
)  # fmt: skip
"""What keras-bert can build: its own gelu, and what Keras 2 resolves by name."""

MODEL_OPTIONS = ("dropout_rate", "attention_activation", "use_task_embed", "task_num")
_FROM_CONFIG = {
    "token_num": "vocab_size",
    "pos_num": "max_position_embeddings",
    "embed_dim": "hidden_size",
    "transformer_num": "num_hidden_layers",
    "head_num": "num_attention_heads",
    "feed_forward_dim": "intermediate_size",
    "feed_forward_activation": "hidden_act",
}


@dataclass(frozen=True, kw_only=True)
class BuildOptions:
    """How keras-bert shall build the model; the meaning of each is `load_bert`'s."""

    training: bool
    trainable: bool | tuple[str, ...]
    output_layer_num: int | tuple[int, ...]
    seq_len: int | None
    model_options: Mapping[str, Any]


def build_options(
    *,
    training: object,
    trainable: object,
    output_layer_num: object,
    seq_len: object,
    model_options: Mapping[str, Any],
) -> BuildOptions:
    """Validate what can be validated without the config.

    Raises:
        ArgumentError: A wrong type or value, or an option that `keras_bert.get_model` has not.
    """
    _require_model_options(model_options)
    flag = require_training(training)
    return BuildOptions(
        training=flag,
        trainable=flag if trainable is None else _trainable(trainable),
        output_layer_num=_output_layers(output_layer_num),
        seq_len=_seq_len(seq_len),
        model_options=dict(model_options),
    )


def require_training(training: object) -> bool:
    """Return `training`, a bool; a path there is what an upstream call with a vocabulary as third argument means."""
    if isinstance(training, bool):
        return training
    hints = ["pass training=True or training=False"]
    if isinstance(training, (str, bytes, os.PathLike)):
        hints = ["a vocabulary goes to vocab_file=...; keras-bert's loader has no argument for it"]
    raise _bad("training", training, "a bool", hints)


def require_patterns(ignore_unused: object) -> tuple[str, ...]:
    """Return `ignore_unused`, a list of shell-style patterns."""
    if isinstance(ignore_unused, (str, bytes)) or not isinstance(ignore_unused, Iterable):
        raise _bad("ignore_unused", ignore_unused, "a list of patterns", ["write a list: ['bert/encoder/layer_*']"])
    patterns = tuple(ignore_unused)
    for pattern in patterns:
        if not isinstance(pattern, str):
            raise _bad("ignore_unused", pattern, "a list of patterns", ["each pattern is a str"])
    return patterns


def require_config_allows(options: BuildOptions, config: BertConfig) -> None:
    """Compare the options with the config.

    Raises:
        ArgumentError: `seq_len` is longer than the position table, or an output layer does not exist.
    """
    limit, layers = config.max_position_embeddings, config.num_hidden_layers
    if options.seq_len is not None and limit < options.seq_len != FULL_LENGTH:
        hints = [f"pass seq_len={limit} or less, or leave it out for the full length"]
        raise _bad("seq_len", options.seq_len, f"at most max_position_embeddings={limit}", hints, config)
    number = options.output_layer_num
    if isinstance(number, int) and number > layers:
        wanted = f"at most num_hidden_layers={layers}"
        raise _bad("output_layer_num", number, wanted, [f"pass {layers} or less"], config)
    for index in number if isinstance(number, tuple) else ():
        if not -layers <= index < layers:
            wanted = f"layers from {-layers} to {layers - 1}"
            raise _bad("output_layer_num", index, wanted, ["layers count from 0, or from the end below 0"], config)


def _bad(
    argument: str, value: object, wanted: str, hints: list[str], config: BertConfig | None = None
) -> ArgumentError:
    message = f"{argument} must be {wanted}, not {value!r}"
    facts = {"resolved": config.path, "label": "config"} if config else {}
    return ArgumentError(message, argument=argument, hints=hints, given=value, **facts)


def _trainable(trainable: object) -> bool | tuple[str, ...]:
    if isinstance(trainable, bool):
        return trainable
    hints = ["pass True, False, or a list of prefixes of layer names such as ['Encoder-12', 'NSP']"]
    if isinstance(trainable, (list, tuple, set, frozenset)) and all(isinstance(prefix, str) for prefix in trainable):
        return tuple(sorted(trainable))
    raise _bad("trainable", trainable, "a bool or a list of prefixes", hints)


def _output_layers(number: object) -> int | tuple[int, ...]:
    hints = ["pass how many of the last layers to concatenate, or a list of layer numbers"]
    if _is_int(number) and number >= 1:
        return number
    if isinstance(number, (list, tuple)) and number and all(map(_is_int, number)):
        return tuple(number)
    raise _bad("output_layer_num", number, "a positive int or a list of layer numbers", hints)


def _seq_len(seq_len: object) -> int | None:
    if seq_len is None or (_is_int(seq_len) and seq_len >= 1):
        return seq_len
    hints = ["pass a length in tokens, None for any length, or leave it out for the full length"]
    raise _bad("seq_len", seq_len, "a positive int or None", hints)


def _is_int(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _require_model_options(options: Mapping[str, Any]) -> None:
    for name in options:
        if name in _FROM_CONFIG:
            message = f"{name} cannot be passed: it is {_FROM_CONFIG[name]} of the config"
            raise ArgumentError(message, argument=name, hints=["change the config file, or leave the argument out"])
        if name not in MODEL_OPTIONS:
            close = _paths.close_names(name, (*MODEL_OPTIONS, "training", "trainable", "output_layer_num", "seq_len"))
            message = f"keras-bert has no option {name!r}"
            hints = [f"did you mean {other} ?" for other in close] or [f"the options are {', '.join(MODEL_OPTIONS)}"]
            raise ArgumentError(message, argument=name, hints=hints)
    rate = options.get("dropout_rate", 0.1)
    if isinstance(rate, bool) or not isinstance(rate, (int, float)) or not 0 <= rate < 1:
        raise _bad("dropout_rate", rate, "a number from 0 up to, not including, 1", ["BERT was trained with 0.1"])
    activation = options.get("attention_activation")
    if not (activation is None or callable(activation) or activation in ACTIVATIONS):
        hints = ["keras-bert's default is None: no activation"]
        raise _bad("attention_activation", activation, f"None, a callable or one of {', '.join(ACTIVATIONS)}", hints)
    if not isinstance(options.get("use_task_embed", False), bool):
        raise _bad("use_task_embed", options["use_task_embed"], "a bool", ["pass True or False"])
    task_num = options.get("task_num", 1)
    if not _is_int(task_num) or task_num < 1:
        raise _bad("task_num", task_num, "a positive int", ["pass the number of tasks"])
