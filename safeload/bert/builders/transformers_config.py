"""Translate a BERT's config into that of transformers."""

from __future__ import annotations

import dataclasses
import inspect
from typing import TYPE_CHECKING, Any

from safeload._arguments import is_number
from safeload._json import shown
from safeload._text.words import reason_of
from safeload.bert._config import unusable
from safeload.bert._runtimes import ALIASES, GELU_ERF, GELU_TANH, LAYER_NORM_EPS, TRANSFORMERS
from safeload.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from safeload.bert._config import BertConfig

_PAD = "[PAD]"
_GELUS = {GELU_ERF: "gelu", GELU_TANH: "gelu_new"}
_DEFAULTS = {
    "layer_norm_eps": LAYER_NORM_EPS,
    "hidden_dropout_prob": 0.1,
    "attention_probs_dropout_prob": 0.1,
}
_KINDS: dict[type, str] = {bool: "true or false", int: "an integer", float: "a number", str: "a string"}
_SIZES = (
    "vocab_size",
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "intermediate_size",
    "max_position_embeddings",
    "type_vocab_size",
)
_NEVER = {
    "attn_implementation",
    "auto_map",
    "distributed_config",
    "dtype",
    "experts_implementation",
    "model_type",
    "name_or_path",
    "output_attentions",
    "per_layer_config",
    "quantization_config",
    "self",
    "torch_dtype",
    "transformers_version",
}
"""Keys that can name code or a file to be fetched, that change how the model is stored, or that say what it is."""


def config_of(
    config_class: Any,  # noqa: ANN401  (transformers.BertConfig, or a subclass)
    config: BertConfig,
    vocabulary: Mapping[str, int],
    *,
    is_whole: bool,
) -> Any:  # noqa: ANN401  (a config of transformers)
    """Return the config of a model of transformers.

    Args:
        config_class: Its class.
        config: The validated config, with the activation that the weights were trained with.
        vocabulary: Token -> id; empty without a vocabulary.
        is_whole: Whether the other keys of the file are taken over too, for a class of the caller's.

    Raises:
        ConfigError: transformers refuses the values.

    Source:
        transformers/models/bert/configuration_bert.py, BertConfig, and transformers/configuration_utils.py,
        PreTrainedConfig: transformers 4.57 and 5.24.
    """
    keys: dict[str, Any] = dict(_other_keys(config_class, config)) if is_whole else {}
    _require_types(keys, config_class, config)
    keys |= {key: config.raw[key] for key in TRANSFORMERS.settings if config.raw.get(key) is not None}
    keys |= {key: float(keys.get(key, value)) for key, value in _DEFAULTS.items()}
    keys |= {key: getattr(config, key) for key in _SIZES}
    is_said = (
        ALIASES.get(config.hidden_act) == config.activation
    )  # by a name that has one meaning, and transformers' own
    keys["hidden_act"] = config.hidden_act if is_said else _GELUS.get(config.activation, config.activation)
    keys["pad_token_id"] = config.raw.get("pad_token_id", vocabulary.get(_PAD, 0))
    if "id2label" in keys:
        keys.pop("num_labels", None)  # transformers counts the labels
    try:
        return config_class(**keys)
    except Exception as exc:
        message = "transformers does not accept the BERT config"
        details = [f"{type(exc).__name__}: {reason_of(exc)}"]
        hints = ["the exception is the cause: it says what transformers does with a value of the config"]
        raise ConfigError(message, resolved=config.path, label="config", details=details, hints=hints) from exc


def _require_types(keys: Mapping[str, Any], config_class: Any, config: BertConfig) -> None:  # noqa: ANN401  (as above)
    """Require the types of settings that transformers uses later than it reads them.

    Raises:
        ConfigError: One is of another type than its default.
    """
    usual = next(each for each in config_class.__mro__ if each.__module__.startswith("transformers."))()
    for key, value in keys.items():
        default = getattr(usual, key, None)
        wanted = next((text for kind, text in _KINDS.items() if isinstance(default, kind)), None)
        if wanted and value is not None and not _is_like(default, value):
            raise unusable(config, key, f"expected {wanted}, found {shown(value)}", ["correct it, or leave it out"])


def _is_like(default: object, value: object) -> bool:
    """Return whether a value of JSON is of the type of a default; an integer is a number too."""
    if isinstance(default, bool) or isinstance(value, bool):
        return isinstance(default, bool) and isinstance(value, bool)
    return is_number(value) if isinstance(default, float) else isinstance(value, type(default))


def _other_keys(config_class: Any, config: BertConfig) -> Iterator[tuple[str, Any]]:  # noqa: ANN401
    """Yield the keys that are plain settings: not private, and no name of a method, property or constant of the class."""
    settings = _settings_of(config_class)
    for key, value in config.raw.items():
        is_plain = value is not None if key in settings else not hasattr(config_class, key)
        if is_plain and key.isidentifier() and not key.startswith("_") and key not in _NEVER:
            yield key, value


def _settings_of(config_class: Any) -> set[str]:  # noqa: ANN401
    """Return what a class of configs takes: the fields of a dataclass, or the arguments of it and its parents."""
    parents = [each for each in config_class.__mro__ if each is not object]
    arguments = {name for each in parents for name in inspect.signature(each.__init__).parameters}
    fields = (
        {each.name for each in dataclasses.fields(config_class)} if dataclasses.is_dataclass(config_class) else set()
    )
    return (arguments | fields) - {"self", "args", "kwargs"}
