"""Resolve user-supplied paths to absolute paths."""

from __future__ import annotations

import os
import re
import unicodedata
from typing import TYPE_CHECKING

from safeload._arguments import as_python
from safeload._bytes import windows
from safeload._bytes.addresses import Address, fault_of, is_address, why_no_place
from safeload._bytes.names import as_spelled, slashed
from safeload._bytes.tfhub import cached_at
from safeload._text.addresses import ONE_SLASH
from safeload.errors import InvalidPathError, MissingFileError

if TYPE_CHECKING:
    from collections.abc import Sequence

StrPath = str | bytes | os.PathLike[str] | os.PathLike[bytes]

_REMOTE = ("http://", "https://", "s3://", "gs://", "hf://")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")
_TFHUB = re.compile(r"https?://(www\.)?(tfhub\.dev|kaggle\.com/models)/", re.IGNORECASE)
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))", re.ASCII)


def resolve_path(given: object, *, argument: str, base_dir: object = None, takes_address: bool = False) -> str:
    """Resolve a path argument to an absolute path, or to an `Address`.

    `~`, `$VAR`, `${VAR}` and `file://` are expanded; a relative path is relative to `base_dir`, by default the working
    directory. A `$VAR` that exists as it is written is kept, and a `~` too where the expanded path does not exist. Symbolic
    links are kept, because the other files of a model are found beside the link. A name that is not there is spelled as its folder
    has it, if only the accents are written in another way.

    Args:
        given: str, bytes or `os.PathLike`.
        argument: The parameter's name, for the message.
        base_dir: The base of relative paths.
        takes_address: Whether the argument may be an address such as `s3://bucket/bert`.

    Raises:
        InvalidPathError: `given` is not a path, is empty, contains a NUL or control character, or names an undefined
            variable, or an address that is not taken; or it becomes such a path when a variable is expanded.
        AmbiguousCheckpointError: Nothing is at this very path, and several files are but for how their accents are written.
    """
    if isinstance(given, Address):
        return given
    text = _text_of(given, argument)
    if takes_address and is_address(os.path.expandvars(text)) and not text.lower().startswith("file:"):
        return _address(text, given, argument)
    text = _native(_local(text, given, argument), given, argument)
    base = None
    if not _is_absolute(text):
        base = (
            working_directory()
            if base_dir is None
            else resolve_path(base_dir, argument="base_dir", takes_address=takes_address)
        )
        if isinstance(base, Address):
            return base.below(text.replace(os.sep, "/"))
    expanded = _expanded(text, base or "", given, argument)
    if base is None and not _is_absolute(expanded):
        message = f"{argument} is relative, and the working directory no longer exists"
        raise InvalidPathError(
            message, given=given, hints=["write the absolute path, or pass base_dir to safeload's own call"]
        )
    path = _absolute(_native(expanded, given, argument), base or os.sep)
    return as_spelled(path, given=given, label=argument.removesuffix("_file"))


def written_elsewhere(text: str, base: str) -> str:
    """Return a relative path that was written on Windows with slashes, where this system has them and nothing is there otherwise."""
    is_whole = text.startswith("\\") or re.match(r"[A-Za-z]:", text)
    if os.sep != "/" or "\\" not in text or is_whole or _exists(os.path.join(base, text)):
        return text
    return slashed(text)


def is_remote(given: object) -> bool:
    """Return whether `given` is a URL that cached-path downloads."""
    try:
        text = os.fsdecode(as_python(given))
    except (TypeError, UnicodeError):
        return False
    return text.lower().startswith(_REMOTE) and not _TFHUB.match(text)


def working_directory() -> str | None:
    """Return the working directory; None if it was removed."""
    try:
        return os.getcwd()
    except FileNotFoundError:
        return None


def _text_of(given: object, argument: str) -> str:
    hint = f"pass {argument} as str, bytes or os.PathLike"
    path = as_python(given)
    if not isinstance(path, (str, bytes, os.PathLike)):
        what = "None" if given is None else f"of type {type(given).__name__}"
        message = f"{argument} is {what}, not a path"
        raise InvalidPathError(message, given=given, hints=[hint])
    try:
        text: str = as_python(os.fsdecode(path))
    except TypeError as exc:
        message = f"{argument} is not a valid path: {exc}"
        raise InvalidPathError(message, given=given, hints=[hint]) from exc
    try:
        os.fsencode(text)
    except UnicodeEncodeError as exc:
        message = f"{argument} contains the character {text[exc.start]!r}, which is not allowed in a path"
        raise InvalidPathError(message, given=given, hints=["remove the character from the path"]) from exc
    _require_text(text, given, argument)
    return text


