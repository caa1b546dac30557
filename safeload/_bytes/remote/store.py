"""Define what reads the objects behind addresses of one scheme."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

N_START_BYTES = 1 << 16
"""How much of an object is read when it is looked at."""


class Found(NamedTuple):
    """What is at an address.

    Attributes:
        is_dir: Whether it is a folder.
        n_bytes: The size of an object.
        pin: What identifies the contents of an object: its ETag, generation, version or time.
        start: The first bytes of an object, or all of it, if they came with the answer.
        entries: Name -> whether it is known to be a folder, of what is in a folder, if it came with the answer.
        is_whole: Whether there is nothing else in the folder.
    """

    is_dir: bool
    n_bytes: int = 0
    pin: str = ""
    start: bytes = b""
    entries: Mapping[str, bool] | None = None
    is_whole: bool = True


class Store(ABC):
    """What reads objects; several threads use it at once."""

    @abstractmethod
    def look(self, address: str) -> Found:
        """Return what is at an address.

        Raises:
            FileNotFoundError: Nothing is there.
            PermissionError: The server says that this process may not read it.
            RemoteError: The server or the network failed, after several attempts.
        """

    @abstractmethod
    def entries_in(self, address: str) -> dict[str, bool]:
        """Return name -> whether it is known to be a folder, of what is in a folder.

        Raises:
            OSError: As `look`, or the store does not list its folders.
        """

    def among(self, address: str, names: Sequence[str]) -> list[str]:  # noqa: ARG002  (most stores list their folders)
        """Return which of the names are in a folder that the store does not list; none in a store that lists its folders."""
        return []

    @abstractmethod
    def read(self, address: str, block: memoryview, offset: int, found: Found) -> None:
        """Fill the block with the bytes from an offset of the object that was found.

        Raises:
            ReplacedError: It is another object now.
            OSError: As `look`.
        """

    @abstractmethod
    def is_same(self, address: str, found: Found) -> bool:
        """Return whether what was read since is of the object that was found."""
