"""A fault: what is done to a good model, how it is then checked, and the exact error."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from safeload.lock import LOCK_NAME, lock_text, make_lock

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from safeload import LoadReport, errors

LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22e\nsize 440425712\n"
HTML = "<!DOCTYPE html>\n<html><head><title>Google Drive - Virus scan warning</title></head></html>\n"
XML = '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>AccessDenied</Code></Error>\n'


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One row.

    Attributes:
        name: Its name, and that of the golden message.
        error: The exact type that is raised.
        path: The path that the message resolves, relative to the model's folder; None where there is none.
        spoil: What is done to the folder first.
        call: Arguments of `check_bert` or `check_elmo`; "{}" stands for the folder.
    """

    name: str
    error: type[errors.SafeLoadError]
    path: str | None
    spoil: Callable[[Path], object] = lambda folder: None  # noqa: ARG005
    call: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class PathOf:
    """A path-like object that returns no path."""

    value: Any

    def __fspath__(self) -> Any:
        """Return what no path is."""
        return self.value


def write(name: str, content: str | bytes) -> Callable[[Path], object]:
    """Replace a file."""
    data = content.encode() if isinstance(content, str) else content
    return lambda folder: (folder / name).write_bytes(data)


def remove(*names: str) -> Callable[[Path], object]:
    """Remove files."""
    return lambda folder: [(folder / name).unlink() for name in names]


def rename(name: str, other: str) -> Callable[[Path], object]:
    """Rename a file."""
    return lambda folder: (folder / name).rename(folder / other)


def bytes_of(name: str, change: Callable[[bytes], bytes]) -> Callable[[Path], object]:
    """Change a file's bytes."""
    return lambda folder: (folder / name).write_bytes(change((folder / name).read_bytes()))


def flip(name: str, at: int) -> Callable[[Path], object]:
    """Flip one bit."""
    return bytes_of(name, lambda data: data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])


def lock(check: Callable[[Path], LoadReport], change: Callable[[str], str] = str) -> Callable[[Path], object]:
    """Lock the model, and change the lock's text."""

    def spoil(folder: Path) -> None:
        path = folder / LOCK_NAME
        path.write_text(change(lock_text(make_lock(check(folder), str(path)))), encoding="utf-8")

    return spoil


def then(*steps: Callable[[Path], object]) -> Callable[[Path], object]:
    """Do one after the other."""
    return lambda folder: [step(folder) for step in steps]
