"""Find the weights at a path, in any supported form."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from safeload._bytes import absent
from safeload._bytes.kinds import CHECKPOINT, UNKNOWN, files_of_forms, kinds_of, sniff, wrong_kind
from safeload._bytes.small import require_file
from safeload._forms import shards
from safeload._forms.tensorflow.prefixes import find_checkpoint, list_prefixes
from safeload._forms.weight_file import WeightPlace
from safeload.errors import AmbiguousCheckpointError

if TYPE_CHECKING:
    from safeload._bytes.files import FileRef


def find_weights(ref: FileRef, model: str | None) -> WeightPlace:
    """Find the weights at a path: a weight file, a checkpoint in any form, or a folder with one of them.

    Args:
        ref: The path; messages call the weights by its role.
        model: The model whose forms are accepted; None for every form.

    Raises:
        AmbiguousCheckpointError: The folder contains several weight files.
        MissingFileError, WrongFileKindError: The shards of an index are not there, or something else is in their place.
        SafeLoadError: As `find_checkpoint`, if the path has no other form.
    """
    if ref.is_dir():
        single = [] if list_prefixes(ref) else files_of_forms(absent.names_in(ref), model)
        if len(single) > 1:
            names = ", ".join(name for name, _ in single)
            message = f"the folder has {len(single)} files that could be the weights"
            candidates = [os.path.join(ref.path, name) for name, _ in single]
            hints = [f"pass one of: {names}"]
            folder = ref.at(ref.path, "folder")
            raise AmbiguousCheckpointError(message, candidates=candidates, **folder.facts, hints=hints)
        if single:
            name, form = single[0]
            found = _of_file(ref.inside(name), model)
            role = "index" if name.endswith(".json") else "weight"
            return found._replace(place="folder") if found else WeightPlace(ref.inside(name, role), form, "folder")
        return find_checkpoint(ref)
    return _of_file(ref, model) or find_checkpoint(ref)


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
