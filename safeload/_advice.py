"""Say what a path holds where a model was expected and not found, and what can be done with it.

Nothing here raises: what cannot be read gives no hint.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from safeload import _recognise
from safeload._bytes.absent import names_in
from safeload._bytes.hub import MAX_LISTED, snapshots_in
from safeload._bytes.kinds import sniff
from safeload._bytes.usual_names import files_of_forms
from safeload._caches import cached_models
from safeload._forms import open_weights
from safeload._forms.tensorflow.prefixes import STATE_NAME, VARIABLES, list_prefixes, names_in_assets, prefix_of
from safeload._forms.weight_file import WeightPlace
from safeload._recognise import BERT, ELMO
from safeload.errors import CheckpointNotFoundError, SafeLoadError, WrongFileKindError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from safeload._bytes.files import FileRef

_OF_TORCH = ("torch", "pickle", "zip")
_SHARD = r"(-\d+-of-\d+)?"
_HUGGING_FACE = re.compile(
    rf"(pytorch_model{_SHARD}\.bin|model{_SHARD}\.safetensors|tf_model{_SHARD}\.h5|flax_model{_SHARD}\.msgpack)(\.index\.json)?$"
)
_LOAD = {
    BERT: "load it with safeload.load_bert, or check it with: safeload check bert",
    ELMO: "load it with safeload.load_elmo, or check it with: safeload check elmo",
}
_READS = {
    BERT: "safeload reads BERT from Google's checkpoints (bert_config.json and bert_model.ckpt.*), from those and the SavedModels "
    "of tf-models, from Hugging Face's folders (config.json and model.safetensors, pytorch_model.bin or tf_model.h5), and from "
    "files of keras-bert and KerasHub",
    ELMO: "safeload reads ELMo from options.json and weights.hdf5, from checkpoints of bilm-tf, from TF-Hub's modules, and from "
    "archives and state dicts of AllenNLP",
}


def advice(ref: FileRef, model: str) -> list[str]:
    """Return hints on what is at a path, where the files of a model were not found; empty if nothing is recognised.

    Args:
        ref: A folder or file.
        model: "BERT" or "ELMo": the model that was expected.
    """
    rules = _OF_FOLDERS if ref.is_dir() else _OF_FILES
    return next((hints for rule in rules if (hints := rule(ref, model))), [])


def add_advice(error: SafeLoadError, ref: FileRef, model: str) -> None:
    """Replace the hints of an error for weights that were not found at a path by those on what is there, if there are any."""
    if isinstance(error, (CheckpointNotFoundError, WrongFileKindError)) and error.label != "shard":
        error.hints = tuple(advice(ref, model)) or error.hints


def _cache(folder: FileRef, model: str) -> list[str]:
    snapshots = snapshots_in(folder.path)
    if not snapshots:
        return []
    hints = [f"this belongs to the cache of huggingface_hub; the files of a model are in {snapshots[0]}"]
    if len(snapshots) > 1:
        hints = [
            "this belongs to the cache of huggingface_hub; pass the folder of one model: "
            + ", ".join(snapshots[:MAX_LISTED])
            + (", ..." if len(snapshots) > MAX_LISTED else "")
        ]
    return [*hints, *(_hugging_face(folder.at(snapshots[0]), model) if len(snapshots) == 1 else [])]


def _other_cache(folder: FileRef, model: str) -> list[str]:  # noqa: ARG001  (a rule)
    owner, found = cached_models(folder)
    if not owner:
        return []
    what = f"this is the cache of {owner}"
    if not found:
        return [f"{what}, and no model is in it"]
    more = f", and {len(found) - MAX_LISTED} more" if len(found) > MAX_LISTED else ""
    return [f"{what}; pass one of: {', '.join(map(str, found[:MAX_LISTED]))}{more}"]


def _saved_model(folder: FileRef, model: str) -> list[str]:
    names = names_in(folder)
    if not {"saved_model.pb", "tfhub_module.pb"} & set(names):
        return []
    variables = variables_of(folder.inside(os.path.join(VARIABLES, VARIABLES)))
    if model == BERT and _has(ELMO, variables):
        return [f"the folder is a TF-Hub module of an ELMo: {_LOAD[ELMO]} {folder.path}"]
    if _has(BERT, variables):
        what = "the folder is a SavedModel with BERT's variables"
        if model == ELMO:
            return [f"{what}: {_LOAD[BERT]} {folder.path}"]
        if any(name.endswith("config.json") for name in (*names, *names_in_assets(folder))):
            return [f"{what}: pass {folder.path}"]
        first = "pass the bert_config.json that it was made with as config_file"
        return [f"{what}, without a config: {first}, and {folder.path} as checkpoint_file"]
    if model == BERT and not folder.inside(os.path.join(VARIABLES, f"{VARIABLES}.index")).is_file():
        what = "the folder is a SavedModel or TF-Hub module without variables/variables.index, where its weights are"
        return [f"{what}: copy the whole folder again; safeload reads a BERT from its variables"]
    loader = "tf.keras.models.load_model of Keras 2" if "keras_metadata.pb" in names else "tf.saved_model.load"
    return [f"the folder is a SavedModel or TF-Hub module, which {loader} loads; {_READS[model]}"]


def _hugging_face(folder: FileRef, model: str) -> list[str]:
    names = names_in(folder)
    weights = [name for name in names if _HUGGING_FACE.match(name)]
    if not weights or (model == ELMO and "config.json" not in names):
        return []
    held = f"{folder.path} holds a Hugging Face model ({', '.join(weights[:MAX_LISTED])})"
    if "config.json" not in names:
        return [f"{held} without its config.json, which transformers needs too", _READS[model]]
    starts = {"TF": "tf_", "Flax": "flax_"}
    loader = next((each for each, start in starts.items() if all(name.startswith(start) for name in weights)), "")
    return [f"{held}: transformers.{loader}AutoModel.from_pretrained loads that folder", _READS[model]]


def _adapter(folder: FileRef, model: str) -> list[str]:
    if model == ELMO or "adapter_config.json" not in names_in(folder):
        return []
    what = "the folder has a PEFT adapter, without the weights of the model that it adapts"
    return [
        f"{what}: merge it into that model with merge_and_unload(), and pass the folder that save_pretrained() writes"
    ]


def _deeper(folder: FileRef, model: str) -> list[str]:
    """Return hints for a folder whose weights are in a folder of it, as sentence-transformers stores them."""
    inner = [folder.inside(name) for name in names_in(folder)]
    found = [each.path for each in inner if each.is_dir() and files_of_forms(names_in(each), model)]
    return [f"there are weights a level deeper: pass {path}" for path in found[:MAX_LISTED]]


def _torch_checkpoint(folder: FileRef, model: str) -> list[str]:
    """Return hints for files that have the name of a TensorFlow checkpoint and are PyTorch's, such as Lightning's."""
    named = [] if model == ELMO else [name for name in names_in(folder) if name.endswith(".ckpt")]
    found = [(name, kind) for name in named if (kind := sniff(folder.inside(name))) and kind.id in _OF_TORCH]
    return [
        f"{name} is a PyTorch file, as Lightning saves its checkpoints: pass {folder.inside(name).path} as checkpoint_file"
        if kind.form
        else f"{name} is a {kind.name}: {kind.hint}"
        for name, kind in found[:MAX_LISTED]
    ]


def _lacks_weights(folder: FileRef, model: str) -> list[str]:
    if model == ELMO or "config.json" not in names_in(folder):
        return []
    wanted = "put model.safetensors, pytorch_model.bin or tf_model.h5 of the same model beside it"
    return [f"config.json is here and its weights are not: {wanted}"]


def _other_model(folder: FileRef, model: str) -> list[str]:
    names = names_in(folder)
    other = _recognise.other_folder(model, folder.path, names)
    if other is not None:
        return [f"the folder contains {other.name}: {other.hint}"]
    if model == BERT and _has_elmo(folder, names):
        return [f"the folder contains an ELMo: {_LOAD[ELMO]} {folder.path}"]
    if model == ELMO and any(_has(BERT, variables_of(folder.at(prefix))) for prefix in list_prefixes(folder)[-1:]):
        return [f"the folder contains a BERT: {_LOAD[BERT]} {folder.path}"]
    return []


def _has_elmo(folder: FileRef, names: list[str]) -> bool:
    weights = [name for name, _ in files_of_forms(names, ELMO)]
    has_options = any(name.endswith(".json") and "options" in name for name in names)
    return bool(weights) and (has_options or any(_has(ELMO, _datasets(folder.inside(name))[0]) for name in weights))


def _has(model: str, names: list[str]) -> bool:
    return model in _recognise.models_of_variables(names)


def _checkpoint(folder: FileRef, model: str) -> list[str]:
    prefixes = list_prefixes(folder)
    return _checkpoint_file(folder.at(prefixes[-1]), model) if prefixes else []


def lacks_config(folder: FileRef) -> list[str]:
    """Return the hint for a folder with a BERT's checkpoint and no config, such as an Estimator's `model_dir`."""
    prefixes = list_prefixes(folder)
    found = [prefix for prefix in prefixes if _has(BERT, variables_of(folder.at(prefix)))]
    if not found:
        return []
    is_chosen = len(prefixes) == 1 or folder.inside(STATE_NAME).is_file()
    name = os.path.basename(found[-1])
    wanted = "pass the bert_config.json that it was trained with as config_file"
    hint = f"the folder has a checkpoint of a BERT, {name}, and no config, which training does not write"
    return [f"{hint}: {wanted}, and {folder.path if is_chosen else found[-1]} as checkpoint_file"]


def _checkpoint_file(ref: FileRef, model: str) -> list[str]:
    variables = variables_of(ref.at(prefix_of(ref.path)))
    models = _recognise.models_of_variables(variables)
    if _recognise.BILM_TF in models:
        return [f"{os.path.basename(ref.path)} belongs to a training checkpoint of bilm-tf: {_recognise.LOAD_TRAINED}"]
    if model == BERT or not variables:
        return []
    what = "of a BERT: pass it to safeload.load_bert" if models else "of another model"
    return [f"{os.path.basename(ref.path)} belongs to a TensorFlow checkpoint {what}", _READS[model]]


def _by_name(ref: FileRef, model: str) -> list[str]:
    kind, name = sniff(ref), os.path.basename(ref.path)
    if name in ("saved_model.pb", "tfhub_module.pb"):
        return _saved_model(ref.folder(), model)
    if kind is None:
        return []
    if kind.id == "pickle" and name == "data.pkl":
        return [
            f"{name} is a part of a PyTorch file: pass the whole file, which is a zip archive, as torch.save wrote it"
        ]
    if kind.id in (*_OF_TORCH, "safetensors") and _HUGGING_FACE.match(name):
        return _hugging_face(ref.folder(), model)
    return []


def variables_of(prefix: FileRef) -> list[str]:
    """Return the names of the variables of a checkpoint; empty if it cannot be read."""
    if not prefix.source.is_file(f"{prefix.path}.index"):
        return []
    return _names_of(WeightPlace(ref=prefix.at(prefix.path, "prefix"), form="tensorflow", place=""))[0]


def of_allennlp(folder: FileRef, names: Collection[str]) -> list[str]:
    """Return the names of the tensors of an AllenNLP model in a folder; empty if there is none, or it cannot be read."""
    weights = next((name for name in _recognise.WEIGHTS_OF_ALLENNLP if name in names), None)
    return _names_of(WeightPlace(ref=folder.inside(weights, "weight"), form="torch", place=""))[0] if weights else []


def may_be_of_allennlp(folder: FileRef, names: Collection[str]) -> bool:
    """Return whether a folder has the weights of an AllenNLP model with an ELMo, or such that cannot be read."""
    if not any(name in names for name in _recognise.WEIGHTS_OF_ALLENNLP):
        return False
    tensors = of_allennlp(folder, names)
    return not tensors or _has(ELMO, tensors)


def models_in(folder: FileRef) -> list[str]:
    """Return the models in a folder, by the names of its files and by the variables of its checkpoints."""
    names = [*names_in(folder), *names_in_assets(folder)]
    by_name = _recognise.models_of_folder(name for name in names if not name.endswith(".index"))
    prefixes = list_prefixes(folder) or [folder.inside(os.path.join(VARIABLES, VARIABLES)).path]
    variables = [name for prefix in prefixes for name in variables_of(folder.at(prefix))]
    variables += of_allennlp(folder, names)
    found = {*by_name, *(_recognise.OWNERS[name] for name in _recognise.models_of_variables(variables))}
    return [model for model in (BERT, ELMO) if model in found] or _recognise.models_of_folder(names)


def _datasets(ref: FileRef) -> tuple[list[str], list[str]]:
    return _names_of(WeightPlace(ref=ref.at(ref.path, "weight"), form="hdf5", place=""))


def tensor_names(place: WeightPlace) -> list[str]:
    """Return the names of the tensors of a weight file; empty if it cannot be read."""
    return _names_of(place)[0]


def _names_of(place: WeightPlace) -> tuple[list[str], list[str]]:
    """Return the names of the tensors and groups of a weight file; none if it cannot be read."""
    try:
        with open_weights(place) as weights:
            return list(weights.tensors), list(weights.groups)
    except (SafeLoadError, OSError, MemoryError, RecursionError):
        return [], []


_Rule = tuple["Callable[[FileRef, str], list[str]]", ...]
_OF_FOLDERS: _Rule = (
    _cache, _other_cache, _saved_model, _adapter, _hugging_face, _other_model, _checkpoint, _torch_checkpoint, _deeper, _lacks_weights,
)  # fmt: skip
_OF_FILES: _Rule = (_checkpoint_file, _by_name)
