"""Every parameter of a biLM is filled, and what is not as the file says is found and named."""

from __future__ import annotations

import pytest
import torch

import safeload
from safeload.elmo._options import read_options
from safeload.elmo.builders import torch_fill
from safeload.errors import BackendError
from tests.elmos import OPTIONS_NAME, WEIGHTS_NAME, values_of
from tests.opened import ref

PROJECTION = "_token_embedder._projection"


@pytest.fixture
def bilm(tiny_elmo):
    return safeload.load_elmo(tiny_elmo, backend="torch")._elmo_lstm


@pytest.fixture
def given(tiny_elmo):
    """Return what is to be filled in: the values of the file, and the options."""
    return values_of(tiny_elmo / WEIGHTS_NAME), read_options(ref(tiny_elmo / OPTIONS_NAME, "options"))


def refused(step, bilm, given):
    """Return the message of a step, of an error that says what else is known."""
    with pytest.raises(BackendError) as caught:
        step(bilm, *given)
    error = caught.value
    assert (error.resolved, error.label) == (given[1].path, "options")
    assert f"options: {given[1].path}" in str(error)
    assert error.hints == ("please report this with the output of: pip list",)
    return error.message


def test_one_other_value_in_any_parameter_is_found(bilm, given):
    for name, parameter in bilm.named_parameters():
        values = parameter.data.view(-1)
        right = float(values[-1])
        values[-1] += 1e-3
        assert refused(torch_fill.prove, bilm, given) == f"the parameter {name} does not hold the file's values"
        values[-1] = right
    torch_fill.prove(bilm, *given)


def test_a_parameter_that_is_not_there_is_told(bilm, given):
    bilm._token_embedder._projection.bias = None

    for step in (torch_fill.fill, torch_fill.prove):
        assert refused(step, bilm, given) == f"the module lacks the parameter {PROJECTION}.bias"


@pytest.mark.parametrize("step", [torch_fill.fill, torch_fill.prove])
def test_a_parameter_of_another_shape_is_told_before_any_is_filled(bilm, given, step):
    weight = bilm._token_embedder._projection.weight
    shape = tuple(weight.shape)
    bilm._token_embedder._projection.weight = torch.nn.Parameter(torch.zeros(1, *shape))
    first = bilm._token_embedder._char_embedding_weights.data.zero_()

    shown = f"{(1, *shape)} torch.float32 in the module, {shape} torch.float32 in the file"
    assert refused(step, bilm, given) == f"the parameter {PROJECTION}.weight is {shown}"
    assert not first.any()


@pytest.mark.parametrize("step", [torch_fill.fill, torch_fill.prove])
def test_a_parameter_of_another_dtype_is_told(bilm, given, step):
    bilm._token_embedder._projection.double()
    shape = tuple(bilm._token_embedder._projection.weight.shape)

    shown = f"{shape} torch.float64 in the module, {shape} torch.float32 in the file"
    assert refused(step, bilm, given) == f"the parameter {PROJECTION}.weight is {shown}"


def test_a_parameter_that_no_file_fills_is_told(bilm, given):
    bilm.extra = torch.nn.Parameter(torch.zeros(2))

    assert refused(torch_fill.prove, bilm, given) == "the parameter extra has values that no weight file has"


def test_words_that_are_cached_are_none_of_the_files(tiny_elmo, given):
    module = safeload.load_elmo(tiny_elmo, backend="torch", vocab_to_cache=["<pad>", "film"])

    torch_fill.prove(module._elmo_lstm, *given)


def test_a_part_of_the_module_is_filled_alone(bilm, given):
    for parameter in bilm.parameters():
        parameter.data.zero_()
    torch_fill.fill(bilm, *given, start="_elmo_lstm.")

    filled = {name.partition(".")[0] for name, parameter in bilm.named_parameters() if parameter.any()}
    assert filled == {"_elmo_lstm"}
    torch_fill.fill(bilm, *given, start="_token_embedder.")
    torch_fill.prove(bilm, *given)


def test_the_embedding_of_padding_is_zero(bilm):
    assert not bilm._token_embedder._char_embedding_weights[0].any()
