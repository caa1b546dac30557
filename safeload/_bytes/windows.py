"""The rules that Windows has for paths, and the numbers of its errors."""

from __future__ import annotations

import re

from safeload.errors import InvalidPathError

MAX_PLAIN = 247
"""The characters of a path that every call of Windows takes: 260, less what a name and a drive may add."""

_PREFIX, _OF_SHARES = "\\\\?\\", "\\\\?\\UNC\\"
_DEVICE = re.compile(
    r"(?:CON|PRN|AUX|NUL|CONIN\$|CONOUT\$|(?:COM|LPT)[0-9\u00b9\u00b2\u00b3]) *(?:\.|$)", re.IGNORECASE
)
_VARIABLE = re.compile(r"%([^%\s\\/:]+)%")

_USED_ELSEWHERE = (32, 33)
_OF_DEVICES = range(19, 37)
"""Errors of drives, disks and shares, which Python gives as a lack of permission. In `winerror.h`, as those above."""


def plain(text: str, given: object, argument: str) -> str:
    r"""Return a path as Windows understands it: with backslashes, and no dots or spaces at the end of a name.

    A path that begins with `\\?\` is returned as it is.

    Raises:
        InvalidPathError: It names a device or a stream, is relative to the working directory of a drive, or has a
            character that Windows does not allow.

    Source:
        "Naming Files, Paths, and Namespaces" in Microsoft's documentation of Win32.
    """
    if text.startswith(_PREFIX):
        return text
    path = text.replace("/", "\\")
    drive, rest = (path[:2], path[2:]) if path[1:2] == ":" else ("", path)
    if path.startswith("\\\\.\\"):
        raise _invalid("is a path of a device", ["pass the path of a file or folder"], given, argument)
    if drive and not rest.startswith("\\"):
        hint = f"write the whole path, such as {drive}\\{rest}"
        raise _invalid(f"is relative to the working directory of the drive {drive}", [hint], given, argument)
    parts = [part if part in (".", "..") else part.rstrip(" .") for part in rest.split("\\")]
    for part in parts:
        if _DEVICE.match(part):
            hints = ["give the file or folder another name"]
            raise _invalid(f"has the name {part}, which is a device on Windows", hints, given, argument)
        bad = next((character for character in part if character in '<>:"|?*'), None)
        if bad is not None:
            hints = ["remove the character from the path"]
            raise _invalid(f"contains the character {bad!r}, which Windows does not allow", hints, given, argument)
    return drive + "\\".join(parts)


def variables_in(text: str) -> list[str]:
    """Return the names of the variables that a path has as `%NAME%`."""
    return _VARIABLE.findall(text)


def openable(path: str) -> str:
    """Return an absolute path as every call of Windows takes it, however long it is."""
    if len(path) <= MAX_PLAIN or path.startswith(_PREFIX):
        return path
    return _OF_SHARES + path[2:] if path.startswith("\\\\") else _PREFIX + path


def is_of_device(exc: OSError) -> bool:
    """Return whether an error of Windows that looks like a lack of permission is one of the drive, or of another process."""
    return getattr(exc, "winerror", None) in _OF_DEVICES


def in_use(exc: OSError) -> str:
    """Return what to say of a file that another process keeps from being opened; "" of any other error."""
    return "it is in use by another process" if getattr(exc, "winerror", None) in _USED_ELSEWHERE else ""


def hint_of(exc: OSError) -> str:
    """Return what to do about an error of Windows that has no hint by its `errno`; "" if there is nothing."""
    if in_use(exc):
        return "close the program that has the file open, then try again"
    return "look whether the drive is ready, and try a copy on another one" if is_of_device(exc) else ""


def _invalid(what: str, hints: list[str], given: object, argument: str) -> InvalidPathError:
    return InvalidPathError(f"{argument} {what}", given=given, hints=hints)
