"""The names of the LSTMs' variables in each naming, and the way back."""

from __future__ import annotations

import pytest

from safeload.elmo._options import validate_options
from safeload.elmo._parameters import list_parameters
from safeload.elmo.namings import NAMINGS, namings_in
from safeload.elmo.namings._cells import Cells
from safeload.report import TensorSpec
from tests.elmos import options
from tests.opened import ref

SCOPES = {"": [""], "lm/": ["lm/", "a/lm/"], "bilm/": ["bilm/", "module/bilm/"]}
BY_NAME = {type(naming).__name__: naming for naming in NAMINGS if isinstance(naming, Cells)}


def parameters(n_layers):
    return list(list_parameters(validate_options(options(lstm={"n_layers": n_layers}), ref("/o.json", "options"))))


@pytest.mark.parametrize("n_layers", [1, 2, 12])
@pytest.mark.parametrize("name", BY_NAME)
def test_every_parameter_has_a_name_and_the_name_means_it(name, n_layers):
    naming = BY_NAME[name]
    for scope in SCOPES[naming.usual_scope]:
        names = {naming.stored_as(parameter, scope)[0]: parameter for parameter in parameters(n_layers)}

        assert len(names) == len(parameters(n_layers))
        assert {stored: naming.canonical(stored, scope) for stored in names} == names
        assert all(stored.startswith(scope) for stored in names)
        assert {naming.shown(parameter, scope) for parameter in names.values()} == set(names)


@pytest.mark.parametrize("n_layers", [1, 2])
@pytest.mark.parametrize("name", BY_NAME)
def test_the_names_of_a_naming_are_recognised_as_its_own(name, n_layers):
    naming = BY_NAME[name]
    if naming.only_cell and n_layers > 1:
        return
    for scope in SCOPES[naming.usual_scope]:
        names = [naming.stored_as(parameter, scope)[0] for parameter in parameters(n_layers)]
        found = namings_in(names)

        assert list(found) == [scope]
        assert found[scope] is naming or (naming.cell == found[scope].cell and n_layers == 1 and name == "BilmTf")


@pytest.mark.parametrize("name", BY_NAME)
def test_other_names_stay_as_they_are(name):
    naming = BY_NAME[name]
    scope = naming.usual_scope
    for other in ("x", "RNN_2/x", f"{scope}softmax/W", f"{scope}CNN", f"{scope}CNN_high_x/W", "global_step"):
        assert naming.canonical(other, scope) == other
        assert naming.shown(other, scope) == other


def test_what_is_beside_a_bilm_in_a_checkpoint_has_its_class():
    naming = BY_NAME["BilmTf"]
    classes = {
        "training": ["lm/softmax/W", "global_step", "train_perplexity"],
        "": ["lm/adapter/W", "lm/RNN_0/rnn/multi_rnn_cell/cell_2/lstm_cell/kernel"],
        "other biLMs": ["b/lm/char_embed", "b/lm/softmax/W"],
        "task heads": ["dense/kernel", "film/W"],
    }
    for what, names in classes.items():
        for each in names:
            assert naming.class_of(each, TensorSpec(name=each, shape=(2,), dtype="float32"), "lm/") == what
    assert naming.class_of("beta", TensorSpec(name="beta", shape=(), dtype="float32"), "lm/") == "training"
