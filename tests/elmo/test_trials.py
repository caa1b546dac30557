"""`diagnose_elmo`: a fault of each kind is traced to where it lies."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys

import h5py
import pytest

import safeload
from safeload import testing
from safeload._frameworks.packages import missing_dependency
from safeload.elmo import _direct, _trials
from safeload.elmo.builders import torch_fill
from safeload.errors import ArgumentError, InvalidPathError
from safeload.testing._elmo_forms import ELMO_FORMS
from tests.elmos import OPTIONS_NAME, WEIGHTS_NAME, options, write_elmo

torch = pytest.importorskip("torch")
HAS_ALLENNLP = importlib.util.find_spec("allennlp") is not None
with_allennlp = pytest.mark.skipif(not HAS_ALLENNLP, reason="AllenNLP installs on Python 3.10 only")
LOADS = ("allennlp", "direct", "safeload-torch", "safeload-allennlp")


def statuses(found):
    return {step.name: step.status for step in found.steps}


def skipped(found):
    return {step.name: step.finding for step in found.steps if step.status == "skipped" and step.name in LOADS}


@pytest.fixture
def keras():
    """Let the process use safeload's Keras layers."""
    pytest.importorskip("tensorflow")
    pytest.importorskip("safeload.keras")


in_keras_too = pytest.mark.usefixtures("keras")


@in_keras_too
def test_a_sound_model_has_no_fault(tiny_elmo):
    found = safeload.diagnose_elmo(tiny_elmo)

    assert found.at_fault == "nothing", str(found)
    assert found.differences == ()
    assert len(found.report.read) == 29
    assert {name for name, status in statuses(found).items() if status == "ok"} == {
        "check", "backend", "direct", "safeload-torch", "safeload-keras",
        *(("allennlp", "safeload-allennlp") if HAS_ALLENNLP else ()),
    }  # fmt: skip
    assert "cell_clip, proj_clip and use_skip_connections of the options" in found.verdict
    if HAS_ALLENNLP:
        assert "the files, the versions and AllenNLP agree on every parameter and output" in found.verdict
    else:
        assert skipped(found).keys() == {"allennlp", "safeload-allennlp"}
        assert "agrees with a direct read with h5py on every parameter; not compared with AllenNLP" in found.verdict
    assert str(found).splitlines()[0] == found.verdict
    assert json.loads(json.dumps(found.to_dict()))["at_fault"] == "nothing"


def test_every_way_reads_every_parameter(tiny_elmo):
    found = safeload.diagnose_elmo(tiny_elmo)
    module = safeload.load_elmo(tiny_elmo, backend="torch")
    n_parameters = len(list(module._elmo_lstm.parameters()))

    assert {step.finding for step in found.steps if step.status == "ok"} >= {f"{n_parameters} parameters"}


def cut_the_weights(folder):
    testing.truncate(folder)


def widen_the_options(folder):
    (folder / OPTIONS_NAME).write_text(json.dumps(options(lstm={"dim": 13})))


def drop_a_layer(folder):
    (folder / OPTIONS_NAME).write_text(json.dumps(options(lstm={"n_layers": 1})))


def poison(folder):
    testing.poison(folder)


def spoil_the_options(folder):
    (folder / OPTIONS_NAME).write_text("{")


FILES = {
    "cut weights": (cut_the_weights, "truncated"),
    "options of another size": (widen_the_options, "does not fit its options"),
    "NaN": (poison, "damaged in the weight file"),
    "no JSON": (spoil_the_options, "JSON"),
    "no weights": (lambda folder: (folder / WEIGHTS_NAME).unlink(), "there is no"),
    "no options": (lambda folder: (folder / OPTIONS_NAME).unlink(), "there is no"),
}


@pytest.mark.parametrize("fault", FILES)
def test_the_files_are_at_fault(fault, elmo):
    spoil, told = FILES[fault]
    spoil(elmo)
    found = safeload.diagnose_elmo(elmo)

    assert found.at_fault == "files", str(found)
    assert told in found.verdict
    assert statuses(found)["check"] == "failed"
    assert statuses(found)["safeload-torch"] != "ok"
    assert found.report is None


@with_allennlp
def test_files_that_allennlp_loads_silently_are_told_so(elmo):
    drop_a_layer(elmo)
    found = safeload.diagnose_elmo(elmo)

    assert found.at_fault == "files"
    assert found.verdict.endswith("; AllenNLP loads them without an error")


def test_a_bad_argument_is_not_diagnosed(tiny_elmo):
    with pytest.raises(InvalidPathError):
        safeload.diagnose_elmo(None)
    with pytest.raises(ArgumentError):
        safeload.diagnose_elmo(tiny_elmo, scope="lm")
    with pytest.raises(ArgumentError):
        safeload.diagnose_elmo(tiny_elmo, ignore_unused="x")


