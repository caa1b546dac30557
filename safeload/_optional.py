"""Packages that only some calls need."""

from __future__ import annotations

import gc
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from safeload.errors import MissingDependencyError

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def collector_paused() -> Iterator[None]:
    """Pause Python's cyclic garbage collector, which slows the import of large packages and finds nothing there.

    `import h5py`, medians: 0.142 s -> 0.132 s on Python 3.10, 0.125 s -> 0.116 s on 3.11.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def version_of(distribution: str) -> str | None:
    """Return the installed version of a distribution, found without importing it; None where there is none."""
    from importlib import metadata  # noqa: PLC0415  (slow to import: not for `import safeload`)

    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def missing_dependency(message: str, *, package: str, wanted: str, hints: list[str]) -> MissingDependencyError:
    """Return the error for a package that is missing or too old or too new, with its facts filled in."""
    found = version_of(package) or "none"
    python = ".".join(map(str, sys.version_info[:3]))
    context = [("package", package), ("wanted", wanted), ("found", found), ("python", python)]
    return MissingDependencyError(
        message, package=package, wanted=wanted, found=found, python=python, context=context, hints=hints
    )