def _require_text(text: str, given: object, argument: str, names: Sequence[str] = ()) -> None:
    """Require a path that is not blank and has no control characters; `names` are the variables that were expanded in it."""
    if not text.strip():
        message = f"{argument} is empty{_because(names)}"
        raise InvalidPathError(message, given=given, hints=[f"pass the path of a file or folder as {argument}"])
    bad = next((c for c in text if unicodedata.category(c) == "Cc"), None)
    if bad is not None:
        guilty = [name for name in names if bad in os.environ.get(name, "")]
        message = f"{argument} contains the control character {bad!r}{_because(guilty)}"
        hint = "a backslash in a plain string starts an escape; write r'...' or forward slashes"
        hints = [hint] if not guilty and "\0" not in text else []
        hints.append(f"remove the character from {guilty[0] if guilty else 'the path'}")
        raise InvalidPathError(message, given=given, hints=hints)


def _because(names: Sequence[str]) -> str:
    return f" after the environment variable {names[0]} is expanded" if names else ""


def _native(text: str, given: object, argument: str) -> str:
    return windows.plain(text, given, argument) if os.sep == "\\" else text


def _is_absolute(text: str) -> bool:
    r"""Return whether a path needs no base; `\models` needs the drive of one."""
    return bool(os.path.splitdrive(text)[0]) if os.sep == "\\" else os.path.isabs(text)


def _address(text: str, given: object, argument: str) -> str:
    """Return an address with its variables expanded; one inside of an archive is a path below the archive's address.

    One of the Hugging Face hub is the path in the cache of huggingface_hub.

    Raises:
        InvalidPathError: A variable is not set, or the address is of no place, or has no valid host.
        MissingFileError: The cache has not this model, or not this revision.
    """
    names = _names_in(text)
    _require_set(names, argument, given)
    text = os.path.expandvars(text)
    _require_text(text, given, argument, names)
    _require_no_tfhub(text, given, argument)
    fault, hint = fault_of(text)
    if fault:
        raise InvalidPathError(f"{argument} is {fault}", given=given, hints=[hint])
    if text.lower().startswith("hf://"):
        return _in_hub_cache(text, given, argument)
    inner, chained, outer = text.partition("::")
    if chained and inner.lower().startswith(("zip://", "tar://")) and is_address(outer):
        text = f"{outer}/{inner[len('zip://') :]}"
    if why := why_no_place(text):
        message = f"{argument} is an address that {why}"
        raise InvalidPathError(message, given=given, hints=["pass the address of the files themselves"])
    return Address(text)


def _in_hub_cache(text: str, given: object, argument: str) -> str:
    from safeload._bytes.hub import cached_at as cached_by_hub  # noqa: PLC0415  (few paths are of the hub)

    found = cached_by_hub(text)
    if found.path:
        return found.path
    what = f"revision of {found.name}" if found.revisions else f"model {found.name}"
    message = f"{argument}: the cache of huggingface_hub has no such {what}; safeload downloads nothing"
    context = [("cache", found.folder)]
    context += [("revisions", ", ".join(found.revisions))] if found.revisions else []
    hints = [f"download it first: hf download {found.name}"]
    raise MissingFileError(message, given=given, context=context, hints=hints)


def _require_set(names: Sequence[str], argument: str, given: object) -> None:
    unset = [name for name in names if name not in os.environ]
    if unset:
        message = f"{argument}: the environment variable {unset[0]} is not set"
        raise InvalidPathError(message, given=given, hints=[f"export {unset[0]} first, or write out the path"])