@with_allennlp
@pytest.mark.parametrize("how", ["wrong", "failing"])
def test_allennlp_that_reads_wrongly_is_at_fault(how, tmp_path, monkeypatch):
    from allennlp.modules.elmo_lstm import ElmoLstm

    load = ElmoLstm.load_weights

    def wrongly(self, weight_file):
        if how == "failing":
            raise OSError("not today")
        load(self, weight_file)
        projection = self.forward_layers[0].state_projection.weight.data
        projection.copy_(projection.t().clone())

    write_elmo(tmp_path, options(lstm={"dim": 8, "projection_dim": 8}))
    monkeypatch.setattr(ElmoLstm, "load_weights", wrongly)
    found = safeload.diagnose_elmo(tmp_path)

    assert found.at_fault == "allennlp", str(found)
    assert found.verdict.startswith("the files are good and AllenNLP is at fault: AllenNLP's own loader ")
    assert "safeload.load_elmo reads it correctly" in found.verdict
    if how == "wrong":
        wrong = "_elmo_lstm.forward_layer_0.state_projection.weight"
        assert {(each.between, each.variable) for each in found.differences} >= {
            (("allennlp", "direct"), wrong),
            (("allennlp", "safeload-torch"), wrong),
            (("allennlp", "safeload-torch"), "output 0"),
        }
        assert f"differs {wrong}: " in str(found)
    else:
        assert "not today" in found.verdict


@with_allennlp
def test_allennlp_that_adds_1_in_float16_is_at_fault(elmo):
    name = "RNN_0/RNN/MultiRNNCell/Cell0/LSTMCell/B"
    with h5py.File(elmo / WEIGHTS_NAME, "a") as file:
        values = file[name][...]
        del file[name]
        file[name] = values.astype("float16")
    found = safeload.diagnose_elmo(elmo)

    assert found.at_fault == "allennlp", str(found)
    assert {each.variable for each in found.differences} == {"_elmo_lstm.forward_layer_0.state_linearity.bias"}


def swap_two_gates(monkeypatch):
    monkeypatch.setattr(torch_fill, "_GATES", (0, 1, 2, 3))


def fail_to_fill(monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("not today")

    monkeypatch.setattr(torch_fill, "fill", fail)


@in_keras_too
@pytest.mark.parametrize("break_it", [swap_two_gates, fail_to_fill])
def test_safeload_that_fills_wrongly_is_at_fault(break_it, tiny_elmo, monkeypatch):
    break_it(monkeypatch)
    found = safeload.diagnose_elmo(tiny_elmo)

    assert found.at_fault == "safeload", str(found)
    assert "safeload's load in torch " in found.verdict
    assert "others agree; please report it" in found.verdict
    if break_it is swap_two_gates:
        assert any(each.variable.endswith("linearity.weight") for each in found.differences)


@in_keras_too
def test_safeload_that_computes_wrongly_is_at_fault(tiny_elmo, monkeypatch):
    from safeload.elmo.builders.torch_lstm import LstmCellWithProjection

    step = LstmCellWithProjection._step
    monkeypatch.setattr(LstmCellWithProjection, "_step", lambda self, x, state: step(self, x * 1.01, state))
    found = safeload.diagnose_elmo(tiny_elmo)

    assert found.at_fault == "safeload", str(found)
    assert "safeload's load in torch differs in output 0" in found.verdict
    assert {each.variable for each in found.differences} == {"output 0"}


def test_two_ways_that_differ_leave_it_open(tiny_elmo, monkeypatch):
    swap_two_gates(monkeypatch)
    monkeypatch.setattr(_trials, "_backends", lambda: _trials.Backends({}, {"allennlp": "none", "keras": "none"}))
    found = safeload.diagnose_elmo(tiny_elmo)

    assert found.at_fault == "unknown"
    assert "no two loads agree" in found.verdict


@with_allennlp
@pytest.mark.parametrize("how", ["wrong", "failing"])
def test_a_reader_that_reads_wrongly_is_at_fault(how, tiny_elmo, monkeypatch):
    def wrongly(*given):
        if how == "failing":
            raise OSError("not today")
        return {name: values * 2 for name, values in read(*given).items()}

    read = _direct.read_directly
    monkeypatch.setattr(_trials, "read_directly", wrongly)
    found = safeload.diagnose_elmo(tiny_elmo)

    assert found.at_fault == "h5py", str(found)
    assert "h5py is at fault: a direct read with h5py" in found.verdict


@pytest.mark.parametrize("package", ["torch", pytest.param("allennlp", marks=with_allennlp)])
def test_the_versions_are_at_fault(package, tiny_elmo, monkeypatch):
    real = _trials.choose_backend

    def choose(wanted):
        if wanted == package:
            message = f"{package} is installed but cannot be imported"
            raise missing_dependency(message, package=package, wanted="importable", hints=["pip"])
        return real(wanted)

    monkeypatch.setattr(_trials, "choose_backend", choose)
    found = safeload.diagnose_elmo(tiny_elmo)

    assert found.at_fault == "versions"
    assert f"{package} is installed but cannot be imported" in found.verdict
    assert statuses(found)["safeload-torch"] == "skipped"


def without(package, tmp_path):
    """Return the environment of a process that has not installed a package."""
    (tmp_path / "sitecustomize.py").write_text(
        "import importlib.util, sys\n"
        "real = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, *rest:"
        f" None if name.split('.')[0] in {package!r} else real(name, *rest)\n"
    )
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])}


