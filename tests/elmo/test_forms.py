"""An ELMo in each form: the same model, value for value, in every runtime, and the same faults."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import warnings
from contextlib import closing

import h5py
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

import safeload
from safeload import errors, testing
from safeload._model_kind import Request
from safeload._steps import check
from safeload.cli._weights import open_given
from safeload.elmo._model import elmo as elmo_kind
from safeload.elmo._module import as_datasets
from safeload.testing._elmo import elmo_datasets
from safeload.testing._elmo_forms import ELMO_FORMS
from tests.elmos import options
from tests.forms.laws import LAW, require_few_changed_values
from tests.lock.test_lock import write_lock

FRAMEWORKS = {"tensorflow", "keras", "tf_keras", "torch", "allennlp"}
SENTENCES = [["A", "good", "film", "."], ["Bad", "plot", "!"]]
RUNTIMES = [
    name
    for name, package in {"allennlp": "allennlp", "torch": "torch", "keras": "tensorflow"}.items()
    if importlib.util.find_spec(package)
]
LAYERS = {"hdf5/one-layer": 1}
WITHOUT_OPTIONS = ("torch/model",)
SMALL = {"dim": 3, "projection": 2, "char_dim": 2, "filters": ((1, 2), (2, 3)), "highways": 1}


def values_of(folder):
    """Return the datasets of an ELMo, which are computed where the file has those of AllenNLP's module."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        checked = check(elmo_kind(None), Request(folder), keep_values=True)
    return as_datasets(checked.values, checked.config)


