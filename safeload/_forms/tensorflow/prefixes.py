"""Resolve a checkpoint path to a checkpoint prefix, which all files of a TensorFlow checkpoint share."""

from __future__ import annotations

import codecs
import os
import posixpath
import re
from typing import TYPE_CHECKING, Any, NoReturn

from safeload._bytes import absent, mistyped
from safeload._bytes.addresses import joined
from safeload._bytes.archives.locating import archive_hints
from safeload._bytes.kinds import UNKNOWN, FileKind, kind_of_data, sniff, wrong_kind
from safeload._bytes.names import as_spelled, leads_out, slashed
from safeload._bytes.small import read_small, require_opens
from safeload._forms.weight_file import WeightPlace
from safeload.errors import AmbiguousCheckpointError, CheckpointNotFoundError, CorruptFileError, UnsafeFileError

if TYPE_CHECKING:
    from safeload._bytes.files import FileRef

STATE_NAME = "checkpoint"
SAVED_MODEL, ASSETS, VARIABLES = "saved_model.pb", "assets", "variables"
"""The graph of a SavedModel, which is never read, and its folders of other files and of the checkpoint."""
MAX_STATE_BYTES = 1 << 20
FORMS_HINT = "a checkpoint is several files with one prefix: PREFIX.index and PREFIX.data-00000-of-00001"

_SUFFIXES = (
    (r"\.index$", "index file"),
    (r"\.data-\d{5}-of-\d{5}$", "data shard"),
    (r"\.meta$", "meta graph file"),
)
_STATE = rb'(?m)^[^\S\n]*model_checkpoint_path\s*:\s*(?:"((?:[^"\\\n]|\\.)*)"|\'((?:[^\'\\\n]|\\.)*)\')'
_OTHER_WEIGHTS = ("saved_model.pb", "tfhub_module.pb", "pytorch_model.bin", "model.safetensors", "tf_model.h5")


def find_checkpoint(ref: FileRef) -> WeightPlace:
    """Find the checkpoint at a path: a prefix, one of its files, a folder, a SavedModel or a checkpoint state file.

    Raises:
        CheckpointNotFoundError: The path has no index file.
        AmbiguousCheckpointError: The folder has several prefixes and no checkpoint state file.
        WrongFileKindError: The file is not a V2 checkpoint but V1, HDF5, a zip, ...
        CorruptFileError: The checkpoint state file names no checkpoint.
        UnsafeFileError: The checkpoint state file names a path outside its folder.
        UnreadableFileError, FileSystemError: The system cannot list the folder.
    """
    path = ref.path
    if ref.is_dir():
        return _in_folder(ref)
    for suffix, place in _SUFFIXES:
        prefix = re.sub(suffix, "", path)
        if prefix != path:
            return _require_index(ref, prefix, place)
    is_state = os.path.basename(path) == STATE_NAME and ref.is_file()
    if is_state and not ref.source.exists(path + ".index"):
        return _from_state(ref, path, "checkpoint state file")
    return _require_index(ref, path, "checkpoint prefix")


def prefix_of(path: str) -> str:
    """Return the prefix that a path names, if it is one of the files of a checkpoint; otherwise the path."""
    return next((path[: match.start()] for suffix, _ in _SUFFIXES if (match := re.search(suffix, path))), path)


def is_of_checkpoint(ref: FileRef) -> bool:
    """Return whether a path is a checkpoint prefix, or one of the files of a checkpoint."""
    is_file = any(re.search(suffix, ref.path) for suffix, _ in _SUFFIXES) and ref.is_file()
    return is_file or ref.source.is_file(ref.path + ".index")


def saved_model_of(folder: FileRef) -> FileRef | None:
    """Return the SavedModel that is a folder, or whose variables or assets are in it; None if there is none."""
    above = [folder.folder()] if os.path.basename(folder.path) in (ASSETS, VARIABLES) else []
    return next((each for each in (folder, *above) if each.inside(SAVED_MODEL).is_file()), None)


def names_in_assets(folder: FileRef) -> list[str]:
    """List the names in the assets of a SavedModel, sorted; none if the folder is none, or if it cannot be read."""
    return absent.names_in(folder.inside(ASSETS)) if saved_model_of(folder) == folder else []


def list_prefixes(folder: FileRef) -> list[str]:
    """List the prefixes of the index files in a folder, sorted; none if it cannot be read."""
    return [
        joined(folder.path, name.removesuffix(".index")) for name in absent.names_in(folder) if name.endswith(".index")
    ]


