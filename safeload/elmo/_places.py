"""Find the options and weights of an ELMo."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TypeGuard

from safeload import _recognise
from safeload._bytes import absent
from safeload._bytes.addresses import joined
from safeload._bytes.archives.locating import archive_hints, given_ref, located, lock_folder
from safeload._bytes.kinds import BY_ID, CHECKPOINT, JSON_TEXT, UNKNOWN, FileKind, sniff, wrong_kind
from safeload._bytes.small import require_file
from safeload._bytes.tfhub import handle_of, modules_in
from safeload._bytes.usual_names import files_of_forms
from safeload._caches import cached_models
from safeload._forms.tensorflow.prefixes import (
    STATE_NAME,
    VARIABLES,
    find_checkpoint,
    is_of_checkpoint,
    list_prefixes,
    prefix_of,
    saved_prefix,
)
from safeload._forms.weight_file import WeightPlace
from safeload._json import require_json
from safeload._model_kind import Places
from safeload._text.words import with_article
from safeload.elmo import _allennlp
from safeload.elmo._vocabulary import find_vocabulary
from safeload.elmo.namings import namings_in
from safeload.errors import AmbiguousCheckpointError, ConfigError, WrongFileKindError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from safeload._bytes.files import FileRef, Source
    from safeload._model_kind import Request
    from safeload.errors import MissingFileError

OPTIONS_NAME, WEIGHTS_NAME = "options.json", "weights.hdf5"
_OF_SIMPLE_ELMO = "model.hdf5"
"""The weights in the folders and zips of simple_elmo and the NLPL repository."""

_HDF5, _TORCH = "hdf5", "torch"
_VARIABLES = os.path.join(VARIABLES, VARIABLES)


def resolve_config(request: Request, source: Source) -> FileRef:
    """Find the options, or the folder of weights whose model needs none: of a TF-Hub module, or of AllenNLP.

    Raises:
        InvalidPathError, MissingFileError, UnreadableFileError, UnsafeFileError: As `resolve_path` and `require_file`.
        WrongFileKindError: The path is the weight file or another kind of file.
        ConfigError: The folder has several JSON files that could be the options.
    """
    ref = _resolved(request.config, "options_file", request, source)
    if _is_alone(request, ref):
        ref = _options_in(ref.folder(), may_lack=True)
    elif ref.is_dir():
        ref = _options_in(module_in(ref))
    if ref.is_dir():  # of weights without options
        return resolve_others(request, ref).config
    kind = sniff(ref)
    if _is_weights(ref, kind):
        raise _weights_as_options(ref, kind or UNKNOWN, request)
    require_json(kind, ref)
    require_file(ref)
    resolve_others(request, ref)  # a missing file is reported before a lock that names it
    return ref


def weights_folder(request: Request, source: Source) -> FileRef:
    """Return the folder of the weights, or of the model, that was passed, whose lock applies too.

    Raises:
        InvalidPathError: As `resolve_path`.
    """
    given, argument = (
        (request.weights, "weight_file") if request.weights is not None else (request.config, "options_file")
    )
    ref = given_ref(given, argument, "folder", base_dir=request.base_dir, source=source, cache_dir=request.cache_dir)
    return ref.at(lock_folder(ref.path, ref.source))


def resolve_others(request: Request, options: FileRef) -> Places:
    """Find the weights, by default in the options' folder, and the vocabulary there.

    Raises:
        InvalidPathError, MissingFileError, UnreadableFileError, UnsafeFileError: As `resolve_path` and `require_file`.
        WrongFileKindError: The folder is of another model.
        AmbiguousCheckpointError: The folder has several files that could be the weights.
    """
    if request.weights is None:
        place = _place_in(request, options)
    else:
        ref = _resolved(request.weights, "weight_file", request, options.source)
        place = find_weights(module_in(ref)) if ref.is_dir() else _place_of(ref)
    if place.form != CHECKPOINT:  # whose index file was found
        require_file(place.ref)
    return Places(config=options, weights=place, vocab=find_vocabulary(options))


def _place_in(request: Request, options: FileRef) -> WeightPlace:
    """Return the weights in the folder that was passed, or in that of the options; or the file that was passed alone.

    Raises:
        SafeLoadError: As `find_weights`.
    """
    folder = options if options.is_dir() else options.folder()
    ref = _resolved(request.config, "options_file", request, options.source)
    if _is_alone(request, ref):
        return _place_of(ref.at(ref.path, "weight"))
    folder = module_in(ref) if ref.is_dir() else folder
    return find_weights(folder.at(folder.path, "weight"))


def _place_of(ref: FileRef) -> WeightPlace:
    """Return the form of a weight file or checkpoint; a file of no form is opened as the first one, which raises.

    Raises:
        WrongFileKindError: It is a file of another library.
        SafeLoadError: As `find_checkpoint`.
    """
    if is_of_checkpoint(ref) or os.path.basename(ref.path) == STATE_NAME:
        return find_checkpoint(ref)
    found = sniff(ref)
    if found is not None and not _is_form(found) and (hints := _advice(ref)):
        raise wrong_kind(ref, found._replace(hint=hints[0]), wanted="an HDF5 file")
    kind = found if _is_form(found) else BY_ID[_HDF5]
    return WeightPlace(ref=ref, form=kind.form, place=kind.name)


def _is_form(kind: FileKind | None) -> TypeGuard[FileKind]:
    """Return whether a kind of file is a form of an ELMo's weights, in one file."""
    return kind is not None and _recognise.ELMO in kind.models and kind.form != CHECKPOINT


