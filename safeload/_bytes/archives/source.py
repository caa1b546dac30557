"""Use an archive as a folder: find its members, and open them in place."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING
from weakref import WeakSet

from safeload._bytes.absent import failed
from safeload._bytes.archives.inflating import GZIP, RAW, Inflated, Stored
from safeload._bytes.archives.members import Member, damaged, require_no_bomb, unsafe
from safeload._bytes.archives.reading import InflatedFile, MemberFile, StoredFile
from safeload._bytes.archives.tars import list_tar
from safeload._bytes.archives.zips import list_zip
from safeload._bytes.files import Source
from safeload._bytes.kinds import kind_of_open
from safeload._bytes.names import is_shown
from safeload._bytes.open_file import DamagedDataError, OpenFile
from safeload._bytes.small import open_file
from safeload.report import FileRead

if TYPE_CHECKING:
    from collections.abc import Iterable

    from safeload._bytes.files import FileRef
    from safeload._bytes.open_file import Access

_N_BETWEEN_LOOKS = 64 << 20


class ArchiveSource(Source):
    """The members of an archive, which lie at paths below the archive's own; other paths are those of its base.

    Attributes:
        archive: The archive's path.
        base: What opens the archive: the disk, or verified copies.
    """

    def __init__(self, ref: FileRef) -> None:
        """List the members.

        Raises:
            SafeLoadError: As `list_zip`, `list_tar` and `open_file`.
        """
        self.archive, self.base = ref.path, ref.source
        self._inflated: dict[str, Inflated] = {}
        self._whole: Inflated | None = None
        self._opened: WeakSet[MemberFile] = WeakSet()
        with open_file(ref) as file:
            self._identity = file.identity
            try:
                files, folders = self._list(file, ref)
            except DamagedDataError as exc:
                raise damaged(ref, f"is damaged: {exc.strerror}") from exc
            except OSError as exc:
                raise failed(ref, exc) from exc
        self._members: dict[str, Member] = {}
        self._folders: dict[str, set[str]] = {"": set()}
        self._arrange(files, folders, ref)

    def _list(self, file: OpenFile, ref: FileRef) -> tuple[list[Member], list[str]]:
        kind = kind_of_open(file)
        if kind is not None and kind.id == "zip":
            self.proof = "CRC-32 of each member of the zip that was read"
            return list_zip(file, ref)
        if kind is None or kind.id != "gzip":
            return list_tar(file, ref)
        self.proof = "CRC-32 of all that the archive unpacks to"
        whole = self._whole = Inflated(Stored(0, file.n_bytes, GZIP))
        while not whole.is_complete:
            whole.advance(file, whole.n_bytes + _N_BETWEEN_LOOKS)
            require_no_bomb(whole.n_bytes, file.n_bytes, ref)
        return list_tar(InflatedFile(file, ref.path, Member(ref.path, whole.n_bytes, 0), whole), ref)

    def _arrange(self, files: Iterable[Member], folders: Iterable[str], ref: FileRef) -> None:
        for member in files:
            if member.name in self._members:
                raise unsafe(ref, "has two members of the same name", member.name)
            self._members[member.name] = member
            self._add_to_folders(member.name)
        for name in folders:
            self._folders.setdefault(name, set())
            self._add_to_folders(name)
        both = sorted(self._folders.keys() & self._members.keys())
        if both:
            raise unsafe(ref, "has a file and a folder of the same name", both[0])

    def _add_to_folders(self, name: str) -> None:
        while name:
            parent, _, last = name.rpartition("/")
            names = self._folders.setdefault(parent, set())
            if last in names:
                return
            names.add(last)
            name = parent

    def top(self) -> str:
        """Return the path of the model's folder: of the only folder, if the archive has nothing else at its top."""
        names = [name for name in self._folders[""] if is_shown(name)]
        is_alone = len(names) == 1 and names[0] in self._folders
        return os.path.join(self.archive, names[0]) if is_alone else self.archive

    def is_dir(self, path: str) -> bool:
        """Return whether the archive, or a folder in it, is at the path."""
        inner = self._inner(path)
        return self.base.is_dir(path) if inner is None else inner in self._folders

    def is_file(self, path: str) -> bool:
        """Return whether a member is at the path."""
        inner = self._inner(path)
        return self.base.is_file(path) if inner is None else inner in self._members

    def exists(self, path: str) -> bool:
        """Return whether a member or folder is at the path."""
        return self.base.exists(path) if self._inner(path) is None else self.is_dir(path) or self.is_file(path)

    def is_there(self, path: str) -> bool:
        """Return whether a member or folder is at the path."""
        return self.base.is_there(path) if self._inner(path) is None else self.exists(path)

    def is_link(self, path: str) -> bool:
        """Return False for a member."""
        return self._inner(path) is None and self.base.is_link(path)

    def mode(self, path: str) -> int:
        """Return the mode of a member or folder.

        Raises:
            OSError: Nothing is at the path.
        """
        inner = self._inner(path)
        if inner is None:
            return self.base.mode(path)
        if inner in self._folders:
            return stat.S_IFDIR
        self._member_at(inner, path)
        return stat.S_IFREG

    def may_read(self, path: str) -> bool:
        """Return True for a member."""
        return self._inner(path) is not None or self.base.may_read(path)

    def names_in(self, path: str) -> list[str]:
        """Return the names in a folder.

        Raises:
            OSError: No folder is at the path.
        """
        inner = self._inner(path)
        if inner is None:
            return self.base.names_in(path)
        if inner not in self._folders:
            raise FileNotFoundError(errno.ENOENT, "no such folder in the archive", path)
        return list(self._folders[inner])

    def open(self, path: str) -> OpenFile:
        """Open a member.

        Raises:
            OSError: It is not there, the archive was replaced, or the system cannot open it.
            LockError: The archive is not in the lock that applies.
        """
        inner = self._inner(path)
        if inner is None:
            return self.base.open(path)
        member = self._member_at(inner, path)
        archive = self.base.open(self.archive)
        if archive.identity != self._identity:
            archive.close()
            raise DamagedDataError("the archive was replaced or written to while it was being read")
        opened: MemberFile
        if member.n_stored is None and self._whole is None:
            opened = StoredFile(archive, path, member)
        else:
            opened = InflatedFile(archive, path, member, self._whole or self._inflated_of(member))
        self._opened.add(opened)
        return opened

    def look_at(self, path: str) -> OpenFile:
        """Open a member.

        Raises:
            OSError: As `open`.
        """
        return self.base.look_at(path) if self._inner(path) is None else self.open(path)

    def holds(self, path: str) -> bool:
        """Return whether a verified copy of a file outside the archive is read."""
        return self._inner(path) is None and self.base.holds(path)

    def access(self, path: str) -> Access:
        """Return how an open member is read fastest."""
        return next((file.access for file in list(self._opened) if file.path == path), "random")

    def prove(self, path: str) -> None:
        """Compare the CRC-32 of an open member with the archive's.

        Raises:
            OSError: They differ, or the system cannot read.
        """
        for file in list(self._opened):
            if file.path == path:
                file.prove()

    def file_read(self, role: str, path: str) -> FileRead:
        """Return the report entry for a member.

        Raises:
            OSError: Nothing is at the path.
        """
        inner = self._inner(path)
        if inner is None:
            return self.base.file_read(role, path)
        return FileRead(role=role, path=path, n_bytes=self._member_at(inner, path).n_bytes)

    def below(self) -> Source:
        """Return what opens the archive."""
        return self.base

    def on_disk(self, path: str) -> str:
        """Return the archive's path for a member."""
        return path if self._inner(path) is None else self.archive

    def containers(self) -> list[FileRead]:
        """Return the report entry for the archive.

        Raises:
            OSError: The archive is not there any more.
        """
        return [self.base.file_read("archive", self.archive)]

    def _inner(self, path: str) -> str | None:
        """Return the name of a member or folder; None for a path outside the archive."""
        if path == self.archive:
            return ""
        below = self.archive + os.sep
        return path[len(below) :].replace(os.sep, "/") if path.startswith(below) else None

    def _member_at(self, inner: str, path: str) -> Member:
        if inner not in self._members:
            raise FileNotFoundError(errno.ENOENT, "no such member of the archive", path)
        return self._members[inner]

    def _inflated_of(self, member: Member) -> Inflated:
        if member.name not in self._inflated:
            stored = Stored(member.start, member.n_stored or 0, RAW)
            self._inflated[member.name] = Inflated(stored, n_bytes=member.n_bytes, crc=member.crc)
        return self._inflated[member.name]
