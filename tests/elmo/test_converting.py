"""An ELMo in one form is written as AllenNLP's files: the same values, or an error and nothing."""

from __future__ import annotations

import json
import tarfile

import h5py
import numpy as np
import pytest

import safeload
from safeload import errors, testing
from safeload.testing._elmo import elmo_datasets
from safeload.testing._elmo_forms import ELMO_FORMS
from tests.elmos import OPTIONS_NAME, WEIGHTS_NAME

FORMS = [form for form in ELMO_FORMS if form != "hdf5/one-layer"]
SUMS = ["*scalar_mix_*", "aggregation/*"]


def read_datasets(folder, names):
    with h5py.File(folder / WEIGHTS_NAME) as file:
        return {name: file[name][...] for name in names}


def assert_same(ours, theirs):
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        assert theirs[name].dtype == np.float32
        assert np.array_equal(value.view(np.uint32), theirs[name].view(np.uint32)), name


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_written_with_the_same_bits(form, tmp_path):
    source = testing.write_elmo(tmp_path / "source", form=form)
    safeload.convert(source, tmp_path / "first", form="hdf5", ignore_unused=SUMS)
    report = safeload.convert(tmp_path / "first", tmp_path / "target", form="hdf5")

    datasets = elmo_datasets()
    found = read_datasets(tmp_path / "target", datasets)
    for name, value in datasets.items():
        assert np.abs(found[name] - value).max() <= (2**-23 if name.endswith("/B") and form.startswith("torch") else 0)
    assert_same(read_datasets(tmp_path / "first", datasets), found)
    assert (report.form, report.model, report.n_inexact) == ("hdf5", "ELMo", 0)
    assert json.loads((tmp_path / "target" / OPTIONS_NAME).read_text())["char_cnn"]["n_characters"] == 262


def test_a_bilm_of_one_layer_gets_the_names_that_allennlp_reads(tmp_path):
    source = testing.write_elmo(tmp_path / "source", form="hdf5/one-layer")
    safeload.convert(source, tmp_path / "target", form="hdf5")

    with h5py.File(tmp_path / "target" / WEIGHTS_NAME) as file:
        assert "RNN_0/RNN/MultiRNNCell/Cell0/LSTMCell/W_0" in file


@pytest.mark.parametrize("form", ["hdf5", "tensorflow", "torch/model"])
def test_allennlp_loads_what_was_written(form, tmp_path):
    upstream = pytest.importorskip("allennlp.modules.elmo", reason="AllenNLP installs on Python 3.10 only")
    torch = pytest.importorskip("torch")
    source = testing.write_elmo(tmp_path / "source", form=form)
    safeload.convert(source, tmp_path / "target", form="hdf5", ignore_unused=SUMS)
    theirs = upstream.Elmo(*(str(tmp_path / "target" / name) for name in (OPTIONS_NAME, WEIGHTS_NAME)), 1)
    ours = safeload.load_elmo(source, backend="torch", dropout=0.0)

    wanted, found = dict(ours._elmo_lstm.named_parameters()), dict(theirs._elmo_lstm.named_parameters())
    assert wanted.keys() == found.keys()
    assert all(torch.equal(wanted[name], found[name]) for name in wanted)


def test_an_archive_of_allennlp_is_read_in_place(tmp_path):
    source = testing.write_elmo(tmp_path / "source", form="torch/model")
    with tarfile.open(tmp_path / "model.tar.gz", "w:gz") as archive:
        for path in source.iterdir():
            archive.add(path, path.name)
    report = safeload.convert(tmp_path / "model.tar.gz", tmp_path / "target", form="hdf5", ignore_unused=SUMS)

    assert safeload.check_elmo(tmp_path / "target").model == "ELMo"
    assert any(name.startswith("_classification_layer") for name in report.left_out)


@pytest.mark.parametrize(
    ("form", "pattern"), [("torch/model", "scalar_mix_0.*"), ("tensorflow/tf-hub", "aggregation/*")]
)
def test_a_learned_sum_is_left_out_only_on_request(form, pattern, tmp_path):
    source = testing.write_elmo(tmp_path / "source", form=form)
    with pytest.raises(
        errors.ArgumentError, match=r"the form hdf5 has no place for \d tensors of the source"
    ) as caught:
        safeload.convert(source, tmp_path / "target", form="hdf5")
    assert caught.value.hints[0] == f"to leave them out, pass ignore_unused={[pattern]}"
    assert not (tmp_path / "target").exists()

    report = safeload.convert(source, tmp_path / "target", form="hdf5", ignore_unused=[pattern])
    assert set(caught.value.details) <= set(report.left_out)


def test_trained_biases_that_the_form_cannot_hold_are_an_error(tmp_path):
    torch = pytest.importorskip("torch")
    source = testing.write_elmo(tmp_path / "source", form="torch")
    state = torch.load(source / "weights.th")
    name = next(each for each in state if each.endswith("forward_layer_0.state_linearity.bias"))
    state[name][12:15] = torch.tensor([1.1920929e-07, 0.3, 1e-7])
    torch.save(state, source / "weights.th")
    with pytest.raises(errors.ArgumentError, match=r"the form hdf5 cannot hold \d of the biases exactly") as caught:
        safeload.convert(source, tmp_path / "target", form="hdf5")

    assert caught.value.argument == "form"
    assert not (tmp_path / "target").exists()


def test_a_bert_is_no_elmo_and_an_elmo_no_bert(tmp_path):
    bert, elmo = testing.write_bert(tmp_path / "bert"), testing.write_elmo(tmp_path / "elmo")
    for source, form in ((bert, "hdf5"), (elmo, "safetensors")):
        with pytest.raises(errors.SafeLoadError):
            safeload.convert(source, tmp_path / "target", form=form)
    assert not (tmp_path / "target").exists()


def test_the_source_is_never_the_target(tmp_path):
    source = testing.write_elmo(tmp_path / "source")
    before = {path.name: path.read_bytes() for path in source.iterdir()}
    with pytest.raises(errors.ArgumentError, match="target is the folder that the model is read from"):
        safeload.convert(source, source, form="hdf5", overwrite=True)

    assert {path.name: path.read_bytes() for path in source.iterdir()} == before
