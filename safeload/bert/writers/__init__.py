"""List the forms that a BERT is written in: one module each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from safeload._arguments import as_python, bad_argument
from safeload.bert.writers.google import Google
from safeload.bert.writers.keras_bert_h5 import KerasBertH5
from safeload.bert.writers.keras_hub import KerasHub
from safeload.bert.writers.safetensors import Safetensors

if TYPE_CHECKING:
    from safeload.bert.writers._writer import Writer

WRITERS: dict[str, Writer] = {each.id: each for each in (Safetensors(), Google(), KerasBertH5(), KerasHub())}


def writer_of(form: object) -> Writer:
    """Return the writer of a form.

    Raises:
        ArgumentError: There is no such form.
    """
    name = as_python(form)
    if isinstance(name, str) and name in WRITERS:
        return WRITERS[name]
    hints = ["a pickle, such as pytorch_model.bin, is never written", "form='hdf5' is of an ELMo"]
    raise bad_argument("form", form, f"one of {', '.join(map(repr, WRITERS))}", hints)
