"""Reports on versions, and on the settings of TensorFlow and Keras."""

from __future__ import annotations

import functools
import os
import pickle
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
from tests.precision import keras_in


def loaded(folder, **options):
    pytest.importorskip("keras_bert")
    return safeload.load_bert(folder, **options)


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
    said.handled("keras-bert always uses the Keras of tf.keras, whatever `import keras` gives")


def test_H2_keras_3(bert, said):
    pytest.importorskip("keras_bert")
    code = "import sys, safeload; print(safeload.load_bert(sys.argv[1]).output_shape)"
    assert in_process(code, bert) == "(None, 20, 16)"
    said.handled("if TensorFlow comes with Keras 3, safeload selects tf-keras before it imports TensorFlow")


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
    said.handled("safeload requires h5py 3, and decodes no attribute of the file")


def test_H6_aborting_library(tmp_path, monkeypatch, said):
    (tmp_path / "h5py.py").write_text("import os; os.abort()")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert "SIGABRT" in _doctoring.tried("check_elmo").message
    said.handled("`safeload doctor` imports each library in a separate process, and reports the one that aborts")


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
    said.handled(
        "the first line shows the failure of the package, which is also the error's cause; 'auto' then uses torch"
    )


def test_H8_devices(bert, said):
    code = "import sys, safeload; safeload.check_bert(sys.argv[1]); print('tensorflow' in sys.modules)"
    assert in_process(code, bert) == "False"
    said.handled("a check uses no device: it imports neither TensorFlow nor torch")


def test_H9_another_thread(bert, said):
    model = loaded(bert, seq_len=8)
    found = []
    thread = threading.Thread(target=lambda: found.append(model([np.ones((1, 8)), np.zeros((1, 8))]).shape))
    thread.start()
    thread.join()
    assert tuple(found[0]) == (1, 8, 16)
    said.handled("the model is eager, and belongs to no graph or thread")


def test_H10_mixed_precision(bert, said):
    policies = tensorflow_keras.require_keras_bert().tf.keras.mixed_precision
    policies.set_global_policy("mixed_float16")
    try:
        error = said.typed(BackendError, lambda: safeload.load_bert(bert))
    finally:
        policies.set_global_policy("float32")
    assert "global_policy() is 'mixed_float16'" in str(error)


def test_H11_default_type(bert, said):
    keras = tensorflow_keras.require_keras_bert().tf.keras
    with keras_in("float64", keras):
        model = safeload.load_bert(bert, seq_len=8)
    words = testing._bert.bert_tensors()["bert/embeddings/word_embeddings"]
    assert np.array_equal(model.get_layer("Embedding-Token").get_weights()[0], words)
    with keras_in("float16", keras):
        said.typed(BackendError, lambda: safeload.load_bert(bert))


def test_H12_eager_execution_disabled(bert, said):
    pytest.importorskip("keras_bert")
    code = (
        "import pickle, sys, safeload, tensorflow as tf; tf.compat.v1.disable_eager_execution()\n"
        "try:\n    safeload.load_bert(sys.argv[1])\n"
        "except safeload.SafeLoadError as error:\n    print(pickle.dumps(error).hex())"
    )
    legacy = {"TF_USE_LEGACY_KERAS": "1"} if sys.version_info >= (3, 11) else {}
    told = in_process(code, bert, **legacy)
    with tensorflow_keras.require_keras_bert().tf.Graph().as_default(), pytest.raises(BackendError):
        safeload.load_bert(bert)

    def raised():
        raise pickle.loads(bytes.fromhex(told))

    said.typed(BackendError, raised)


def test_H13_inside_a_function(bert, said):
    tf = tensorflow_keras.require_keras_bert().tf
    said.typed(BackendError, tf.function(lambda: safeload.load_bert(bert)))


def test_H14_inside_the_scope_of_a_strategy(bert, said):
    tf = tensorflow_keras.require_keras_bert().tf
    with tf.distribute.MirroredStrategy(["CPU:0"]).scope():
        model = safeload.load_bert(bert, seq_len=8)
    assert np.array_equal(
        model([np.ones((1, 8)), np.zeros((1, 8))]), loaded(bert, seq_len=8)([np.ones((1, 8)), np.zeros((1, 8))])
    )
    said.handled("a load inside `strategy.scope()` fills the variables of each replica")


def test_H15_numbers_are_checked(bert, said):
    tf = tensorflow_keras.require_keras_bert().tf
    tf.debugging.enable_check_numerics()
    try:
        model = safeload.load_bert(bert, seq_len=8)
    finally:
        tf.debugging.disable_check_numerics()
    assert model.output_shape == (None, 8, 16)
    said.handled("a load computes no NaN and no infinity")


def test_H16_other_names_of_keras_bert(said):
    keras_bert = pytest.importorskip("keras_bert")
    from safeload.compat.keras_bert import AdamWarmup, Tokenizer, get_custom_objects

    assert (AdamWarmup, Tokenizer) == (keras_bert.AdamWarmup, keras_bert.Tokenizer)
    assert get_custom_objects().items() > keras_bert.get_custom_objects().items()
    said.handled("safeload.compat.keras_bert has every public name of keras_bert; change one import line")
