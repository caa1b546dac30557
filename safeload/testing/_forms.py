"""Write the weights of a BERT in each form."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from safeload._arguments import as_python, bad_argument
from safeload._values import as_stored_values
from safeload.bert.namings import NAMINGS
from safeload.testing._bundle import write_bundle
from safeload.testing._keras import write_keras, write_layers, write_tf_model
from safeload.testing._object_graph import write_objects
from safeload.testing._safetensors import write_safetensors
from safeload.testing._torch import write_torch

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from safeload._naming import Naming

    Tensors = Mapping[str, NDArray[Any]]

PREFIX, CONFIG_NAME = "bert_model.ckpt", "bert_config.json"


class Form(NamedTuple):
    """How a form is written.

    Attributes:
        naming: The id of its names.
        writer: Who writes it, in the table of the forms.
        config_name: The name of the config file.
        config: Returns the config that the form's own library writes, from Google's.
        write: Writes the tensors into a folder.
        scope: The prefix of the names; None for the naming's usual scope.
    """

    naming: str
    writer: str
    config_name: str
    config: Callable[[Mapping[str, Any]], Mapping[str, Any]]
    write: Callable[[Path, Tensors], None]
    scope: str | None = None


def _of_transformers(config: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "architectures": ["BertForPreTraining"],
        "model_type": "bert",
        "layer_norm_eps": 1e-12,
        "position_embedding_type": "absolute",
        **config,
    }


FORMS = {
    "tensorflow": Form(
        "google", "Google's scripts, keras-bert's users, TensorFlow 1", CONFIG_NAME, dict,
        lambda folder, tensors: write_bundle(folder / PREFIX, tensors, 1),
    ),
    "tensorflow/tf-models": Form(
        "tf-models", "tf-models, TF-Hub's modules of TensorFlow 2", CONFIG_NAME, dict,
        lambda folder, tensors: write_objects(folder / PREFIX, tensors),
    ),
    "tensorflow/keras-bert-tf": Form(
        "keras-bert-tf", "keras-bert, `save_weights` and `save` in TensorFlow's form", CONFIG_NAME, dict,
        lambda folder, tensors: write_objects(folder / PREFIX, tensors),
    ),
    "safetensors": Form(
        "hugging-face", "transformers 4 and 5, sentence-transformers", "config.json", _of_transformers,
        lambda folder, tensors: write_safetensors(folder / "model.safetensors", tensors, {"format": "pt"}),
    ),
    "torch": Form(
        "hugging-face", "transformers 2 to 4, and any script with torch.save", "config.json", _of_transformers,
        lambda folder, tensors: write_torch(folder / "pytorch_model.bin", tensors),
    ),
    "hdf5": Form(
        "hugging-face-tf", "transformers 2 to 4, its TensorFlow models", "config.json", _of_transformers,
        write_tf_model, scope="bert/tf_bert_for_pre_training/bert/",
    ),
    "hdf5/keras-bert": Form(
        "keras-bert", "keras-bert, `save_weights` and `save`", CONFIG_NAME, dict,
        lambda folder, tensors: write_layers(folder / "model.h5", tensors),
    ),
    "keras": Form("keras-bert-numbered", "keras-bert with tf-keras, `save`", CONFIG_NAME, dict, write_keras),
}  # fmt: skip
"""Form -> how it is written; the keys are the forms of `LoadReport.form`, with the naming unless it is the form's first."""


def write_form(folder: Path, form: str, config: Mapping[str, Any], tensors: Tensors) -> None:
    """Write the config and the weights of a BERT; `tensors` have the names and shapes of its parameters."""
    row = FORMS[form]
    (folder / row.config_name).write_text(json.dumps(row.config(config), indent=2), encoding="utf-8", newline="\n")
    row.write(folder, renamed(tensors, row, config["num_attention_heads"]))


def renamed(tensors: Tensors, form: Form, n_heads: int) -> dict[str, NDArray[Any]]:
    """Return parameters with the names and in the arrangement of a form."""
    naming = next(naming for naming in NAMINGS if naming.id == form.naming)
    return in_naming(tensors, naming, naming.usual_scope if form.scope is None else form.scope, n_heads)


def in_naming(tensors: Tensors, naming: Naming, scope: str, n_heads: int = 0) -> dict[str, NDArray[Any]]:
    """Return parameters with the names and in the arrangement of a naming."""
    names = {naming.stored_as(parameter, scope)[0] for parameter in tensors}
    rows = {parameter: naming.stored_as(parameter, scope, names) for parameter in tensors}
    return {
        rows[parameter][0]: np.ascontiguousarray(as_stored_values(values, rows[parameter][1], n_heads))
        for parameter, values in tensors.items()
    }


def stored_name(parameter: str, form: Form) -> str:
    """Return the name of a parameter in files of a form."""
    naming = next(naming for naming in NAMINGS if naming.id == form.naming)
    return naming.stored_as(parameter, naming.usual_scope if form.scope is None else form.scope)[0]


def valid_form(form: object, forms: Collection[str] = FORMS) -> str:
    """Return the name of a form, by default of a BERT.

    Raises:
        ArgumentError: There is no such form.
    """
    name = as_python(form)
    if not isinstance(name, str) or name not in forms:
        raise bad_argument(
            "form",
            form,
            f"one of {', '.join(forms)}",
            ["safeload.report_of(model) has the same names, as form and naming"],
        )
    return name
