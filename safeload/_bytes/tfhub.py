"""Find modules in TF-Hub's cache, whose folders are named by the SHA-1 of a handle.

Source:
    tensorflow_hub/compressed_module_resolver.py and resolver.py, tensorflow-hub 0.16.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from safeload._bytes.files import FileRef

MAX_DESCRIPTOR_BYTES = 1 << 12
_NAME = re.compile(r"[0-9a-f]{40}")
_MODULE = re.compile(r"(?m)^Module: (\S+)$")
_KNOWN = tuple(f"https://tfhub.dev/google/elmo/{version}" for version in (1, 2, 3))


def name_of(handle: str) -> str:
    """Return the name of the folder in the cache for a handle."""
    import hashlib  # noqa: PLC0415  (slow to import, and only needed for a module)

    return hashlib.sha1(handle.encode(), usedforsecurity=False).hexdigest()


def cached_at(handle: str) -> str:
    """Return the folder of a handle in this user's cache; "" if it is not there."""
    import tempfile  # noqa: PLC0415  (only an error needs it)

    root = os.environ.get("TFHUB_CACHE_DIR") or os.path.join(tempfile.gettempdir(), "tfhub_modules")
    folder = os.path.join(root, name_of(handle))
    return folder if os.path.isdir(folder) else ""


def modules_in(folder: FileRef, names: list[str]) -> list[FileRef]:
    """Return the folders of modules among the names in a folder, which is a cache if there are any."""
    return [each for each in (folder.inside(name) for name in names if _NAME.fullmatch(name)) if each.is_dir()]


def handle_of(module: FileRef) -> str:
    """Return the handle of a module in a cache; "" if nothing there proves it.

    The descriptor beside the folder names it, and the name of the folder is its SHA-1.
    """
    name = os.path.basename(module.path)
    if not _NAME.fullmatch(name):
        return ""
    handles = (*_handles_in(module.at(f"{module.path}.descriptor.txt")), *_KNOWN)
    return next((handle for handle in handles if name_of(handle) == name), "")


def _handles_in(descriptor: FileRef) -> list[str]:
    if not descriptor.is_file():
        return []
    try:
        with descriptor.source.look_at(descriptor.path) as file:
            text = file.read(MAX_DESCRIPTOR_BYTES).decode("utf-8", "replace")
    except OSError:
        return []
    return [found for found in _MODULE.findall(text) if found.isprintable()]
