"""Find the options and weights of an ELMo."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from safeload import _recognise
from safeload._bytes import absent
from safeload._bytes.files import FileRef
from safeload._bytes.kinds import JSON_TEXT, FileKind, files_of_forms, kinds_of, sniff, wrong_kind
from safeload._bytes.paths import is_remote, resolve_path
from safeload._bytes.small import require_file
from safeload._forms.weight_file import WeightPlace
from safeload._json import require_json
from safeload._model_kind import Places
from safeload.errors import AmbiguousCheckpointError, ConfigError, WrongFileKindError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from safeload._model_kind import Request
    from safeload.errors import MissingFileError

OPTIONS_NAME, WEIGHTS_NAME = "options.json", "weights.hdf5"


def resolve_config(request: Request) -> FileRef:
    """Find the options.

    Raises:
        InvalidPathError, MissingFileError, UnreadableFileError, UnsafeFileError: As `resolve_path` and `require_file`.
        WrongFileKindError: The path is the weight file or another kind of file.
        ConfigError: The folder has several JSON files that could be the options.
    """
    path = _resolved(request.config, "options_file", request.base_dir)
    ref = FileRef(path=path, role="options", given=request.config)
    if os.path.isdir(path):
        ref = _options_in(ref)
    kind = sniff(ref.path)
    if kind is not None and _recognise.ELMO in kind.models:
        raise _weights_as_options(ref, kind, request)
    require_json(kind, ref)
    require_file(ref)
    resolve_others(request, ref)  # a missing file is reported before a lock that names it
    return ref


def weights_folder(request: Request) -> str | None:
    """Return the folder of weights that were passed, whose lock applies too; None if none were, or at an address.

    Raises:
        InvalidPathError: As `resolve_path`.
    """
    if request.weights is None or is_remote(request.weights):
        return None
    path = resolve_path(request.weights, argument="weight_file", base_dir=request.base_dir)
    return path if os.path.isdir(path) else os.path.dirname(path)


def resolve_others(request: Request, options: FileRef) -> Places:
    """Find the weights, by default in the options' folder.

    Raises:
        InvalidPathError, MissingFileError, UnreadableFileError, UnsafeFileError: As `resolve_path` and `require_file`.
        WrongFileKindError: The folder is of another model.
        AmbiguousCheckpointError: The folder has several files that could be the weights.
    """
    if request.weights is None:
        place = find_weights(options.at(os.path.dirname(options.path), "weight"))
    else:
        path = _resolved(request.weights, "weight_file", request.base_dir)
        ref = FileRef(path=path, role="weight", given=request.weights, source=options.source)
        place = find_weights(ref) if os.path.isdir(path) else _place_of(ref)
    require_file(place.ref)
    return Places(config=options, weights=place)


def _place_of(ref: FileRef) -> WeightPlace:
    """Return the form of a weight file; a file of no form is opened as the first one, which raises.

    Raises:
        WrongFileKindError: The path is of a TensorFlow checkpoint, or a file of another library.
    """
    kinds = kinds_of(_recognise.ELMO)
    found = sniff(ref.path)
    if found not in kinds and (hints := _advice(ref.path)):
        from safeload._forms.tensorflow.prefixes import is_of_checkpoint  # noqa: PLC0415  (only an error needs it)

        kind = found or FileKind("checkpoint", "part of a TensorFlow checkpoint")
        kind = kind if not is_of_checkpoint(ref.path) else FileKind("checkpoint", "part of a TensorFlow checkpoint")
        raise wrong_kind(ref, kind._replace(hint=hints[0]), wanted="an HDF5 file")
    kind = found if found in kinds else kinds[0]
    return WeightPlace(ref=ref, form=kind.form, place=kind.name)


def _resolved(given: object, argument: str, base_dir: object) -> str:
    if is_remote(given):
        from safeload.elmo._download import download  # noqa: PLC0415  (only an address needs it)

        return download(given, argument)
    return resolve_path(given, argument=argument, base_dir=base_dir)


def _weights_as_options(ref: FileRef, kind: FileKind, request: Request) -> WrongFileKindError:
    """Return the error for weights passed as the options; the message says if the two arguments are swapped."""
    weights = request.weights
    path = None if weights is None else _resolved(weights, "weight_file", request.base_dir)
    if path is not None and os.path.isdir(path):
        path = find_weights(FileRef(path=path, role="weight", given=weights)).ref.path
    other = sniff(path) if path is not None else None
    if other is None or other.id != "json":
        hint = "it holds weights: pass the options JSON as options_file, and this as weight_file"
        return wrong_kind(ref, kind._replace(hint=hint), wanted=JSON_TEXT)
    return WrongFileKindError(
        "options_file and weight_file are swapped: the first is an HDF5 file, the second JSON text",
        wanted=JSON_TEXT,
        found=kind.name,
        **ref.facts,
        context=[("weight", str(path))],
        hints=["pass the options first, then the weights"],
    )


def _options_in(ref: FileRef) -> FileRef:
    folder, names = ref.path, absent.list_names(ref)
    _require_elmo_folder(ref, names)
    candidates = _preferred([name for name in names if name.endswith(".json")], "options")
    if len(candidates) == 1:
        return ref._replace(path=os.path.join(folder, candidates[0]))
    if candidates:
        message = f"the folder has {len(candidates)} files that could be the options"
        hints = [f"pass options_file, one of: {', '.join(candidates)}"]
        raise ConfigError(message, **ref.at(folder, "folder").facts, hints=hints)
    wanted = ref._replace(path=os.path.join(folder, OPTIONS_NAME))
    raise _missing(wanted, ("*options*.json", "*.json"), _hints_of_subfolders(folder, names))


def find_weights(ref: FileRef) -> WeightPlace:
    """Find the weights of an ELMo in a folder.

    Raises:
        WrongFileKindError: The folder is of another model.
        MissingFileError: The folder has no weights.
        AmbiguousCheckpointError: Several files could be the weights.
    """
    folder, names = ref.path, absent.list_names(ref)
    _require_elmo_folder(ref, names)
    forms = dict(files_of_forms(names, _recognise.ELMO))
    candidates = _preferred(list(forms), "weights")
    if len(candidates) == 1:
        path = os.path.join(folder, candidates[0])
        return WeightPlace(ref=ref.at(path, "weight"), form=forms[candidates[0]], place="folder")
    if candidates:
        message = f"the folder has {len(candidates)} HDF5 files that could be the weights"
        paths = [os.path.join(folder, name) for name in candidates]
        hints = [f"pass weight_file, one of: {', '.join(candidates)}"]
        folder_ref = ref.at(folder, "folder")
        raise AmbiguousCheckpointError(message, candidates=paths, **folder_ref.facts, hints=hints)
    raise _missing(ref.at(os.path.join(folder, WEIGHTS_NAME), "weight"), ("*weights*.hdf5", "*.hdf5"))


def _missing(ref: FileRef, looked_for: tuple[str, ...], near: Sequence[str] = ()) -> MissingFileError:
    """Return the error for a file that a folder does not have, with hints: where it is, else what the folder holds."""
    error = absent.missing(ref, looked_for)
    error.hints = (*(near or _advice(os.path.dirname(ref.path))), *error.hints)
    return error


def _advice(path: str) -> list[str]:
    from safeload._advice import advice  # noqa: PLC0415  (only an error needs it)

    return advice(path, _recognise.ELMO)


def _preferred(names: list[str], word: str) -> list[str]:
    """Return the names that contain `word`, or all names if none does."""
    return [name for name in names if word in name.lower()] or names


def _require_elmo_folder(ref: FileRef, names: list[str]) -> None:
    other = _recognise.other_folder(_recognise.ELMO, ref.path, names)
    if other is None or files_of_forms(names, _recognise.ELMO):
        return
    message = f"the folder contains {other.name}, not an ELMo's options and weights"
    wanted = "a folder with one options JSON and one HDF5 file"
    folder = ref.at(ref.path, "folder")
    raise WrongFileKindError(message, wanted=wanted, found=other.name, **folder.facts, hints=[other.hint])


def _hints_of_subfolders(folder: str, names: list[str]) -> list[str]:
    inner = [os.path.join(folder, name) for name in names if os.path.isdir(os.path.join(folder, name))]
    fitting = [path for path in inner if files_of_forms(absent.names_in(path), _recognise.ELMO)]
    return [f"did you mean {fitting[0]}?"] if len(fitting) == 1 else []
