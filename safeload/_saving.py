"""Prepare the folder that a model is saved to, lock what was saved, and undo it all if the saving fails."""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from safeload._arguments import as_python, bad_argument
from safeload._bytes import absent
from safeload._bytes.absent import failed
from safeload._bytes.files import FileRef
from safeload._bytes.paths import resolve_path
from safeload._bytes.usual_names import files_of_forms
from safeload._forms.tensorflow.prefixes import list_prefixes
from safeload._model_kind import Request
from safeload._steps import check
from safeload.errors import ArgumentError, WrongFileKindError
from safeload.lock import LOCK_NAME, lock_text, make_lock

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from safeload._model_kind import ModelKind
    from safeload.report import LoadReport


class Target(NamedTuple):
    """The folder that a model is saved to.

    Attributes:
        path: Its absolute path.
        given: What the caller passed.
        argument: The argument's name.
        replaces: Whether files there are replaced.
        locks: Whether a lock is written too.
    """

    path: str
    given: object
    argument: str
    replaces: bool
    locks: bool

    @property
    def ref(self) -> FileRef:
        """The folder."""
        return FileRef(path=self.path, role="folder", given=self.given)


def target_of(folder: object, *, argument: str, overwrite: object, lock: object, base_dir: object = None) -> Target:
    """Validate the arguments that say where a model is saved.

    Raises:
        ArgumentError: `overwrite` or `lock` is no bool.
        InvalidPathError: The path is invalid.
    """
    replaces, locks = flag("overwrite", overwrite), flag("lock", lock)
    return Target(resolve_path(folder, argument=argument, base_dir=base_dir), folder, argument, replaces, locks)


def flag(argument: str, value: object) -> bool:
    """Return a bool.

    Raises:
        ArgumentError: It is another value.
    """
    found = as_python(value)
    if not isinstance(found, bool):
        raise bad_argument(argument, value, "a bool", ["pass True or False"])
    return found


def require_free(target: Target, names: Iterable[str]) -> None:
    """Require that no file is replaced unasked, and that no lock of other files is left behind.

    Raises:
        ArgumentError: A file would be replaced, or a lock would name files that are no longer there.
    """
    there = [name for name in (*names, LOCK_NAME) if os.path.lexists(os.path.join(target.path, name))]
    facts = target.ref.facts
    if there and not target.replaces:
        message = f"the folder already has {', '.join(there)}"
        hints = ["save to another folder", "or pass overwrite=True to replace them"]
        raise ArgumentError(message, argument="overwrite", hints=hints, **facts)
    if LOCK_NAME in there and not target.locks:
        message = f"the folder has a {LOCK_NAME}, which the new files would not match"
        hints = ["pass lock=True to write a new lock too", "or save to another folder"]
        raise ArgumentError(message, argument="lock", hints=hints, **facts)


def require_alone(target: Target, names: Iterable[str], configs: Iterable[str], model: str) -> None:
    """Require that the folder has no config or weights besides those that are replaced: a load could take them instead.

    Raises:
        ArgumentError: It has.
    """
    folder = target.ref
    if not folder.is_dir():
        return
    ours = set(names)
    found = [
        name for name, _ in files_of_forms([each for each in absent.list_names(folder) if each not in ours], model)
    ]
    indexes = [f"{os.path.basename(prefix)}.index" for prefix in list_prefixes(folder)]
    found += [name for name in indexes if name not in ours]
    found += [name for name in configs if name not in ours and os.path.lexists(os.path.join(target.path, name))]
    if found:
        message = f"the folder has other files of a model: {', '.join(sorted(found))}"
        hints = ["save to another folder", "or remove them first"]
        raise ArgumentError(message, argument=target.argument, hints=hints, **folder.facts)


def require_elsewhere(target: Target, read: Iterable[FileRef]) -> None:
    """Require that the folder is not one that the model is read from.

    Raises:
        ArgumentError: It is.
    """
    for ref in read:
        folder = os.path.dirname(ref.source.on_disk(ref.path))
        with suppress(OSError):
            if os.path.samefile(folder, target.path):
                message = f"{target.argument} is the folder that the model is read from"
                hints = ["write to another folder: a folder of two forms is ambiguous"]
                raise ArgumentError(message, argument=target.argument, hints=hints, **target.ref.facts)


@contextmanager
def made(target: Target) -> Iterator[None]:
    """Make the folder and those above it; remove what was made if the saving fails.

    Raises:
        WrongFileKindError: The path, or one above it, is a file.
        UnreadableFileError, FileSystemError: The system cannot make it.
    """
    above, new = target.path, []
    while not os.path.lexists(above):
        new.append(above)
        above = os.path.dirname(above)
    ref = target.ref
    if not os.path.isdir(above):
        message = "the folder cannot be made: there is a file at its path"
        context = [("file", above)]
        raise WrongFileKindError(message, wanted="a folder", found="a file", **ref.facts, context=context)
    try:
        try:
            os.makedirs(target.path, exist_ok=True)
        except OSError as exc:
            raise failed(ref, exc, "write") from exc
        yield
    except BaseException:
        for each in new:
            with suppress(OSError):
                os.rmdir(each)
        raise


def lock_new(new: Path, report: LoadReport, kind: ModelKind[Any]) -> None:
    """Write the lock of new files, and check the files against it."""
    path = new / LOCK_NAME
    path.write_text(lock_text(make_lock(report, str(path))), encoding="utf-8", newline="\n")
    check(kind, Request(config=str(new), lock_file=str(path)), keep_values=False)
