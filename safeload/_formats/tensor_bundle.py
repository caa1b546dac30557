"""TensorFlow's V2 checkpoint, opened without TensorFlow: the index file, and the data shards that it describes.

Source:
    tensorflow/core/util/tensor_bundle/tensor_bundle.cc, BundleReader, TensorFlow 2.15 and 2.21.
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from safeload import _files
from safeload._formats.index_file import IndexFile
from safeload.errors import (
    CheckpointNotFoundError,
    CorruptFileError,
    UnreadableFileError,
    counted,
    first_few,
    one_line,
)

if TYPE_CHECKING:
    from io import FileIO


class TensorBundle:
    """An opened checkpoint: its files stay open, so that what is read later is what was opened.

    Attributes:
        prefix: The absolute checkpoint prefix.
        given: What the caller passed, for messages.
        n_shards: How many data shards the index file names.
        variables: Name -> entry, sorted by name.
        parts: (name, extents) -> entry of the parts of partitioned variables; their name is the variable's.
    """

    def __init__(self, prefix: str, *, given: object = None, source: _files.Source = _files.DISK) -> None:
        """Read the index file, open every shard and compare their sizes.

        Raises:
            CheckpointNotFoundError: A shard is missing.
            CorruptFileError: The index file is damaged, or a shard has too few or too many bytes.
            WrongFileKindError: Written on a big-endian machine, or by a TensorFlow with another format; an LFS pointer.
            UnreadableFileError: The system refuses to open a shard.
            UnsafeFileError: The index file is larger or lists more than any model needs.
        """
        self.prefix = prefix
        self.given = given
        self.index_path = prefix + ".index"
        self._index = IndexFile(self.index_path, given=given, source=source)
        self.n_shards, self.variables, self.parts = self._index.n_shards, self._index.variables, self._index.parts
        self._source = source
        self._shards: list[FileIO] = []
        try:
            self._open_shards()
            self._require_extents()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> TensorBundle:  # noqa: PYI034  (Self is not in Python 3.10)
        """Return the bundle."""
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Close the files."""
        self.close()

    def close(self) -> None:
        """Close the files."""
        for file in self._shards:
            file.close()

    def shard_path(self, shard: int) -> str:
        """Return the path of a data shard."""
        return f"{self.prefix}.data-{shard:05d}-of-{self.n_shards:05d}"

    def paths(self) -> list[tuple[str, str]]:
        """Return (role, path) of every file of the checkpoint."""
        return [("index", self.index_path), *(("shard", self.shard_path(i)) for i in range(self.n_shards))]

    def file_of(self, shard: int) -> FileIO:
        """Return the open file of a data shard."""
        return self._shards[shard]

    def require_unchanged(self) -> None:
        """Compare the open shards with the files that now have their names.

        Raises:
            CorruptFileError: A shard was replaced or written to since it was opened.
        """
        if self._source.is_private:
            return
        for number, opened in enumerate(self._identities):
            path = self.shard_path(number)
            try:
                now: os.stat_result | None = os.stat(path)
            except OSError:
                now = None
            if now is None or _identity(now) != opened:
                message = "a data shard was replaced or written to while the model was being loaded"
                hints = ["load again when nothing writes to the folder"]
                raise CorruptFileError(message, resolved=path, given=self.given, label="shard", hints=hints)

    def _open_shards(self) -> None:
        missing = [self.shard_path(i) for i in range(self.n_shards) if not os.path.exists(self.shard_path(i))]
        if missing:
            are = "is" if len(missing) == 1 else "are"
            message = f"{len(missing)} of the checkpoint's {counted(self.n_shards, 'data shard')} {are} missing"
            facts = _files.missing_facts(missing[0], "shard", self.given, tuple(map(os.path.basename, missing)))
            facts["context"] = [("index", self.index_path), *facts["context"]]
            facts["hints"] = ["copy every file that starts with the prefix; the shards hold the weights"]
            raise CheckpointNotFoundError(message, **facts)
        for number in range(self.n_shards):
            path = self.shard_path(number)
            _files.require_file(path, role="shard", given=self.given)
            try:
                self._shards.append(self._source.open(path))
            except OSError as exc:
                message = f"the system cannot open a data shard: {exc.strerror}"
                hints = ["allow this process more open files: ulimit -n"] if exc.errno == errno.EMFILE else []
                raise UnreadableFileError(message, resolved=path, given=self.given, label="shard", hints=hints) from exc
        self._identities = [_identity(os.fstat(file.fileno())) for file in self._shards]

    def _require_extents(self) -> None:
        extents: dict[int, list[tuple[int, int, str]]] = {number: [] for number in range(self.n_shards)}
        whole = [entry for entry in self.variables.values() if not entry.slices]
        for entry in [*whole, *self.parts.values()]:
            if entry.shard not in extents:
                self._index.damaged(f"{entry.name} is said to lie in shard {entry.shard} of {self.n_shards}")
            extents[entry.shard].append((entry.offset, entry.offset + entry.n_bytes, entry.name))
        for number, rows in extents.items():
            end = 0
            for start, stop, name in sorted(rows):
                if start < end and start != stop:
                    self._index.damaged(f"{name} overlaps the variable before it in shard {number}")
                end = max(end, stop)
            self._require_size(number, end, rows)

    def _require_size(self, number: int, wanted: int, rows: list[tuple[int, int, str]]) -> None:
        path = self.shard_path(number)
        found = os.fstat(self._shards[number].fileno()).st_size
        if found == wanted:
            return
        kind = _files.kind_of(os.pread(self._shards[number].fileno(), _files.N_HEAD_BYTES, 0))
        if kind is not None and kind.name.startswith(("Git LFS", "HTML", "XML")):
            raise _files.wrong_kind(path, kind, role="shard", wanted="a data shard", given=self.given)
        lost = sorted({name for _, stop, name in rows if stop > found})
        context = [("index", self.index_path), ("expected", f"{wanted:,} bytes"), ("found", f"{found:,} bytes")]
        if lost:
            message = (
                f"a data shard is truncated: {wanted - found:,} bytes are missing, {len(lost)} variables with them"
            )
            hints = ["copy or download the shard again; the copy was cut off or the disk was full"]
        else:
            message = f"a data shard has {counted(found - wanted, 'byte')} more than its index file accounts for"
            hints = ["take the index file and the shards from one checkpoint"]
        raise CorruptFileError(
            message, variables=lost, offset=min(found, wanted), resolved=path, given=self.given, label="shard",
            context=context, details=first_few([f"LOST       {one_line(name)}" for name in lost], "error.variables"), hints=hints,
        )  # fmt: skip


def _identity(status: os.stat_result) -> tuple[int, int, int, int]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
