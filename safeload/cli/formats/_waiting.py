"""Keep what a format has to write at its end, in a temporary file where there is much of it."""

from __future__ import annotations

import json
import tempfile
import weakref
from typing import TYPE_CHECKING

from safeload.fleet._found import Skipped

if TYPE_CHECKING:
    from collections.abc import Iterator

N_IN_MEMORY = 1 << 20
"""Characters that wait in memory; more wait in a temporary file."""

N_COPIED = 1 << 16


class Waiting:
    """Text that is written later."""

    def __init__(self) -> None:
        """Begin without any."""
        self._file = tempfile.SpooledTemporaryFile(  # noqa: SIM115  (the next line closes it)
            N_IN_MEMORY, mode="w+", encoding="utf-8", errors="surrogatepass", newline="\n"
        )
        weakref.finalize(self, self._file.close)

    def add(self, text: str) -> None:
        """Add text behind the other."""
        self._file.write(text)

    def parts(self) -> Iterator[str]:
        """Yield the text in parts."""
        self._file.seek(0)
        while part := self._file.read(N_COPIED):
            yield part

    def lines(self) -> Iterator[str]:
        """Yield the text line by line."""
        self._file.seek(0)
        yield from self._file


class SkippedFolders:
    """The folders that have weights and no config."""

    def __init__(self) -> None:
        """Begin without any."""
        self._waiting, self._n = Waiting(), 0

    def append(self, found: Skipped) -> None:
        """Add a folder."""
        self._waiting.add(json.dumps(found) + "\n")
        self._n += 1

    def __len__(self) -> int:
        """Return how many there are."""
        return self._n

    def __iter__(self) -> Iterator[Skipped]:
        """Yield them, once all are there."""
        return (Skipped(*json.loads(line)) for line in self._waiting.lines())
