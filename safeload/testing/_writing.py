"""Replace and remove single files of a model; validate what every writer takes."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from safeload._arguments import as_python, bad_argument, is_int
from safeload._bytes.absent import failed
from safeload._bytes.files import FileRef
from safeload._bytes.paths import resolve_path
from safeload._bytes.writing import new_files
from safeload.errors import UnreadableFileError

if TYPE_CHECKING:
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
