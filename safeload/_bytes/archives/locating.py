"""Find the archive that a path leads to or into; the readers of archives are imported only for one."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from safeload._bytes import absent
from safeload._bytes.addresses import is_address
from safeload._bytes.files import DISK, FileRef
from safeload._bytes.kinds import N_HEAD_BYTES, kind_of, sniff
from safeload._bytes.paths import resolve_path

if TYPE_CHECKING:
    from safeload._bytes.files import Source

_KINDS = ("zip", "gzip", "tar")
ENDINGS = (".zip", ".tar", ".tar.gz", ".tgz")
"""How archives are called where they are looked for in a folder; one that is passed may have any name."""


def located(ref: FileRef) -> FileRef:
    """Return a reference whose source is the archive that its path leads to or into, if it does.

    The path of an archive becomes that of its only folder.

    Raises:
        SafeLoadError: As `ArchiveSource`.
    """
    base = reached(ref).source
    archive = archive_at(ref.path, base)
    if archive is None:
        return ref._replace(source=base)
    from safeload._bytes.archives.source import ArchiveSource  # noqa: PLC0415  (few models are in an archive)

    source = ref.source
    if not isinstance(source, ArchiveSource) or source.archive != archive:
        source = ArchiveSource(ref._replace(path=archive, source=base))
    return ref._replace(source=source, path=source.top() if ref.path == archive else ref.path)


def through(ref: FileRef, source: Source) -> FileRef:
    """Return the same reference, read from where it was found or from verified copies.

    Raises:
        SafeLoadError: As `located`.
    """
    return ref if source in (DISK, ref.source.below()) else located(ref._replace(source=source))


def reached(ref: FileRef, cache_dir: str | None = None) -> FileRef:
    """Return a reference whose source opens its path, or an archive on it: of an address, one that reads addresses too."""
    base = ref.source.below()
    if not is_address(ref.path):
        return ref._replace(source=base)
    from safeload._bytes.remote.source import reaching  # noqa: PLC0415  (few models are remote)

    return ref._replace(source=reaching(base, ref.path, ref.given, cache_dir))


def given_ref(
    given: object,
    argument: str,
    role: str,
    *,
    base_dir: object = None,
    source: Source = DISK,
    cache_dir: object = None,
) -> FileRef:
    """Return a reference to what a path argument names: a path, or an address, whose objects are kept where that is asked for.

    Raises:
        InvalidPathError, MissingFileError: As `resolve_path`.
    """
    path = resolve_path(given, argument=argument, base_dir=base_dir, takes_address=True)
    kept = None if cache_dir is None else resolve_path(cache_dir, argument="cache_dir", base_dir=base_dir)
    return reached(FileRef(path=path, role=role, given=given, source=source), kept)


def archive_at(path: str, source: Source = DISK) -> str | None:
    """Return the path of the archive that a path leads to or into; None if it is another file, or in a folder."""
    while not source.is_dir(path):
        if source.is_file(path):
            ref = FileRef(path=path, role="archive", source=source)
            kind = sniff(ref)
            return path if kind is not None and kind.id in _KINDS and (kind.id != "gzip" or _holds_tar(ref)) else None
        parent = os.path.dirname(path)
        if parent == path:
            break
        path = parent
    return None


def archive_hints(folder: FileRef) -> list[str]:
    """Return the hint for a folder without a model that has an archive; none if it has no or several ones."""
    found = [name for name in absent.names_in(folder) if name.lower().endswith(ENDINGS)]
    return [f"if the model is in the archive, pass {folder.inside(found[0]).path}"] if len(found) == 1 else []


def lock_folder(path: str, source: Source = DISK) -> str:
    """Return the folder whose lock applies to a file, a folder, or what is in an archive."""
    if source.is_dir(path):
        return path
    return os.path.dirname(path if source.is_file(path) else archive_at(path, source) or path)


def _holds_tar(ref: FileRef) -> bool:
    import zlib  # noqa: PLC0415  (only a gzip needs it)

    from safeload._bytes.archives.inflating import GZIP  # noqa: PLC0415

    try:
        with ref.source.look_at(ref.path) as file:
            head = zlib.decompressobj(GZIP).decompress(file.read(1 << 16), N_HEAD_BYTES)
    except (OSError, zlib.error):
        return False
    kind = kind_of(head)
    return kind is not None and kind.id == "tar"