def _local(text: str, given: object, argument: str, names: Sequence[str] = ()) -> str:
    """Return the path of a `file://` URL, and any other path as it is; `names` are the variables that were expanded in it.

    Raises:
        InvalidPathError: It is an address, or no valid file URL.
    """
    scheme = _SCHEME.match(text)
    if not scheme:
        if ONE_SLASH.match(text) and not _exists(text):
            message = f"{argument} is an address with one slash after the scheme{_because(names)}"
            raise InvalidPathError(
                message, given=given, hints=["pass it as str: pathlib.Path removes the second slash"]
            )
        return text
    because, hint = _because(names), "use three slashes: file:///absolute/path"
    if scheme[1].lower() != "file":
        _require_no_tfhub(text, given, argument)
        message = f"{argument} is an address ({scheme[1]}://){because}, and must be on the disk"
        raise InvalidPathError(message, given=given, hints=["pass a path of the disk"])
    import urllib.parse  # noqa: PLC0415  (rarely needed, and slow to import)
    import urllib.request  # noqa: PLC0415

    try:
        parts = urllib.parse.urlsplit(text)
    except ValueError as exc:
        message = f"{argument} is not a valid file URL{because}: {exc}"
        raise InvalidPathError(message, given=given, hints=["write the absolute path"]) from exc
    if parts.netloc not in ("", "localhost"):
        message = f"{argument} is a file URL on another host, {parts.hostname!r}{because}"
        raise InvalidPathError(message, given=given, hints=[hint])
    path = urllib.request.url2pathname(parts.path)
    if not path.strip():
        message = f"{argument} is a file URL without a path{because}"
        raise InvalidPathError(message, given=given, hints=[hint])
    _require_text(path, given, argument, names)
    return path


def _require_no_tfhub(text: str, given: object, argument: str) -> None:
    """Refuse a TF-Hub handle: what it names is neither a config nor weights that are read here."""
    if not _TFHUB.match(text):
        return
    message = f"{argument} is a TF-Hub handle, which names a SavedModel"
    cached = cached_at(text)
    address = f"{text}?tf-hub-format=compressed" if "tfhub.dev" in text.lower() else "the module"
    hints = [
        "of BERT, pass the folder of the same model's bert_config.json and bert_model.ckpt: github.com/google-research/bert",
        f"of ELMo, pass the module's folder in TF-Hub's cache: {cached}"
        if cached
        else f"of ELMo, download {address} and pass the archive, which is read in place",
    ]
    raise InvalidPathError(message, given=given, hints=hints)


def _expanded(text: str, base: str, given: object, argument: str) -> str:
    """Expand `~` and variables where the path does not exist as it is written, and check the result again."""
    home, user = os.path.expanduser(text), text.partition(os.sep)[0]
    if home.startswith("~") and not _exists(os.path.join(base, user)):
        message = f"{argument}: no home directory is known for {user!r}"
        raise InvalidPathError(message, given=given, hints=["write the absolute path"])
    path, names = _with_variables(home, base, given, argument)
    if home != text:
        if _exists(os.path.join(base, text)) and not _exists(os.path.join(base, path)):
            return text
        names = ["HOME", *names] if user == "~" and "HOME" in os.environ else names
    if names:
        path = _local(path, given, argument, names)
        _require_text(path, given, argument, names)
    return path


def _with_variables(text: str, base: str, given: object, argument: str) -> tuple[str, list[str]]:
    """Expand the variables of a path, except in a part that exists as it is written; return their names too."""
    done: list[str] = []
    expanded: list[str] = []
    for part in text.split(os.sep):
        names = _names_in(part)
        if names and not _exists(os.path.join(base, os.sep.join([*done, part]))):
            _require_set(names, argument, given)
            expanded += names
            done.append(os.path.expandvars(part))
        else:
            done.append(part)
    path, whole = os.sep.join(done), os.path.expandvars(text)
    if path != whole and _exists(os.path.join(base, whole)) and not _exists(os.path.join(base, path)):
        return whole, _names_in(text)  # only a folder on the way has the name of a variable
    return path, expanded


def _names_in(text: str) -> list[str]:
    names = [braced or bare for braced, bare in _VARIABLE.findall(text)]
    return [*names, *windows.variables_in(text)] if os.sep == "\\" else names


def _exists(path: str) -> bool:
    """Return whether something is at a path, or a checkpoint has it as its prefix."""
    return os.path.lexists(path) or os.path.lexists(f"{path}.index")


def _absolute(text: str, base: str) -> str:
    path = os.path.join(base, text)
    head, up, tail = path.rpartition(f"{os.sep}..")
    if up and (not tail or tail.startswith(os.sep)):
        path = os.path.realpath(head + up) + tail
    path = os.path.normpath(path)
    return windows.openable(path) if os.sep == "\\" else path
