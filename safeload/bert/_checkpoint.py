"""Which form of a checkpoint path was given, and which prefix it means."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import NoReturn

from safeload import _files, _paths
from safeload.errors import AmbiguousCheckpointError, CheckpointNotFoundError, CorruptFileError, UnsafeFileError

STATE_NAME = "checkpoint"
MAX_STATE_BYTES = 1 << 20
FORMS_HINT = "a checkpoint is several files with one prefix: PREFIX.index and PREFIX.data-00000-of-00001"

_SUFFIXES = (
    (re.compile(r"\.index$"), "index file"),
    (re.compile(r"\.data-\d{5}-of-\d{5}$"), "data shard"),
    (re.compile(r"\.meta$"), "meta graph file"),
)
_STATE = re.compile(
    rb'^[^\S\n]*model_checkpoint_path\s*:\s*(?:"((?:[^"\\\n]|\\.)*)"|\'((?:[^\'\\\n]|\\.)*)\')', re.MULTILINE
)
_OTHER_WEIGHTS = ("saved_model.pb", "tfhub_module.pb", "pytorch_model.bin", "model.safetensors", "tf_model.h5")


@dataclass(frozen=True, kw_only=True)
class CheckpointPlace:
    """Where a checkpoint is.

    Attributes:
        prefix: The absolute checkpoint prefix; `prefix + ".index"` exists.
        form: The form of the path that was given.
        state_file: The checkpoint state file that named the prefix, or None.
    """

    prefix: str
    form: str
    state_file: str | None = None


def find_checkpoint(path: str, *, given: object, source: _files.Source = _files.DISK) -> CheckpointPlace:
    """Return the checkpoint that `path` means: a prefix, one of its files, a folder, a checkpoint state file.

    Raises:
        CheckpointNotFoundError: No index file belongs to the path.
        AmbiguousCheckpointError: The folder has several prefixes and no checkpoint state file.
        WrongFileKindError: A file is there, but no V2 checkpoint: V1, HDF5, a zip, ...
        CorruptFileError: The checkpoint state file names no checkpoint.
        UnsafeFileError: The checkpoint state file leads out of its folder.
    """
    if os.path.isdir(path):
        return _in_folder(path, given, source)
    for suffix, form in _SUFFIXES:
        prefix = suffix.sub("", path)
        if prefix != path:
            return _require_index(prefix, form, path, given)
    if os.path.basename(path) == STATE_NAME and os.path.isfile(path) and not os.path.exists(path + ".index"):
        return _from_state(path, given, source)
    return _require_index(path, "checkpoint prefix", path, given)


def is_of_checkpoint(path: str) -> bool:
    """Tell whether `path` is a checkpoint prefix, or one of the files of a checkpoint."""
    is_file = any(suffix.search(path) for suffix, _ in _SUFFIXES) and os.path.isfile(path)
    return is_file or os.path.isfile(path + ".index")


def list_prefixes(folder: str) -> list[str]:
    """Return the prefixes of the index files in a folder, sorted; hidden and AppleDouble files do not count."""
    names = sorted(os.listdir(folder))
    return [
        os.path.join(folder, name.removesuffix(".index"))
        for name in names
        if name.endswith(".index") and not name.startswith((".", "__MACOSX"))
    ]


def _in_folder(folder: str, given: object, source: _files.Source) -> CheckpointPlace:
    state = os.path.join(folder, STATE_NAME)
    prefixes = list_prefixes(folder)
    if os.path.isfile(state) and os.path.join(folder, STATE_NAME) not in prefixes:
        return _from_state(state, given, source)
    if len(prefixes) == 1:
        return CheckpointPlace(prefix=prefixes[0], form="folder with one checkpoint")
    if prefixes:
        message = f"the folder has {len(prefixes)} checkpoints and no checkpoint state file that names one"
        names = ", ".join(map(os.path.basename, prefixes[: _files.MAX_NAMES_PRINTED]))
        hints = [f"pass one of the prefixes as checkpoint_file: {names}"]
        raise AmbiguousCheckpointError(
            message, candidates=prefixes, resolved=folder, given=given, label="folder", hints=hints
        )
    message = "the folder holds no TensorFlow checkpoint: no file in it ends in .index"
    facts = _files.missing_facts(os.path.join(folder, "*.index"), "folder", given, ("checkpoint", "*.index"))
    deeper = [
        os.path.join(folder, name)
        for name in sorted(os.listdir(folder))
        if os.path.isdir(os.path.join(folder, name)) and not name.startswith((".", "__MACOSX"))
    ]
    hints = [f"one level down is one: pass {found}" for inner in deeper for found in list_prefixes(inner)]
    hints += [
        f"{name} is another format; safeload reads TensorFlow V2 checkpoints"
        for name in _OTHER_WEIGHTS
        if name in facts["beside"]
    ]
    facts.update(resolved=folder, hints=[*hints[:3], FORMS_HINT])
    raise CheckpointNotFoundError(message, **facts)


def _require_index(prefix: str, form: str, path: str, given: object) -> CheckpointPlace:
    if os.path.isfile(prefix + ".index"):
        return CheckpointPlace(prefix=prefix, form=form)
    if os.path.isfile(path):
        _refuse_single_file(path, prefix, given)
    folder, name = os.path.split(prefix)
    facts = _files.missing_facts(prefix + ".index", "index", given, (name + ".index",))
    invisible = _paths.invisible_hints(prefix + ".index")
    if not os.path.isdir(folder):
        message = "there is no TensorFlow checkpoint with this prefix: its folder does not exist"
        near = _paths.near_paths(prefix + ".index", dict(facts["context"])["exists"], facts["beside"])
        hints = [f"did you mean the prefix {other.removesuffix('.index')} ?" for other in near]
        facts["hints"] = [*invisible, *hints] or [FORMS_HINT]
        raise CheckpointNotFoundError(message, **facts)
    siblings = [
        other for other in facts["beside"] if re.match(re.escape(name) + r"(\(\d+\))?\.(data-|meta|index)", other)
    ]
    if siblings:
        message = f"the checkpoint has no index file; of its files there {'is' if len(siblings) == 1 else 'are'} only {', '.join(siblings[:4])}"
    else:
        message = "there is no TensorFlow checkpoint with this prefix"
    near = [os.path.basename(found) for found in list_prefixes(folder)]
    close = _paths.close_names(name, near) or [other for other in near if other.startswith(name)]
    hints = [f"did you mean the prefix {os.path.join(folder, other)} ?" for other in close]
    renamed = [other for other in siblings if re.search(r"\(\d+\)", other)]
    hints += [f"{other} looks renamed by a browser; all files of a checkpoint share one prefix" for other in renamed]
    facts["hints"] = [*hints, *invisible] or [FORMS_HINT]
    raise CheckpointNotFoundError(message, **facts)


def _refuse_single_file(path: str, prefix: str, given: object) -> NoReturn:
    _files.require_file(path, role="checkpoint", given=given)
    kind = _files.sniff(path)
    wanted = "a TensorFlow V2 checkpoint"
    if path != prefix:
        message = f"the index file that belongs to {os.path.basename(path)} is missing"
        facts = _files.missing_facts(prefix + ".index", "index", given, (os.path.basename(prefix) + ".index",))
        facts["hints"] = [f"put {os.path.basename(prefix)}.index, from the same checkpoint, beside it"]
        raise CheckpointNotFoundError(message, **facts)
    if kind is not None and kind.name.startswith("TensorFlow"):
        kind = _files.FileKind(
            name="a TensorFlow V1 checkpoint", hint="load it in TensorFlow 1 and save it with Saver(write_version=V2)"
        )
    elif kind is None or not kind.hint:
        kind = _files.FileKind(name=kind.name if kind else "a file of no kind that safeload knows", hint=FORMS_HINT)
    raise _files.wrong_kind(path, kind, role="checkpoint", wanted=wanted, given=given)


def _from_state(state: str, given: object, source: _files.Source) -> CheckpointPlace:
    folder = os.path.dirname(state)
    data = _files.read_small(state, role="state file", max_bytes=MAX_STATE_BYTES, given=given, source=source)
    match = _STATE.search(data)
    if match is None:
        kind = _files.kind_of(data[: _files.N_HEAD_BYTES], data[-8:])
        if kind is not None:
            raise _files.wrong_kind(state, kind, role="state file", wanted="a checkpoint state file", given=given)
        message = "the checkpoint state file names no checkpoint: it has no model_checkpoint_path"
        raise CorruptFileError(
            message, resolved=state, given=given, label="state file", hints=["pass the checkpoint prefix itself"]
        )
    listed = _unescape(match[1] if match[1] is not None else match[2])
    prefix = _inside(folder, listed)
    if prefix is None:
        message = "the checkpoint state file leads out of its folder"
        raise UnsafeFileError(
            message,
            resolved=state,
            given=given,
            label="state file",
            context=[("leads to", listed)],
            hints=["pass the checkpoint prefix itself, if that is the one you mean"],
        )
    if not os.path.isfile(prefix + ".index"):
        message = "the checkpoint that the state file names is not there"
        facts = _files.missing_facts(prefix + ".index", "index", given, (os.path.basename(prefix) + ".index",))
        facts["context"] = [("state file", state), ("it names", listed), *facts["context"]]
        facts["hints"] = [f"pass the prefix itself: {found}" for found in list_prefixes(folder)[:3]]
        raise CheckpointNotFoundError(message, **facts)
    form = (
        "checkpoint state file"
        if str(given).rstrip("/").endswith(STATE_NAME)
        else "folder with a checkpoint state file"
    )
    return CheckpointPlace(prefix=prefix, form=form, state_file=state)


def _inside(folder: str, listed: str) -> str | None:
    """Return the prefix in `folder` that the state file means; None where it leads out.

    An absolute path is that of the machine on which the checkpoint was saved; what counts then is the last name.
    """
    absolute = listed.startswith(("/", "\\")) or re.match(r"[A-Za-z]:[\\/]", listed) or "://" in listed
    if absolute:
        if os.path.dirname(listed).rstrip("/") == folder:
            return listed
        listed = re.split(r"[\\/]", listed)[-1]
    prefix = os.path.normpath(os.path.join(folder, listed))
    return prefix if prefix.startswith(folder.rstrip("/") + "/") else None


def _unescape(text: bytes) -> str:
    """Undo the escapes of a text-format protocol buffer string."""

    def one(match: re.Match[bytes]) -> bytes:
        code = match[1]
        if code[:1] in b"01234567":
            return bytes([int(code, 8) & 0xFF])
        return {b"n": b"\n", b"t": b"\t", b"r": b"\r"}.get(code, code)

    return os.fsdecode(re.sub(rb"\\([0-7]{1,3}|.)", one, text))
