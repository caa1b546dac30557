"""Find out which model is at a path: a BERT or an ELMo."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from safeload import _recognise
from safeload._advice import advice, models_in, tensor_names, variables_of
from safeload._bytes import absent
from safeload._bytes.archives.locating import archive_hints, given_ref, located
from safeload._bytes.kinds import CHECKPOINT, UNKNOWN, sniff, wrong_kind
from safeload._bytes.usual_names import files_of_forms
from safeload._forms.tensorflow.prefixes import is_of_checkpoint, list_prefixes, prefix_of
from safeload._forms.weight_file import WeightPlace
from safeload._json import read_json_object
from safeload._recognise import BERT, ELMO
from safeload.errors import SafeLoadError, WrongFileKindError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from safeload._bytes.files import FileRef

KIND_OF = {BERT: "bert", ELMO: "elmo"}
N_CONFIGS = 16
"""How many JSON files of a folder are read to tell two models apart."""

_WHAT_THEY_HAVE = "a BERT has a bert_config.json and a checkpoint; an ELMo an options JSON and an HDF5 file"


def kinds_at(path: str) -> list[str]:
    """Return the kinds of the models at a path: of a folder, a file, a checkpoint prefix or an archive.

    Empty if nothing there says which model it is, or it cannot be read.
    """
    try:
        ref = located(given_ref(path, "path", "model"))
        if ref.is_dir():
            return decided(ref.at(ref.path, "folder"), [KIND_OF[model] for model in models_in(ref)])
        if ref.path.endswith(".json"):
            model = _recognise.model_of_config(read_json_object(ref))
            return [KIND_OF[model]] if model in KIND_OF else []
    except SafeLoadError:
        return []
    return _in_order(_kinds_of(_tensors_of(ref)), KIND_OF.values())


def decided(folder: FileRef, claimed: list[str]) -> list[str]:
    """Return which of the kinds of model that the names in a folder suggest are there.

    Configs decide before the names of tensors, and these before the order of the claims.
    """
    if len(claimed) > 1:
        for evidence in (_by_configs, _by_weights):
            if found := _in_order(evidence(folder), claimed):
                return found
    return claimed[:1]


def no_model(ref: FileRef) -> SafeLoadError:
    """Return the error for a path at which nothing says which model is there."""
    if not ref.is_dir():
        if ref.source.exists(ref.path):
            return wrong_kind(ref, sniff(ref) or UNKNOWN, wanted="a BERT or an ELMo")
        return absent.missing(ref)
    folder = ref.at(ref.path, "folder")
    context = [("inside", absent.names_text(absent.list_names(folder)))]
    hints = [*archive_hints(folder), *(advice(folder, BERT) or [_WHAT_THEY_HAVE])]
    message = "the folder contains no BERT or ELMo"
    wanted = "the folder of one model"
    facts = {**folder.facts, "context": context, "hints": hints}
    return WrongFileKindError(message, wanted=wanted, found="another folder", **facts)


def _in_order(found: set[str], kinds: Iterable[str]) -> list[str]:
    return [kind for kind in kinds if kind in found]


def _by_configs(folder: FileRef) -> set[str]:
    names = [name for name in absent.names_in(folder) if name.endswith(".json")]
    names.sort(key=lambda name: not ("config" in name or "options" in name))
    found = {_model_of(folder.inside(name)) for name in names[:N_CONFIGS]}
    return {KIND_OF[model] for model in found if model in KIND_OF}


def _model_of(config: FileRef) -> str | None:
    with suppress(SafeLoadError):
        return _recognise.model_of_config(read_json_object(config))
    return None


def _by_weights(folder: FileRef) -> set[str]:
    names = {name for prefix in list_prefixes(folder) for name in variables_of(folder.at(prefix))}
    files = {file for model in KIND_OF for file in files_of_forms(absent.names_in(folder), model)}
    for name, form in files:
        names.update(tensor_names(WeightPlace(ref=folder.inside(name, "weight"), form=form, place="")))
    return _kinds_of(names)


def _tensors_of(ref: FileRef) -> list[str]:
    if is_of_checkpoint(ref) or ref.source.is_file(f"{ref.path}.index"):
        return variables_of(ref.at(prefix_of(ref.path)))
    kind = sniff(ref)
    if kind is None or kind.form in ("", CHECKPOINT):
        return []
    return tensor_names(WeightPlace(ref=ref.at(ref.path, "weight"), form=kind.form, place=""))


def _kinds_of(names: Iterable[str]) -> set[str]:
    return {KIND_OF[_recognise.OWNERS[model]] for model in _recognise.models_of_variables(list(names))}
