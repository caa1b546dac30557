"""A BERT in each form: the same model, value for value, and the same faults."""

from __future__ import annotations

import subprocess
import sys
import warnings

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from safetensors.numpy import load_file, save_file

import safeload
from safeload import errors, testing
from safeload._forms import open_weights
from safeload._forms.finding import find_weights
from safeload._model_kind import Request
from safeload._steps import check
from safeload.bert._arguments import build_options
from safeload.bert._model import bert
from safeload.testing._bert import bert_tensors
from safeload.testing._forms import FORMS
from tests.forms.laws import LAW, require_few_changed_values
from tests.opened import ref

FRAMEWORKS = {"tensorflow", "keras", "tf_keras", "keras_bert", "torch", "transformers", "safetensors"}
PROVEN = {"tensorflow"}
"""The forms with checksums of their values; in the others a changed byte of a value that stays finite cannot be found."""

OTHERS = sorted(set(FORMS) - {"tensorflow"})


def opened_weights(folder, form):
    place = find_weights(ref(folder, "checkpoint"), "BERT")
    assert place.form == form.partition("/")[0]
    return open_weights(place)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Return the folder of the same BERT in each form."""
    return {form: testing.write_bert(tmp_path_factory.mktemp("forms") / form, form=form) for form in FORMS}


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("form", FORMS)
def test_every_form_has_the_same_values(written, form, training):
    checked = check(bert(build_options(training=training, seq_len=None)), Request(written[form]), keep_values=True)

    wanted = bert_tensors()
    assert set(checked.values) == {spec.name for spec in checked.report.read}
    assert len(checked.values) == (46 if training else 37)
    for name, values in checked.values.items():
        assert values.dtype == np.float32
        np.testing.assert_array_equal(values, wanted[name], err_msg=name)
    assert (checked.report.form, checked.report.naming) == (form.partition("/")[0], FORMS[form].naming)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_makes_the_same_model(written, form):
    pytest.importorskip("keras_bert")
    wanted = safeload.load_bert(written["tensorflow"], training=True)
    model = safeload.load_bert(written[form], training=True)

    for ours, theirs in zip(model.get_weights(), wanted.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_check_of_any_form_imports_no_framework(written):
    code = f"import sys, safeload\nfor path in {list(map(str, written.values()))}: safeload.check_bert(path, training=True)\n"
    code += f"print(*sorted({FRAMEWORKS} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr


@pytest.mark.parametrize("form", OTHERS)
def test_a_config_of_another_model_names_the_stored_tensors(form, tmp_path):
    folder = testing.write_bert(tmp_path / "two", form=form)
    deeper = testing.write_bert(tmp_path / "three", form=form, layers=3)
    (config,) = {path.name for path in folder.glob("*config*.json")} & {
        path.name for path in deeper.glob("*config*.json")
    }

    with pytest.raises(errors.VariableMismatchError) as caught:
        safeload.check_bert(deeper / config, folder)
    assert {problem.kind for problem in caught.value.report.problems} == {"missing"}
    n_of_heads = 2 if form == "keras" else 0  # by its number, the MLM head's LayerNorm could be a third layer's
    assert len(caught.value.report.problems) == 16 - n_of_heads
    with pytest.raises(errors.VariableMismatchError) as caught:
        safeload.check_bert(folder / config, deeper)
    assert {problem.kind for problem in caught.value.report.problems} == {"unexpected"}
    with opened_weights(deeper, form) as weights:
        assert {problem.name for problem in caught.value.report.problems} < set(weights.tensors)


@pytest.mark.parametrize("form", OTHERS)
def test_sizes_of_another_model_are_hinted_at(form, tmp_path):
    small = testing.write_bert(tmp_path / "small", form=form)
    wide = testing.write_bert(tmp_path / "wide", form=form, intermediate=48)
    (config,) = (path for path in small.glob("*config*.json"))

    with pytest.raises(errors.VariableMismatchError) as caught:
        safeload.check_bert(config, wide)
    assert any(hint.startswith("intermediate_size is 32 in the config but 48") for hint in caught.value.hints)


@pytest.fixture(scope="module")
def smallest(tmp_path_factory):
    """Return the folder of a very small BERT in each form."""
    sizes = {"layers": 1, "hidden": 4, "attention_heads": 2, "intermediate": 4, "vocab": 10, "positions": 4}
    return {form: testing.write_bert(tmp_path_factory.mktemp("small") / "m", form=form, **sizes) for form in FORMS}


def weight_files(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix not in (".json", ".txt"))


@pytest.mark.parametrize("form", FORMS)
@LAW
@given(data=st.data())
def test_a_changed_byte_is_found_or_changes_only_values(smallest, form, data):
    folder = smallest[form]
    path = data.draw(st.sampled_from(weight_files(folder)))
    most = 0 if form.partition("/")[0] in PROVEN else 1
    require_few_changed_values(data, path, lambda: values_of(folder), most=most)


def values_of(folder):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return check(bert(build_options(training=True, seq_len=None)), Request(folder), keep_values=True).values


def test_a_parameter_under_two_names_must_be_equal_in_both(tmp_path):
    folder = testing.write_bert(tmp_path, form="safetensors")
    path = folder / "model.safetensors"
    tensors = load_file(path)
    name = next(name for name in tensors if name.endswith("embeddings.LayerNorm.weight"))
    old = name.replace("weight", "gamma")

    save_file({**tensors, old: tensors[name]}, path)
    assert len(safeload.check_bert(folder).unused["copies"]) == 1

    save_file({**tensors, old: tensors[name] + 1}, path)
    with pytest.raises(errors.VariableMismatchError, match=f"{name}, but their values differ"):
        safeload.check_bert(folder)
