"""List the names in an archive without reading what is in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from safeload._bytes.absent import failed
from safeload._bytes.archives.inflating import GZIP, Inflated, Stored
from safeload._bytes.archives.members import Member, checked_name, damaged, is_of_the_system
from safeload._bytes.archives.reading import InflatedFile
from safeload._bytes.archives.tars import names_in_tar
from safeload._bytes.archives.zips import names_in_zip
from safeload._bytes.kinds import N_HEAD_BYTES, kind_of, kind_of_open
from safeload._bytes.open_file import DamagedDataError
from safeload._bytes.small import open_file
from safeload.errors import UnsafeFileError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from safeload._bytes.files import FileRef
    from safeload._bytes.open_file import OpenFile

N_LOOKED_AT = 4 << 20
"""How much of a compressed tar is inflated for the names in it, in bytes; the files before the weights are small."""


def names_in_archive(ref: FileRef) -> dict[str, list[str]]:
    """Return folder -> names of the files in it, of an archive; of a compressed tar, as far as its first bytes say.

    The folder at the top is "". A file that is no archive has none.

    Raises:
        CorruptFileError: It is cut off or damaged.
        UnsafeFileError: It has more members than any model.
        MissingFileError, UnreadableFileError, FileSystemError: As `open_file`.
    """
    found: dict[str, list[str]] = {}
    with open_file(ref) as file:
        try:
            for raw in _names(file, ref):
                folder, _, name = _plain(raw, ref).rpartition("/")
                if name and not raw.endswith("/"):
                    found.setdefault(folder, []).append(name)
        except DamagedDataError as exc:
            raise damaged(ref, f"is damaged: {exc.strerror}") from exc
        except OSError as exc:
            raise failed(ref, exc) from exc
    return found


def _names(file: OpenFile, ref: FileRef) -> Iterable[str]:
    kind = kind_of_open(file)
    if kind is None or kind.id not in ("zip", "tar", "gzip"):
        return []
    if kind.id == "zip":
        return names_in_zip(file, ref)
    if kind.id == "tar":
        return names_in_tar(file, ref)
    inflated = Inflated(Stored(0, file.n_bytes, GZIP))
    inflated.advance(file, N_LOOKED_AT)
    inner = InflatedFile(file, ref.path, Member(ref.path, inflated.n_bytes, 0), inflated)
    kind = kind_of(inner.read(N_HEAD_BYTES))
    return names_in_tar(inner, ref) if kind is not None and kind.id == "tar" else []


def _plain(raw: str, ref: FileRef) -> str:
    """Return a name as `checked_name` does; "" for one of the system's, or one that no model's file has."""
    try:
        name = checked_name(raw, ref)
    except UnsafeFileError:
        return ""
    return "" if is_of_the_system(name) else name
