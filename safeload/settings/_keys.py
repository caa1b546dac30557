"""Define the keys of a settings file, the parameters of the two loaders, with their types."""

from __future__ import annotations

import json
import os
import re
import reprlib
from typing import TYPE_CHECKING, Any, NamedTuple

from safeload._arguments import is_int, is_number
from safeload._bytes import mistyped, paths
from safeload.errors import InvalidPathError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from safeload.settings._sections import Section

MAX_BITS = 63
_TRUE, _FALSE, _NONE = ("true", "yes", "on", "1"), ("false", "no", "off", "0"), ("none", "null")


_REPR = reprlib.Repr()
_REPR.maxlevel, _REPR.maxlist, _REPR.maxdict, _REPR.maxstring, _REPR.maxlong, _REPR.maxother = 3, 40, 40, 80, 80, 80


class Key(NamedTuple):
    """The type of a key's value.

    Attributes:
        wanted: A description for messages.
        fits: Returns whether a typed value is valid.
        parse: Converts text to a value; raises ValueError.
        is_path: Whether the value is a path.
        may_be_none: Whether the value may be None.
    """

    wanted: str
    fits: Callable[[Any], bool]
    parse: Callable[[str], Any]
    is_path: bool = False
    may_be_none: bool = False

    def or_none(self) -> Key:
        """Return a copy that also accepts None."""
        return self._replace(wanted=f"{self.wanted}, or none", may_be_none=True)


def _flag_of(text: str) -> bool:
    if text.lower() not in (*_TRUE, *_FALSE):
        raise ValueError
    return text.lower() in _TRUE


def _list_of(parse: Callable[[str], Any]) -> Callable[[str], list[Any]]:
    def parse_list(text: str) -> list[Any]:
        if text.startswith("["):
            value = json.loads(text)
            return [parse(part if isinstance(part, str) else json.dumps(part)) for part in value]
        return [parse(part.strip()) for part in re.split(r"[,\n]", text) if part.strip()]

    return parse_list


def _either(first: Callable[[str], Any], second: Callable[[str], Any]) -> Callable[[str], Any]:
    def parse(text: str) -> Any:  # noqa: ANN401  (one of two types)
        try:
            return first(text)
        except ValueError:
            return second(text)

    return parse


