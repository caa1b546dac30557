"""Find, read and validate `bert_config.json`."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from safeload import _recognise
from safeload._arguments import is_number
from safeload._bytes import absent
from safeload._bytes.archives.locating import archive_hints
from safeload._forms.tensorflow.prefixes import ASSETS, saved_model_of
from safeload._json import Keys, read_json_object, shown
from safeload.bert._dialects import translated
from safeload.bert._runtimes import (
    ALIASES,
    DROPOUTS,
    GELU,
    GELU_ERF,
    GELU_TANH,
    KERAS_BERT,
    LAYER_NORM_EPS,
    SEGMENTS,
    Runtime,
    dropout_rates,
)
from safeload.errors import ConfigError, SafeLoadError
from safeload.report import KeyProblem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from safeload._bytes.files import FileRef
    from safeload._naming import Naming

CONFIG_NAMES = ("bert_config.json", "config.json")
MAX_LAYERS = 1_000
MAX_SIZE = 1 << 24

_SIZES = {
    "vocab_size": MAX_SIZE,
    "hidden_size": MAX_SIZE,
    "num_hidden_layers": MAX_LAYERS,
    "num_attention_heads": MAX_SIZE,
    "intermediate_size": MAX_SIZE,
    "max_position_embeddings": MAX_SIZE,
}
_OF_TRANSFORMERS = ("model_type", "architectures", "transformers_version")
DEFAULTS = {
    "vocab_size": 30522,
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
    "hidden_act": "gelu",
    "max_position_embeddings": 512,
}
"""What transformers takes for a key that a config with one of `_OF_TRANSFORMERS` lacks.

Source:
    transformers/models/bert/configuration_bert.py, BertConfig, transformers 4.49 and 5.24.
"""

_OTHER_MODELS: tuple[tuple[str, tuple[object, ...], str], ...] = (
    ("is_decoder", (False,), "a decoder sees only the tokens before"),
    ("add_cross_attention", (False,), "cross-attention has variables and an input of its own"),
    ("is_encoder_decoder", (False,), "an encoder with a decoder is two models"),
    ("position_embedding_type", ("absolute",), "other positions change the attention"),
    ("relative_attention", (False,), "relative positions change the attention"),
    ("position_biased_input", (True,), "without it no position is added to the input"),
    ("pruned_heads", ({}, []), "pruned heads change the attention's sizes"),
    ("norm_first", (False,), "BERT normalises after each part"),
    ("pre_norm", (False,), "BERT normalises after each part"),
)
"""Keys that make another model than BERT's encoder: the values that do not, and what the others do; null does not either."""

MAX_LABELS = 1_000_000
_RANGES = {
    **dict.fromkeys(
        ("layer_norm_eps", "hidden_dropout_prob", "attention_probs_dropout_prob", "classifier_dropout"), (0, 1)
    ),
    "initializer_range": (0, 1_000),
}
_PROBLEM_TYPES = ("regression", "single_label_classification", "multi_label_classification")
_READ = (*_SIZES, "hidden_act", "type_vocab_size", "model_type", *(key for key, _, _ in _OTHER_MODELS))
_HUB_NAME = r"(?i)(?=.*bert)\w+(?:-\w+)+"


class BertConfig(NamedTuple):
    """A validated `bert_config.json`; sizes are counts of units, not bytes.

    Attributes:
        path: Absolute path of the file.
        raw: The whole JSON object, as keras-bert returns it.
        activation: What `hidden_act` means: for "gelu", which has two meanings, what keras-bert computes.
        type_vocab_size: The number of segments.
    """

    path: str
    vocab_size: int
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    hidden_act: str
    max_position_embeddings: int
    raw: dict[str, Any]
    activation: str
    type_vocab_size: int = SEGMENTS


def find_config(ref: FileRef, first: tuple[str, ...] = CONFIG_NAMES) -> FileRef:
    """Return the config file at a path, or in the folder at that path or its assets, as SavedModels have them.

    Args:
        ref: The path.
        first: The names that go before others in a folder, in their order.

    Raises:
        MissingFileError: The path does not exist, or the folder has no config.
        ConfigError: The folder has several files that could be the config.
        UnreadableFileError, FileSystemError: The system cannot list the folder.
    """
    path, given = ref.path, ref.given
    if not ref.is_dir():
        if isinstance(given, str) and re.fullmatch(_HUB_NAME, given) and not ref.source.is_there(path):
            error = absent.missing(ref)
            hint = "model hub names are not downloaded: pass the folder that contains the files"
            error.hints = (*error.hints, hint)
            raise error
        return ref
    in_assets = [os.path.join(ASSETS, name) for name in first] if saved_model_of(ref) == ref else []
    for name in (*first, *in_assets):
        if ref.inside(name).is_file():
            return ref.inside(name)
    names = absent.list_names(ref)
    others = [name for name in names if name.endswith("config.json") or name.startswith("bert_config")]
    others = [name for name in others if name.endswith(".json")]
    rejected = [name for name in others if not _may_be_config(ref.inside(name))]
    others = [name for name in others if name not in rejected]
    if len(others) == 1:
        return ref.inside(others[0])
    if others:
        message = f"the folder has {len(others)} files that could be the config, none of them {CONFIG_NAMES[0]}"
        hints = [f"pass config_file, one of: {', '.join(others)}"]
        raise ConfigError(message, **ref.at(path, "folder").facts, hints=hints)
    error = absent.missing(ref.inside(CONFIG_NAMES[0]), CONFIG_NAMES)
    error.close_names = tuple(name for name in error.close_names if name not in rejected)
    near = [f"did you mean {os.path.join(path, name)}?" for name in error.close_names]
    error.hints = (*_hints_of_folder(ref, names), *near)
    raise error


