"""Find the models in an archive by the names in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from safeload._advice import may_be_of_allennlp
from safeload._bytes.archives.locating import located
from safeload._bytes.files import FileRef
from safeload._bytes.names import is_shown
from safeload._forms.tensorflow.prefixes import ASSETS, SAVED_MODEL, VARIABLES
from safeload._recognise import BERT, ELMO, WEIGHTS_OF_ALLENNLP, has_piece_of
from safeload.errors import SafeLoadError, UnsafeFileError
from safeload.fleet._found import Model
from safeload.fleet._kinds import decided
from safeload.fleet._listing import absolute, inside
from safeload.fleet._loose import is_loose
from safeload.weights._places import are_weights

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_MODELS = {"bert": BERT, "elmo": ELMO, "weights": None}
"""What is looked for; None for the weights of any model."""


def models_in_archive(kinds: tuple[str, ...], ref: FileRef) -> Iterator[Model]:
    """Yield the models in an archive: at its own path that at its top, or in its only folder.

    One that is cut off, damaged or unreadable is a model itself, so that its check reports it.
    """
    from safeload._bytes.archives.names import names_in_archive  # noqa: PLC0415  (few trees have archives)

    path, source = ref.path, ref.source
    try:
        folders = names_in_archive(FileRef(path=absolute(path), role="archive", given=path, source=source))
    except UnsafeFileError:
        return
    except SafeLoadError:
        yield Model(path, kinds[0] if len(kinds) == 1 else "")
        return
    shown = {
        folder: [*filter(is_shown, names)]
        for folder, names in folders.items()
        if not folder or all(map(is_shown, folder.split("/")))
    }
    tops = {folder.partition("/")[0] for folder, names in shown.items() if names}
    only = tops.pop() if len(tops) == 1 else ""
    for folder in shown:
        claimed = [kind for kind in kinds if _is_model(kind, ref, folder, shown)]
        place = path if folder == only else inside(path, folder)
        yield from (Model(place, kind) for kind in _decided(ref, folder, claimed))


def _decided(archive: FileRef, folder: str, claimed: list[str]) -> list[str]:
    if len(claimed) < 2:  # noqa: PLR2004  (nothing to decide, and nothing to read)
        return claimed
    try:
        return decided(located(_folder_in(archive, folder)), claimed)
    except SafeLoadError:
        return claimed[:1]


def _folder_in(archive: FileRef, folder: str) -> FileRef:
    path = absolute(inside(archive.path, folder))
    return FileRef(path=path, role="folder", given=archive.path, source=archive.source)


def _is_model(kind: str, archive: FileRef, folder: str, folders: Mapping[str, list[str]]) -> bool:
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


def _is_elmo_in(model: str, archive: FileRef, folder: str, names: list[str]) -> bool:
    """Return whether a folder of an archive has an AllenNLP model with an ELMo, or one that cannot be read."""
    if model != ELMO or not any(name in names for name in WEIGHTS_OF_ALLENNLP):
        return False
    try:
        return may_be_of_allennlp(located(_folder_in(archive, folder)), names)
    except SafeLoadError:
        return True
