"""Packages that only some calls need."""

from __future__ import annotations

import sys

from safeload.errors import MissingDependencyError


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