def _resolved(given: object, argument: str, request: Request, source: Source) -> FileRef:
    role = argument.removesuffix("_file")
    base_dir, cache_dir = request.base_dir, request.cache_dir
    return located(given_ref(given, argument, role, base_dir=base_dir, source=source, cache_dir=cache_dir))


def _is_alone(request: Request, ref: FileRef) -> bool:
    """Return whether the only path that was passed is a PyTorch file, whose shapes prove the sizes in its options."""
    kind = sniff(ref) if request.weights is None else None
    return kind is not None and kind.form == _TORCH


def _is_weights(ref: FileRef, kind: FileKind | None) -> bool:
    """Return whether a path is an HDF5 or PyTorch file, or of a checkpoint of a biLM."""
    if is_of_checkpoint(ref):
        from safeload._advice import variables_of  # noqa: PLC0415  (only an error needs it)

        return bool(namings_in(variables_of(ref.at(prefix_of(ref.path)))))
    return _is_form(kind)


def _weights_as_options(ref: FileRef, kind: FileKind, request: Request) -> WrongFileKindError:
    """Return the error for weights passed as the options; the message says if the two arguments are swapped."""
    weights = request.weights
    beside = None if weights is None else _resolved(weights, "weight_file", request, ref.source.below())
    if beside is not None and beside.is_dir():
        beside = find_weights(beside).ref
    other = sniff(beside) if beside is not None else None
    if beside is None or other is None or other.id != "json":
        hint = "it holds weights: pass the options JSON as options_file, and this as weight_file"
        return wrong_kind(ref, kind._replace(hint=hint), wanted=JSON_TEXT)
    return WrongFileKindError(
        f"options_file and weight_file are swapped: the first is {with_article(kind.name)}, the second JSON text",
        wanted=JSON_TEXT,
        found=kind.name,
        **ref.facts,
        context=[("weight", beside.path)],
        hints=["pass the options first, then the weights"],
    )


def _options_in(ref: FileRef, *, may_lack: bool = False) -> FileRef:
    folder, names = ref.path, absent.list_names(ref)
    _require_elmo_folder(ref, names)
    may_lack = may_lack or _is_module(ref) or _allennlp.is_model(names)
    candidates = _preferred([name for name in names if name.endswith(".json")], "options")
    if may_lack:
        candidates = [name for name in candidates if "options" in name.lower()]
    if len(candidates) == 1:
        return ref.inside(candidates[0])
    if candidates and not cached_models(ref)[0]:
        message = f"the folder has {len(candidates)} files that could be the options"
        hints = [f"pass options_file, one of: {', '.join(candidates)}"]
        raise ConfigError(message, **ref.at(folder, "folder").facts, hints=hints)
    if may_lack:
        return (_allennlp.archived_options(ref) if _allennlp.is_model(names) else None) or ref
    wanted = ref.inside(OPTIONS_NAME)
    raise _missing(wanted, ("*options*.json", "*.json"), _hints_of_subfolders(ref, names))


