"""Write the weights of an ELMo in each form."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

import h5py
import numpy as np

from safeload._forms.byte_order import little
from safeload._forms.tensorflow.prefixes import VARIABLES
from safeload.elmo._parameters import MIX_SCALE, MIX_WEIGHTS
from safeload.elmo.namings import NAMINGS
from safeload.elmo.namings.allennlp import AllenNlp
from safeload.testing._allennlp import SCOPE, module_values, others_of_model, write_model, write_state_dict
from safeload.testing._bundle import write_bundle
from safeload.testing._forms import in_naming

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from safeload._naming import Naming
    from safeload.elmo._options import ElmoOptions

    Tensors = Mapping[str, NDArray[Any]]

OPTIONS_NAME, WEIGHTS_NAME = "options.json", "weights.hdf5"
TRAINED = "model.ckpt-1000"
_N_WORDS = 7
_OF_TRAINING = {
    "bidirectional": True, "all_clip_norm_val": 10.0, "batch_size": 128, "dropout": 0.1, "n_epochs": 10, "n_gpus": 1,
    "n_negative_samples_batch": 8192, "n_tokens_vocab": _N_WORDS, "n_train_tokens": 768648884, "unroll_steps": 20,
}  # fmt: skip


class ElmoForm(NamedTuple):
    """How a form is written.

    Attributes:
        naming: The id of its names.
        writer: Who writes it, in the table of the forms.
        write: Writes the tensors into a folder.
        options: Returns the options that the form's own writer leaves beside them; none if it leaves none.
        others: Returns what it stores beside the parameters: name -> values, of the stored parameters.
        scope: The prefix of the names; None for the naming's usual scope.
    """

    naming: str
    writer: str
    write: Callable[[Path, Tensors], None]
    options: Callable[[Mapping[str, Any]], Mapping[str, Any]] = dict
    others: Callable[[Tensors], Tensors] = lambda tensors: {}  # noqa: ARG005
    scope: str | None = None


def write_weights(path: Path, datasets: Tensors) -> None:
    """Write datasets to an HDF5 file."""
    with h5py.File(path, "w") as file:
        for name, values in datasets.items():
            file[name] = little(values) if isinstance(values, np.ndarray) else values  # a text, in a broken copy


def _write_hdf5(folder: Path, datasets: Tensors) -> None:
    write_weights(folder / WEIGHTS_NAME, datasets)


def _write_training(folder: Path, variables: Tensors) -> None:
    write_bundle(folder / TRAINED, variables, 1)
    listed = f'model_checkpoint_path: "{TRAINED}"\nall_model_checkpoint_paths: "{TRAINED}"\n'
    (folder / "checkpoint").write_text(listed, encoding="utf-8", newline="\n")


def _write_module(folder: Path, variables: Tensors) -> None:
    (folder / "saved_model.pb").write_bytes(b"\x08\x01")  # a SavedModel, of schema 1, without a graph
    (folder / "tfhub_module.pb").write_bytes(b"\x08\x03")
    (folder / VARIABLES).mkdir()
    write_bundle(folder / VARIABLES / VARIABLES, variables, 1)


def _others_of_module(variables: Tensors) -> dict[str, NDArray[Any]]:
    """Return the learned weights and the scale of the layers' sum."""
    n_layers = sum(name.startswith("bilm/RNN_0/") and name.endswith("/bias") for name in variables)
    weights = np.linspace(-0.5, 0.25, n_layers + 1, dtype=np.float32)
    return {MIX_WEIGHTS: weights, MIX_SCALE: np.array(1.5, np.float32)}


def _options_of_training(options: Mapping[str, Any]) -> dict[str, Any]:
    return {**options, "char_cnn": {**options["char_cnn"], "n_characters": 261}, **_OF_TRAINING}


def _others_of_training(variables: Tensors) -> dict[str, NDArray[Any]]:
    """Return the softmax of the language model, the optimizer's slots and the scalars of training."""
    size = variables["lm/CNN_proj/b_proj"].size
    softmax = {
        "lm/softmax/W": np.full((_N_WORDS, size), 0.5, np.float32),
        "lm/softmax/b": np.zeros(_N_WORDS, np.float32),
    }
    slots = {f"{name}/Adagrad": np.ones_like(values) for name, values in {**variables, **softmax}.items()}
    scalars = {"global_step": np.float32(1000), "train_perplexity": np.float32(0)}
    return {**softmax, **slots, **{name: np.asarray(value) for name, value in scalars.items()}}


ELMO_FORMS = {
    "hdf5": ElmoForm("hdf5", "bilm-tf's `dump_weights`; published ELMos", _write_hdf5),
    "hdf5/one-layer": ElmoForm("one-layer", "bilm-tf's `dump_weights`, of a biLM of one layer", _write_hdf5),
    "tensorflow": ElmoForm("bilm-tf", "bilm-tf's training", _write_training, _options_of_training, _others_of_training),
    "tensorflow/tf-hub": ElmoForm(
        "tf-hub", "TF-Hub's modules, Google's and DeepPavlov's", _write_module, others=_others_of_module
    ),
    "torch": ElmoForm("allennlp", "torch.save, of AllenNLP's `Elmo` or a module that contains one", write_state_dict),
    "torch/model": ElmoForm(
        "allennlp",
        "AllenNLP's training, in its folder or its `model.tar.gz`",
        write_model,
        lambda _: {},
        others_of_model,
        SCOPE,
    ),
}
"""Form -> how it is written; the keys are the forms of `LoadReport.form`, and what tells apart those with the same."""


def naming_of_form(form: ElmoForm, n_layers: int) -> Naming:
    """Return the naming of a form, for a biLM of this many layers."""
    namings = [each for each in reversed(NAMINGS) if each.id == form.naming]
    return next(each for each in namings if n_layers == 1 or not getattr(each, "only_cell", ""))


def scope_of_form(form: ElmoForm, naming: Naming) -> str:
    """Return the prefix of the names in a form."""
    return naming.usual_scope if form.scope is None else form.scope


def write_elmo_form(folder: Path, form: str, options: ElmoOptions, tensors: Tensors) -> None:
    """Write the options and the weights of an ELMo; `tensors` are the datasets of its HDF5 file."""
    row = ELMO_FORMS[form]
    if written := row.options(options.raw):
        (folder / OPTIONS_NAME).write_text(json.dumps(written, indent=2), encoding="utf-8", newline="\n")
    naming = naming_of_form(row, options.n_layers)
    parameters = module_values(tensors, options) if isinstance(naming, AllenNlp) else tensors
    stored = in_naming(parameters, naming, scope_of_form(row, naming))
    row.write(folder, {**stored, **row.others(stored)})
