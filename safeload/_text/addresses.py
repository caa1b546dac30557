"""Write addresses without what only their owners may know: user info and queries."""

from __future__ import annotations

import re

ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)(?:::[A-Za-z][A-Za-z0-9+.-]+)*://")
"""How an address begins, or fsspec's chain of several; a drive of Windows has one letter."""

_USER = r"[^/?#\s]*@|[^/?#\s@:\[]+:(?!:|\d*(?:[/?#\s]|::|$))[^@]{0,999}@"
"""User info; where a name and a colon come before something else than a port, a password with any characters that nobody escaped."""

ONE_SLASH = re.compile(r"(?:https?|s3a?|gs|gcs|az|abfss?|adl|hf|s?ftp|memory):/(?!/)", re.IGNORECASE)
"""How an address begins that went through `pathlib.Path`, which removes the second slash."""

_PARTS = re.compile(
    rf"([A-Za-z][A-Za-z0-9+.-]+://|(?i:{ONE_SLASH.pattern}))(?:{_USER})?((?:(?!::)[^?#\s])*)(?:[?#](?:(?!::)\S)*)?"
)


def without_secrets(text: str) -> str:
    """Return a text in which each address has neither user info, nor a query or fragment."""
    return _PARTS.sub(r"\1\2", text) if ":/" in text else text
