"""`diagnose_bert`: a fault of each kind is traced to where it lies."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

import safeload
from safeload import testing
from safeload._frameworks.packages import missing_dependency
from safeload.errors import ArgumentError, InvalidPathError
from safeload.testing._forms import FORMS
from tests.checkpoints import bert_tensors, write_checkpoint
from tests.command_line import safeload_cli

keras_bert = pytest.importorskip("keras_bert")


def statuses(found):
    return {step.name: step.status for step in found.steps}


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("seq_len", [8, None, safeload.FULL_LENGTH])
def test_a_sound_model_has_no_fault(training, seq_len, one_layer_bert):
    found = safeload.diagnose_bert(one_layer_bert, training=training, seq_len=seq_len)

    assert found.at_fault == "nothing", str(found)
    assert set(statuses(found).values()) == {"ok"}
    assert found.differences == ()
    assert len(found.report.read) == (30 if training else 21)
    assert "num_attention_heads" in found.verdict
    assert str(found).splitlines()[0] == found.verdict
    assert json.loads(json.dumps(found.to_dict()))["at_fault"] == "nothing"


def flip_a_bit(folder):
    path = folder / "bert_model.ckpt.data-00000-of-00001"
    data = bytearray(path.read_bytes())
    data[4] ^= 1
    path.write_bytes(data)


def narrow_the_config(folder):
    path = folder / "bert_config.json"
    path.write_text(path.read_text().replace('"hidden_size": 16', '"hidden_size": 8'))


def drop_a_layer(folder):
    path = folder / "bert_config.json"
    path.write_text(path.read_text().replace('"num_hidden_layers": 2', '"num_hidden_layers": 1'))


def cut_the_shard(folder):
    path = folder / "bert_model.ckpt.data-00000-of-00001"
    path.write_bytes(path.read_bytes()[:-100])


FILES = {
    "a flipped bit": (flip_a_bit, "damaged in the checkpoint"),
    "a config of another size": (narrow_the_config, "does not fit its config"),
    "a layer less in the config": (drop_a_layer, "keras-bert loads them without an error"),
    "a cut shard": (cut_the_shard, "a data shard is truncated"),
    "no index file": (lambda folder: (folder / "bert_model.ckpt.index").unlink(), "no TensorFlow checkpoint"),
    "no config": (lambda folder: (folder / "bert_config.json").unlink(), "there is no config file"),
    "a bad vocabulary": (lambda folder: (folder / "vocab.txt").write_text("a\na\n"), "the vocabulary cannot be used"),
}


@pytest.mark.parametrize("fault", FILES)
def test_the_files_are_at_fault(fault, bert):
    spoil, told = FILES[fault]
    spoil(bert)
    found = safeload.diagnose_bert(bert)

    assert found.at_fault == "files"
    assert found.verdict.startswith("the files are at fault: ")
    assert told in found.verdict
    assert statuses(found)["check"] == statuses(found)["safeload"].replace("skipped", "failed") == "failed"
    assert found.report is None


def test_a_lock_is_part_of_the_files(bert):
    safeload_cli("lock", bert)
    (bert / "vocab.txt").write_text((bert / "vocab.txt").read_text().replace("film", "FILM"))

    assert "different from the lock" in safeload.diagnose_bert(bert).verdict


def swap_query_and_key(model):
    layer = model.get_layer("Encoder-1-MultiHeadSelfAttention")
    weights = layer.get_weights()
    layer.set_weights([*weights[2:4], *weights[:2], *weights[4:]])


def leave_a_layer_random(model):
    layer = model.get_layer("Encoder-2-FeedForward")
    layer.set_weights([np.random.default_rng(0).standard_normal(w.shape) for w in layer.get_weights()])


@pytest.mark.parametrize("misread", [swap_query_and_key, leave_a_layer_random])
def test_keras_bert_that_reads_wrongly_is_at_fault(misread, tiny_bert, monkeypatch):
    load = keras_bert.loader.load_model_weights_from_checkpoint

    def wrongly(model, config, checkpoint, training=False):  # noqa: FBT002
        load(model, config, checkpoint, training=training)
        misread(model)

    monkeypatch.setattr(keras_bert.loader, "load_model_weights_from_checkpoint", wrongly)
    found = safeload.diagnose_bert(tiny_bert)

    assert found.at_fault == "keras-bert", str(found)
    assert {each.between for each in found.differences} == {("keras-bert", "direct"), ("keras-bert", "safeload")}
    assert any(each.variable.startswith("Encoder-") for each in found.differences)
    if misread is leave_a_layer_random:
        assert any(each.variable == "output 0" for each in found.differences)
    assert "safeload.load_bert reads it correctly" in found.verdict
    assert "differs Encoder-" in str(found)


def test_keras_bert_that_fails_is_at_fault(one_layer_bert, monkeypatch):
    def fail(*_, **__):
        raise KeyError("bert/embeddings/word_embeddings")

    monkeypatch.setattr(keras_bert, "load_trained_model_from_checkpoint", fail)
    found = safeload.diagnose_bert(one_layer_bert)

    assert found.at_fault == "keras-bert"
    assert "KeyError" in found.verdict


def test_a_reader_that_reads_wrongly_is_at_fault(one_layer_bert, monkeypatch):
    import tensorflow as tf

    class Reader:
        def __init__(self, prefix):
            self.inner = load(prefix)

        def get_variable_to_shape_map(self):
            return self.inner.get_variable_to_shape_map()

        def get_tensor(self, name):
            return self.inner.get_tensor(name) + np.float32("word_embeddings" in name)

    load = tf.train.load_checkpoint
    monkeypatch.setattr(tf.train, "load_checkpoint", Reader)
    found = safeload.diagnose_bert(one_layer_bert)

    assert found.at_fault == "tensorflow", str(found)
    assert "Embedding-Token/embeddings" in {each.variable for each in found.differences}


@pytest.mark.parametrize("how", ["wrong", "failing"])
def test_safeload_that_fills_wrongly_is_at_fault(how, one_layer_bert, monkeypatch):
    from safeload.bert.builders import keras_bert as builder

    fill = builder.fill

    def wrongly(backend, model, *rest, **options):
        if how == "failing":
            raise RuntimeError("not today")
        done = fill(backend, model, *rest, **options)
        layer = model.get_layer("Encoder-1-FeedForward-Norm")
        layer.set_weights([w + 1 for w in layer.get_weights()])
        return done

    monkeypatch.setattr(builder, "fill", wrongly)
    found = safeload.diagnose_bert(one_layer_bert)

    assert found.at_fault == "safeload", str(found)
    assert "please report it" in found.verdict


def test_the_versions_are_at_fault(tiny_bert, monkeypatch):
    from safeload.bert import _trials

    def require():
        raise missing_dependency("keras-bert is not installed", package="keras-bert", wanted="==0.89.*", hints=["pip"])

    monkeypatch.setattr(_trials, "require_keras_bert", require)
    found = safeload.diagnose_bert(tiny_bert)

    assert found.at_fault == "versions"
    assert "keras-bert is not installed" in found.verdict
    assert statuses(found)["safeload"] == "skipped"


def test_when_no_two_agree_that_is_said(one_layer_bert, monkeypatch):
    def fail(*_, **__):
        raise ValueError("no")

    from safeload.bert import _trials

    monkeypatch.setattr(keras_bert, "load_trained_model_from_checkpoint", fail)
    monkeypatch.setattr(_trials, "_through_tensorflow", fail)
    found = safeload.diagnose_bert(one_layer_bert)

    assert found.at_fault == "unknown"
    assert "no two loads agree" in found.verdict


def test_a_bad_argument_is_not_diagnosed(tiny_bert):
    with pytest.raises(ArgumentError):
        safeload.diagnose_bert(tiny_bert, seq_len="long")
    with pytest.raises(ArgumentError):
        safeload.diagnose_bert(tiny_bert, seq_len=10_000)
    with pytest.raises(InvalidPathError):
        safeload.diagnose_bert(None)


def skipped(found):
    return {step.name: step.finding for step in found.steps if step.status == "skipped"}


@pytest.mark.parametrize("form", [form for form in FORMS if form != "tensorflow"])
def test_what_google_s_readers_cannot_load_is_not_held_against_them(form, tmp_path):
    found = safeload.diagnose_bert(testing.write_bert(tmp_path / "model", form=form, layers=1))

    assert found.at_fault == "nothing", str(found)
    assert skipped(found).keys() == {"keras-bert", "direct"}
    assert statuses(found)["safeload"] == "ok"
    assert "not compared with keras-bert's own loader" in found.verdict
    assert ("num_attention_heads" in found.verdict) == (form != "tensorflow/tf-models")


@pytest.mark.parametrize("form", ["tensorflow/tf-models", "torch"])
def test_faults_of_other_forms_are_the_files_alone(form, tmp_path):
    folder = testing.write_bert(tmp_path / "model", form=form, layers=1)
    testing.edit_config(folder, num_hidden_layers=2)
    found = safeload.diagnose_bert(folder)

    assert found.at_fault == "files"
    assert skipped(found).keys() == {"keras-bert", "direct"}
    assert "DataLossError" not in str(found)


def test_an_archive_is_loaded_and_not_compared(one_layer_bert, tmp_path):
    found = safeload.diagnose_bert(shutil.make_archive(str(tmp_path / "model"), "zip", one_layer_bert))

    assert found.at_fault == "nothing", str(found)
    assert set(skipped(found).values()) == {"for files of the disk only, not for those in an archive or at an address"}


def test_another_scope_is_compared_with_the_reader_that_can_load_it(bert):
    tensors = bert_tensors()
    second = {name.replace("bert/", "bert_1/"): value * 2 for name, value in tensors.items()}
    write_checkpoint(bert / "bert_model.ckpt", {**tensors, **second})
    found = safeload.diagnose_bert(bert, scope="bert_1")

    assert found.at_fault == "nothing", str(found)
    assert skipped(found) == {"keras-bert": "for names below bert/ only, not for those below bert_1/"}
    assert "agrees with TensorFlow's reader" in found.verdict
    assert "warning the checkpoint has other encoders" in str(safeload.diagnose_bert(bert))


def test_an_activation_that_was_chosen_is_no_difference(one_layer_bert):
    found = safeload.diagnose_bert(one_layer_bert, activation="gelu_erf")

    assert found.at_fault == "nothing", str(found)
    assert set(skipped(found).values()) == {"for keras-bert's activations only, not for gelu as gelu_erf"}


def test_safeload_alone_may_be_at_fault_in_other_forms(tmp_path, monkeypatch):
    from safeload.bert.builders import keras_bert as builder

    def fail(*_, **__):
        raise RuntimeError("not today")

    monkeypatch.setattr(builder, "fill", fail)
    found = safeload.diagnose_bert(testing.write_bert(tmp_path / "model", form="safetensors", layers=1))

    assert found.at_fault == "safeload", str(found)
    assert "not today" in found.verdict
