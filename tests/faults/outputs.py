"""Faults of files of expected outputs, and models that they are not of; each is found before a model is built."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

from safeload import errors
from tests.faults.fault import Fault, write

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NAME = "model.outputs.json"
VOCAB = "vocab.txt"
ROW = [0.0, 0.5, -0.5, 1.0]
MADE = {"runtime": "keras-bert", "versions": {"keras-bert": "0.89.0"}}
OUTPUTS = {
    "bert": {
        "schema": "safeload-expected-outputs/1",
        "model": "BERT",
        "made_with": MADE,
        "settings": {"num_hidden_layers": 2, "hidden_size": 16, "num_attention_heads": 4},
        "vocabulary": None,
        "inputs": {"tokens": [[1, 2]], "segments": [[0, 1]]},
        "layers": {"embeddings": [ROW, ROW]},
    },
    "elmo": {
        "schema": "safeload-expected-outputs/1",
        "model": "ELMo",
        "made_with": MADE,
        "settings": {"lstm.n_layers": 2},
        "vocabulary": None,
        "inputs": {"words": [["a"]]},
        "layers": {"characters": [ROW] * 3},
    },
}


def outputs(model: str, **changed: Any) -> Callable[[Path], object]:
    """Write outputs of a model, with other keys."""
    return write(NAME, json.dumps({**OUTPUTS[model], **changed}, indent=1))


def shifted_vocabulary(folder: Path) -> None:
    """Keep the tokens of a vocabulary, and put one before them."""
    words = (folder / VOCAB).read_text(encoding="utf-8").split("\n")
    tokens = {str(number): word for number, word in enumerate(words[:4])}
    kept = {"n_tokens": len(words) - 1, "sha256": "0" * 64, "tokens": tokens}
    outputs("bert", vocabulary=kept)(folder)
    (folder / VOCAB).write_text("\n".join([words[0], "new", *words[1:-2], ""]), encoding="utf-8")


def row(model: str, name: str, error: type[errors.SafeLoadError], spoil: Callable[[Path], object]) -> Fault:
    return Fault(model=model, name=name, error=error, path=NAME, spoil=spoil, call={"expected_outputs": f"{{}}/{NAME}"})


Bert, Elmo = partial(row, "bert"), partial(row, "elmo")
Mismatch = errors.OutputMismatchError
FAULTS = [
    Bert("outputs_missing", errors.MissingFileError, lambda _: None),
    Bert("outputs_of_an_elmo", errors.WrongFileKindError, outputs("elmo")),
    Bert("outputs_with_bad_keys", errors.ConfigError, outputs("bert", inputs=[], layers={}, made_with=None)),
    Bert("outputs_of_other_sizes", Mismatch, outputs("bert", settings={"num_hidden_layers": 3, "hidden_size": 16})),
    Bert("outputs_of_a_larger_vocabulary", Mismatch, outputs("bert", inputs={"tokens": [[99]], "segments": [[0]]})),
    Bert("outputs_of_a_vocabulary_shifted_by_one", Mismatch, shifted_vocabulary),
    Elmo("outputs_of_a_bert", errors.WrongFileKindError, outputs("bert")),
    Elmo("outputs_without_words", errors.ConfigError, outputs("elmo", inputs={"words": [["two words"]]})),
    Elmo("outputs_of_other_sizes", Mismatch, outputs("elmo", settings={"lstm.n_layers": 3})),
]
