"""Write the weights of a BERT in each form."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from safeload._arguments import as_python, bad_argument
from safeload.bert.namings import NAMINGS
from safeload.testing._bundle import write_bundle
from safeload.testing._object_graph import write_objects
from safeload.testing._safetensors import write_safetensors

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from safeload._naming import Change

    Tensors = Mapping[str, NDArray[Any]]

PREFIX, CONFIG_NAME = "bert_model.ckpt", "bert_config.json"


class Form(NamedTuple):
    """How a form is written.

    Attributes:
        naming: The id of its names.
        config_name: The name of the config file.
        config: Returns the config that the form's own library writes, from Google's.
        write: Writes the tensors into a folder.
    """

    naming: str
    config_name: str
    config: Callable[[Mapping[str, Any]], Mapping[str, Any]]
    write: Callable[[Path, Tensors], None]


def _of_transformers(config: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "architectures": ["BertForPreTraining"],
        "model_type": "bert",
        "layer_norm_eps": 1e-12,
        "position_embedding_type": "absolute",
        **config,
    }


FORMS = {
    "tensorflow": Form("google", CONFIG_NAME, dict, lambda folder, tensors: write_bundle(folder / PREFIX, tensors, 1)),
    "tensorflow/tf-models": Form(
        "tf-models", CONFIG_NAME, dict, lambda folder, tensors: write_objects(folder / PREFIX, tensors)
    ),
    "safetensors": Form(
        "hugging-face", "config.json", _of_transformers,
        lambda folder, tensors: write_safetensors(folder / "model.safetensors", tensors, {"format": "pt"}),
    ),
}  # fmt: skip
"""Form -> how it is written; the keys are the forms of `LoadReport.form`, with a naming that is not the form's usual one."""


def write_form(folder: Path, form: str, config: Mapping[str, Any], tensors: Tensors) -> None:
    """Write the config and the weights of a BERT; `tensors` have the names and shapes of its parameters."""
    row = FORMS[form]
    (folder / row.config_name).write_text(json.dumps(row.config(config), indent=2), encoding="utf-8")
    row.write(folder, renamed(tensors, row.naming, config["num_attention_heads"]))


def renamed(tensors: Tensors, naming_id: str, n_heads: int) -> dict[str, NDArray[Any]]:
    """Return parameters with the names and in the arrangement of a naming."""
    naming = next(naming for naming in NAMINGS if naming.id == naming_id)
    rows = {parameter: naming.stored_as(parameter, naming.usual_scope) for parameter in tensors}
    return {rows[parameter][0]: _stored(values, rows[parameter][1], n_heads) for parameter, values in tensors.items()}


def _stored(values: NDArray[Any], change: Change, n_heads: int) -> NDArray[Any]:
    """Undo the change by which stored values become a parameter."""
    if change == "heads first":
        return values.reshape(n_heads, -1, *values.shape[1:])
    if change == "heads last":
        return values.reshape(*values.shape[:-1], n_heads, -1)
    return np.ascontiguousarray(values.T) if change == "transposed" else values


def valid_form(form: object) -> str:
    """Return the name of a form.

    Raises:
        ArgumentError: There is no such form.
    """
    name = as_python(form)
    if not isinstance(name, str) or name not in FORMS:
        raise bad_argument(
            "form",
            form,
            f"one of {', '.join(FORMS)}",
            ["safeload.report_of(model) has the same names, as form and naming"],
        )
    return name
