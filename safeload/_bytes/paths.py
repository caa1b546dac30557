"""Resolve user-supplied paths to absolute paths."""

from __future__ import annotations

import os
import re
import unicodedata
from typing import TYPE_CHECKING, TypeGuard

from safeload.errors import InvalidPathError

if TYPE_CHECKING:
    from collections.abc import Sequence

StrPath = str | bytes | os.PathLike[str] | os.PathLike[bytes]

_REMOTE = ("http://", "https://", "s3://", "gs://", "hf://")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")
_TFHUB = re.compile(r"https?://(www\.)?(tfhub\.dev|kaggle\.com/models)/", re.IGNORECASE)
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))", re.ASCII)


def resolve_path(given: object, *, argument: str, base_dir: object = None) -> str:
    """Resolve a path argument to an absolute path.

    `~`, `$VAR`, `${VAR}` and `file://` are expanded; a relative path is relative to `base_dir`, by default the working
    directory. Symbolic links are kept, because the other files of a model are found beside the link.

    Args:
        given: str, bytes or `os.PathLike`.
        argument: The parameter's name, for the message.
        base_dir: The base of relative paths.

    Raises:
        InvalidPathError: `given` is not a path, is empty, contains a NUL or control character, or names an undefined
            variable or a remote file system.
    """
    text = _text_of(given, argument)
    if os.path.lexists(text) and os.path.isabs(text):
        return _absolute(text, "/")
    expanded = _expanded(text, given, argument)
    if os.path.isabs(expanded):
        return _absolute(expanded, "/")
    base = working_directory() if base_dir is None else resolve_path(base_dir, argument="base_dir")
    if base is None:
        message = f"{argument} is relative, and the working directory no longer exists"
        raise InvalidPathError(
            message, given=given, hints=["write the absolute path, or pass base_dir to safeload's own call"]
        )
    return _absolute(expanded, base)


def is_remote(given: object) -> TypeGuard[str]:
    """Return whether `given` is a URL that cached-path downloads."""
    return isinstance(given, str) and given.lower().startswith(_REMOTE) and not _TFHUB.match(given)


def working_directory() -> str | None:
    """Return the working directory; None if it was removed."""
    try:
        return os.getcwd()
    except FileNotFoundError:
        return None


def _text_of(given: object, argument: str) -> str:
    hint = f"pass {argument} as str, bytes or os.PathLike"
    if not isinstance(given, (str, bytes, os.PathLike)):
        what = "None" if given is None else f"of type {type(given).__name__}"
        message = f"{argument} is {what}, not a path"
        raise InvalidPathError(message, given=given, hints=[hint])
    try:
        text = os.fsdecode(given)
    except TypeError as exc:
        message = f"{argument} is not a valid path: {exc}"
        raise InvalidPathError(message, given=given, hints=[hint]) from exc
    try:
        os.fsencode(text)
    except UnicodeEncodeError as exc:
        message = f"{argument} contains the character {text[exc.start]!r}, which is not allowed in a path"
        raise InvalidPathError(message, given=given, hints=["remove the character from the path"]) from exc
    if not text.strip():
        message = f"{argument} is empty"
        raise InvalidPathError(message, given=given, hints=[f"pass the path of a file or folder as {argument}"])
    _require_no_control_characters(text, given, argument)
    return text


def _require_no_control_characters(text: str, given: object, argument: str) -> None:
    bad = [c for c in text if unicodedata.category(c) == "Cc"]
    if bad:
        message = f"{argument} contains the control character {bad[0]!r}"
        hint = "a backslash in a plain string starts an escape; write r'...' or forward slashes"
        hints = [hint] if "\0" not in bad else []
        raise InvalidPathError(message, given=given, hints=[*hints, "remove the character from the path"])


