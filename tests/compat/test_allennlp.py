"""The drop-in for AllenNLP's Elmo: an Elmo to whoever asks, from files or from a module."""

from __future__ import annotations

import pytest
import torch

import safeload
from safeload.compat.allennlp import Elmo, batch_to_ids
from safeload.errors import ArgumentError
from tests.elmos import BACKENDS, OPTIONS_NAME, WEIGHTS_NAME


def test_the_drop_in_is_an_elmo(tiny_elmo):
    module = Elmo(str(tiny_elmo / OPTIONS_NAME), str(tiny_elmo / WEIGHTS_NAME), 2, False, False, 0.1)

    assert isinstance(module, Elmo)
    assert isinstance(safeload.load_elmo(tiny_elmo, backend="torch"), Elmo)
    assert not isinstance(torch.nn.Linear(1, 1), Elmo)
    assert len(module._scalar_mixes) == 2
    assert module._dropout.p == 0.1
    assert safeload.report_of(module).backend == BACKENDS[0]


def test_the_drop_in_takes_a_module_in_place_of_files(tiny_elmo):
    bilm = safeload.load_elmo(tiny_elmo, backend="torch")._elmo_lstm
    module = Elmo(None, None, 1, module=bilm, dropout=0.0)

    assert module(batch_to_ids([["good"]]))["elmo_representations"][0].shape == (1, 1, 16)
    with pytest.raises(ArgumentError, match="a file was passed too"):
        Elmo(str(tiny_elmo), None, 1, module=bilm)


def test_the_drop_in_refuses_to_be_a_base_class():
    with pytest.raises(ArgumentError, match="Tagger cannot inherit"):
        type("Tagger", (Elmo,), {})


BATCHES = {
    "nothing": ([], "batch is empty"),
    "text": ("a b", "batch is a single str, each character of which would become a sentence"),
    "number": (3, "batch is of type int, not a list of lists of words"),
    "words": (["a"], "batch[0] is the str 'a', not a list of words"),
    "no words": ([["a"], None], "batch[1] is of type NoneType, not a list of words"),
    "bytes": ([["a", b"b"]], "batch[0][1] is of type bytes, not str"),
}


@pytest.mark.parametrize(("batch", "message"), BATCHES.values(), ids=BATCHES)
def test_a_bad_batch_is_named_as_in_allennlp(batch, message):
    with pytest.raises(ArgumentError) as caught:
        batch_to_ids(batch)
    assert (caught.value.message, caught.value.argument) == (message, "batch")


@pytest.mark.parametrize("module", ["x", 3, object(), torch.nn.Linear(1, 1)])
def test_a_module_that_is_no_bilm_is_told(module):
    with pytest.raises(ArgumentError, match="module must be a biLM") as caught:
        Elmo(None, None, 1, module=module)
    assert caught.value.argument == "module"


def test_the_numbers_for_the_layers_of_a_module_are_counted(tiny_elmo):
    bilm = safeload.load_elmo(tiny_elmo, backend="torch")._elmo_lstm
    with pytest.raises(ArgumentError, match="scalar_mix_parameters must be 3 numbers"):
        Elmo(None, None, 1, module=bilm, scalar_mix_parameters=[0.0, 1.0])
