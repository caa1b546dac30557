"""Write files atomically."""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from safeload.errors import SafeLoadError, UnreadableFileError

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def atomic_write(path: str, *, role: str) -> Iterator[Path]:
    """Yield a temporary path beside `path` that replaces it on success.

    Raises:
        UnreadableFileError: The system cannot write there.
    """
    unfinished = Path(f"{path}.{os.getpid()}.part")
    try:
        yield unfinished
        unfinished.replace(path)
    except SafeLoadError:
        raise
    except OSError as exc:
        message = f"the {role} file cannot be written: {exc.strerror}"
        raise UnreadableFileError(message, resolved=os.path.abspath(path), given=path, label=role) from exc
    finally:
        with suppress(OSError):
            unfinished.unlink()
