"""Find models in the cache of huggingface_hub, recognise names of models on a hub, and read the digests in those of blobs.

Source:
    huggingface_hub/constants.py and file_download.py, huggingface_hub 0.10 to 1.0: `models--OWNER--NAME/snapshots/REVISION`,
    whose files are links to `blobs/DIGEST`.
"""

from __future__ import annotations

import itertools
import os
import re
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_LISTED = 3
_REPOSITORY = "models--"
_BLOBS = "blobs"
_DIGESTS = {64: "sha256", 40: "git-sha1"}
_HEX = re.compile(r"[0-9a-f]+")
_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)
FILE_NAME = re.compile(
    r"\.(json|txt|ckpt|index|meta|hdf5|h5|hdf|bin|pt|pth|th|pb|zip|gz|tar|keras|safetensors|npz)$", re.IGNORECASE
)


def hub_hints(given: object) -> list[str]:
    """Return the hint for a missing path that may be `owner/name` of a model on the Hugging Face hub."""
    if not isinstance(given, str) or not _NAME.fullmatch(given) or FILE_NAME.search(given):
        return []
    owner, name = given.split("/")
    if os.path.isdir(owner):
        return []
    hint = f"if {given} is a model on the Hugging Face hub: safeload downloads nothing"
    cached = _snapshots_of(os.path.join(_cache_folder(), f"{_REPOSITORY}{owner}--{name}"))
    return [
        f"{hint}; its files are in {cached[0]}" if cached else f"{hint}; download it and pass the folder with its files"
    ]


class Cached(NamedTuple):
    """What an address `hf://OWNER/NAME[@REVISION][/PATH]` leads to.

    Attributes:
        name: The model's name on the hub.
        path: The path in the cache; "" if the cache has not this model, or not this revision.
        folder: Where the cache is.
        revisions: The revisions in the cache, if another one was asked for.
    """

    name: str
    path: str
    folder: str
    revisions: tuple[str, ...] = ()


def cached_at(address: str) -> Cached:
    """Look an address up in the cache alone; a revision is a branch, a tag, or a commit. Its slashes are written `%2F`.

    Source:
        huggingface_hub/hf_file_system.py, HfFileSystem.resolve_path, huggingface_hub 0.20 to 1.0.
    """
    parts = address.partition("://")[2].strip("/").split("/")
    cache = _cache_folder()
    n_parts = 2 if len(parts) > 1 and not os.path.isdir(_repository(cache, parts[:1])) else 1
    *owner, last = parts[:n_parts]
    last, _, revision = last.partition("@")
    name, revision = "/".join([*owner, last]), unquote(revision)
    repository = _repository(cache, [*owner, last])
    snapshots = _snapshots_of(repository)
    commit = _first_line(os.path.join(repository, "refs", *(revision or "main").split("/"))) or revision
    found = [each for each in snapshots if os.path.basename(each) == commit] if commit else snapshots[:1]
    path = os.path.join(found[0], *parts[n_parts:]) if found else ""
    return Cached(name, path, cache, tuple(map(os.path.basename, snapshots)))


def _repository(cache: str, parts: Sequence[str]) -> str:
    return os.path.join(cache, _REPOSITORY + "--".join(part.partition("@")[0] for part in parts))


def snapshots_in(folder: str) -> list[str]:
    """Return the snapshots of models in a folder that belongs to a cache: its root or a folder below; else none.

    Of a model with several, the one of `refs/main` comes first.
    """
    if os.path.basename(folder) == "snapshots":
        return _snapshots_of(os.path.dirname(folder))
    if os.path.isdir(os.path.join(folder, "snapshots")):
        return _snapshots_of(folder)
    for root in (folder, os.path.join(folder, "hub")):
        models = [name for name in _names(root) if name.startswith(_REPOSITORY)]
        found = [snapshot for name in models for snapshot in _snapshots_of(os.path.join(root, name))[:1]]
        if found:
            return found
    return []


def is_in_snapshot(folder: str) -> bool:
    """Return whether a folder is a snapshot in a cache, or below one."""
    parts = folder.split(os.sep)
    return any(one.startswith(_REPOSITORY) and other == "snapshots" for one, other in itertools.pairwise(parts))


def digest_of_blob(path: str) -> tuple[str, str] | None:
    """Return what the cache says that the bytes of a file are, if the path is a link to one of its blobs; else None.

    Returns:
        "sha256", of a file in Git LFS, or "git-sha1", of another, and the digest in hexadecimal digits.
    """
    folder, name = os.path.split(os.path.realpath(path))
    if os.path.basename(folder) != _BLOBS or os.path.join(folder, name) == os.path.abspath(path):
        return None
    kind = _DIGESTS.get(len(name)) if _HEX.fullmatch(name) else None
    return (kind, name) if kind else None


def _snapshots_of(repository: str) -> list[str]:
    folder = os.path.join(repository, "snapshots")
    revisions = [name for name in _names(folder) if os.path.isdir(os.path.join(folder, name))]
    main = _first_line(os.path.join(repository, "refs", "main"))
    return [os.path.join(folder, name) for name in sorted(revisions, key=lambda name: (name != main, name))]


def _cache_folder() -> str:
    home = os.environ.get("HF_HOME") or os.path.join(os.path.expanduser("~"), ".cache", "huggingface")
    return os.environ.get("HF_HUB_CACHE") or os.path.join(home, "hub")


def _names(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []


def _first_line(path: str) -> str:
    if not os.path.isfile(path):
        return ""
    try:
        with open(path, "rb") as file:
            return file.read(100).decode("ascii", "replace").strip()
    except OSError:
        return ""
