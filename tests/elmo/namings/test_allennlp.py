"""The names of AllenNLP's modules in state dicts, and the way back."""

from __future__ import annotations

import numpy as np
import pytest

from safeload.elmo._module import as_datasets, list_module_parameters, sizes_of
from safeload.elmo._options import published_options, validate_options
from safeload.elmo.namings import namings_in
from safeload.elmo.namings.allennlp import AllenNlp
from safeload.report import TensorSpec
from safeload.testing._allennlp import module_values
from safeload.testing._elmo import elmo_datasets
from tests.elmos import options
from tests.opened import ref

NAMING = AllenNlp()
SCOPES = [
    "",
    "_elmo_lstm.",
    "elmo._elmo_lstm.",
    "text_field_embedder.token_embedder_elmo._elmo._elmo_lstm.",
    "module.a.b.",
]


def valid(**changes):
    return validate_options(options(**changes), ref("/o.json", "options"))


@pytest.mark.parametrize("with_mix", [False, True])
@pytest.mark.parametrize("scope", SCOPES)
def test_every_parameter_has_a_name_and_the_name_means_it(scope, with_mix):
    parameters = list_module_parameters(valid(lstm={"n_layers": 12}), with_mix=with_mix)
    names = {NAMING.stored_as(parameter, scope)[0]: parameter for parameter in parameters}

    assert len(names) == len(parameters)
    assert {name: NAMING.canonical(name, scope) for name in names} == names
    assert {NAMING.shown(parameter, scope) for parameter in parameters} == set(names)
    assert namings_in(names) == {scope: next(iter(namings_in(names).values()))}
    assert isinstance(namings_in(names)[scope], AllenNlp)


@pytest.mark.parametrize("scope", SCOPES)
def test_one_part_of_a_bilm_is_enough_to_find_it(scope):
    for parameter in list_module_parameters(valid()):
        if not parameter.startswith("_token_embedder._projection"):  # which other embedders have
            assert NAMING.scopes([scope + parameter]) == [scope]


def test_what_is_beside_a_bilm_has_its_class():
    scope = "t.token_embedder_elmo._elmo._elmo_lstm."
    classes = {
        "weighted sum": ["t.token_embedder_elmo._elmo.scalar_mix_3.gamma", "t.token_embedder_elmo._elmo.scalar_mix_0.scalar_parameters.2"],
        "cached words": [f"{scope}_word_embedding.weight"],
        "task heads": ["t.token_embedder_elmo._projection.weight", "classifier.weight", "scalar_mix_0.gamma"],
        "other biLMs": ["b._elmo_lstm._token_embedder.char_conv_0.weight", "b._elmo_lstm._elmo_lstm.forward_layer_0.state_projection.weight"],
        "": [f"{scope}_elmo_lstm.forward_layer_7.state_linearity.bias", f"{scope}x", f"{scope}_token_embedder.char_conv_9.bias"],
    }  # fmt: skip
    for what, names in classes.items():
        for name in names:
            assert NAMING.class_of(name, TensorSpec(name=name, shape=(2,), dtype="float32"), scope) == what


def test_a_bilm_alone_has_other_names_beside_it():
    for name, what in {
        "head.weight": "task heads",
        "_elmo_lstm.x": "",
        "_word_embedding.weight": "cached words",
    }.items():
        assert NAMING.class_of(name, TensorSpec(name=name, shape=(2,), dtype="float32"), "") == what


@pytest.mark.parametrize("scope", ["", "_elmo_lstm."])
def test_other_names_stay_as_they_are(scope):
    for other in ("x", "_token_embedding.x", "a._elmo_lstm.x", "scalar_mix_x.gamma"):
        assert NAMING.canonical(other, scope) == other
        assert NAMING.shown(other, scope) == other


@pytest.mark.parametrize(
    "sizes",
    [
        {},
        {"lstm": {"n_layers": 1, "dim": 7}, "char_cnn": {"n_highway": 0, "filters": [[4, 3]]}},
        {"lstm": {"n_layers": 5}},
    ],
)
def test_the_shapes_prove_every_size(sizes):
    wanted = valid(**sizes)
    specs = list_module_parameters(wanted)
    found = published_options(sizes_of(lambda name: specs[name].shape if name in specs else ()))

    assert list_module_parameters(found) == specs
    assert found._replace(path="", raw={}) == wanted._replace(path="", raw={})


def test_a_lost_parameter_proves_no_sizes():
    specs = list_module_parameters(valid())
    for lost in ("_token_embedder._char_embedding_weights", "_elmo_lstm.forward_layer_0.state_projection.weight"):
        with pytest.raises(ValueError, match="unpack"):
            sizes_of(lambda name, lost=lost: specs[name].shape if name in specs and name != lost else ())


def test_datasets_become_a_module_and_a_module_datasets():
    wanted, sizes = elmo_datasets(), valid()
    values = module_values(wanted, sizes)
    found = as_datasets(values, sizes)

    assert {name: value.shape for name, value in values.items()} == {
        name: spec.shape for name, spec in list_module_parameters(sizes).items()
    }
    assert found.keys() == wanted.keys()
    for name, value in found.items():
        atol = 2e-7 if name.endswith("/B") else 0
        np.testing.assert_allclose(value, wanted[name], rtol=0, atol=atol, err_msg=name)
    assert as_datasets(wanted, sizes) is wanted