def _hints_of_folder(folder: FileRef, names: list[str]) -> list[str]:
    """Return hints for a folder without a config: it holds an ELMo, or the config is one folder up or down."""
    from safeload._advice import advice, lacks_config  # noqa: PLC0415  (only a folder without a config needs it)

    near = [folder.folder(), *map(folder.inside, names)]
    found = [f"did you mean {each.path}?" for each in near if each.inside(CONFIG_NAMES[0]).is_file()][:3]
    return advice(folder, _recognise.BERT) or [*found, *lacks_config(folder)] or archive_hints(folder)


def _may_be_config(ref: FileRef) -> bool:
    """Return whether a JSON file may be a model's config, as a tokenizer's or an adapter's is not."""
    try:
        data = read_json_object(ref)
    except SafeLoadError:
        return True
    return not data or any(key in data for key in ("model_type", *_SIZES))


def read_config(ref: FileRef, runtime: Runtime = KERAS_BERT) -> BertConfig:
    """Read and validate a config file.

    Raises:
        ConfigError: The file is not JSON; a key that the runtime reads is missing, mistyped or out of range; or
            it cannot build the combination of keys or the model. One error lists all bad keys.
        MissingFileError, WrongFileKindError, UnreadableFileError, UnsafeFileError: As `read_json_object`.

    Source:
        keras_bert/loader.py, build_model_from_config, keras-bert 0.89.0.
    """
    return validate_config(read_json_object(ref), ref, runtime)


def validate_config(raw: dict[str, Any], ref: FileRef, runtime: Runtime = KERAS_BERT) -> BertConfig:
    """Validate a config dict as JSON holds it; `ref` names its source in error messages.

    Raises:
        ConfigError: As `read_config`.
    """
    raw, other = translated(raw)
    other = other or _recognise.other_config(_recognise.BERT, raw)
    if other:
        message = f"the config is of {other.name}, which {runtime.cannot}"
        raise ConfigError(message, **ref.facts, hints=[other.hint])
    keys = Keys(_with_defaults(raw))
    sizes = {key: keys.integer(key, 1, high) for key, high in _SIZES.items()}
    hidden_act = keys.word("hidden_act", runtime.words)
    _require_heads_fit(keys, sizes, is_said="num_attention_heads" in raw)
    segments = _segments(keys, runtime)
    _require_settings(keys, runtime, sizes["vocab_size"])
    _require_the_same_model(keys, runtime)
    hints = []
    if len(keys.problems) > 1 and all(problem.is_missing for problem in keys.problems):
        hints = ["this may be the config of another program; BERT's is published as bert_config.json"]
    keys.raise_problems("the BERT config cannot be used", ref, hints)
    activation = GELU_TANH if hidden_act == GELU else ALIASES.get(hidden_act, hidden_act)
    return BertConfig(
        path=ref.path, hidden_act=hidden_act, raw=raw, activation=activation, type_vocab_size=segments, **sizes
    )


def unusable(config: BertConfig, key: str, problem: str, hints: list[str]) -> ConfigError:
    """Return the error for a key of a config that was read, which the weights or the runtime rule out."""
    found = KeyProblem(key=key, problem=problem)
    return ConfigError(
        "the BERT config cannot be used",
        problems=[found],
        label="config",
        resolved=config.path,
        details=[str(found)],
        hints=hints,
    )


def is_of_transformers(raw: Mapping[str, Any]) -> bool:
    """Return whether a config has a key that transformers alone writes."""
    return any(key in raw for key in _OF_TRANSFORMERS)


def _with_defaults(raw: dict[str, Any]) -> dict[str, Any]:
    return {**DEFAULTS, **raw} if is_of_transformers(raw) else raw


def defining_keys(raw: dict[str, Any]) -> dict[str, Any]:
    """Return the sizes and the activation in a config, as the model would have them; empty if it is no BERT's config."""
    keys = _with_defaults(translated(raw)[0])
    if not any(key in keys for key in _SIZES):
        return {}
    found = {key: keys[key] for key in (*_SIZES, "hidden_act", "type_vocab_size") if key in keys}
    activation = found.get("hidden_act")
    return {**found, "hidden_act": ALIASES.get(activation, activation)} if isinstance(activation, str) else found


