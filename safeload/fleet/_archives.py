"""Find the models in an archive by the names in it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from safeload._advice import may_be_of_allennlp
from safeload._bytes.archives.locating import located
from safeload._bytes.files import FileRef
from safeload._forms.tensorflow.prefixes import ASSETS, SAVED_MODEL, VARIABLES
from safeload._recognise import BERT, ELMO, WEIGHTS_OF_ALLENNLP, has_piece_of
from safeload.errors import SafeLoadError, UnsafeFileError
from safeload.fleet._found import Model
from safeload.fleet._kinds import decided
from safeload.fleet._loose import is_loose
from safeload.weights._places import are_weights

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_MODELS = {"bert": BERT, "elmo": ELMO, "weights": None}
"""What is looked for; None for the weights of any model."""


def models_in_archive(kinds: tuple[str, ...], path: str) -> Iterator[Model]:
    """Yield the models in an archive: at its own path that at its top, or in its only folder.

    One that is cut off, damaged or unreadable is a model itself, so that its check reports it.
    """
    from safeload._bytes.archives.names import names_in_archive  # noqa: PLC0415  (few trees have archives)

    try:
        folders = names_in_archive(FileRef(path=os.path.abspath(path), role="archive", given=path))
    except UnsafeFileError:
        return
    except SafeLoadError:
        yield Model(path, kinds[0] if len(kinds) == 1 else "")
        return
    shown = {
        folder: [name for name in names if not name.startswith(".")]
        for folder, names in folders.items()
        if not any(part.startswith(".") for part in folder.split("/"))
    }
    tops = {folder.partition("/")[0] for folder, names in shown.items() if names}
    only = tops.pop() if len(tops) == 1 else ""
    for folder in shown:
        claimed = [kind for kind in kinds if _is_model(kind, path, folder, shown)]
        place = path if folder == only else os.path.join(path, folder)
        yield from (Model(place, kind) for kind in _decided(path, folder, claimed))


def _decided(archive: str, folder: str, claimed: list[str]) -> list[str]:
    if len(claimed) < 2:  # noqa: PLR2004  (nothing to decide, and nothing to read)
        return claimed
    ref = FileRef(path=os.path.abspath(os.path.join(archive, folder)), role="folder", given=archive)
    try:
        return decided(located(ref), claimed)
    except SafeLoadError:
        return claimed[:1]


def _is_model(kind: str, archive: str, folder: str, folders: Mapping[str, list[str]]) -> bool:
    """Return whether a folder of an archive has a piece of a model; what belongs to a SavedModel is in its folder."""
    names, model = folders[folder], _MODELS[kind]
    above, _, last = folder.rpartition("/")
    if last in (VARIABLES, ASSETS) and SAVED_MODEL in folders.get(above, ()):
        return False
    if model is None:
        return SAVED_MODEL in names or are_weights(names) or any(name.endswith(".index") for name in names)
    assets = folders.get(f"{folder}/{ASSETS}".lstrip("/"), []) if SAVED_MODEL in names else []
    listed = [*names, *assets]
    return (not is_loose(model, listed) and has_piece_of(model, listed)) or _is_elmo_in(model, archive, folder, names)


def _is_elmo_in(model: str, archive: str, folder: str, names: list[str]) -> bool:
    """Return whether a folder of an archive has an AllenNLP model with an ELMo, or one that cannot be read."""
    if model != ELMO or not any(name in names for name in WEIGHTS_OF_ALLENNLP):
        return False
    path = os.path.abspath(os.path.join(archive, folder))
    try:
        return may_be_of_allennlp(located(FileRef(path=path, role="folder", given=archive)), names)
    except SafeLoadError:
        return True
