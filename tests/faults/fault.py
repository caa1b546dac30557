"""A fault: what is done to a good model, how it is then checked, and the exact error."""

from __future__ import annotations

import os
import zipfile
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, get_args

import safeload
from safeload.lock import LOCK_NAME, lock_text, make_lock

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from types import UnionType

    from safeload import LoadReport, errors, testing

LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22e\nsize 440425712\n"
HTML = "<!DOCTYPE html>\n<html><head><title>Google Drive - Virus scan warning</title></head></html>\n"
XML = '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>AccessDenied</Code></Error>\n'


CHECK = {
    "bert": safeload.check_bert,
    "elmo": safeload.check_elmo,
    "settings": partial(safeload.read_settings, section="A"),
}
LOAD = {"bert": safeload.load_bert, "elmo": safeload.load_elmo}
_OF_A_LOAD = "expected_outputs"
FIRST_ARGUMENT = {"bert": "config_file", "elmo": "options_file", "settings": "file"}


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One row.

    Attributes:
        model: "bert", "elmo", or "settings" for a settings file.
        name: Its name among those of the model, and that of the golden message.
        error: The exact type that is raised; several where it depends on the system's libraries; None where the values of
            the good model are loaded.
        path: The path that the message resolves, relative to the model's folder; None where there is none.
        spoil: What is done to the folder first.
        call: Arguments of the check; "{}" stands for the folder.
        what: What a hostile file does, for the table in tests/attacks/README.md; it is checked in a process of its own.
        has_message: Whether its message is kept in golden/. That of a hostile file may depend on the machine; what a
            report alone has is kept in tests/reports/said/.
        reports: Ids of the failures in tests/reports/reported.py that it reproduces.
    """

    model: str
    name: str
    error: type[errors.SafeLoadError] | UnionType | None
    path: str | None = None
    spoil: Callable[[Path], object] = lambda folder: None  # noqa: ARG005
    call: dict[str, Any] = field(default_factory=dict)
    what: str = ""
    has_message: bool = True
    reports: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Its name and the model's."""
        return f"{self.model}/{self.name}"

    @property
    def is_hostile(self) -> bool:
        """Whether it is checked in a process of its own, under a cap of memory and time."""
        return bool(self.what)

    @property
    def outcomes(self) -> list[str]:
        """The names of the errors that may be raised; "" for none."""
        return [kind.__name__ if kind else "" for kind in get_args(self.error) or [self.error]]

    def arguments(self, folder: Path) -> dict[str, Any]:
        """Return the arguments of the check, for a model in this folder."""
        given = {FIRST_ARGUMENT[self.model]: "{}", **self.call}
        return {
            name: value.replace("{}", str(folder)) if isinstance(value, str) else value for name, value in given.items()
        }

    def check(self, folder: Path) -> Any:
        """Check the model, or load it where only a load has an argument of the row."""
        calls = LOAD if _OF_A_LOAD in self.call else CHECK
        return calls[self.model](**self.arguments(folder))

    def load(self, folder: Path) -> Any:
        """Load the model."""
        return LOAD[self.model](**self.arguments(folder))


def of_the_kit(model: str, faults: Mapping[str, testing.Fault], places: dict[str, tuple[str, ...]]) -> list[Fault]:
    """Return the rows for the faults of `safeload.testing`; `places` has the path of each, and the reports."""
    if faults.keys() != places.keys():
        message = f"faults without a place, or places without a fault: {sorted(faults.keys() ^ places.keys())}"
        raise ValueError(message)
    return [
        Fault(
            model=model,
            name=name.lower().replace(" ", "_").replace("-", ""),
            error=fault.error,
            path=places[name][0],
            spoil=fault.spoil,
            reports=places[name][1:],
        )
        for name, fault in faults.items()
    ]


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


def in_subfolder(*names: str) -> Callable[[Path], object]:
    """Unpack one level too deep."""
    return lambda folder: [os.renames(folder / name, folder / "inner" / name) for name in names]


def fifo(name: str) -> Callable[[Path], object]:
    """Put a FIFO into the place of a file."""
    return lambda folder: ((folder / name).unlink(missing_ok=True), os.mkfifo(folder / name))


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


def zipped(name: str, *members: str) -> Callable[[Path], object]:
    """Write a zip with these members."""

    def spoil(folder: Path) -> None:
        with zipfile.ZipFile(folder / name, "w") as archive:
            for member in members:
                archive.writestr(member, "{}")

    return spoil
