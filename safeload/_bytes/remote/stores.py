"""Choose what reads the addresses of a scheme."""

from __future__ import annotations

import importlib
import platform
from typing import TYPE_CHECKING

from safeload._bytes.addresses import scheme_of
from safeload._bytes.remote.http import HttpStore
from safeload._bytes.remote.objects import ObjectStore, typed
from safeload.errors import InvalidPathError, MissingDependencyError

if TYPE_CHECKING:
    from safeload._bytes.remote.store import Store

_HTTP = ("http", "https")


def store_for(address: str, given: object) -> Store:
    """Return what reads an address; `given` is what the caller passed, for messages.

    Raises:
        InvalidPathError: Nothing reads its scheme.
        MissingDependencyError: A package that reads it is not installed.
        OSError: The store, or the network, failed.
    """
    scheme = scheme_of(address)
    try:
        if scheme in _HTTP:
            return HttpStore(importlib.import_module("requests"))
        core = importlib.import_module("fsspec.core")
    except ImportError as exc:
        raise _missing(exc.name or "fsspec", scheme, given) from exc
    try:
        return ObjectStore(core.url_to_fs(address, skip_instance_cache=True, use_listings_cache=False)[0])
    except ImportError as exc:
        raise _missing(_package_of(scheme), scheme, given) from exc
    except Exception as exc:  # noqa: BLE001  (each protocol's package has its own)
        if scheme in importlib.import_module("fsspec.registry").available_protocols():
            raise typed(exc) from None
        message = f"no store is known for {scheme}:// addresses"
        hints = ["write the scheme as fsspec does: s3://, gs://, az://"]
        raise InvalidPathError(message, given=given, hints=hints) from None


def _package_of(scheme: str) -> str:
    """Return the package that fsspec imports for a scheme."""
    known = importlib.import_module("fsspec.registry").known_implementations
    name: str = known[scheme]["class"].partition(".")[0]
    return name


def _missing(package: str, scheme: str, given: object) -> MissingDependencyError:
    message = f"{scheme}:// addresses are read with the package {package}, which is not installed"
    hints = [f"pip install '{package}'"]
    python = platform.python_version()
    return MissingDependencyError(
        message, given=given, package=package, wanted="any", found="none", python=python, hints=hints
    )
