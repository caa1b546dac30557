"""Find the models in a tree of folders; what cannot be read or is half copied is found too."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, NamedTuple

from safeload._advice import may_be_of_allennlp, variables_of
from safeload._bytes import absent
from safeload._bytes.archives.locating import ENDINGS, located
from safeload._bytes.files import FileRef
from safeload._bytes.paths import resolve_path
from safeload._forms.tensorflow.prefixes import ASSETS, SAVED_MODEL, VARIABLES, names_in_assets
from safeload._recognise import BERT, ELMO, WEIGHTS_OF_ALLENNLP, has_piece_of, models_of_variables
from safeload.cli._loose import is_loose, reason_to_skip
from safeload.cli._models import Outcome
from safeload.errors import FileSystemError, SafeLoadError, UnreadableFileError, UnsafeFileError
from safeload.weights._places import are_weights, has_weights

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

_MODELS = {"bert": BERT, "elmo": ELMO, "weights": None}
"""What is looked for; None for the weights of any model."""

_NO_MODELS = ("__MACOSX", "lost+found")
"""Folders that systems make; no model is copied into them."""


class Found(NamedTuple):
    """What a tree holds.

    Attributes:
        models: The folders with a model or a piece of one, in archives too, and the paths that are no trees.
        unreadable: The folders and links that could not be looked into.
        skipped: Path -> reason, of the folders with weights that are no model for want of a config.
    """

    models: list[str]
    unreadable: list[Outcome]
    skipped: dict[str, str]


def find_models(kind: str, paths: Iterable[str]) -> Found:
    """Find the models in each path: the path itself, or the folders below it that contain a model or a piece of one.

    An empty folder beside models counts as a model, because a copy may have ended there. Weights alone do not, without a
    config, a vocabulary or a part of a checkpoint beside them. A path without any model is returned itself, so that its check
    reports what is missing.
    """
    found = Found([], [], {})
    for path in paths:
        root = _expanded(path)
        inner = _in_tree(kind, root) if os.path.isdir(root) else Found([], [], {})
        if not (inner.models or inner.unreadable):
            inner.models.append(path)
            inner.skipped.pop(root, None)
        found.models.extend(inner.models)
        found.unreadable.extend(inner.unreadable)
        found.skipped.update(inner.skipped)
    return found


def _expanded(path: str) -> str:
    """Return the path as it is written, or, where `~` or a variable is expanded in it, the resolved path."""
    try:
        resolved = resolve_path(path, argument="path")
    except SafeLoadError:
        return path  # which its check reports
    return path if os.path.abspath(path) == resolved else resolved


def _in_tree(kind: str, root: str) -> Found:
    models: list[str] = []
    empty: set[str] = set()
    unreadable: list[Outcome] = []
    skipped: dict[str, str] = {}
    seen: set[str] = set()
    left = [(root, False)]
    while left:
        folder, is_inside_model = left.pop()
        real = os.path.realpath(folder)
        if real in seen:
            continue
        seen.add(real)
        try:
            names, inner, lost = _listed(folder)
        except OSError as exc:
            unreadable.append(_unreadable(folder, exc))
            continue
        ref = FileRef(path=folder, role="folder")
        model = _MODELS[kind]
        reason = reason_to_skip(model, ref, names) if model else ""
        is_model = not reason and (_has_model(model, ref, names) if model else has_weights(ref))
        archives = _archives_in(folder, names, seen)
        if reason:
            skipped[folder] = reason
        elif is_model:
            models.append(folder)
        elif kind != "weights" and not (names or inner or lost or is_inside_model or folder == root):
            models.append(folder)
            empty.add(folder)
        models += [found for path in archives.values() for found in _in_archive(kind, path)]
        seen.update(archives)
        unreadable += [_unreadable(path, exc) for path, exc in lost if not (is_model and _is_broken(exc))]
        parts = (VARIABLES, ASSETS) if SAVED_MODEL in names else ()
        inner = [path for path in inner if os.path.basename(path) not in parts]
        left += [(path, is_model or is_inside_model) for path in reversed(inner)]
    return Found(models if len(models) > len(empty) else [], unreadable, skipped)


def _has_model(model: str, folder: FileRef, names: list[str]) -> bool:
    """Return whether a folder has a piece of a model, or is a TF-Hub module or an AllenNLP model with its variables."""
    if has_piece_of(model, [*names, *names_in_assets(folder)]):
        return True
    if model == ELMO and may_be_of_allennlp(folder, names):
        return True
    prefix = folder.inside(os.path.join(VARIABLES, VARIABLES))
    return model == ELMO and SAVED_MODEL in names and ELMO in models_of_variables(variables_of(prefix))


def _listed(folder: str) -> tuple[list[str], list[str], list[tuple[str, OSError]]]:
    """Return the names of the files in a folder, the paths of its folders, and the paths of which neither is known.

    Raises:
        OSError: The folder cannot be read.
    """
    names: list[str] = []
    inner: list[str] = []
    lost: list[tuple[str, OSError]] = []
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if entry.name.startswith(".") or entry.name in _NO_MODELS:
                continue
            try:
                is_folder = stat.S_ISDIR(entry.stat().st_mode) if entry.is_symlink() else entry.is_dir()
            except OSError as exc:
                lost.append((entry.path, exc))
                is_folder = False
            (inner if is_folder else names).append(entry.path if is_folder else entry.name)
    return names, inner, lost


def _archives_in(folder: str, names: Iterable[str], seen: Collection[str]) -> dict[str, str]:
    """Return real path -> path of the archives among the files of a folder, of each that was not seen yet."""
    found: dict[str, str] = {}
    for path in (os.path.join(folder, name) for name in names if name.lower().endswith(ENDINGS)):
        real = os.path.realpath(path)
        if real not in seen:
            found.setdefault(real, path)
    return found


def _in_archive(kind: str, path: str) -> list[str]:
    """Return the paths of the models in an archive: its own for the model at its top, or in its only folder.

    One that is cut off, damaged or unreadable is returned itself, so that its check reports it.
    """
    from safeload._bytes.archives.names import names_in_archive  # noqa: PLC0415  (few trees have archives)

    try:
        folders = names_in_archive(FileRef(path=os.path.abspath(path), role="archive", given=path))
    except UnsafeFileError:
        return []
    except SafeLoadError:
        return [path]
    shown = {
        folder: [name for name in names if not name.startswith(".")]
        for folder, names in folders.items()
        if not any(part.startswith(".") for part in folder.split("/"))
    }
    tops = {folder.partition("/")[0] for folder, names in shown.items() if names}
    only = tops.pop() if len(tops) == 1 else ""
    found = [
        folder for folder in shown if _is_model(kind, folder, shown) or _is_elmo_in(kind, path, folder, shown[folder])
    ]
    return [path if folder == only else os.path.join(path, folder) for folder in found]


def _is_model(kind: str, folder: str, folders: Mapping[str, list[str]]) -> bool:
    """Return whether a folder of an archive has a piece of a model; what belongs to a SavedModel is in its folder."""
    names, model = folders[folder], _MODELS[kind]
    above, _, last = folder.rpartition("/")
    if last in (VARIABLES, ASSETS) and SAVED_MODEL in folders.get(above, ()):
        return False
    if model is None:
        return SAVED_MODEL in names or are_weights(names) or any(name.endswith(".index") for name in names)
    assets = folders.get(f"{folder}/{ASSETS}".lstrip("/"), []) if SAVED_MODEL in names else []
    listed = [*names, *assets]
    return not is_loose(model, listed) and has_piece_of(model, listed)


def _is_elmo_in(kind: str, archive: str, folder: str, names: list[str]) -> bool:
    """Return whether a folder of an archive has an AllenNLP model with an ELMo, or one that cannot be read."""
    if _MODELS[kind] != ELMO or not any(name in names for name in WEIGHTS_OF_ALLENNLP):
        return False
    path = os.path.abspath(os.path.join(archive, folder))
    try:
        return may_be_of_allennlp(located(FileRef(path=path, role="folder", given=archive)), names)
    except SafeLoadError:
        return True


def _is_broken(exc: OSError) -> bool:
    return isinstance(exc, (FileNotFoundError, NotADirectoryError))


def _unreadable(path: str, exc: OSError) -> Outcome:
    ref = FileRef(path=os.path.abspath(path), role="folder", given=path)
    if _is_broken(exc):
        return Outcome(path=path, error=absent.missing(ref))
    message = f"the folder cannot be read, nor checked what is in it: {exc.strerror}"
    if isinstance(exc, PermissionError):
        hints = ["ask for read and execute permission on the folder"]
        return Outcome(path=path, error=UnreadableFileError(message, **ref.facts, hints=hints))
    hints = absent.hints_of(exc)
    return Outcome(path=path, error=FileSystemError(message, errno=exc.errno, **ref.facts, hints=hints))
