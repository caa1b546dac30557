"""Reports on names, on weights that never arrived, and on versions."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import threading

import numpy as np
import pytest

import safeload
from safeload import testing
from safeload._frameworks import tensorflow as tensorflow_keras
from safeload.cli import _doctoring
from safeload.errors import BackendError, MissingDependencyError

PREFIX = "bert_model.ckpt"
WORDS = "bert/embeddings/word_embeddings"
QUERY = "bert/encoder/layer_0/attention/self/query/kernel"


def loaded(folder, **options):
    pytest.importorskip("keras_bert")
    return safeload.load_bert(folder, **options)


def values_of(model):
    return {weight.name: weight.numpy() for weight in model.weights}


def test_F1_scope_in_front(tmp_path, said):
    testing.write_bert_checkpoint(tmp_path / "m", scope="module/")
    assert safeload.check_bert(tmp_path / "m").scope == "module/bert/"
    said.handled("one scope before every name is seen through, and the report's `scope` says so")


def test_F8_no_heads(tmp_path):
    safeload.check_bert(testing.write_bert_checkpoint(tmp_path / "m", heads=False))


def test_F11_task_heads(bert, said):
    tensors = testing._models.bert_tensors()
    testing.write_checkpoint(
        bert / PREFIX, {**tensors, "output_weights": np.zeros((2, 16), np.float32), "output_bias": np.zeros(2)}
    )
    assert safeload.check_bert(bert).unused["task heads"] == ("output_bias", "output_weights")
    said.handled("a task's variables are left out and listed in the report's `unused`")


def test_F12_optimizer_slots(tmp_path, said):
    testing.write_bert_checkpoint(tmp_path / "m", slots=True)
    unused = safeload.check_bert(tmp_path / "m").unused
    assert len(unused["training"]) == 93
    assert "global_step" in unused["training"]
    said.handled(
        "the optimizer's variables and the step are left out and listed in the report's `unused`, class by class"
    )


def test_F13_saver_and_placeholders(bert, said):
    import tensorflow as tf

    before = len(tf.compat.v1.get_default_graph().get_operations())
    loaded(bert)
    assert len(tf.compat.v1.get_default_graph().get_operations()) == before
    said.handled(
        "no Saver and no graph operation takes part: the values are read without TensorFlow and assigned eagerly"
    )


def test_G2_weights_without_effect(bert, said):
    values = values_of(loaded(bert))
    words = testing._models.bert_tensors()[WORDS]
    assert np.array_equal(values["Embedding-Token/embeddings:0"], words)
    said.handled(
        "every variable of the finished model is filled once and compared with the file's values before the call returns"
    )


def test_G3_loaded_twice(bert, said):
    first, second = values_of(loaded(bert)), values_of(loaded(bert))
    assert all(np.array_equal(a, b) for a, b in zip(first.values(), second.values(), strict=True))
    said.handled("the second load of a process is as complete as the first: nothing is matched by a layer's number")


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
def test_G7_unknown_layer(bert, tmp_path, said):
    model = loaded(bert, seq_len=8)
    import keras_bert
    import tensorflow as tf

    model.save(str(tmp_path / "model.h5"))
    again = tf.keras.models.load_model(str(tmp_path / "model.h5"), custom_objects=keras_bert.get_custom_objects())
    inputs = [np.ones((1, 8)), np.zeros((1, 8))]
    assert np.array_equal(again(inputs), model(inputs))
    said.handled(
        "the model is keras-bert's own, so a saved one is read with custom_objects=keras_bert.get_custom_objects()"
    )


def in_process(code, folder, **environment):
    inherited = {key: value for key, value in os.environ.items() if key != "TF_USE_LEGACY_KERAS"}
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)],
        capture_output=True,
        text=True,
        check=False,
        env={**inherited, **environment},
    )
    return done.stdout.strip().splitlines()[-1] if done.stdout.strip() else done.stderr[-500:]


def test_H1_keras_beside_tf_keras(bert, said):
    pytest.importorskip("keras_bert")
    code = "import sys, keras, safeload; model = safeload.load_bert(sys.argv[1]); import tensorflow as tf; print(isinstance(model, tf.keras.Model))"
    assert in_process(code, bert) == "True"
    said.handled("keras-bert is bound to the Keras behind tf.keras, whatever `import keras` is")


def test_H2_keras_3(bert, said):
    pytest.importorskip("keras_bert")
    code = "import sys, safeload; print(safeload.load_bert(sys.argv[1]).output_shape)"
    assert in_process(code, bert) == "(None, 20, 16)"
    said.handled("where TensorFlow comes with Keras 3, safeload chooses tf-keras before TensorFlow is imported")


def test_H3_no_tf_keras(monkeypatch, said):
    versions = {"tensorflow": "2.21.0"}
    monkeypatch.setattr(tensorflow_keras, "version_of", versions.get)
    monkeypatch.delenv("TF_USE_LEGACY_KERAS", raising=False)
    said.typed(MissingDependencyError, lambda: tensorflow_keras._choose_keras("2.21.0"))


def test_H4_broken_binary_package(monkeypatch, said):
    from safeload._frameworks.packages import import_installed

    def fail(_name):
        raise ImportError("numpy.core.multiarray failed to import: _ARRAY_API not found")

    monkeypatch.setattr("importlib.import_module", fail)
    call = functools.partial(
        import_installed, "tensorflow", package="tensorflow", wanted="importable", install="pip install x"
    )
    error = said.typed(MissingDependencyError, call)
    assert isinstance(error.__cause__, ImportError)


def test_H5_text_of_hdf5(elmo, said):
    import h5py

    assert int(h5py.__version__.split(".")[0]) >= 3
    assert len(safeload.check_elmo(elmo).read) == 29
    said.handled("h5py 3 is what is asked for and used; no attribute of the file is decoded")


def test_H6_aborting_library(tmp_path, monkeypatch, said):
    (tmp_path / "h5py.py").write_text("import os; os.abort()")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert "SIGABRT" in _doctoring.tried("check_elmo").message
    said.handled("`safeload doctor` imports each library in a process of its own, and names the one that aborts")


def test_H7_import_error_behind_another(tmp_path, said):
    (tmp_path / "allennlp/modules").mkdir(parents=True)
    (tmp_path / "allennlp/__init__.py").write_text("")
    (tmp_path / "allennlp/modules/__init__.py").write_text("")
    (tmp_path / "allennlp/modules/elmo.py").write_text("raise ImportError('protobuf is too new')")
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from safeload._frameworks import elmo\n"
        "elmo.version_of = lambda name: '2.10.1'\n"
        "try:\n    elmo.choose_backend('allennlp')\n"
        "except ImportError as exc:\n    print(type(exc).__name__, exc.message, '|', type(exc.__cause__).__name__)"
    )
    told = in_process(code, tmp_path)
    assert told.endswith("allennlp is installed but cannot be imported: ImportError: protobuf is too new | ImportError")
    said.handled("the package's own failure is in the first line and is the error's cause; 'auto' then takes torch")


def test_H8_devices(bert, said):
    code = "import sys, safeload; safeload.check_bert(sys.argv[1]); print('tensorflow' in sys.modules)"
    assert in_process(code, bert) == "False"
    said.handled("a check touches no device: neither TensorFlow nor torch is imported")


def test_H9_another_thread(bert, said):
    model = loaded(bert, seq_len=8)
    found = []
    thread = threading.Thread(target=lambda: found.append(model([np.ones((1, 8)), np.zeros((1, 8))]).shape))
    thread.start()
    thread.join()
    assert tuple(found[0]) == (1, 8, 16)
    said.handled("the model is eager and belongs to no graph or thread")


def test_H10_mixed_precision(bert, said):
    policies = tensorflow_keras.require_keras_bert().tf.keras.mixed_precision
    policies.set_global_policy("mixed_float16")
    try:
        error = said.typed(BackendError, lambda: safeload.load_bert(bert))
    finally:
        policies.set_global_policy("float32")
    assert "global_policy() is 'mixed_float16'" in str(error)
