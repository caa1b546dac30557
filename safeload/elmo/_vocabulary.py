"""Check the vocabulary beside an ELMo, which its training needed and no load does: words are read by their characters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from safeload._bytes.kinds import kind_of_data, wrong_kind
from safeload._bytes.small import read_small
from safeload.errors import CorruptFileError, UnsafeFileError, VocabularyError

if TYPE_CHECKING:
    from safeload._bytes.files import FileRef

VOCAB_NAMES = ("vocab.txt", "vocab.txt.gz")
MAX_VOCAB_BYTES = 64 << 20
_WANTED = "a vocabulary with one token per line"


def find_vocabulary(options: FileRef) -> FileRef | None:
    """Return the vocabulary beside the options; None if there is none, or if a lock has the options and not it."""
    folder = options if options.is_dir() else options.folder()
    found = next((each for name in VOCAB_NAMES if (each := folder.inside(name, "vocab")).is_file()), None)
    is_locked = options.source.holds(options.path)
    return found if found and (not is_locked or options.source.holds(found.path)) else None


def require_vocabulary(ref: FileRef) -> None:
    """Require that a file is UTF-8 text, which gzip may have compressed.

    Raises:
        VocabularyError: It is not UTF-8.
        WrongFileKindError: It is of another kind, such as an HTML page or a Git LFS pointer.
        CorruptFileError: The compressed data is damaged.
        UnsafeFileError: It has more than `MAX_VOCAB_BYTES`.
        MissingFileError, UnreadableFileError, FileSystemError: As `read_small`.
    """
    data = read_small(ref, max_bytes=MAX_VOCAB_BYTES)
    kind = kind_of_data(data)
    if kind is not None and kind.id == "gzip" and ref.path.endswith(".gz"):
        data = _unpacked(data, ref)
        kind = kind_of_data(data)
    if kind is not None and kind.id != "json":  # a token may begin with a brace
        raise wrong_kind(ref, kind, wanted=_WANTED)
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as exc:
        line = data.count(b"\n", 0, exc.start) + 1
        problem = f"line {line} is not UTF-8: byte {data[exc.start]:#04x}"
        message = "the vocabulary cannot be used: 1 fault"
        raise VocabularyError(
            message, problems=[problem], **ref.facts, details=[problem], hints=["save the file as UTF-8"]
        ) from exc


def _unpacked(data: bytes, ref: FileRef) -> bytes:
    import zlib  # noqa: PLC0415  (only a compressed vocabulary needs it)

    from safeload._bytes.archives.inflating import GZIP  # noqa: PLC0415

    unpacked = b""
    while data:
        inflater = zlib.decompressobj(GZIP)
        try:
            unpacked += inflater.decompress(data, MAX_VOCAB_BYTES + 1 - len(unpacked))
        except zlib.error as exc:
            raise _damaged(ref, str(exc)) from exc
        if len(unpacked) > MAX_VOCAB_BYTES:
            message = f"the vocab file unpacks to more than {MAX_VOCAB_BYTES:,} bytes"
            raise UnsafeFileError(message, **ref.facts)
        if not inflater.eof:
            raise _damaged(ref, "it ends too early")
        data = inflater.unused_data
    return unpacked


def _damaged(ref: FileRef, reason: str) -> CorruptFileError:
    message = f"the vocab file is damaged: {reason}"
    return CorruptFileError(message, **ref.facts, hints=["copy or download the file again"])