def assert_same(name, found, wanted, form="hdf5"):
    """Compare values; a bias of a forget gate that is stored with 1 added may differ in its last bit without."""
    atol = 2e-7 if form.startswith("torch") and name.endswith(("/B", ".B")) else 0
    np.testing.assert_allclose(found, wanted, rtol=0, atol=atol, err_msg=name)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Return a function that returns the folder of an ELMo in a form, written once."""
    folders = {}

    def write(form, **sizes):
        key = form, *sizes.items()
        if key not in folders:
            folders[key] = testing.write_elmo(tmp_path_factory.mktemp("forms") / "m", form=form, **sizes)
        return folders[key]

    return write


@pytest.mark.parametrize(
    ("options", "dtype"),
    [({}, ">f4"), ({}, ">f8"), ({"userblock_size": 4096}, "<f4"), ({"userblock_size": 512}, ">f4")],
    ids=str,
)
def test_hdf5_of_another_byte_order_or_after_a_user_block_has_the_same_values(options, dtype, tmp_path):
    wanted = values_of(testing.write_elmo(tmp_path / "m"))
    with h5py.File(tmp_path / "m" / "weights.hdf5", "w", **options) as file:
        for name, value in wanted.items():
            file[name] = value.astype(dtype)
    for _ in range(2):
        found = values_of(tmp_path / "m")
        assert found.keys() == wanted.keys()
        for name, value in wanted.items():
            np.testing.assert_array_equal(found[name], value, strict=True)
        write_lock(tmp_path / "m", safeload.check_elmo)


@pytest.mark.parametrize("form", ELMO_FORMS)
def test_every_form_has_the_same_values(written, form):
    checked = check(elmo_kind(None), Request(written(form)), keep_values=True)

    wanted = elmo_datasets(options(lstm={"n_layers": LAYERS.get(form, 2)}))
    assert set(checked.values) == {spec.name for spec in checked.report.read}
    found = as_datasets(checked.values, checked.config)
    assert found.keys() == wanted.keys()
    for name, values in found.items():
        assert values.dtype == np.float32
        assert_same(name, values, wanted[name], form)
    assert (checked.report.form, checked.report.naming) == (form.partition("/")[0], ELMO_FORMS[form].naming)


@pytest.mark.parametrize(
    ("form", "layers", "highways"),
    [
        (form, *sizes)
        for form in ELMO_FORMS
        for sizes in ((1, 0), (1, 1), (3, 4))
        if form not in LAYERS or sizes[0] == 1
    ],
)
def test_other_numbers_of_layers_load_in_every_form(written, form, layers, highways):
    sizes = {"layers": layers, "highways": highways}
    found, wanted = (values_of(written(each, **sizes)) for each in (form, "hdf5"))

    assert found.keys() == wanted.keys()
    for name, values in found.items():
        assert_same(name, values, wanted[name], form)


def state_of(model):
    if hasattr(model, "state_dict"):
        return {name: value.numpy() for name, value in model.state_dict().items()}
    return {name: np.asarray(value) for name, value in model.datasets.items()}


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("form", [form for form in ELMO_FORMS if form != "hdf5"])
def test_every_form_makes_the_same_model(written, form, runtime):
    layers = LAYERS.get(form, 2)
    wanted = safeload.load_elmo(written("hdf5", layers=layers), backend=runtime, dropout=0.0)
    model = safeload.load_elmo(written(form, layers=layers), backend=runtime, dropout=0.0)

    ours, theirs = state_of(model), state_of(wanted)
    assert ours.keys() == theirs.keys()
    for name, values in ours.items():
        assert_same(name, values, theirs[name], form)
    np.testing.assert_allclose(vectors_of(model), vectors_of(wanted), rtol=0, atol=1e-6 if runtime == "keras" else 0)


def vectors_of(model):
    if hasattr(model, "eval"):
        return model.eval()(safeload.character_ids(SENTENCES))["elmo_representations"][0].detach().numpy()
    from safeload.elmo._characters import ids_of

    return np.asarray(model(ids_of(SENTENCES).astype(np.int32)))


def test_a_check_of_any_form_imports_no_framework(written):
    folders = [str(written(form)) for form in ELMO_FORMS]
    code = f"import sys, safeload\nfor path in {folders}: safeload.check_elmo(path)\n"
    code += f"print(*sorted({FRAMEWORKS} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr


@pytest.mark.parametrize("form", [form for form in ELMO_FORMS if form not in {*LAYERS, *WITHOUT_OPTIONS}])
def test_options_of_another_model_name_the_stored_tensors(written, form):
    folder, deeper = written(form), written(form, layers=3)
    with pytest.raises(errors.VariableMismatchError) as caught:
        safeload.check_elmo(deeper / "options.json", folder)
    problems = caught.value.report.problems
    n_tensors = 8 if form == "torch" else 6
    assert [problem.kind for problem in problems] == ["missing"] * n_tensors
    hint = next(hint for hint in caught.value.hints if "lstm.n_layers" in hint)
    assert hint.startswith("lstm.n_layers is 3 in the options but 2 in the ")

    with pytest.raises(errors.VariableMismatchError) as caught:
        safeload.check_elmo(folder / "options.json", deeper)
    problems = caught.value.report.problems
    assert [problem.kind for problem in problems] == ["unexpected"] * n_tensors
    with closing(open_given(str(deeper))) as weights:
        assert {problem.name for problem in problems} < set(weights.tensors)


def test_one_layer_s_file_with_options_of_two_lacks_the_second(written):
    folder = written("hdf5/one-layer")
    with pytest.raises(errors.VariableMismatchError) as caught:
        safeload.check_elmo(written("hdf5") / "options.json", folder)

    assert {problem.kind for problem in caught.value.report.problems} == {"missing"}
    assert all("/Cell1/" in problem.name for problem in caught.value.report.problems)


@pytest.mark.parametrize(("form", "name"), [(form, name) for form in ELMO_FORMS for name in testing.elmo_faults(form)])
def test_every_fault_of_a_form_is_found(form, name, tmp_path):
    fault = testing.elmo_faults(form)[name]
    folder = testing.write_elmo(tmp_path / "m", form=form)
    fault.spoil(folder)

    with pytest.raises(fault.error) as caught:
        safeload.check_elmo(folder)
    assert type(caught.value) is fault.error


def weight_files(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix not in (".json", ".pb"))


@pytest.mark.parametrize("form", ELMO_FORMS)
@LAW
@given(data=st.data())
def test_a_changed_byte_is_found_or_changes_only_values(written, form, data):
    folder = written(form, **SMALL, layers=LAYERS.get(form, 2))
    path = data.draw(st.sampled_from(weight_files(folder)))
    most = 0 if form.startswith("tensorflow") else 1
    require_few_changed_values(data, path, lambda: values_of(folder), most=most)


def stored_as(folder, dtype, change=lambda values: values):
    with h5py.File(folder / "weights.hdf5", "r+") as file:
        for name in elmo_datasets():
            values = change(file[name][()].astype(dtype))
            del file[name]
            file[name] = values


@pytest.mark.parametrize("dtype", ["float16", "float64"])
def test_other_floats_in_hdf5_are_widened_where_nothing_is_lost(written, dtype, elmo):
    stored_as(elmo, dtype)
    found, wanted = values_of(elmo), values_of(written("hdf5"))

    for name, values in found.items():
        assert values.dtype == np.float32
        np.testing.assert_array_equal(values, wanted[name].astype(dtype).astype(np.float32), err_msg=name)
    assert safeload.check_elmo(elmo).notes == (
        f"29 of 29 datasets are stored as {dtype}; read as float32, without loss",
    )


def test_doubles_that_float32_cannot_hold_are_an_error(elmo):
    stored_as(elmo, "float64", lambda values: values + 1e-12)
    with pytest.raises(errors.VariableMismatchError) as caught:
        safeload.check_elmo(elmo)

    assert {problem.kind for problem in caught.value.report.problems} == {"dtype"}
    assert "values are not exactly float32" in caught.value.hints[0]
