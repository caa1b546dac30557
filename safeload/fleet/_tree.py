"""Find the models in a tree of folders, one after another; what cannot be read or is half copied is found too."""

from __future__ import annotations

import fnmatch
import itertools
import os
from typing import TYPE_CHECKING, NamedTuple

from safeload._advice import may_be_of_allennlp, variables_of
from safeload._bytes import absent
from safeload._bytes.addresses import is_address
from safeload._bytes.archives.locating import ENDINGS, given_ref
from safeload._bytes.files import DISK, FileRef, real_path
from safeload._bytes.remote.source import RemoteSource
from safeload._forms.tensorflow.prefixes import ASSETS, SAVED_MODEL, VARIABLES, names_in_assets
from safeload._recognise import BERT, ELMO, has_piece_of, models_of_variables
from safeload._text.addresses import without_secrets
from safeload.errors import FileSystemError, MissingDependencyError, SafeLoadError, UnreadableFileError
from safeload.fleet._archives import models_in_archive
from safeload.fleet._found import Model, Skipped, Unreadable
from safeload.fleet._kinds import decided, kinds_at
from safeload.fleet._listing import Entered, absolute, inside, listed
from safeload.fleet._loose import reason_to_skip
from safeload.weights._places import has_weights

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from safeload._bytes.files import Source
    from safeload.fleet._found import Found

BERT_OR_ELMO = ("bert", "elmo")
"""What is looked for where no kind is asked for."""

_MODELS = {"bert": BERT, "elmo": ELMO}


class _Empty(NamedTuple):
    """An empty folder, which counts as a model beside others."""

    path: str


class _Folder(NamedTuple):
    path: str
    real: str
    is_link: bool
    is_inside_model: bool


def find_models(kinds: Sequence[str], paths: Iterable[str], excluded: Sequence[str] = ()) -> Iterator[Found]:
    """Find the models in each path: the path itself, or the folders below it that contain a model or a piece of one.

    They are found as they are asked for, and nothing is kept of those before. An empty folder beside models counts as a
    model, because a copy may have ended there. Weights alone do not, without a config, a vocabulary or a part of a checkpoint
    beside them. A path without any model is a model itself, so that its check reports what is missing.

    Args:
        kinds: Which kinds of model are looked for: "bert", "elmo", or "weights" alone.
        paths: The paths.
        excluded: Shell-style patterns of folders and archives that are left out, by their names or their paths below the given
            one.
    """
    for path in paths:
        yield from _at(tuple(kinds), path, excluded)


def _at(kinds: tuple[str, ...], path: str, excluded: Sequence[str]) -> Iterator[Found]:
    try:
        root = _root(path)
        _require_answer(root)
    except (MissingDependencyError, UnreadableFileError, FileSystemError) as exc:
        yield Unreadable(without_secrets(path), exc)
        return
    skipped: Skipped | None = None
    has_model = has_unreadable = has_empty = False
    for found in _walked(kinds, root, excluded) if root.is_dir() else _in_given_archive(kinds, root):
        if isinstance(found, Model) and not has_model:
            has_model = True
            yield from [skipped] if skipped else []
            if has_empty:  # those before, which are found again since they are not kept
                yield from _empty_before(found, _walked(kinds, root, excluded), kinds)
        if isinstance(found, _Empty):
            has_empty = True
            if has_model:
                yield _as_model(found, kinds)
        elif isinstance(found, Skipped) and found.path == root.path and not has_model:
            skipped = found
        else:
            has_unreadable = has_unreadable or isinstance(found, Unreadable)
            yield found
    if has_unreadable and not has_model:
        yield from [skipped] if skipped else []
    elif not has_model:
        yield from (Model(path, kind) for kind in _kinds_of_path(kinds, path))


def _empty_before(model: Model, walked: Iterable[Found | _Empty], kinds: tuple[str, ...]) -> Iterator[Model]:
    before = itertools.takewhile(lambda each: each != model, walked)
    return (_as_model(each, kinds) for each in before if isinstance(each, _Empty))


def _as_model(found: _Empty, kinds: tuple[str, ...]) -> Model:
    return Model(found.path, kinds[0] if len(kinds) == 1 else "")


def _kinds_of_path(kinds: tuple[str, ...], path: str) -> Sequence[str]:
    return kinds if len(kinds) == 1 else kinds_at(path) or [""]


def _in_given_archive(kinds: tuple[str, ...], root: FileRef) -> Iterator[Found]:
    if len(kinds) > 1 and root.path.lower().endswith(ENDINGS) and root.is_file():
        yield from models_in_archive(kinds, root)


def _root(path: str) -> FileRef:
    """Return the path as it is written, or, where `~` or a variable is expanded in it, the resolved path, or an address.

    Raises:
        MissingDependencyError: The package that reads the address is not installed.
    """
    given = FileRef(path=path, role="folder", given=path)
    try:
        found = given_ref(path, "path", "folder")
        found.is_dir()  # which needs the package that reads the address
    except MissingDependencyError:
        raise
    except SafeLoadError:
        return given  # which its check reports
    return given if absolute(path) == found.path and found.source is DISK else found


def _require_answer(root: FileRef) -> None:
    """Require that a server says what is at an address, if only that nothing is.

    Raises:
        UnreadableFileError: It refuses to.
        FileSystemError: It, or the network, failed.
    """
    if not is_address(root.path):
        return
    try:
        root.source.mode(root.path)
    except FileNotFoundError:  # which its check reports
        return
    except OSError as exc:
        raise absent.failed(root.at(root.path, "address"), exc) from exc


