"""Find the versions of installed packages, and import them with clear errors."""

from __future__ import annotations

import functools
import importlib
import platform
import re
import sys
import threading
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from safeload._text.words import reason_of
from safeload.errors import MissingDependencyError

if TYPE_CHECKING:
    from collections.abc import Callable

_Found = TypeVar("_Found")
_LOCK = threading.RLock()


class Requirement(NamedTuple):
    """A package of an extra, with its bounds, for a range of Python versions.

    Attributes:
        package: The distribution's name.
        versions: The supported versions.
        first_python: The first (major, minor) version of Python that it is for.
        after_python: The first version that it is no longer for.
    """

    package: str
    versions: str
    first_python: tuple[int, int] = (3, 10)
    after_python: tuple[int, int] = (3, 14)


_UP_TO_3_10, _FROM_3_11 = (3, 11), (3, 11)
REQUIREMENTS = {
    "bert": (
        Requirement("tensorflow", ">=2.15,<2.16", after_python=_UP_TO_3_10),
        Requirement("tensorflow", ">=2.16.1,<2.22", _FROM_3_11),
        Requirement("tf-keras", ">=2.16,<2.22", _FROM_3_11),
        Requirement("keras-bert", ">=0.89,<0.90"),
    ),
    "elmo": (
        Requirement("torch", ">=1.12,<1.13", after_python=_UP_TO_3_10),
        Requirement("torch", ">=1.13,<2.14", _FROM_3_11),
        Requirement("numpy", "<2", after_python=_UP_TO_3_10),
        Requirement("allennlp", ">=2.10.1,<2.11", after_python=_UP_TO_3_10),
    ),
    "transformers": (
        Requirement("torch", ">=2.2,<2.14", _FROM_3_11),
        Requirement("transformers", ">=4.57,<6", _FROM_3_11),
    ),
    "keras-hub": (Requirement("keras-hub", ">=0.32,<1", _FROM_3_11),),
    "remote": (Requirement("fsspec", ">=2024.6"), Requirement("requests", ">=2.31,<3")),
    "dask": (Requirement("distributed", ">=2024.8,<2027"),),
    "signing": (
        Requirement("model-signing", ">=1.1,<2", _FROM_3_11),
        Requirement("pyOpenSSL", ">=25,<27", _FROM_3_11),
    ),
    "yaml": (Requirement("PyYAML", ">=6,<7"),),
}
"""The extras of setup.cfg. Hints name these packages: no index is known to have this project under its name."""


def one_at_a_time(require: Callable[[], _Found]) -> Callable[[], _Found]:
    """Let one thread import frameworks: they import each other in circles, where two threads that begin elsewhere deadlock."""

    @functools.wraps(require)
    def alone() -> _Found:
        with _LOCK:
            return require()

    return alone


def install(extra: str, python: tuple[int, ...] | None = None) -> str:
    """Return the command that installs the packages of an extra, for the running Python unless another is passed."""
    python = python or sys.version_info[:2]
    wanted = [each for each in REQUIREMENTS[extra] if each.first_python <= python < each.after_python]
    return "pip install " + " ".join(f"'{each.package}{each.versions}'" for each in wanted)


def newest_install(extra: str) -> str:
    """Return the command that installs an extra; for a Python that is too old for it, that of the first that is not."""
    return install(extra, max(sys.version_info[:2], _first_python(extra)))


def newest_hint(extra: str) -> str:
    """Return the command, and where this Python is too old for it, which one it needs."""
    first, command = _first_python(extra), newest_install(extra)
    if sys.version_info[:2] >= first:
        return command
    return f"in an environment of Python {'.'.join(map(str, first))} or later: {command}"


def _first_python(extra: str) -> tuple[int, int]:
    return min(each.first_python for each in REQUIREMENTS[extra])


def version_of(distribution: str) -> str | None:
    """Return the version of a distribution without importing it; None if it is not installed."""
    from importlib import metadata  # noqa: PLC0415  (slow to import)

    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def is_within(version: str, bounds: str) -> bool:
    """Return whether a version is within bounds such as ">=4.57,<6", by its first three numbers."""
    found = _numbers(version)
    return all(
        found >= _numbers(bound) if sign == ">=" else found < _numbers(bound)
        for sign, bound in re.findall(r"(>=|<)([0-9.]+)", bounds)
    )


def _numbers(version: str) -> tuple[int, ...]:
    found = [int(each) for each in re.findall(r"\d+", version.partition("+")[0])[:3]]
    return (*found, *[0] * (3 - len(found)))


def missing_dependency(message: str, *, package: str, wanted: str, hints: list[str]) -> MissingDependencyError:
    """Return the error for a package that is missing or incompatible."""
    found = version_of(package) or "none"
    python = platform.python_version()
    context = [("package", package), ("wanted", wanted), ("found", found), ("python", python)]
    return MissingDependencyError(
        message, package=package, wanted=wanted, found=found, python=python, context=context, hints=hints
    )


def required_version(requirement: Requirement, found: str | None, extra: str, *, does: str, purpose: str = "") -> str:
    """Return the installed version of a package that an extra requires.

    Args:
        requirement: The package and its bounds.
        found: The version; None if it is not installed.
        extra: The extra, for the hint.
        does: What safeload does with the package, such as "builds".
        purpose: What follows "is not installed".

    Raises:
        MissingDependencyError: It is missing, or out of the bounds.
    """
    package, wanted = requirement.package, requirement.versions
    if found is not None and is_within(found, wanted):
        return found
    message = (
        f"{package} is not installed{purpose}"
        if found is None
        else f"{package} {found} is installed, but safeload {does} with {package}{wanted}"
    )
    raise missing_dependency(message, package=package, wanted=wanted, hints=[newest_hint(extra)])


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
