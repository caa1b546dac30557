"""Write the files of a model under new names, and put them into place together; validate what every writer takes."""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

from safeload._arguments import as_python, bad_argument, is_int
from safeload._bytes.absent import failed
from safeload._bytes.files import FileRef
from safeload._bytes.paths import resolve_path
from safeload.errors import SafeLoadError, UnreadableFileError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from safeload._bytes.paths import StrPath

_IN_THE_WAY = (errno.EEXIST, errno.ENOTDIR, errno.EACCES, errno.EPERM)


def created(folder: StrPath) -> Path:
    """Create a folder if it is missing, and return its path.

    Raises:
        InvalidPathError: `folder` is invalid.
        UnreadableFileError: The folder cannot be created, or this process may not write there.
        FileSystemError: The system cannot write.
    """
    path = Path(resolve_path(folder, argument="folder"))
    try:
        os.makedirs(path, exist_ok=True)
    except OSError as exc:
        if exc.errno not in _IN_THE_WAY:
            raise failed(FileRef(path=str(path), role="folder", given=folder), exc, "write") from exc
        message = f"the folder cannot be created: {exc.strerror}"
        raise UnreadableFileError(message, resolved=str(path), given=folder, label="folder") from exc
    return path


@contextmanager
def new_files(folder: Path) -> Iterator[Path]:
    """Yield a new folder whose files replace those of the same names in `folder` on success; a failure changes nothing.

    Raises:
        MissingFileError: The folder does not exist.
        WrongFileKindError: It is a file, or a folder has the name of a file.
        UnreadableFileError: This process may not write there, or not to a file that would be replaced.
        FileSystemError: The system cannot write: the disk is full, ...
    """
    try:
        with TemporaryDirectory(prefix=".safeload-", dir=folder) as name:
            yield Path(name)
            new = sorted(Path(name).iterdir(), key=lambda path: path.suffix == ".index")  # the index of the others last
            for path in new:
                _require_replaceable(folder / path.name)
            for path in new:
                os.replace(path, folder / path.name)
    except SafeLoadError:
        raise
    except OSError as exc:
        place = FileRef(path=exc.filename2 or str(folder), role="folder" if exc.filename2 is None else "model")
        raise failed(place, exc, "write") from exc


def write_file(path: Path, data: bytes | bytearray) -> None:
    """Replace a file.

    Raises:
        SafeLoadError: As `new_files`.
    """
    with new_files(path.parent) as new:
        (new / path.name).write_bytes(data)


def remove(path: Path) -> None:
    """Remove a file.

    Raises:
        UnreadableFileError: This process may not write to the folder.
        MissingFileError, FileSystemError: The system cannot remove it.
    """
    try:
        path.unlink()
    except OSError as exc:
        raise failed(FileRef(path=str(path), role="model"), exc, "write") from exc


def random_of(seed: object) -> np.random.Generator:
    """Return the generator of a model's values.

    Raises:
        ArgumentError: `seed` is not an integer from 0.
    """
    number = as_python(seed)
    if not is_int(number) or number < 0:
        raise bad_argument("seed", seed, "an integer from 0", ["the same seed gives the same values"])
    return np.random.default_rng(number)


def _require_replaceable(path: Path) -> None:
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path), None, str(path))
    if path.exists() and not os.access(path, os.W_OK):  # read-only on purpose, as the files of `tiny_bert` are
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path), None, str(path))
