"""Packages that only some calls need."""

from __future__ import annotations

import gc
import importlib
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from safeload.errors import MissingDependencyError

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def collector_paused() -> Iterator[None]:
    """Pause Python's cyclic garbage collector, which slows the import of large packages and finds nothing there.

    `import h5py`, medians: 0.142 s -> 0.132 s on Python 3.10, 0.125 s -> 0.116 s on 3.11. Where it stays paused for the
    check that follows, all that was imported is not looked through there either: another 0.008 s.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@contextmanager
def blas_workers_asleep() -> Iterator[None]:
    """Let the idle threads of an OpenBLAS that is loaded here sleep at once, in place of spinning on a core.

    NumPy starts them as it is imported, and they spin for a tenth of a second: as long as a whole check. The values of an
    original-size ELMo, read and tested on two cores, medians: 0.027 s -> 0.018 s. OpenBLAS looks at the variable once.
    """
    name = "OPENBLAS_THREAD_TIMEOUT"
    if name in os.environ:
        yield
        return
    os.environ[name] = "4"  # the least that it takes: 2 ** 4 cycles
    try:
        yield
    finally:
        os.environ.pop(name, None)


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


def import_installed(module: str, *, package: str, wanted: str, install: str) -> Any:  # noqa: ANN401  (a module)
    """Import a module of a package that is installed; the package's own failure is the cause of the error.

    Raises:
        MissingDependencyError: It cannot be imported, whatever it raises meanwhile.
    """
    try:
        return importlib.import_module(module)
    except Exception as exc:
        reason = " ".join(str(exc).split())[:200]
        message = f"{package} is installed but cannot be imported: {type(exc).__name__}: {reason}"
        hints = [f"the error above this one is the cause; a fresh environment with {install} mends most of them"]
        raise missing_dependency(message, package=package, wanted=wanted, hints=hints) from exc
