"""`bert_config.json`: the keys that keras-bert reads, each with its type and range."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from safeload import _files
from safeload._formats.bounded_json import Keys, read_json_object, shown
from safeload.bert._arguments import ACTIVATIONS
from safeload.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

CONFIG_NAMES = ("bert_config.json", "config.json")
MAX_LAYERS = 1_000
MAX_SIZE = 1 << 24
SEGMENTS = 2

_HUB_NAME = re.compile(r"(?=.*bert)\w+(?:-\w+)+", re.IGNORECASE)

_OTHER_MODELS = {
    "albert": ("embedding_size", "num_hidden_groups", "inner_group_num"),
    "nezha": ("max_relative_position", "use_relative_position"),
}


@dataclass(frozen=True, kw_only=True)
class BertConfig:
    """A validated `bert_config.json`; sizes are counts of units, not bytes.

    Attributes:
        path: The file, absolute.
        raw: The whole JSON object, as keras-bert returns it.
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


def find_config(path: str, *, given: object) -> str:
    """Return the config file that `path` is or, if it is a folder, holds.

    Raises:
        MissingFileError: Nothing is there, or the folder has no config.
        ConfigError: The folder has several files that could be the config.
    """
    if not os.path.isdir(path):
        if isinstance(given, str) and _HUB_NAME.fullmatch(given) and not os.path.lexists(path):
            error = _files.missing(path, role="config", given=given)
            error.hints = (
                *error.hints,
                "names of a model hub are not downloaded: pass the folder that holds the files",
            )
            raise error
        return path
    for name in CONFIG_NAMES:
        if os.path.isfile(os.path.join(path, name)):
            return os.path.join(path, name)
    others = sorted(name for name in os.listdir(path) if name.endswith("config.json") or name.startswith("bert_config"))
    others = [name for name in others if name.endswith(".json") and not name.startswith(".")]
    if len(others) == 1:
        return os.path.join(path, others[0])
    if others:
        message = f"the folder has {len(others)} files that could be the config, none of them {CONFIG_NAMES[0]}"
        hints = [f"pass config_file, one of: {', '.join(others)}"]
        raise ConfigError(message, resolved=path, given=given, label="folder", hints=hints)
    error = _files.missing(os.path.join(path, CONFIG_NAMES[0]), role="config", given=given, looked_for=CONFIG_NAMES)
    error.hints = (*_hints_of_folder(path), *error.hints)
    raise error


def _hints_of_folder(path: str) -> list[str]:
    """Return what a folder without a config is: an ELMo's, or one of those above and below a BERT's."""
    names = sorted(os.listdir(path))
    if any(name.endswith((".hdf5", ".h5")) for name in names) and any("options" in name for name in names):
        return ["the folder holds an ELMo: load it with safeload.load_elmo"]
    near = [os.path.dirname(path), *(os.path.join(path, name) for name in names)]
    return [f"did you mean {each} ?" for each in near if os.path.isfile(os.path.join(each, CONFIG_NAMES[0]))][:3]


def read_config(path: str, *, given: object = None, source: _files.Source = _files.DISK) -> BertConfig:
    """Read and validate the config file at `path`.

    Raises:
        ConfigError: Not JSON; a key that keras-bert reads is missing, mistyped or out of range; a combination of keys
            or another model that keras-bert cannot build. All bad keys are in one error.
        MissingFileError, WrongFileKindError, UnreadableFileError, UnsafeFileError: As `bounded_json.read_json_object`.

    Source:
        keras_bert/loader.py, build_model_from_config, keras-bert 0.89.0.
    """
    return validate_config(read_json_object(path, role="config", given=given, source=source), path=path, given=given)


def validate_config(data: Mapping[str, Any], *, path: str, given: object = None) -> BertConfig:
    """Validate a config that is already a dict; `path` is where it came from, for the message.

    Raises:
        ConfigError: As `read_config`.
    """
    other = _other_model(data)
    if other:
        message = f"the config is of {other}, which keras-bert cannot build"
        hints = [f"load it with a library made for {other.split()[0]}"]
        raise ConfigError(message, resolved=path, given=given, label="config", hints=hints)
    keys = Keys(dict(data))
    sizes = {
        key: keys.integer(key, 1, high)
        for key, high in (
            ("vocab_size", MAX_SIZE),
            ("hidden_size", MAX_SIZE),
            ("num_hidden_layers", MAX_LAYERS),
            ("num_attention_heads", MAX_SIZE),
            ("intermediate_size", MAX_SIZE),
            ("max_position_embeddings", MAX_SIZE),
        )
    }
    hidden_act = keys.word("hidden_act", ACTIVATIONS)
    _require_combinations(keys, sizes)
    hints = []
    if len(keys.problems) > 1 and all(problem.problem.startswith("missing") for problem in keys.problems):
        hints = ["this may be the config of another program; BERT's is published as bert_config.json"]
    keys.raise_problems("the BERT config cannot be used", resolved=path, given=given, hints=hints, label="config")
    return BertConfig(path=path, hidden_act=hidden_act, raw=dict(data), **sizes)


def _require_combinations(keys: Keys, sizes: dict[str, int]) -> None:
    bad = {problem.key for problem in keys.problems}
    hidden, heads = sizes["hidden_size"], sizes["num_attention_heads"]  # 1 after a complaint, which divides every width
    if "hidden_size" not in bad and hidden % heads:
        keys.complain("num_attention_heads", f"{heads} does not divide hidden_size {hidden}")
    if "type_vocab_size" in keys.data and keys.integer("type_vocab_size", 1, MAX_SIZE) != SEGMENTS:
        segments = keys.data["type_vocab_size"]
        if "type_vocab_size" not in {problem.key for problem in keys.problems}:
            keys.complain(
                "type_vocab_size", f"keras-bert always builds {SEGMENTS} segments, the config says {segments}"
            )


def _other_model(data: Mapping[str, Any]) -> str | None:
    model_type = data.get("model_type", "bert")
    if not isinstance(model_type, str):
        return f"another model (model_type {shown(model_type)})"
    if model_type.lower() != "bert":
        return f"{model_type.lower()} (model_type)"
    for model, keys in _OTHER_MODELS.items():
        for key in keys:
            if data.get(key) not in (None, False) and not (key == "embedding_size" and _same_width(data)):
                return f"{model} ({key})"
    return None


def _same_width(data: Mapping[str, Any]) -> bool:
    return bool(data["embedding_size"] == data.get("hidden_size"))