def _is_list(fits: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and all(map(fits, value))


def _is_flag(value: object) -> bool:
    return isinstance(value, bool)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_int(value: object) -> bool:
    return is_int(value) and value.bit_length() <= MAX_BITS


def _is_number(value: object) -> bool:
    return _is_int(value) or (is_number(value) and not is_int(value))


_PATH = Key("a path", _is_text, str, is_path=True)
_FLAG = Key("true or false", _is_flag, _flag_of)
_INTEGER = Key("an integer", _is_int, int)
_NUMBER = Key("a number", _is_number, float)
_WORD = Key("a word", _is_text, str)
_WORDS = Key("a list of words", _is_list(_is_text), _list_of(str))

ELMO_KEYS: Mapping[str, Key] = {
    "options_file": _PATH,
    "weight_file": _PATH.or_none(),
    "num_output_representations": _INTEGER,
    "requires_grad": _FLAG,
    "do_layer_norm": _FLAG,
    "dropout": _NUMBER,
    "vocab_to_cache": _WORDS.or_none(),
    "keep_sentence_boundaries": _FLAG,
    "scalar_mix_parameters": Key(
        "a list of numbers, or stored",
        lambda value: value == "stored" or _is_list(_is_number)(value),
        lambda text: text if text == "stored" else _list_of(float)(text),
    ).or_none(),
    "stateful": _FLAG.or_none(),
    "backend": _WORD,
    "ignore_unused": _WORDS,
    "lock_file": _PATH.or_none(),
    "signature": _PATH.or_none(),
    "signed_by": _PATH.or_none(),
    "cache_dir": _PATH.or_none(),
    "scope": _WORD.or_none(),
    "expected_outputs": _PATH.or_none(),
}
BERT_KEYS: Mapping[str, Key] = {
    "config_file": _PATH,
    "checkpoint_file": _PATH.or_none(),
    "vocab_file": _PATH.or_none(),
    "training": _FLAG,
    "trainable": Key(
        "true, false or a list of words",
        lambda value: _is_flag(value) or _WORDS.fits(value),
        _either(_flag_of, _WORDS.parse),
    ).or_none(),
    "output_layer_num": Key(
        "an integer or a list of integers",
        lambda value: _is_int(value) or _is_list(_is_int)(value),
        _either(int, _list_of(int)),
    ),
    "seq_len": _INTEGER.or_none(),
    "ignore_unused": _WORDS,
    "lock_file": _PATH.or_none(),
    "signature": _PATH.or_none(),
    "signed_by": _PATH.or_none(),
    "cache_dir": _PATH.or_none(),
    "scope": _WORD.or_none(),
    "activation": _WORD.or_none(),
    "expected_outputs": _PATH.or_none(),
    "backend": _WORD,
    "dtype": _WORD.or_none(),
    "device": _WORD.or_none(),
    "dropout_rate": _NUMBER,
    "attention_activation": _WORD.or_none(),
    "use_task_embed": _FLAG,
    "task_num": _INTEGER,
}


def keys_of(section: Section) -> tuple[str, Mapping[str, Key]]:
    """Return the key that selects the model, and all keys of that model; without such a key, the model with more keys."""
    of_elmo, of_bert = ("options_file", ELMO_KEYS), ("config_file", BERT_KEYS)
    names = section.values.keys()
    for first, keys in (of_elmo, of_bert):
        if first in names:
            return first, keys
    return of_elmo if len(ELMO_KEYS.keys() & names) > len(BERT_KEYS.keys() & names) else of_bert


def value_of(key: str, value: object, keys: Mapping[str, Key], section: Section) -> object:
    """Convert and validate a value.

    Raises:
        ValueError: The value is invalid; the text describes the problem.
    """
    if key not in keys:
        raise ValueError(_unknown(key, keys))
    kind = keys[key]
    if section.is_text:
        value = _parsed(str(value), kind)
    if value is None and kind.may_be_none:
        return None
    if not kind.fits(value):
        message = f"expected {kind.wanted}, found {_shown(value)}"
        raise ValueError(message)
    if kind.is_path:
        try:
            folder = os.path.dirname(section.path)
            text = paths.written_elsewhere(str(value), folder)
            return paths.resolve_path(text, argument=key, base_dir=folder, takes_address=True)
        except InvalidPathError as exc:
            raise ValueError(exc.message.removeprefix(f"{key}: ").removeprefix(f"{key} ")) from exc
    return float(value) if kind is _NUMBER and is_number(value) else value


def _parsed(text: str, kind: Key) -> object:
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        message = f"{text} is in quotes, which INI takes as part of the value; remove them"
        raise ValueError(message)
    if not text:
        message = f"empty; expected {kind.wanted}"
        raise ValueError(message)
    if kind.may_be_none and text.lower() in _NONE:
        return None
    try:
        return kind.parse(text)
    except (ValueError, RecursionError) as exc:
        note = "; in INI, a comment goes on its own line" if re.search(r"\s[#;]", text) else ""
        message = f"expected {kind.wanted}, found {_shown(text)}{note}"
        raise ValueError(message) from exc


def _unknown(key: str, keys: Mapping[str, Key]) -> str:
    if key == "base_dir":
        return "not a settings key: relative paths start at the folder of the settings file"
    for name, others in (("load_bert", BERT_KEYS), ("load_elmo", ELMO_KEYS)):
        if key in others:
            return f"unknown here; it belongs to {name}"
    close = mistyped.close_names(key, list(keys))
    return f"unknown; did you mean {close[0]}?" if close else f"unknown; the keys are {', '.join(keys)}"


def _shown(value: object) -> str:
    if value is None or isinstance(value, bool):
        return json.dumps(value)  # as JSON, TOML and YAML write them
    try:
        text = _REPR.repr(value)
    except ValueError:
        return "a number with thousands of digits"
    return text if len(text) <= 40 else f"{text[:37]}..."  # noqa: PLR2004  (the width of a row)
