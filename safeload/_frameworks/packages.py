"""Find the versions of installed packages, and import them with clear errors."""

from __future__ import annotations

import importlib
import platform
from typing import Any

from safeload._text.words import reason_of
from safeload.errors import MissingDependencyError


def version_of(distribution: str) -> str | None:
    """Return the version of a distribution without importing it; None if it is not installed."""
    from importlib import metadata  # noqa: PLC0415  (slow to import)

    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def missing_dependency(message: str, *, package: str, wanted: str, hints: list[str]) -> MissingDependencyError:
    """Return the error for a package that is missing or incompatible."""
    found = version_of(package) or "none"
    python = platform.python_version()
    context = [("package", package), ("wanted", wanted), ("found", found), ("python", python)]
    return MissingDependencyError(
        message, package=package, wanted=wanted, found=found, python=python, context=context, hints=hints
    )


def import_installed(module: str, *, package: str, wanted: str, install: str) -> Any:  # noqa: ANN401  (a module)
    """Import a module of an installed package.

    Raises:
        MissingDependencyError: The import failed; the original exception is its cause.
    """
    try:
        return importlib.import_module(module)
    except Exception as exc:
        message = f"{package} is installed but cannot be imported: {type(exc).__name__}: {reason_of(exc)}"
        hints = [f"the exception above is the cause; a fresh environment with {install} usually fixes this"]
        raise missing_dependency(message, package=package, wanted=wanted, hints=hints) from exc