def _walked(kinds: tuple[str, ...], root: FileRef, excluded: Sequence[str]) -> Iterator[Found | _Empty]:
    def is_excluded(path: str) -> bool:
        below = os.path.relpath(path, root.path)
        return any(fnmatch.fnmatch(os.path.basename(path), each) or fnmatch.fnmatch(below, each) for each in excluded)

    entered = Entered(root.path, is_excluded if excluded else lambda _: False)
    pending: list[Iterator[_Folder]] = [
        iter([_Folder(root.path, real_path(root.path), is_link=False, is_inside_model=False)])
    ]
    while pending:
        folder = next(pending[-1], None)
        if folder is None:
            pending.pop()
            continue
        is_new = entered.is_wanted(folder.path) and entered.is_new(folder.real, is_link=folder.is_link)
        if is_new or folder.path == root.path:
            inner: list[Iterator[_Folder]] = []
            yield from _found_in(kinds, folder, root, entered, inner)
            pending += inner


def _found_in(
    kinds: tuple[str, ...], folder: _Folder, root: FileRef, entered: Entered, inner: list[Iterator[_Folder]]
) -> Iterator[Found | _Empty]:
    """Yield what is found in a folder itself; the iterator over the folders in it is added to `inner`."""
    ref = FileRef(path=folder.path, role="folder", source=_source_for_one(root))
    try:
        listing = listed(ref)
    except OSError as exc:
        yield _unreadable(folder.path, exc)
        return
    names = listing.names
    here, reason = _kinds_in(kinds, ref, names)
    is_empty = not (names or listing.has_folders or listing.lost)
    if here:
        yield from (Model(folder.path, kind) for kind in here)
    elif reason:
        yield Skipped(folder.path, reason)
    elif kinds != ("weights",) and is_empty and not folder.is_inside_model and folder.path != root.path:
        yield _Empty(folder.path)
    for name in names:
        if name.lower().endswith(ENDINGS):
            path = inside(folder.path, name)
            if entered.is_wanted(path) and entered.is_new_file(path, is_link=name in listing.links):
                yield from models_in_archive(kinds, ref.at(path, "archive"))
    yield from (_unreadable(path, exc) for path, exc in listing.lost if not (here and _is_broken(exc)))
    parts = (VARIABLES, ASSETS) if SAVED_MODEL in names else ()
    is_inside = bool(here) or folder.is_inside_model
    inner.append(_folder_in(folder, name, is_inside) for name in listing.folders if name not in parts)


def _source_for_one(root: FileRef) -> Source:
    """Return what opens one folder of a tree, so that what is found in it is forgotten with it."""
    return root.source.emptied() if isinstance(root.source, RemoteSource) else root.source


def _folder_in(above: _Folder, name: str, is_inside: bool) -> _Folder:  # noqa: FBT001  (of a tuple)
    path = inside(above.path, name)
    is_link = not is_address(path) and os.path.islink(path)
    real = os.path.realpath(path) if is_link else os.path.join(above.real, name)
    return _Folder(path, real, is_link=is_link, is_inside_model=is_inside)


def _kinds_in(kinds: tuple[str, ...], ref: FileRef, names: list[str]) -> tuple[Sequence[str], str]:
    """Return the kinds of the models in a folder; where there is none but weights without a config, the reason."""
    if kinds == ("weights",):
        return (kinds if has_weights(ref) else ()), ""
    claimed: list[str] = []
    loose: dict[str, str] = {}
    for kind in kinds:
        if reason := reason_to_skip(_MODELS[kind], ref, names):
            loose[kind] = reason
        elif _has_model(_MODELS[kind], ref, names):
            claimed.append(kind)
    if claimed:
        return decided(ref, [*claimed, *loose]), ""  # a vocabulary may lie beside weights of the other model
    return (), next(iter(loose.values()), "")


def _has_model(model: str, folder: FileRef, names: list[str]) -> bool:
    """Return whether a folder has a piece of a model, or is a TF-Hub module or an AllenNLP model with its variables."""
    if has_piece_of(model, [*names, *names_in_assets(folder)]):
        return True
    if model == ELMO and may_be_of_allennlp(folder, names):
        return True
    prefix = folder.inside(os.path.join(VARIABLES, VARIABLES))
    return model == ELMO and SAVED_MODEL in names and ELMO in models_of_variables(variables_of(prefix))


def _is_broken(exc: OSError) -> bool:
    return isinstance(exc, (FileNotFoundError, NotADirectoryError))


def _unreadable(path: str, exc: OSError) -> Unreadable:
    ref = FileRef(path=absolute(path), role="folder", given=path)
    if is_address(path):
        return Unreadable(path, absent.failed(ref, exc))
    if _is_broken(exc):
        return Unreadable(path, absent.missing(ref))
    message = f"the folder cannot be read, nor checked what is in it: {exc.strerror}"
    if isinstance(exc, PermissionError):
        hints = ["ask for read and execute permission on the folder"]
        return Unreadable(path, UnreadableFileError(message, **ref.facts, hints=hints))
    hints = absent.hints_of(exc)
    return Unreadable(path, FileSystemError(message, errno=exc.errno, **ref.facts, hints=hints))
