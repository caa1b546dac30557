"""Packages that only some calls need."""

from __future__ import annotations

import platform
from importlib import metadata

from safeload.errors import MissingDependencyError


def version_of(distribution: str) -> str | None:
    """Return the installed version of a distribution, found without importing it; None where there is none."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def missing_dependency(message: str, *, package: str, wanted: str, hints: list[str]) -> MissingDependencyError:
    """Return the error for a package that is missing or too old or too new, with its facts filled in."""
    found = version_of(package) or "none"
    python = platform.python_version()
    context = [("package", package), ("wanted", wanted), ("found", found), ("python", python)]
    return MissingDependencyError(
        message, package=package, wanted=wanted, found=found, python=python, context=context, hints=hints
    )