def defaults_taken(config: BertConfig) -> list[str]:
    """Return a note for what no weights can prove and the config does not say, where transformers has a default."""
    return [
        f"{key} is not in the config; {shown(DEFAULTS[key])} is the default of transformers"
        for key in ("num_attention_heads", "hidden_act")
        if key not in config.raw and is_of_transformers(config.raw)
    ]


def unused_keys(data: Mapping[str, Any], runtime: Runtime) -> list[str]:
    """Return the keys of a config that have no effect on the model, sorted."""
    return sorted(str(key) for key in data if key not in (*_READ, *runtime.settings))


def suspicious_keys(config: BertConfig, runtime: Runtime) -> list[str]:
    """Return a warning for a `layer_norm_eps` above that of BERT, or a second dropout, that the runtime cannot set.

    And for a padding that is no token, which torch counts from the end.

    Source:
        keras_layer_normalization/layer_normalization.py, LayerNormalization.__init__, 0.16.0;
        keras_hub/src/models/bert/bert_backbone.py, BertBackbone.__init__, keras-hub 0.32.
    """
    warnings = []
    value = config.raw.get("layer_norm_eps")
    if runtime.epsilon is not None and value is not None and not (is_number(value) and value <= LAYER_NORM_EPS):
        usual, built = f"{LAYER_NORM_EPS:g}", f"{runtime.epsilon:g}"
        warnings.append(
            f"layer_norm_eps is {shown(value)}, where BERT has {usual}; {runtime.id} cannot set it and computes with {built}"
        )
    padding = config.raw.get("pad_token_id")
    if "pad_token_id" in runtime.settings and is_number(padding) and padding < 0:
        last = config.vocab_size + int(padding)
        warnings.append(
            f"pad_token_id is {padding}, which is no token; torch takes it for {last}, whose row stays as it is"
        )
    if runtime.one_dropout:
        hidden, attention = dropout_rates(config.raw)
        if hidden != attention:
            keys = " and ".join(f"{key} {rate:g}" for key, rate in zip(DROPOUTS, (hidden, attention), strict=True))
            warnings.append(
                f"the config means {keys}; {runtime.id} has one dropout for both, and trains with {hidden:g}"
            )
    return warnings


def other_gelu(config: BertConfig, naming: Naming) -> list[str]:
    """Return a warning for a config of transformers whose "gelu" the writer of the weights computes in another way.

    Source:
        transformers/activations.py, ACT2FN, transformers 4.49 and 5.24.
    """
    if config.hidden_act != GELU or not is_of_transformers(config.raw) or config.activation == GELU_ERF:
        return []
    meanings = (
        f"gelu is {GELU_ERF} in the config's library, transformers, and {config.activation} in that of the weights"
    )
    return [f'{meanings} ({naming.id}); built with {config.activation}: pass activation="{GELU_ERF}" for the other']


def _require_the_same_model(keys: Keys, runtime: Runtime) -> None:
    """Require that no key asks for another model.

    Source:
        transformers/models/bert/configuration_bert.py and modeling_bert.py, transformers 4.49.
    """
    for key, neutral, why in _OTHER_MODELS:
        value = keys.data.get(key)
        if value is not None and value not in neutral:
            keys.add_problem(key, f"{shown(value)} makes another model, which {runtime.cannot}: {why}")


def _require_heads_fit(keys: Keys, sizes: dict[str, int], *, is_said: bool) -> None:
    bad = {problem.key for problem in keys.problems}
    hidden, heads = sizes["hidden_size"], sizes["num_attention_heads"]  # 1 if the key is bad
    if "hidden_size" not in bad and hidden % heads:
        found = f"{heads}" if is_said else f"{heads}, the default of transformers,"
        keys.add_problem("num_attention_heads", f"{found} does not divide hidden_size {hidden}")


def _segments(keys: Keys, runtime: Runtime) -> int:
    """Return the number of segments; the one that the runtime always builds, or the config's."""
    if "type_vocab_size" not in keys.data:
        return SEGMENTS
    n_problems = len(keys.problems)
    found = keys.integer("type_vocab_size", 1, MAX_SIZE)
    if runtime.segments not in (None, found) and len(keys.problems) == n_problems:
        text = f"{runtime.id} always builds {runtime.segments} segments, the config says {found}"
        keys.add_problem("type_vocab_size", text)
    return found


def _require_settings(keys: Keys, runtime: Runtime, vocab_size: int) -> None:
    """Require numbers that the runtime can build with, of the keys that it reads besides the sizes."""
    for key, (low, high) in _RANGES.items():
        value = keys.data.get(key)
        if key in runtime.settings and value is not None and not (is_number(value) and low <= value <= high):
            keys.add_problem(key, f"expected a number from {low:g} to {high:g}, found {shown(value)}")
    if "problem_type" in runtime.settings and keys.data.get("problem_type") is not None:
        keys.word("problem_type", _PROBLEM_TYPES)
    sizes = {"pad_token_id": (-vocab_size, vocab_size - 1), "num_labels": (1, MAX_LABELS)}
    for key, (first, last) in sizes.items():
        if key in runtime.settings and keys.data.get(key) is not None:
            keys.integer(key, first, last)
