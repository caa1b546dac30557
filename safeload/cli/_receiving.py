"""Show how many bytes came from addresses while one model is read."""

from __future__ import annotations

import threading
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from safeload._bytes.remote.reading import LISTENERS
from safeload._text.progress import progress
from safeload.cli import _console

if TYPE_CHECKING:
    from collections.abc import Iterator

    from safeload._text.progress import Advance


@contextmanager
def receiving() -> Iterator[None]:
    """Show what comes, once it takes long; nothing where all files are on the disk."""
    lock = threading.Lock()
    n_received = 0
    shown: list[Advance] = []
    with ExitStack() as stack:

        def received(n_bytes: int) -> None:
            nonlocal n_received
            with lock:
                if not shown:
                    shown.append(stack.enter_context(progress(_console.progress_console(), None, "reading bytes")))
                n_received += n_bytes
                shown[0](n_received)

        LISTENERS.append(received)
        stack.callback(LISTENERS.remove, received)
        yield
