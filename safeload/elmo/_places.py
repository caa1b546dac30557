"""Step 1 for ELMo: which files are the options and the weights."""

from __future__ import annotations

import os
from typing import NamedTuple

from safeload import _files
from safeload._formats.bounded_json import require_json
from safeload._paths import is_remote, resolve_path
from safeload.elmo._download import download
from safeload.errors import AmbiguousCheckpointError, ConfigError, WrongFileKindError

OPTIONS_NAME, WEIGHTS_NAME = "options.json", "weights.hdf5"
_HDF5_ENDINGS = (".hdf5", ".h5", ".hdf")
_OTHER_FOLDERS = (
    (
        ("encoder.pkl", "token_embedder.pkl"),
        "an ELMoForManyLangs model",
        "it has another architecture; load it with ELMoForManyLangs",
    ),
    (
        ("saved_model.pb",),
        "a TensorFlow model or TF-Hub module",
        "an ELMo is published as options.json and weights.hdf5 too",
    ),
    (("tfhub_module.pb",), "a TF-Hub module", "an ELMo is published as options.json and weights.hdf5 too"),
    (("weights.th", "config.json"), "an AllenNLP archive", "load it with allennlp.models.load_archive"),
    (("bert_config.json",), "a BERT model", "load it with safeload.load_bert"),
)


class ElmoPlaces(NamedTuple):
    """Step 1's result: absolute paths, and how the weights were found."""

    options: str
    weights: str
    form: str


def find_elmo(options_file: object, weight_file: object, base_dir: object) -> ElmoPlaces:
    """Find the files; what is left out is looked for in the options' folder.

    Raises:
        InvalidPathError, MissingFileError, WrongFileKindError, UnreadableFileError, UnsafeFileError: As their resolvers.
        ConfigError: The folder has several JSON files that could be the options.
        AmbiguousCheckpointError: The folder has several HDF5 files that could be the weights.
    """
    given = _resolved(options_file, "options_file", base_dir)
    options = _find_options(given, options_file) if os.path.isdir(given) else given
    if weight_file is None:
        folder = os.path.dirname(options)
        _require_json(options, options_file)
        _files.require_file(options, role="options", given=options_file)
        weights, form, weight_file = find_weights(folder, options_file), "folder", options_file
    else:
        weights, form = _resolved(weight_file, "weight_file", base_dir), "HDF5 file"
        if os.path.isdir(weights):
            weights, form = find_weights(weights, weight_file), "folder"
        _require_json(options, options_file, weights)
        _files.require_file(options, role="options", given=options_file)
    _files.require_file(weights, role="weight", given=weight_file)
    return ElmoPlaces(options=options, weights=weights, form=form)


def _resolved(given: object, argument: str, base_dir: object) -> str:
    if is_remote(given):
        return download(given, argument)
    return resolve_path(given, argument=argument, base_dir=base_dir)


def _require_json(options: str, given: object, weights: str | None = None) -> None:
    """Require that the options are no other kind of file; `weights` tells whether the two are exchanged."""
    kind = _files.sniff(options)
    if kind is None or kind.name != "HDF5 file":
        require_json(kind, path=options, role="options", given=given)
        return
    other = _files.sniff(weights) if weights is not None else None
    if other is None or other.name != _files.JSON_TEXT:
        hint = "it holds weights: pass the options JSON as options_file, and this as weight_file"
        kind = _files.FileKind(name=kind.name, hint=hint)
        raise _files.wrong_kind(options, kind, role="options", wanted=_files.JSON_TEXT, given=given)
    message = "options_file and weight_file are exchanged: the first is an HDF5 file, the second JSON text"
    raise WrongFileKindError(
        message,
        wanted=_files.JSON_TEXT,
        found="HDF5 file",
        resolved=options,
        given=given,
        label="options",
        context=[("weight", str(weights))],
        hints=["pass the options first, then the weights"],
    )


def _find_options(folder: str, given: object) -> str:
    names = _names(folder)
    _require_elmo_folder(folder, names, given)
    candidates = _preferred([name for name in names if name.endswith(".json")], "options")
    if len(candidates) == 1:
        return os.path.join(folder, candidates[0])
    if candidates:
        message = f"the folder has {len(candidates)} files that could be the options"
        hints = [f"pass options_file, one of: {', '.join(candidates)}"]
        raise ConfigError(message, resolved=folder, given=given, label="folder", hints=hints)
    error = _files.missing(
        os.path.join(folder, OPTIONS_NAME), role="options", given=given, looked_for=("*options*.json", "*.json")
    )
    error.hints = (*_hints_of_subfolders(folder, names), *error.hints)
    raise error


def find_weights(folder: str, given: object) -> str:
    names = _names(folder)
    _require_elmo_folder(folder, names, given)
    candidates = _preferred([name for name in names if name.endswith(_HDF5_ENDINGS)], "weights")
    if len(candidates) == 1:
        return os.path.join(folder, candidates[0])
    if candidates:
        message = f"the folder has {len(candidates)} HDF5 files that could be the weights"
        paths = [os.path.join(folder, name) for name in candidates]
        hints = [f"pass weight_file, one of: {', '.join(candidates)}"]
        raise AmbiguousCheckpointError(
            message, candidates=paths, resolved=folder, given=given, label="folder", hints=hints
        )
    raise _files.missing(
        os.path.join(folder, WEIGHTS_NAME), role="weight", given=given, looked_for=("*weights*.hdf5", "*.hdf5")
    )


def _names(folder: str) -> list[str]:
    try:
        return sorted(name for name in os.listdir(folder) if not name.startswith("."))
    except OSError as exc:
        raise _files.unreadable(folder, role="folder") from exc


def _preferred(names: list[str], word: str) -> list[str]:
    """Return the names with `word` in them, or all of them where none has it."""
    return [name for name in names if word in name.lower()] or names


def _require_elmo_folder(folder: str, names: list[str], given: object) -> None:
    if any(name.endswith(_HDF5_ENDINGS) for name in names):
        return
    for signs, what, hint in _OTHER_FOLDERS:
        if set(signs) <= set(names):
            message = f"the folder holds {what}, not an ELMo's options and weights"
            wanted = "a folder with one options JSON and one HDF5 file"
            raise WrongFileKindError(
                message, wanted=wanted, found=what, resolved=folder, given=given, label="folder", hints=[hint]
            )


def _hints_of_subfolders(folder: str, names: list[str]) -> list[str]:
    inner = [os.path.join(folder, name) for name in names if os.path.isdir(os.path.join(folder, name))]
    fitting = [path for path in inner if any(name.endswith(_HDF5_ENDINGS) for name in _names(path))]
    return [f"did you mean {fitting[0]} ?"] if len(fitting) == 1 else []