def checkpoints_in(folder: FileRef) -> list[str]:
    """List the prefixes in a folder, or else that of the SavedModel that it is."""
    saved = saved_prefix(folder)
    return list_prefixes(folder) or ([saved] if saved else [])


def saved_prefix(folder: FileRef) -> str | None:
    """Return the prefix of the variables of the SavedModel that is a folder; None if it is none, or lacks them."""
    prefix = joined(folder.path, f"{VARIABLES}/{VARIABLES}")
    return prefix if saved_model_of(folder) == folder and folder.source.is_file(prefix + ".index") else None


def _place(ref: FileRef, prefix: str, place: str, state_file: str | None = None) -> WeightPlace:
    return WeightPlace(ref=ref.at(prefix, "prefix"), form="tensorflow", place=place, state_file=state_file)


def _in_folder(ref: FileRef) -> WeightPlace:
    folder = ref.path
    state = joined(folder, STATE_NAME)
    prefixes = list_prefixes(ref)
    if ref.source.is_file(state) and state not in prefixes:
        return _from_state(ref, state, "folder with a checkpoint state file")
    if len(prefixes) == 1:
        return _place(ref, prefixes[0], "folder with one checkpoint")
    if not prefixes and (inner := saved_prefix(ref)):
        return _place(ref, inner, "SavedModel")
    if prefixes:
        message = f"the folder has {len(prefixes)} checkpoints and no checkpoint state file that names one"
        names = ", ".join(map(os.path.basename, prefixes[: absent.MAX_NAMES_PRINTED]))
        hints = [f"pass one of the prefixes as checkpoint_file: {names}"]
        raise AmbiguousCheckpointError(message, candidates=prefixes, **ref.at(folder, "folder").facts, hints=hints)
    inside = absent.list_names(ref)
    message = (
        "the folder contains no weights that safeload reads: no TensorFlow checkpoint (no file in it ends in .index), "
        "and no other form"
    )
    facts = absent.missing_facts(ref.at(joined(folder, "*.index"), "folder"), ("checkpoint", "*.index"))
    deeper = [ref.inside(name) for name in inside if ref.inside(name).is_dir()]
    hints = [f"there is one a level deeper: pass {found}" for inner in deeper for found in list_prefixes(inner)]
    hints += [
        f"{name} is another format; safeload reads TensorFlow V2 checkpoints"
        for name in _OTHER_WEIGHTS
        if name in facts["beside"]
    ]
    facts.update(resolved=folder, hints=[*hints[:3], *archive_hints(ref), FORMS_HINT])
    raise CheckpointNotFoundError(message, **facts)


def _require_index(ref: FileRef, prefix: str, place: str) -> WeightPlace:
    if ref.source.is_file(prefix + ".index"):
        return _place(ref, prefix, place)
    if ref.is_file():
        _refuse_single_file(ref, prefix)
    folder, name = os.path.split(prefix)
    index = ref.at(prefix + ".index", "index")
    facts = absent.missing_facts(index, (name + ".index",))
    invisible = mistyped.invisible_hints(index.path)
    if not ref.source.is_dir(folder):
        message = "there is no TensorFlow checkpoint with this prefix: its folder does not exist"
        near = mistyped.near_paths(index.path, absent.nearest_folder(index), facts["beside"])
        hints = [f"did you mean the prefix {other.removesuffix('.index')}?" for other in near]
        facts["hints"] = [*invisible, *hints] or absent.foreign_hints(ref.given) or [FORMS_HINT]
        raise CheckpointNotFoundError(message, **facts)
    message, hints = _siblings(ref.at(folder), name, facts["beside"])
    facts["hints"] = [*hints, *invisible] or absent.foreign_hints(ref.given) or [FORMS_HINT]
    raise CheckpointNotFoundError(message, **facts)


def _siblings(folder: FileRef, name: str, beside: tuple[str, ...]) -> tuple[str, list[str]]:
    """Return the message and the hints for a prefix without an index file."""
    siblings = [other for other in beside if re.match(re.escape(name) + r"(\(\d+\))?\.(data-|meta|index)", other)]
    message = "there is no TensorFlow checkpoint with this prefix"
    if siblings:
        message = f"the checkpoint has no index file; found only {', '.join(siblings[:4])}"
    near = [os.path.basename(found) for found in list_prefixes(folder)]
    close = mistyped.close_names(name, near) or [other for other in near if other.startswith(name)]
    hints = [f"did you mean the prefix {joined(folder.path, other)}?" for other in close]
    renamed = [other for other in siblings if re.search(r"\(\d+\)", other)]
    hints += [f"{other} looks renamed by a browser; all files of a checkpoint share one prefix" for other in renamed]
    return message, hints


