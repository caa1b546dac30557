"""The members of an archive: their names, their limits, and the errors about them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from safeload._bytes import names
from safeload._text.words import one_line
from safeload.errors import CorruptFileError, UnsafeFileError

if TYPE_CHECKING:
    from safeload._bytes.files import FileRef

MAX_MEMBERS = 20_000
"""The number of members of an archive."""

MAX_NAME_BYTES = 4096
"""The size of a member's name."""

MAX_EXPANSION = 100
"""How many times larger than the archive what is compressed in it may be; weights shrink by a tenth."""

MIN_EXPANDED_BYTES = 64 << 20
"""What an archive may always unpack to, whatever its size."""

_TAKE_AGAIN = "take the archive from where the model was published"


class Member(NamedTuple):
    """A regular file in an archive.

    Attributes:
        name: Its name, with slashes between the folders.
        n_bytes: Its size in bytes.
        start: The offset of its first byte in the archive, or in what the archive unpacks to.
        n_stored: Its size in the archive, if it is compressed by itself; None if it is not.
        crc: Its CRC-32; None if the archive has none.
    """

    name: str
    n_bytes: int
    start: int
    n_stored: int | None = None
    crc: int | None = None


def checked_name(name: str, ref: FileRef) -> str:
    """Return the name of a member without a leading `./` and a final slash; "" for the archive's root.

    Raises:
        UnsafeFileError: The name leads out of the archive, or is one that no path has.
    """
    stripped = name.rstrip("/") if name.strip("/") else name
    while stripped.startswith("./"):
        stripped = stripped[2:].lstrip("/")
    if stripped in (".", ""):
        return ""
    if stripped.startswith("/") or stripped[1:2] == ":":
        raise unsafe(ref, "has a member with an absolute name", name)
    if ".." in stripped.split("/"):
        raise unsafe(ref, "has a member whose name leads out of it", name)
    is_odd = any(part in ("", ".") for part in stripped.split("/")) or any(c in stripped for c in "\\\0")
    if is_odd or len(stripped.encode("utf-8", "surrogateescape")) > MAX_NAME_BYTES:
        raise unsafe(ref, "has a member with a name that no model's file has", name)
    return stripped


def is_of_the_system(name: str) -> bool:
    """Return whether a member, or a folder that it is in, was put by a system beside those of the user."""
    return any(map(names.is_of_the_system, name.split("/")))


def require_few(n_members: int, ref: FileRef, max_members: int = MAX_MEMBERS) -> None:
    """Require at most `max_members`.

    Raises:
        UnsafeFileError: There are more.
    """
    if n_members > max_members:
        raise unsafe(ref, f"has {n_members:,} members or more; no model needs more than {max_members:,}")


def require_no_bomb(n_bytes: int, n_stored: int, ref: FileRef, name: str = "") -> None:
    """Require that compressed data is not much larger unpacked.

    Raises:
        UnsafeFileError: It is.
    """
    if n_bytes > max(MIN_EXPANDED_BYTES, MAX_EXPANSION * n_stored):
        raise unsafe(ref, f"unpacks {n_stored:,} bytes to {n_bytes:,} or more, which no weights do", name)


def unsafe(ref: FileRef, what: str, name: str = "") -> UnsafeFileError:
    """Return the error for an archive that requests what no model needs."""
    context = [("member", one_line(name))] if name else []
    return UnsafeFileError(
        f"the archive {what}", **ref.at(ref.path, "archive").facts, context=context, hints=[_TAKE_AGAIN]
    )


def damaged(ref: FileRef, what: str, name: str = "") -> CorruptFileError:
    """Return the error for an archive that is cut off or damaged."""
    context = [("member", one_line(name))] if name else []
    hints = ["copy or download the archive again, in binary mode"]
    return CorruptFileError(f"the archive {what}", **ref.at(ref.path, "archive").facts, context=context, hints=hints)