def printed(code, folder, env):
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=False, env=env
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


DIAGNOSE = "import sys, safeload; print(safeload.diagnose_elmo(sys.argv[1]))"


def test_a_missing_torch_is_named(tiny_elmo, tmp_path):
    found = printed(DIAGNOSE, tiny_elmo, without(["torch", "allennlp"], tmp_path))

    assert found.startswith("the files are good and the versions are at fault: torch is not installed\n")
    assert "skipped safeload's load in torch: torch does not work here" in found
    assert "hint:    pip install 'torch" in found


def test_a_missing_allennlp_and_a_missing_tensorflow_are_no_fault(tmp_path):
    model = testing.write_elmo(tmp_path / "model", form="tensorflow")
    found = printed(DIAGNOSE, model, without(["tensorflow", "allennlp"], tmp_path))

    assert found.startswith("nothing is at fault: the files and the versions are good, and safeload loads the model; ")
    assert (
        "AllenNLP's own loader (for HDF5 files only, not for the form tensorflow) and "
        "a direct read with TensorFlow (TensorFlow is not installed)" in found
    )
    assert "skipped safeload's load in AllenNLP: allennlp is not installed" in found


@in_keras_too
def test_a_bias_that_keras_holds_without_its_last_bit_is_no_difference(tmp_path):
    folder = testing.write_elmo(tmp_path / "model", form="torch")
    (path,) = folder.glob("*.th")
    state = torch.load(path)
    tuned = [value for name, value in state.items() if name.endswith(".state_linearity.bias")]
    for value in tuned:
        value.normal_(generator=torch.Generator().manual_seed(0)).mul_(0.01)
    torch.save(state, path)
    found = safeload.diagnose_elmo(folder)

    assert any(((value - 1) + 1 != value).any() for value in tuned)
    assert found.at_fault == "nothing", str(found)
    assert statuses(found)["safeload-keras"] == "ok"


@in_keras_too
@pytest.mark.parametrize("form", ELMO_FORMS)
def test_what_allennlp_cannot_read_is_not_held_against_it(form, tmp_path):
    found = safeload.diagnose_elmo(testing.write_elmo(tmp_path / "model", form=form))

    assert found.at_fault == "nothing", str(found)
    assert statuses(found)["safeload-torch"] == statuses(found)["safeload-keras"] == "ok"
    assert ("direct" in skipped(found)) == form.startswith("torch")
    assert ("allennlp" in skipped(found)) == (form != "hdf5" or not HAS_ALLENNLP)
    if form.startswith("tensorflow"):
        assert skipped(found)["allennlp"] == "for HDF5 files only, not for the form tensorflow"
        assert "agrees with a direct read with TensorFlow on every parameter" in found.verdict


def test_a_module_without_options_is_compared_too(tmp_path, monkeypatch):
    pytest.importorskip("tensorflow")
    folder = testing.write_elmo(tmp_path / "model", form="tensorflow/tf-hub")
    monkeypatch.setattr("safeload.elmo._options.ORIGINAL", json.loads((folder / OPTIONS_NAME).read_text()))
    (folder / OPTIONS_NAME).unlink()
    found = safeload.diagnose_elmo(folder)

    assert found.at_fault == "nothing", str(found)
    assert statuses(found)["direct"] == "ok"


