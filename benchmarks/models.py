"""The models that are measured, written at run time: random values in the shapes of the published ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import fleet

from safeload.testing import write_bert, write_bert_checkpoint, write_elmo
from safeload.testing._forms import FORMS

if TYPE_CHECKING:
    from pathlib import Path

VOCABULARY = {"vocab": 30522, "positions": 512}
BASE = {"layers": 12, "hidden": 768, "attention_heads": 12, "intermediate": 3072, **VOCABULARY}
LARGE = {"layers": 24, "hidden": 1024, "attention_heads": 16, "intermediate": 4096, **VOCABULARY}
NARROW = {"hidden": 256, "attention_heads": 4, "intermediate": 1024, **VOCABULARY}
LAYERS = (4, 12, 24, 48)
FILTERS = ((1, 32), (2, 32), (3, 64), (4, 128), (5, 256), (6, 512), (7, 1024))
ELMO = {"layers": 2, "dim": 4096, "projection": 512, "char_dim": 16, "filters": FILTERS, "highways": 2}

BERTS = {
    "BERT-Base": BASE,
    "BERT-Large": LARGE,
    **{f"BERT of {layers} layers": {"layers": layers, **NARROW} for layers in LAYERS},
}
GOOGLES = "google"
IN_FORMS = {f"BERT-Base as {form}": form for form in FORMS if form != "tensorflow"}
"""The same BERT in each other form, with Google's files in a folder `GOOGLES` beside it."""

TF_HUB, SIGNED, TREE = "ELMo of TF-Hub", "BERT-Base, signed", "300 folders"
MODELS = (*BERTS, *IN_FORMS, "ELMo", TF_HUB, SIGNED, TREE)


def write(model: str, folder: Path) -> None:
    """Write one of MODELS; TF-Hub's is what a side of the benchmark writes, with TensorFlow."""
    if model == TF_HUB:
        return
    if model == "ELMo":
        write_elmo(folder, **ELMO)
    elif model == TREE:
        fleet.make(folder)
    elif model == SIGNED:
        write_bert(folder, form="safetensors", **BASE)
    elif model in IN_FORMS:
        write_bert(folder, form=IN_FORMS[model], **BASE)
        write_bert_checkpoint(folder / GOOGLES, **BASE)
    else:
        write_bert_checkpoint(folder, **BERTS[model])


def form_of(folder: Path) -> str:
    """Return the form of the BERT that was written into a folder named like its model."""
    return next((form for model, form in IN_FORMS.items() if folder.as_posix().endswith(model)), "tensorflow")


def safetensors_of(folder: Path) -> Path:
    """Return the weights as a safetensors file: the model's own, or else a copy where it counts as no file of the model."""
    own = folder / "model.safetensors"
    return own if own.exists() else folder / "copy" / own.name


def weight_files(folder: Path) -> list[Path]:
    """Return the files that hold the values."""
    others, variables = (".json", ".txt", ".index"), folder / "variables"
    if folder.name == TREE:
        return sorted(path for path in folder.rglob("*") if path.is_file())
    return sorted(
        path
        for path in (variables if variables.is_dir() else folder).iterdir()
        if path.is_file() and path.suffix not in others
    )