def _refuse_single_file(ref: FileRef, prefix: str) -> NoReturn:
    require_opens(ref)
    if ref.path != prefix:
        message = f"the index file that belongs to {os.path.basename(ref.path)} is missing"
        name = os.path.basename(prefix) + ".index"
        facts = absent.missing_facts(ref.at(prefix + ".index", "index"), (name,))
        facts["hints"] = [f"put {name}, from the same checkpoint, beside it"]
        raise CheckpointNotFoundError(message, **facts)
    kind = sniff(ref)
    if kind is not None and kind.id == "sstable":
        hint = "load it in TensorFlow 1 and save it with Saver(write_version=V2)"
        kind = FileKind("checkpoint-v1", "a TensorFlow V1 checkpoint", hint)
    elif kind is None or not kind.hint:
        kind = (kind or UNKNOWN)._replace(hint=FORMS_HINT)
    raise wrong_kind(ref, kind, wanted="a TensorFlow V2 checkpoint")


def _from_state(ref: FileRef, state: str, place: str) -> WeightPlace:
    ref = ref.at(state, "state file")
    data = read_small(ref, max_bytes=MAX_STATE_BYTES)
    match = re.search(_STATE, data.removeprefix(codecs.BOM_UTF8).replace(b"\r", b"\n"))
    listed = "" if match is None else _unescape(match[1] if match[1] is not None else match[2])
    if match is None or "\0" in listed:
        kind = kind_of_data(data)
        if kind is not None:
            raise wrong_kind(ref, kind, wanted="a checkpoint state file")
        message = "the checkpoint state file names no checkpoint: it has no model_checkpoint_path"
        raise CorruptFileError(message, **ref.facts, hints=["pass the checkpoint prefix itself"])
    prefix = _inside(ref.folder(), listed)
    if prefix is None:
        message = "the checkpoint state file points outside its folder"
        hints = ["pass the checkpoint prefix itself, if that is the one you mean"]
        raise UnsafeFileError(message, **ref.facts, context=[("leads to", listed)], hints=hints)
    prefix = as_spelled(prefix, ref.source, given=ref.given, label="prefix")
    if not ref.source.is_file(prefix + ".index"):
        message = "the checkpoint that the state file names does not exist"
        facts: dict[str, Any] = absent.missing_facts(
            ref.at(prefix + ".index", "index"), (os.path.basename(prefix) + ".index",)
        )
        facts["context"] = [("state file", state), ("it names", listed), *facts["context"]]
        facts["hints"] = [f"pass the prefix itself: {found}" for found in list_prefixes(ref.folder())[:3]]
        raise CheckpointNotFoundError(message, **facts)
    return _place(ref, prefix, place, state)


def _inside(folder: FileRef, listed: str) -> str | None:
    """Return the prefix in a folder that a state file names; None if it is outside.

    An absolute path belongs to the machine on which the checkpoint was saved; only its last component is used. Backslashes are
    those of Windows, unless a name has them.
    """
    absolute = listed.startswith(("/", "\\")) or re.match(r"[A-Za-z]:[\\/]", listed) or "://" in listed
    if absolute:
        if os.path.dirname(listed).rstrip("/") == folder.path:
            return listed
        listed = re.split(r"[\\/]", listed)[-1]
    is_name = folder.source.is_file(f"{folder.inside(listed).path}.index")
    name = posixpath.normpath(listed if is_name else slashed(listed))
    return None if leads_out(name) else joined(folder.path, name)


def _unescape(text: bytes) -> str:
    """Unescape a string of the protocol buffer text format."""

    def one(match: re.Match[bytes]) -> bytes:
        code = match[1]
        if code[:1] in b"01234567":
            return bytes([int(code, 8) & 0xFF])
        return {b"n": b"\n", b"t": b"\t", b"r": b"\r"}.get(code, code)

    return os.fsdecode(re.sub(rb"\\([0-7]{1,3}|.)", one, text))
