"""Decide which names are those of systems, and which spelling of a name a folder has."""

from __future__ import annotations

import os
import re
import unicodedata
from typing import TYPE_CHECKING

from safeload._bytes.addresses import is_address
from safeload._bytes.files import DISK
from safeload.errors import AmbiguousCheckpointError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from safeload._bytes.files import Source

_OF_SYSTEMS = {".ds_store", "thumbs.db", "desktop.ini", "lost+found"}
_SWAPPED = str.maketrans({chr(code): chr(code ^ 0x20) for code in range(128) if chr(code).isalpha()})
_DRIVE = re.compile(r"[A-Za-z]:")
_OF_PREFIX = ".index"
"""What a checkpoint's prefix, which is no file, is followed by in the name of one."""


def is_of_the_system(name: str) -> bool:
    """Return whether a file or folder is one that macOS, Windows or a file system puts beside those of the user.

    Those that begin with `._` are AppleDouble files, which have the name of the file that they belong to.
    """
    return name.startswith(("._", "__MACOSX")) or name.lower() in _OF_SYSTEMS


def is_shown(name: str) -> bool:
    """Return whether a name in a folder may be that of a model's file or folder: neither hidden nor one of a system's."""
    return not (name.startswith(".") or is_of_the_system(name))


def slashed(name: str) -> str:
    """Return a relative path as each system reads it, with slashes, if it was written on Windows."""
    return name.replace("\\", "/")


def leads_out(name: str) -> bool:
    """Return whether a path with slashes leads out of its folder on any system, or is not written in its shortest form."""
    return bool(_DRIVE.match(name)) or not {"", ".", ".."}.isdisjoint(name.split("/"))


def composed(name: str) -> str:
    """Return what names have in common that differ only in how their accents are written."""
    return unicodedata.normalize("NFC", name)


def folded(name: str) -> str:
    """Return what names have in common that differ only in case, or in how their accents are written."""
    return composed(composed(name).casefold())


def spellings(name: str, names: Iterable[str], *, folds_case: bool = False) -> list[str]:
    """Return which names are this one, sorted: itself, or else those that differ only in how their accents are written.

    `é` is one character on most systems, and on macOS often two. Case counts unless the folder does not tell it apart.
    """
    listed = {*names}
    if name in listed:
        return [name]
    same = folded if folds_case else composed
    return sorted(each for each in listed if same(each) == same(name))


def as_stored(path: str, source: Source = DISK, *, given: object = None, label: str = "path") -> str:
    """Return the path of a file, or of a checkpoint's prefix, with its last name as its folder has it.

    The path itself is returned if it is the only one, or if nothing is there.

    Raises:
        AmbiguousCheckpointError: Nothing has this very name, and several files have it in other spellings.
    """
    folder, name = os.path.split(path)
    is_there = source.is_there(path)
    others = {name.translate(_SWAPPED), *_forms_of(name)} - {name}
    if is_address(path) or (is_there and not any(source.is_there(os.path.join(folder, other)) for other in others)):
        return path
    try:
        names = source.names_in(folder)
    except OSError:
        return path
    prefixes = [each.removesuffix(_OF_PREFIX) for each in names if each.endswith(_OF_PREFIX)]
    found = spellings(name, [*names, *prefixes], folds_case=is_there)
    if len(found) > 1:
        message = f"{len(found)} names in the folder are this one, with accents written in other ways"
        candidates = [os.path.join(folder, each) for each in found]
        hints = ["rename the files, or pass one of them as it is written in the folder"]
        raise AmbiguousCheckpointError(
            message, candidates=candidates, resolved=path, given=given, label=label, hints=hints
        )
    return os.path.join(folder, found[0]) if found else path


def as_spelled(path: str, source: Source = DISK, *, given: object = None, label: str = "path") -> str:
    """Return a path of which each name that is not there is spelled as its folder has it; see `as_stored`.

    Raises:
        AmbiguousCheckpointError: As `as_stored`.
    """
    if path.isascii() or is_address(path):
        return path
    above, missing = path, list[str]()
    while not source.is_there(above) and os.path.dirname(above) != above:
        above, name = os.path.split(above)
        missing.append(name)
    for name in reversed(missing):
        above = as_stored(os.path.join(above, name), source, given=given, label=label)
    return above


def other_case(path: str, source: Source = DISK) -> str:
    """Return the name beside a path that differs from its own only in case; "" unless there is exactly one."""
    folder, name = os.path.split(path)
    try:
        found = spellings(name, source.names_in(folder), folds_case=True)
    except OSError:
        return ""
    return found[0] if len(found) == 1 else ""


def key_of_folder(path: str) -> str:
    """Return the path of a folder without links, each name spelled as it is stored; an address as it is."""
    if is_address(path):
        return path
    above, names = os.path.realpath(path), list[str]()
    while (parent := os.path.dirname(above)) != above:
        names.append(os.path.basename(above))
        above = parent
    for name in reversed(names):
        above = as_stored(os.path.join(above, name))
    return above


def key_of(path: str) -> tuple[str, str]:
    """Return what is equal for each path of a file, whatever links to its folder, case and accents lead to it."""
    return key_of_folder(os.path.dirname(path)), os.path.basename(as_stored(path))


def _forms_of(name: str) -> list[str]:
    return [] if name.isascii() else [unicodedata.normalize("NFC", name), unicodedata.normalize("NFD", name)]
