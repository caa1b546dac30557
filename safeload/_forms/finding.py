"""Find the weights at a path, in any supported form."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from safeload._bytes import absent
from safeload._bytes.kinds import CHECKPOINT, files_of_forms, kinds_of, sniff
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
        SafeLoadError: As `find_checkpoint`, if the path has no other form.
    """
    if os.path.isdir(ref.path):
        single = [] if list_prefixes(ref.path) else files_of_forms(absent.names_in(ref.path), model)
        if len(single) > 1:
            names = ", ".join(name for name, _ in single)
            message = f"the folder has {len(single)} files that could be the weights"
            candidates = [os.path.join(ref.path, name) for name, _ in single]
            hints = [f"pass one of: {names}"]
            folder = ref.at(ref.path, "folder")
            raise AmbiguousCheckpointError(message, candidates=candidates, **folder.facts, hints=hints)
        if single:
            name, form = single[0]
            return WeightPlace(ref=ref.at(os.path.join(ref.path, name), "weight"), form=form, place="folder")
        return find_checkpoint(ref)
    kind = sniff(ref.path)
    if kind is not None and kind.form not in ("", CHECKPOINT) and kind in kinds_of(model):
        return WeightPlace(ref=ref.at(ref.path, "weight"), form=kind.form, place=kind.name)
    return find_checkpoint(ref)
