"""Choose between the configs, and between the weights, of a folder that has those of several libraries."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from safeload._bytes import absent
from safeload._bytes.kinds import sniff
from safeload._bytes.usual_names import files_of_forms, is_usual
from safeload._forms.tensorflow.prefixes import is_of_checkpoint, list_prefixes
from safeload._json import read_json_object, shown
from safeload._recognise import BERT
from safeload.bert._config import CONFIG_NAMES, defining_keys, is_of_transformers
from safeload.errors import ConfigError, LockError, SafeLoadError
from safeload.report import KeyProblem

if TYPE_CHECKING:
    from safeload._bytes.files import FileRef
    from safeload._forms.finding import Preference

_GOOGLE, _TRANSFORMERS = CONFIG_NAMES


def names_of_config(weights: FileRef) -> tuple[str, ...]:
    """Return the names of a config, first the one that the library of the weights at a path writes."""
    if weights.is_dir():
        files = [] if list_prefixes(weights) else files_of_forms(absent.names_in(weights), BERT)
        is_theirs = bool(files) and is_usual(files[0][0])
    else:
        kind = None if is_of_checkpoint(weights) else sniff(weights)
        is_theirs = kind is not None and (kind.has_config_of_transformers or is_usual(os.path.basename(weights.path)))
    return CONFIG_NAMES[::-1] if is_theirs else CONFIG_NAMES


def has_both_configs(folder: FileRef) -> bool:
    """Return whether a folder has the configs of both libraries."""
    return all(folder.inside(name).is_file() for name in CONFIG_NAMES)


def preference(config: FileRef, *, is_passed: bool) -> Preference:
    """Return which weights the library of a config writes; None if its name and its keys contradict each other.

    Args:
        config: The config.
        is_passed: Whether the caller passed the file itself; otherwise a second config beside it contradicts it.

    Raises:
        SafeLoadError: As `read_json_object`.
    """
    if not is_passed and has_both_configs(config.folder()):
        return None
    name = os.path.basename(config.path)
    if name == _TRANSFORMERS:
        return "file"
    if not is_of_transformers(read_json_object(config)):
        return "checkpoint"
    return None if name == _GOOGLE else "file"


def preference_in(folder: FileRef) -> Preference:
    """Return the preference of the only config in a folder; None if there is none or there are both.

    Raises:
        SafeLoadError: As `preference`.
    """
    found = [folder.inside(name) for name in CONFIG_NAMES if folder.inside(name).is_file()]
    return preference(found[0], is_passed=False) if found else None


def require_one_config(config: FileRef) -> None:
    """Require that the other library's config, beside the one that was found, describes the same model.

    Raises:
        ConfigError: They differ in a key that the model is built from.
        SafeLoadError: As `read_json_object`.
    """
    name = os.path.basename(config.path)
    other = next((config.folder().inside(each) for each in CONFIG_NAMES if each != name), config)
    if name not in CONFIG_NAMES or not other.is_file():
        return
    try:
        others = defining_keys(read_json_object(other))
    except LockError:
        if other.source.holds(other.path):  # signed, and missing or changed
            raise
        return
    except SafeLoadError:  # no JSON
        return
    own = defining_keys(read_json_object(config))
    problems = [
        KeyProblem(key=key, problem=f"{shown(own[key])} in {name}, {shown(value)} in {os.path.basename(other.path)}")
        for key, value in others.items()
        if key in own and own[key] != value
    ]
    if problems:
        raise ConfigError(
            f"the folder has two configs, of different models: {name} and {os.path.basename(other.path)}",
            problems=problems,
            **config.facts,
            context=[("other", other.path)],
            details=[str(problem) for problem in problems],
            hints=["pass the file that belongs to the weights as config_file, or remove the other"],
        )
