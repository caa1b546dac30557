"""Download files from URLs through AllenNLP's cache."""

from __future__ import annotations

import importlib.util
import os
from typing import Any

from safeload._arguments import as_python
from safeload.errors import InvalidPathError, MissingFileError

_DOWNLOAD = "download the options and the weights, and pass the folder that holds both"


def download(given: object, argument: str) -> str:
    """Return the path of the file at a URL in AllenNLP's cache; download it if needed.

    Raises:
        InvalidPathError: cached_path is not installed.
        MissingFileError: The file could not be downloaded, and the cache has no copy.

    Source:
        allennlp/common/file_utils.py, cached_path, AllenNLP 2.10.1.
    """
    url = os.fsdecode(as_python(given))
    if importlib.util.find_spec("cached_path") is None:
        message = f"{argument} is a URL, but cached-path, which downloads URLs, is not installed"
        raise InvalidPathError(message, given=url, hints=[_DOWNLOAD, "or: pip install cached-path"])
    cache = os.path.join(os.environ.get("ALLENNLP_CACHE_ROOT") or os.path.expanduser("~/.allennlp"), "cache")
    try:
        cached_path: Any = importlib.import_module("cached_path")
        return str(cached_path.cached_path(url, cache_dir=cache))
    except Exception as exc:  # cached_path and its clients do not document what they raise
        reason = f"{type(exc).__name__}: {' '.join(str(exc).split())[:200]}"
        message = f"{argument} could not be downloaded, and the cache has no copy"
        raise MissingFileError(
            message, given=url, looked_for=(url,), context=[("cache", cache), ("reason", reason)], hints=[_DOWNLOAD]
        ) from exc