def _expanded(text: str, given: object, argument: str) -> str:
    scheme = _SCHEME.match(text)
    if scheme and scheme[1].lower() == "file":
        import urllib.parse  # noqa: PLC0415  (rarely needed, and slow to import)
        import urllib.request  # noqa: PLC0415

        try:
            parts = urllib.parse.urlsplit(text)
        except ValueError as exc:
            message = f"{argument} is not a valid file URL: {exc}"
            raise InvalidPathError(message, given=given, hints=["write the absolute path"]) from exc
        if parts.netloc not in ("", "localhost"):
            message = f"{argument} is a file URL on another host, {parts.netloc!r}"
            raise InvalidPathError(message, given=given, hints=["use three slashes: file:///absolute/path"])
        text = urllib.request.url2pathname(parts.path)
        if not text.strip():
            message = f"{argument} is a file URL without a path"
            raise InvalidPathError(message, given=given, hints=["use three slashes: file:///absolute/path"])
        _require_no_control_characters(text, given, argument)
    elif scheme:
        _require_no_tfhub(text, given, argument)
        message = f"{argument} is an address ({scheme[1]}://); only local files are read"
        raise InvalidPathError(message, given=given, hints=["download the files and pass the local folder"])
    home = os.path.expanduser(text)
    if home.startswith("~") and not os.path.lexists(home):
        message = f"{argument}: no home directory is known for {text.split('/')[0]!r}"
        raise InvalidPathError(message, given=given, hints=["write the absolute path"])
    return _with_variables(home, given, argument)


def _require_no_tfhub(text: str, given: object, argument: str) -> None:
    """Refuse a TF-Hub handle: what it names is neither a config nor weights that are read here."""
    if not _TFHUB.match(text):
        return
    message = f"{argument} is a TF-Hub handle, which names a SavedModel"
    hints = [
        "of BERT, pass the folder of the same model's bert_config.json and bert_model.ckpt: github.com/google-research/bert",
        "of ELMo, pass the folder of its options.json and weights.hdf5: allenai.org/allennlp/software/elmo",
    ]
    raise InvalidPathError(message, given=given, hints=hints)


def _with_variables(text: str, given: object, argument: str) -> str:
    names = [match[1] or match[2] for match in _VARIABLE.finditer(text)]
    unset = [name for name in names if name not in os.environ]
    if unset and not os.path.lexists(text):
        message = f"{argument}: the environment variable {unset[0]} is not set"
        raise InvalidPathError(message, given=given, hints=[f"export {unset[0]} first, or write out the path"])
    return text if unset else os.path.expandvars(text)


def _absolute(text: str, base: str) -> str:
    path = os.path.join(base, text)
    head, up, tail = path.rpartition("/..")
    if up and (not tail or tail.startswith("/")):
        path = os.path.realpath(head + up) + tail
    return os.path.normpath(path)


def invisible_hints(resolved: str) -> list[str]:
    """Return hints about outer spaces and invisible characters in a missing path."""
    hints = []
    stripped = resolved.strip()
    if stripped != resolved and os.path.lexists(stripped):
        hints.append(f"the path starts or ends with a space; without it there is {stripped}")
    odd = sorted({c for c in resolved if unicodedata.category(c) in ("Cf", "Zs") and c != " "})
    if odd:
        codes = ", ".join(f"U+{ord(c):04X} {unicodedata.name(c, '')}".rstrip() for c in odd)
        hints.append(f"the path contains an invisible character ({codes}); retype it")
    return hints


def windows_hints(given: object) -> list[str]:
    """Return the hint for a missing path that is written as on Windows, where this system writes slashes."""
    text = os.fspath(given) if isinstance(given, (str, os.PathLike)) else ""
    if os.sep != "/" or not isinstance(text, str):
        return []
    drive = re.match(r"([A-Za-z]):[\\/]", text)
    if drive is None and "\\" not in text:
        return []
    slashed = text.replace("\\", "/")
    other = f"/mnt/{drive[1].lower()}/{slashed[3:]}" if drive else slashed  # where WSL mounts the drive
    if os.path.lexists(other):
        return [f"this is written as a path of Windows; here it is {other}"]
    hint = (
        "this is a path of Windows, and Python runs on a system without drives"
        if drive
        else "this path has backslashes"
    )
    return [f"{hint}; write the path as it is on this system, with slashes"]


def near_paths(path: str, folder: str, names: Sequence[str]) -> list[str]:
    """Return existing paths similar to `path`; `folder` is its nearest existing parent, and contains `names`."""
    first, *rest = os.path.relpath(path, folder).split(os.sep)
    close = [
        os.path.join(folder, name, *rest) for name in close_names(first, [name for name in names if name != first])
    ]
    return [*filter(os.path.lexists, [*close, os.path.join(folder, rest[-1])])] if rest else close


def close_names(name: str, names: Sequence[str]) -> list[str]:
    """Return the names similar to `name`, best first."""
    import difflib  # noqa: PLC0415  (only needed for errors)

    folded = {other.casefold(): other for other in names}
    return [folded[match] for match in difflib.get_close_matches(name.casefold(), list(folded), n=3, cutoff=0.6)]