def test_a_row_of_padding_before_the_characters_is_read_over(tmp_path):
    import numpy as np

    folder = testing.write_elmo(tmp_path / "model")
    sizes = _trials.options_of(_trials.places_of(*request_of(folder)))[0]
    with h5py.File(folder / WEIGHTS_NAME) as file:
        as_written = _direct.parameters_of(sizes, lambda name: file[name][...])
        padded = _direct.parameters_of(
            sizes, lambda name: np.pad(file[name][...], ((1, 0), (0, 0))) if name == "char_embed" else file[name][...]
        )

    name = "_token_embedder._char_embedding_weights"
    assert as_written[name].shape == (262, 5)
    assert np.array_equal(as_written[name], padded[name])


def request_of(folder):
    from safeload._model_kind import Request

    return Request(config=folder), _trials.resolve_config, _trials.resolve_others


def test_a_bilm_without_skip_connections_is_not_held_against_allennlp(tmp_path):
    found = safeload.diagnose_elmo(testing.write_elmo(tmp_path / "model", skip_connections=False))

    assert found.at_fault == "nothing", str(found)
    assert set(skipped(found).values()) == {"AllenNLP cannot build a biLM without skip connections"}


def test_bad_files_without_skip_connections_are_at_fault(tmp_path):
    folder = testing.write_elmo(tmp_path / "model", skip_connections=False)
    testing.truncate(folder)

    assert safeload.diagnose_elmo(folder).at_fault == "files"


def test_an_archive_is_loaded_and_not_compared(tiny_elmo, tmp_path):
    found = safeload.diagnose_elmo(shutil.make_archive(str(tmp_path / "model"), "zip", tiny_elmo))

    assert found.at_fault == "nothing", str(found)
    assert (
        skipped(found)["allennlp"]
        == skipped(found)["direct"]
        == "for files of the disk only, not for those in an archive or at an address"
    )


def test_a_diagnosis_takes_what_a_load_takes(elmo, tmp_path):
    (tmp_path / "w").mkdir()
    (elmo / WEIGHTS_NAME).rename(tmp_path / "w" / WEIGHTS_NAME)
    with h5py.File(tmp_path / "w" / WEIGHTS_NAME, "a") as file:
        file["extra/one"] = [1.0]
    given = (f"{elmo.name}/{OPTIONS_NAME}", "w")
    found = safeload.diagnose_elmo(*given, base_dir=tmp_path, ignore_unused=["extra/*"])

    assert found.at_fault == "nothing", str(found)
    assert found.report.ignored == ("extra/one",)
    assert "extra/one" in safeload.diagnose_elmo(*given, base_dir=tmp_path).verdict + str(found.to_dict())


def test_the_scope_says_which_bilm_is_compared(tmp_path):
    pytest.importorskip("tensorflow")
    from tests.checkpoints import write_checkpoint

    folder = testing.write_elmo(tmp_path / "model", form="tensorflow")
    import tensorflow as tf

    prefix = str(next(folder.glob("*.index")))[: -len(".index")]
    reader = tf.train.load_checkpoint(prefix)
    tensors = {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}
    others = {f"second/{name}": value * 2 for name, value in tensors.items() if name.startswith("lm/")}
    write_checkpoint(prefix, {**tensors, **others})

    for scope in ("lm/", "second/lm/"):
        found = safeload.diagnose_elmo(folder, scope=scope)
        assert found.at_fault == "nothing", str(found)
        assert found.report.scope == scope
        assert statuses(found)["direct"] == "ok"


def test_a_lock_is_part_of_the_files(elmo):
    from safeload.lock import LOCK_NAME, lock_text, make_lock

    lock = elmo / LOCK_NAME
    lock.write_text(lock_text(make_lock(safeload.check_elmo(elmo), str(lock))))
    assert {file.role for file in safeload.diagnose_elmo(elmo).report.files} == {"options", "weight", "lock"}
    (elmo / OPTIONS_NAME).write_text((elmo / OPTIONS_NAME).read_text() + " ")

    assert "different from the lock" in safeload.diagnose_elmo(elmo).verdict
    assert safeload.diagnose_elmo(elmo).at_fault == "files"


@pytest.mark.parametrize("form", ["hdf5", "tensorflow"])
def test_a_diagnosis_leaves_the_choice_of_a_keras_open(form, tmp_path):
    pytest.importorskip("keras_bert")
    elmo = testing.write_elmo(tmp_path / "elmo", form=form)
    bert = testing.write_bert_checkpoint(tmp_path / "bert", layers=1)
    env = {name: value for name, value in os.environ.items() if name != "TF_USE_LEGACY_KERAS"}
    code = (
        "import sys, tensorflow, safeload\n"
        "print(safeload.diagnose_elmo(sys.argv[1]).at_fault)\n"
        f"print(type(safeload.load_bert({str(bert)!r})).__name__)\n"
    )

    assert printed(code, elmo, env).split() == ["nothing", "Functional"]
