"""Find the weights at a path, in any supported form."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Literal, TypeAlias

from safeload._bytes import absent
from safeload._bytes.addresses import joined
from safeload._bytes.kinds import CHECKPOINT, UNKNOWN, kinds_of, sniff, wrong_kind
from safeload._bytes.small import require_file
from safeload._bytes.usual_names import files_of_forms, is_usual
from safeload._forms import shards
from safeload._forms.tensorflow.prefixes import checkpoints_in, find_checkpoint
from safeload._forms.weight_file import WeightPlace
from safeload.errors import AmbiguousCheckpointError

if TYPE_CHECKING:
    from collections.abc import Callable

    from safeload._bytes.files import FileRef


Preference: TypeAlias = Literal["checkpoint", "file"] | None
"""What is read of a folder that has both a checkpoint and a file with a usual name; None where nothing decides."""


def find_weights(ref: FileRef, model: str | None, prefers: Callable[[], Preference] = lambda: None) -> WeightPlace:
    """Find the weights at a path: a weight file, a checkpoint in any form, or a folder with one of them.

    Args:
        ref: The path; messages call the weights by its role.
        model: The model whose forms are accepted; None for every form.
        prefers: Called for a folder with weights of both kinds.

    Raises:
        AmbiguousCheckpointError: The folder contains several weight files, or a checkpoint and a weight file of which
            none is preferred.
        MissingFileError, WrongFileKindError: The shards of an index are not there, or the index of shards, or something
            else is in the place of a shard.
        SafeLoadError: As `find_checkpoint`, if the path has no other form.
    """
    if not ref.is_dir():
        return _of_file(ref, model) or find_checkpoint(ref)
    prefixes = checkpoints_in(ref)
    files = files_of_forms(absent.names_in(ref), model)
    if files and not prefixes:
        return _only_file(ref, files, model)
    if not files or not is_usual(files[0][0]):  # beside a checkpoint, others are of other models, or optimizers
        return find_checkpoint(ref)
    checkpoints = [prefix.removeprefix(ref.path).lstrip("/") for prefix in prefixes]
    names = [name for name, _ in files]
    preference = prefers()
    if preference is None:
        raise _ambiguous(ref, [*checkpoints, *names], "the folder has a checkpoint and another file with weights")
    if preference == "file":
        return _only_file(ref, files, model)._replace(others=tuple(checkpoints))
    return find_checkpoint(ref)._replace(others=tuple(names))


def _only_file(folder: FileRef, files: list[tuple[str, str]], model: str | None) -> WeightPlace:
    files = _with_indexes(folder, files)
    names = [name for name, _ in files]
    if error := shards.missing_index(folder, names):
        raise error
    if len(files) > 1:
        raise _ambiguous(folder, names, f"the folder has {len(files)} files that could be the weights")
    name, form = files[0]
    found = _of_file(folder.inside(name), model)
    role = "index" if name.endswith(".json") else "weight"
    return found._replace(place="folder") if found else WeightPlace(folder.inside(name, role), form, "folder")


def _with_indexes(folder: FileRef, files: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the files, with the index in the place of the shards that have one."""
    indexes = {name: shards.index_beside(folder.inside(name)) for name, _ in files}
    found = {os.path.basename(index.path) if (index := indexes[name]) else name: form for name, form in files}
    return list(found.items())


def _ambiguous(folder: FileRef, names: list[str], message: str) -> AmbiguousCheckpointError:
    candidates = [joined(folder.path, name) for name in names]
    facts = folder.at(folder.path, "folder").facts
    return AmbiguousCheckpointError(message, candidates=candidates, **facts, hints=[f"pass one of: {', '.join(names)}"])


def _of_file(ref: FileRef, model: str | None) -> WeightPlace | None:
    """Return the place of a weight file, by its bytes, or of the index that lists it; None if it is of no form.

    Raises:
        MissingFileError, UnreadableFileError, WrongFileKindError: As `find_weights`.
        UnsafeFileError: As `read_index` and `require_file`.
    """
    index = shards.index_beside(ref) or ref
    kind, place = sniff(index), ""
    if kind is not None and kind.id == "json" and (first := shards.first_shard(index)):
        require_file(first)
        kind, ref, place = sniff(first), index.at(index.path, "index"), "index of shards"
        if kind is None or not kind.form:
            raise wrong_kind(first, kind or UNKNOWN, wanted="a weight file")
    else:
        kind, ref = kind if index is ref else sniff(ref), ref.at(ref.path, "weight")
    if kind is None or kind.form in ("", CHECKPOINT) or kind not in kinds_of(model):
        return None
    return WeightPlace(ref, kind.form, place or kind.name)
