"""Download files from addresses through AllenNLP's cache, as AllenNLP does."""

from __future__ import annotations

import importlib.util
import os
from typing import Any

from safeload._arguments import as_python
from safeload._bytes.paths import is_remote
from safeload._text.addresses import without_secrets
from safeload.errors import InvalidPathError, MissingFileError

_DOWNLOAD = "download the options and the weights, and pass the folder that holds both"


def cached(given: Any, argument: str) -> Any:  # noqa: ANN401  (a path, or what is no path)
    """Return the path in AllenNLP's cache of the file at an address, which is downloaded if needed; else what was passed.

    Raises:
        InvalidPathError: cached_path is not installed.
        MissingFileError: The file could not be downloaded, and the cache has no copy.

    Source:
        allennlp/common/file_utils.py, cached_path, AllenNLP 2.10.1.
    """
    if not is_remote(given):
        return given
    url = os.fsdecode(as_python(given))
    if importlib.util.find_spec("cached_path") is None:
        message = f"{argument} is a URL, but cached-path, which downloads URLs, is not installed"
        raise InvalidPathError(message, given=url, hints=[_DOWNLOAD, "or: pip install cached-path"])
    cache = os.path.join(os.environ.get("ALLENNLP_CACHE_ROOT") or os.path.expanduser("~/.allennlp"), "cache")
    try:
        cached_path: Any = importlib.import_module("cached_path")
        return str(cached_path.cached_path(url, cache_dir=cache))
    except Exception as exc:  # cached_path and its clients do not document what they raise
        reason = f"{type(exc).__name__}: {' '.join(without_secrets(str(exc)).split())[:200]}"
        message = f"{argument} could not be downloaded, and the cache has no copy"
        raise MissingFileError(
            message, given=url, looked_for=(url,), context=[("cache", cache), ("reason", reason)], hints=[_DOWNLOAD]
        ) from exc
