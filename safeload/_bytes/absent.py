"""Describe missing and unreadable files: the nearest existing folder, its contents and similar names."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from safeload._bytes import paths
from safeload.errors import MissingFileError, UnreadableFileError

if TYPE_CHECKING:
    from safeload._bytes.files import FileRef

MAX_NAMES_PRINTED = 8


def unreadable(ref: FileRef) -> UnreadableFileError:
    """Return the error for a file that this process may not read."""
    message = f"no permission to read the {ref.role}"
    hints = ["ask for read permission on the file, and for execute permission on each folder above it"]
    return UnreadableFileError(message, **ref.facts, hints=hints)


def missing(ref: FileRef, looked_for: tuple[str, ...] = ()) -> MissingFileError:
    """Return the error for a path that does not exist."""
    message = (
        f"the {ref.role} file is a broken symbolic link"
        if os.path.islink(ref.path)
        else f"there is no {ref.role} file at this path"
    )
    return MissingFileError(message, **missing_facts(ref, looked_for or (os.path.basename(ref.path),)))


def missing_facts(ref: FileRef, looked_for: tuple[str, ...]) -> dict[str, Any]:
    """Return error arguments for a missing path: the nearest existing folder, its contents and similar names."""
    path = ref.path
    parent = nearest_folder(path)
    beside = names_in(parent)
    near = paths.near_paths(path, parent, beside)
    context = [("cwd", paths.working_directory() or "removed")] if not os.path.isabs(str(ref.given)) else []
    if parent != os.path.dirname(path):
        context.append(("exists", parent))
    context.append(("inside", names_text(beside)))
    hints = paths.invisible_hints(path) + [f"did you mean {other}?" for other in near]
    if os.path.islink(path):
        context.append(("link to", os.path.realpath(path)))
    return {
        **ref.facts,
        "context": context,
        "hints": hints,
        "looked_for": looked_for,
        "beside": tuple(beside),
        "close_names": tuple(map(os.path.basename, near)) if parent == os.path.dirname(path) else (),
    }


def nearest_folder(path: str) -> str:
    """Return the nearest folder above a path that exists."""
    parent = os.path.dirname(path)
    while not os.path.isdir(parent) and parent != os.path.dirname(parent):
        parent = os.path.dirname(parent)
    return parent


def names_in(folder: str) -> list[str]:
    """List the names in a folder, sorted, without hidden files; empty if the folder cannot be read."""
    try:
        return sorted(name for name in os.listdir(folder) if not name.startswith("."))
    except OSError:
        return []


def names_text(names: list[str]) -> str:
    """Format the first few names for a message."""
    left = len(names) - MAX_NAMES_PRINTED
    more = f", ... and {left} more" if left > 0 else ""
    return ", ".join(names[:MAX_NAMES_PRINTED]) + more if names else "nothing"
