"""Find the weights of any model at a path, and those in the folders below it."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from safeload._bytes import absent
from safeload._bytes.archives.locating import located
from safeload._bytes.kinds import CHECKPOINT, UNKNOWN, kinds_of, sniff, wrong_kind
from safeload._bytes.small import require_opens
from safeload._bytes.usual_names import files_of_forms
from safeload._forms.finding import find_weights
from safeload._forms.shards import first_shard
from safeload._forms.tensorflow.prefixes import (
    ASSETS,
    SAVED_MODEL,
    STATE_NAME,
    VARIABLES,
    is_of_checkpoint,
    list_prefixes,
    saved_model_of,
)
from safeload._text.words import counted
from safeload.errors import AmbiguousCheckpointError, CheckpointNotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from safeload._bytes.files import FileRef
    from safeload._forms.weight_file import WeightPlace

MAX_FOLDERS = 1000
"""How many folders below one are looked into for weights."""

MAX_DEPTH = 2
"""How many levels below a folder: the cache of huggingface_hub has a model's files in `snapshots/REVISION`."""

_NO_WEIGHTS = re.compile(r"(openvino_|training_args|optimizer|scheduler|rng_state|random_states|scaler)")
"""How the names of files begin that training and other runtimes leave beside weights, or without any."""


def find(ref: FileRef) -> WeightPlace:
    """Find the weights at a path: a file, a folder, or an archive of one.

    Raises:
        AmbiguousCheckpointError: The folder has several weights, or has none and several of those below it have.
        CheckpointNotFoundError: It has none.
        SafeLoadError: As `located` and `find_weights`.
    """
    ref = located(ref)
    if not ref.is_dir():
        _require_weight_file(ref)
        return find_weights(ref, None)
    ref = saved_model_of(ref) or ref
    try:
        return find_weights(ref, None)
    except CheckpointNotFoundError as error:
        below = weights_below(ref)
        if not below:
            raise
        raise _only_below(ref, below, error) from error


def weights_below(folder: FileRef) -> list[str]:
    """Return the paths of the folders with weights below a folder, relative to it; not those below such a folder."""
    found: list[str] = []
    pending = [(folder, 0)]
    n_folders = 0
    while pending and n_folders < MAX_FOLDERS:
        parent, depth = pending.pop(0)
        names = absent.names_in(parent)
        hidden = {VARIABLES, ASSETS} if SAVED_MODEL in names else set()
        for inner in (parent.inside(name) for name in names if name not in hidden):
            if not inner.is_dir():
                continue
            n_folders += 1
            if has_weights(inner):
                found.append(os.path.relpath(inner.path, folder.path))
            elif depth + 1 < MAX_DEPTH:
                pending.append((inner, depth + 1))
    return sorted(found)


def has_weights(folder: FileRef) -> bool:
    """Return whether a folder has weights, by the names in it."""
    saved = saved_model_of(folder) == folder and folder.inside(VARIABLES).is_dir()
    return saved or bool(list_prefixes(folder)) or are_weights(absent.names_in(folder))


def are_weights(names: Iterable[str]) -> bool:
    """Return whether a name in a folder is that of weights, other than a checkpoint's."""
    found = files_of_forms([name for name in names if not _NO_WEIGHTS.match(name)], None)
    return bool(found)


def _require_weight_file(ref: FileRef) -> None:
    """Require that a path that is no folder may lead to weights; `find_weights` takes all else for parts of a checkpoint.

    Raises:
        WrongFileKindError: It is a file of another kind.
        MissingFileError: Nothing is there, and the name is that of a file.
    """
    endings = tuple(end for kind in kinds_of(None) if kind.form != CHECKPOINT for end in kind.endings)
    if not ref.source.is_there(ref.path) and ref.path.endswith((*endings, ".json")):
        raise absent.missing(ref)
    if not ref.is_file() or is_of_checkpoint(ref) or os.path.basename(ref.path) == STATE_NAME:
        return
    kind = sniff(ref)
    is_index = kind is not None and kind.id == "json" and first_shard(ref) is not None
    if (kind is None or not kind.form) and not is_index:
        require_opens(ref)
        raise wrong_kind(ref, kind or UNKNOWN, wanted="a weight file")


def _only_below(
    ref: FileRef, below: list[str], error: CheckpointNotFoundError
) -> CheckpointNotFoundError | AmbiguousCheckpointError:
    folder = ref.at(ref.path, "folder")
    message = f"the folder has no weights of its own; {counted(len(below), 'folder')} below it have"
    hints = [f"pass one of them: {', '.join(below)}", f"or check all of them: safeload check weights {ref.path}"]
    if len(below) == 1:
        hints = [f"pass {folder.inside(below[0]).path}"]
        return CheckpointNotFoundError(
            message, **folder.facts, looked_for=error.looked_for, beside=error.beside, hints=hints
        )
    candidates = [folder.inside(name).path for name in below]
    return AmbiguousCheckpointError(message, candidates=candidates, **folder.facts, hints=hints)
