"""Find the options in the folder or archive of an AllenNLP model, whose weights have an ELMo among others.

Source:
    allennlp/models/archival.py, archive_model and get_weights_path, AllenNLP 2.10.1, and 0.9.0 for the folder `fta`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from safeload._bytes import absent
from safeload._bytes.usual_names import files_of_forms
from safeload._json import read_json_object
from safeload._recognise import ELMO, WEIGHTS_OF_ALLENNLP
from safeload._text.words import escaped, first_of, short
from safeload.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from safeload._bytes.files import FileRef

CONFIG_NAME = "config.json"
_FILES = "fta"
"""The folder in which AllenNLP before 1.0 archived the files that the config names, by the path of their key."""

_VOCABULARY = "vocabulary"
_KEY = "options_file"


def is_model(names: list[str]) -> bool:
    """Return whether a folder with these names is of an AllenNLP model, which may have lost its weights."""
    has_weights = any(name in names for name in WEIGHTS_OF_ALLENNLP)
    has_lost_them = _VOCABULARY in names and not files_of_forms(names, ELMO)
    return CONFIG_NAME in names and (has_weights or has_lost_them)


def archived_options(folder: FileRef) -> FileRef | None:
    """Return the options that lie with a model: in `fta`, or those that its config names; None if there are none.

    A path outside the folder is not followed.

    Raises:
        ConfigError: There are options of several ELMos, or the config is not JSON.
        SafeLoadError: As `read_json_object`.
    """
    inner = folder.inside(_FILES)
    names = sorted(absent.names_in(inner)) if inner.is_dir() else []
    found = [inner.inside(name, "options") for name in names if name.endswith(_KEY)] or list(_named(folder))
    if len(found) > 1 and any(read_json_object(each) != read_json_object(found[0]) for each in found[1:]):
        message = f"the model has the options of {len(found)} ELMos"
        hints = [
            f"pass options_file, one of: {', '.join(each.path for each in found)}",
            "and scope, to choose the ELMo",
        ]
        raise ConfigError(message, **folder.at(folder.path, "folder").facts, hints=hints)
    return found[0] if found else None


def notes_on_options(folder: FileRef) -> list[str]:
    """Return a note on the options that a model's config names and that are not in its folder; none for another folder.

    Raises:
        SafeLoadError: As `read_json_object`.
    """
    config = folder.inside(CONFIG_NAME, "config")
    named = sorted(set(_paths_in(read_json_object(config)))) if config.is_file() else []
    what = f"{CONFIG_NAME} names the options {first_of([escaped(short(each)) for each in named])}, which are not here"
    return [f"{what}: those of the original ELMo are taken; pass options_file for others"] if named else []


def _named(folder: FileRef) -> Iterator[FileRef]:
    """Yield the files in the folder that the config names as the options of an ELMo, by their path there or by their name."""
    for given in sorted(set(_paths_in(read_json_object(folder.inside(CONFIG_NAME, "config"))))):
        parts = given.split("/")
        places = [parts, parts[-1:]] if os.pardir not in parts and not os.path.isabs(given) else [parts[-1:]]
        files = (folder.inside(os.path.join(*place), "options") for place in places if all(place))
        yield from [each for each in files if each.is_file()][:1]


def _paths_in(config: dict[str, Any]) -> Iterator[str]:
    """Yield each text under the key `options_file`, at any depth."""
    left: list[Any] = [config]
    while left:
        value = left.pop()
        if isinstance(value, dict):
            if isinstance(value.get(_KEY), str):
                yield value[_KEY]
            left += value.values()
        elif isinstance(value, list):
            left += value