def find_weights(ref: FileRef) -> WeightPlace:
    """Find the weights of an ELMo in a folder.

    Raises:
        WrongFileKindError: The folder is of another model.
        MissingFileError: The folder has no weights.
        AmbiguousCheckpointError: Several files could be the weights.
    """
    names = absent.list_names(ref)
    _require_elmo_folder(ref, names)
    forms = files_of_forms(names, _recognise.ELMO)
    candidates = _preferred([name for name, form in forms if form == _HDF5], "weights")
    candidates = [_OF_SIMPLE_ELMO] if _OF_SIMPLE_ELMO in candidates else candidates
    if _is_module(ref):  # beside its variables, files without a usual name are of other models
        usual = [name for name in candidates if "weights" in name.lower()]
        if not usual:
            return find_checkpoint(ref)
        raise _ambiguous(ref, [_VARIABLES, *usual], "the folder has a SavedModel and another file with weights")
    if not candidates and (list_prefixes(ref) or ref.inside(STATE_NAME).is_file()):
        return find_checkpoint(ref)
    if not candidates:
        candidates = [name for name in _recognise.WEIGHTS_OF_ALLENNLP if name in names][:1]
    candidates = candidates or [name for name, _ in forms]
    if len(candidates) == 1:
        return WeightPlace(ref=ref.inside(candidates[0], "weight"), form=dict(forms)[candidates[0]], place="folder")
    if candidates:
        what = "HDF5 files" if dict(forms)[candidates[0]] == _HDF5 else "PyTorch files"
        raise _ambiguous(ref, candidates, f"the folder has {len(candidates)} {what} that could be the weights")
    if _allennlp.is_model(names):
        name, *others = _recognise.WEIGHTS_OF_ALLENNLP
        raise _missing(ref.inside(name, "weight"), (name, *others))
    raise _missing(ref.inside(WEIGHTS_NAME, "weight"), ("*weights*.hdf5", "*.hdf5"))


def _ambiguous(ref: FileRef, names: list[str], message: str) -> AmbiguousCheckpointError:
    hints = [f"pass weight_file, one of: {', '.join(names)}"]
    paths = [joined(ref.path, name) for name in names]
    return AmbiguousCheckpointError(message, candidates=paths, **ref.at(ref.path, "folder").facts, hints=hints)


def _missing(ref: FileRef, looked_for: tuple[str, ...], near: Sequence[str] = ()) -> MissingFileError:
    """Return the error for a file that a folder does not have, with hints: where it is, else what the folder holds."""
    error = absent.missing(ref, looked_for)
    error.hints = (*(near or _advice(ref.folder()) or archive_hints(ref.folder())), *error.hints)
    return error


def _advice(ref: FileRef) -> list[str]:
    from safeload._advice import advice  # noqa: PLC0415  (only an error needs it)

    return advice(ref, _recognise.ELMO)


def _preferred(names: list[str], word: str) -> list[str]:
    """Return the names that contain `word`, or all names if none does."""
    return [name for name in names if word in name.lower()] or names


def _require_elmo_folder(ref: FileRef, names: list[str]) -> None:
    other = _recognise.other_folder(_recognise.ELMO, ref.path, names)
    if other is None or files_of_forms(names, _recognise.ELMO) or _is_module(ref):
        return
    message = f"the folder contains {other.name}, not an ELMo's options and weights"
    wanted = "a folder with one options JSON and one HDF5 file"
    folder = ref.at(ref.path, "folder")
    raise WrongFileKindError(message, wanted=wanted, found=other.name, **folder.facts, hints=[other.hint])


def _is_module(ref: FileRef) -> bool:
    """Return whether a folder is a SavedModel with its variables, as a TF-Hub module is."""
    return saved_prefix(ref) is not None


def module_in(ref: FileRef) -> FileRef:
    """Return the folder of the only ELMo in a folder that is TF-Hub's cache; another folder is returned as it is.

    Raises:
        AmbiguousCheckpointError: The cache has several.
    """
    modules = modules_in(ref, absent.names_in(ref))
    if not modules:
        return ref
    from safeload._advice import variables_of  # noqa: PLC0415  (only a cache needs it)

    elmos = [each for each in modules if namings_in(variables_of(each.inside(_VARIABLES)))]
    if len(elmos) > 1:
        message = f"the cache of TF-Hub has {len(elmos)} ELMos"
        hints = [f"pass one of: {', '.join(_named(each) for each in elmos)}"]
        facts = ref.at(ref.path, "folder").facts
        raise AmbiguousCheckpointError(message, candidates=[each.path for each in elmos], **facts, hints=hints)
    return elmos[0] if elmos else ref


def _named(module: FileRef) -> str:
    handle = handle_of(module)
    return f"{module.path} ({handle})" if handle else module.path


def _hints_of_subfolders(folder: FileRef, names: list[str]) -> list[str]:
    inner = [each for each in map(folder.inside, names) if each.is_dir()]
    fitting = [each for each in inner if files_of_forms(absent.names_in(each), _recognise.ELMO)]
    return [f"did you mean {fitting[0].path}?"] if len(fitting) == 1 else []
