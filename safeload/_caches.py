"""List the models in caches of other libraries: AllenNLP's, TF-Hub's, Keras's and kagglehub's."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from safeload._bytes.absent import names_in
from safeload._bytes.tfhub import handle_of, modules_in
from safeload._json import read_json_object
from safeload._text.addresses import without_secrets
from safeload.errors import SafeLoadError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from safeload._bytes.files import FileRef

MAX_ENTRIES = 200
"""How many entries of a cache are looked at."""

MAX_DEPTH = 6
"""How deep below its root a model is: kagglehub has `models/OWNER/MODEL/FRAMEWORK/VARIATION/VERSION`."""

_HASHED = re.compile(r"[0-9a-f]{40,64}(\.[0-9a-f]{40,64})?(\.[A-Za-z0-9.]{1,12})?")
_OF_ELMO = (".json", ".hdf5", ".tar.gz", ".th")
_OF_KERAS = (".weights.h5", ".weights.json", ".h5", ".keras", ".zip", ".index")
_KERAS_SIGNS = ("keras.json", "datasets")


class Entry(NamedTuple):
    """What a cache has: the path, and what it was downloaded from."""

    path: str
    name: str

    def __str__(self) -> str:
        """Return both as text."""
        return f"{self.path} ({self.name})" if self.name else self.path


def cached_models(folder: FileRef) -> tuple[str, list[Entry]]:
    """Return whose cache a folder is the root of, and what may be a model in it; "" and nothing if it is no cache."""
    names = names_in(folder)
    if modules := modules_in(folder, names):
        return "TF-Hub", [Entry(each.path, handle_of(each)) for each in modules[:MAX_ENTRIES]]
    for root in (folder, folder.inside("cache")):
        if found := list(_of_allennlp(root)):
            return "AllenNLP", found
    if "models" in names and any(name in names for name in _KERAS_SIGNS):
        return "Keras", list(_of_keras(folder.inside("models"), ""))
    if folder.inside(os.path.join("models", "keras")).is_dir():
        return "kagglehub", list(_of_keras(folder.inside("models"), ""))
    return "", []


def _of_allennlp(root: FileRef) -> Iterator[Entry]:
    """Yield the files in a cache of cached-path that may belong to an ELMo.

    Source:
        cached_path/meta.py, cached-path 1.1: beside each file is NAME.json with its "resource", before AllenNLP 1.3 its "url".
    """
    names = {*names_in(root)}
    metas = sorted(
        name for name in names if name.endswith(".json") and name[:-5] in names and _HASHED.fullmatch(name[:-5])
    )
    for name in metas[:MAX_ENTRIES]:
        with suppress(SafeLoadError):
            meta = read_json_object(root.inside(name, "cache"))
            resource = meta.get("resource", meta.get("url"))
            if isinstance(resource, str) and resource.endswith(_OF_ELMO) and resource.isprintable():
                yield Entry(root.inside(name[:-5]).path, without_secrets(resource))


def _of_keras(folder: FileRef, below: str) -> Iterator[Entry]:
    """Yield the folders and files below one that hold weights, with their names below the root."""
    if below.count("/") > MAX_DEPTH:
        return
    names = names_in(folder)
    if "config.json" in names and any(name.endswith(_OF_KERAS) for name in names):
        yield Entry(folder.path, below.strip("/"))
        return
    for name in names[:MAX_ENTRIES]:
        inner = folder.inside(name)
        if inner.is_dir():
            yield from _of_keras(inner, f"{below}/{name}")
        elif name.endswith(_OF_KERAS):
            yield Entry(inner.path, f"{below}/{name}".strip("/"))
