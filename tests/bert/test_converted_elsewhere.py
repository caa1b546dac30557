"""What `convert` and `save_bert` write is loaded by the library that owns the form, to the same values."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import warnings

import numpy as np
import pytest

import safeload
from safeload import errors, testing
from safeload.bert.namings import NAMINGS
from safeload.testing._bert import bert_tensors
from tests.bert.converted import (
    HEADS,
    READABLE,
    TANH,
    WRITTEN,
    assert_same_values,
    change_config,
    read_values,
    write_source,
)

HUGGING_FACE = next(naming for naming in NAMINGS if naming.id == "hugging-face")


def convert(source, target, form, **arguments):
    chosen = {"activation": TANH, **({"ignore_unused": HEADS} if form == "keras-hub" else {}), **arguments}
    return safeload.convert(source, target, form=form, **chosen)


def torch_values(model, parameters, scope):
    """Return the values of a model of transformers by Google's names."""
    state = model.state_dict()
    found = {}
    for parameter in parameters:
        name, change = HUGGING_FACE.stored_as(parameter, scope)
        value = state[name].numpy()
        found[parameter] = np.ascontiguousarray(value.T) if change == "transposed" else value
    return found


@pytest.mark.parametrize("source", READABLE)
def test_transformers_loads_the_folder(source, tmp_path):
    transformers = pytest.importorskip("transformers", minversion="4.57")
    path = write_source(tmp_path / "source", source)
    convert(path, tmp_path / "target", "safetensors")
    model, facts = transformers.BertForPreTraining.from_pretrained(tmp_path / "target", output_loading_info=True)

    assert not facts["unexpected_keys"]
    assert {*facts["missing_keys"]} <= {"cls.predictions.decoder.weight", "cls.predictions.decoder.bias"}
    assert_same_values(bert_tensors(), torch_values(model, bert_tensors(), "bert."))
    assert model.config.hidden_act == "gelu_new"
    tokenizer = transformers.BertTokenizer.from_pretrained(tmp_path / "target")
    assert tokenizer.convert_tokens_to_ids(["[CLS]", "film"]) == [2, 7]


def test_a_decoder_that_the_config_calls_untied_is_loaded(tmp_path):
    transformers = pytest.importorskip("transformers", minversion="4.57")
    source = change_config(testing.write_bert(tmp_path / "source"), tie_word_embeddings=False)
    report = convert(source, tmp_path / "target", "safetensors")
    assert report.notes == ("the decoder is tied to the embeddings, which have the same values",)
    model, facts = transformers.BertForPreTraining.from_pretrained(tmp_path / "target", output_loading_info=True)

    assert {*facts["missing_keys"]} <= {"cls.predictions.decoder.weight", "cls.predictions.decoder.bias"}
    assert model.cls.predictions.decoder.weight is model.bert.embeddings.word_embeddings.weight


@pytest.mark.parametrize("with_pooler", [False, True])
def test_an_encoder_alone_is_a_bert_model(with_pooler, tmp_path):
    transformers = pytest.importorskip("transformers", minversion="4.57")
    source = testing.write_bert(tmp_path / "source", heads=False)
    tensors = bert_tensors(heads=False)
    if with_pooler:
        tensors |= {name: value for name, value in bert_tensors().items() if "pooler" in name}
        testing.write_checkpoint(source / "bert_model.ckpt", tensors)
    report = convert(source, tmp_path / "target", "safetensors")
    model, facts = transformers.BertModel.from_pretrained(
        tmp_path / "target", add_pooling_layer=with_pooler, output_loading_info=True
    )

    assert not facts["unexpected_keys"]
    assert not facts["missing_keys"]
    assert_same_values(tensors, torch_values(model, tensors, ""))
    assert json.loads((tmp_path / "target/config.json").read_text())["architectures"] == ["BertModel"]
    assert bool(report.notes) is not with_pooler


def test_a_classifier_of_google_is_loaded_by_transformers(tmp_path):
    transformers = pytest.importorskip("transformers", minversion="4.57")
    source = testing.write_bert(tmp_path / "source")
    tensors = {name: value for name, value in bert_tensors().items() if not name.startswith("cls/")}
    head = np.arange(48, dtype=np.float32).reshape(3, 16)
    testing.write_checkpoint(
        source / "bert_model.ckpt", {**tensors, "output_weights": head, "output_bias": np.ones(3, np.float32)}
    )
    convert(source, tmp_path / "target", "safetensors")
    model, facts = transformers.AutoModelForSequenceClassification.from_pretrained(
        tmp_path / "target", output_loading_info=True
    )

    assert not facts["missing_keys"]
    assert model.config.num_labels == 3
    assert np.array_equal(model.classifier.weight.detach().numpy(), head)


@pytest.mark.parametrize("source", READABLE)
def test_tensorflow_reads_the_checkpoint(source, tmp_path):
    tf = pytest.importorskip("tensorflow")
    convert(write_source(tmp_path / "source", source), tmp_path / "target", "google")
    reader = tf.train.load_checkpoint(str(tmp_path / "target/bert_model.ckpt"))
    names = reader.get_variable_to_shape_map()

    assert names.keys() == bert_tensors().keys()
    assert_same_values(bert_tensors(), {name: reader.get_tensor(name) for name in names})


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("source", ["tensorflow", "safetensors", "torch", "keras"])
def test_keras_bert_loads_googles_files_with_its_own_loader(source, training, tmp_path):
    keras_bert = pytest.importorskip("keras_bert")
    convert(write_source(tmp_path / "source", source), tmp_path / "target", "google")
    paths = [str(tmp_path / "target" / name) for name in ("bert_config.json", "bert_model.ckpt")]
    theirs = keras_bert.load_trained_model_from_checkpoint(*paths, training=training)
    ours = safeload.load_bert(testing.write_bert(tmp_path / "other"), training=training)

    assert_same_weights(theirs, ours)


def assert_same_weights(theirs, ours):
    values = {weight.name: weight.numpy() for weight in ours.weights}
    assert {weight.name for weight in theirs.weights} == values.keys()
    for weight in theirs.weights:
        assert np.array_equal(weight.numpy(), values[weight.name]), weight.name


@pytest.mark.parametrize("by_name", [False, True])
@pytest.mark.parametrize("heads", [False, True])
@pytest.mark.parametrize("source", ["tensorflow", "safetensors", "torch", "hdf5/keras-bert"])
def test_keras_loads_the_weights_into_keras_berts_model(source, heads, by_name, tmp_path):
    keras_bert = pytest.importorskip("keras_bert")
    convert(write_source(tmp_path / "source", source, heads=heads), tmp_path / "target", "keras-bert-h5")
    model, config = keras_bert.loader.build_model_from_config(str(tmp_path / "target/bert_config.json"), training=heads)
    model.load_weights(str(tmp_path / "target/model.h5"), by_name=by_name)
    ours = safeload.load_bert(testing.write_bert(tmp_path / "other", heads=heads), training=heads)

    assert config["hidden_act"] == "gelu"
    assert_same_weights(model, ours)


PRESET = """
import sys, numpy as np, keras_hub
from safeload.bert.builders.keras_hub import variables_of
model = keras_hub.models.BertBackbone.from_preset(sys.argv[1])
tokenizer = keras_hub.models.BertTokenizer.from_preset(sys.argv[1])
assert [int(each) for each in tokenizer("film good")] == [7, 8], tokenizer("film good")
pairs, strange = variables_of(model, 2)
assert not strange
np.savez(sys.argv[2], **{name: np.asarray(each.numpy() if hasattr(each, "numpy") else each.value) for each, name in pairs})
"""


@pytest.mark.skipif(importlib.util.find_spec("keras_hub") is None, reason="KerasHub installs on Python 3.11")
@pytest.mark.parametrize("source", ["tensorflow", "safetensors", "hdf5/keras-bert", "safetensors in a tar"])
def test_kerashub_loads_the_preset(source, tmp_path):
    convert(write_source(tmp_path / "source", source), tmp_path / "target", "keras-hub")
    environment = {key: value for key, value in os.environ.items() if key != "TF_USE_LEGACY_KERAS"}
    subprocess.run(
        [sys.executable, "-c", PRESET, str(tmp_path / "target"), str(tmp_path / "values.npz")],
        check=True,
        env={**environment, "KERAS_BACKEND": "torch", "TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    with np.load(tmp_path / "values.npz") as found:
        values = {name: found[name].reshape(bert_tensors()[name].shape) for name in found}

    assert_same_values(bert_tensors(), values, without=["cls/"])


def loaded(backend, folder, **arguments):
    for name in {"keras-bert": ["keras_bert"], "transformers": ["transformers"], "keras-hub": ["keras_hub"]}[backend]:
        pytest.importorskip(name)
    try:
        return safeload.load_bert(folder, backend=backend, **arguments)
    except errors.MissingDependencyError as exc:
        pytest.skip(str(exc).splitlines()[0])


def changed(model, backend):
    """Change a bias of a model, as a training does, and return what it is now."""
    value = np.linspace(0, 1, 16, dtype=np.float32)
    if backend == "transformers":
        import torch

        with torch.no_grad():
            (model.bert if hasattr(model, "bert") else model).embeddings.LayerNorm.bias.copy_(torch.from_numpy(value))
    else:
        name = "Embedding-Norm" if backend == "keras-bert" else "embeddings_layer_norm"
        model.get_layer(name).beta.assign(value)
    return {"bert/embeddings/LayerNorm/beta": value}


@pytest.mark.parametrize("form", [None, *WRITTEN])
@pytest.mark.parametrize("backend", ["keras-bert", "transformers"])
def test_a_tuned_model_is_saved_in_each_form(backend, form, tmp_path):
    source = testing.write_bert(tmp_path / "source")
    model = loaded(backend, source, training=True)
    values = {**bert_tensors(), **changed(model, backend)}
    report = safeload.save_bert(
        model,
        tmp_path / "saved",
        form=form,
        vocab_file=source / "vocab.txt",
        ignore_unused=HEADS if form == "keras-hub" else [],
    )

    assert report.form == form or {"keras-bert": "google", "transformers": "safetensors"}[backend]
    config, found = read_values(tmp_path / "saved")
    assert_same_values(values, found, without=["cls/"] if form == "keras-hub" else [])
    assert (config.activation, config.num_attention_heads) == (TANH, 4)


@pytest.mark.parametrize("form", [None, "safetensors", "google"])
def test_a_backbone_of_kerashub_is_saved(form, tmp_path):
    model = loaded("keras-hub", testing.write_bert(tmp_path / "source"))
    values = {**bert_tensors(), **changed(model, "keras-hub")}
    safeload.save_bert(model, tmp_path / "saved", form=form)

    assert_same_values(values, read_values(tmp_path / "saved")[1], without=["cls/"])


def test_a_tuned_classifier_of_transformers_comes_back_with_transformers(tmp_path):
    transformers, torch = pytest.importorskip("transformers", minversion="4.57"), pytest.importorskip("torch")
    config = transformers.BertConfig(
        vocab_size=30, hidden_size=16, num_hidden_layers=2, num_attention_heads=4, intermediate_size=32,
        max_position_embeddings=20, id2label={0: "bad", 1: "good", 2: "so-so"}, hidden_dropout_prob=0.25, layer_norm_eps=1e-7,
    )  # fmt: skip
    model = transformers.BertForTokenClassification(config).eval()
    for parameter in model.parameters():
        parameter.data += 0.1 * torch.randn(parameter.shape)
    safeload.save_bert(model, tmp_path / "saved")
    again, facts = transformers.AutoModelForTokenClassification.from_pretrained(
        tmp_path / "saved", output_loading_info=True
    )
    ids = torch.arange(10)[None]

    assert not facts["missing_keys"]
    assert not facts["unexpected_keys"]
    assert again.config.id2label == {0: "bad", 1: "good", 2: "so-so"}
    assert (again.config.hidden_dropout_prob, again.config.layer_norm_eps, again.config.hidden_act) == (
        0.25,
        1e-7,
        "gelu",
    )
    with torch.no_grad():
        assert torch.equal(model(ids).logits, again.eval()(ids).logits)
    with pytest.raises(errors.ConfigError, match="hidden_act: gelu_erf is no activation of the form google"):
        safeload.save_bert(model, tmp_path / "google", form="google", ignore_unused=["classifier*"])


def test_the_heads_of_a_keras_model_are_named_or_an_error(tmp_path):
    source = testing.write_bert(tmp_path / "source")
    model = loaded("keras-bert", source, training=True)
    from safeload._frameworks.tensorflow import require_keras_bert

    keras = require_keras_bert().tf.keras
    logits = keras.layers.Dense(3, name="answer")(model.get_layer("NSP-Dense").output)
    tuned = keras.models.Model(model.inputs[:2], logits)
    with pytest.raises(errors.ArgumentError, match="the form google has no place for 2 tensors") as caught:
        safeload.save_bert(tuned, tmp_path / "saved")
    assert "answer/kernel" in str(caught.value)
    report = safeload.save_bert(tuned, tmp_path / "saved", ignore_unused=["answer/*"])

    assert report.left_out == ("answer/bias", "answer/kernel")
    assert_same_values(bert_tensors(), read_values(tmp_path / "saved")[1], without=["cls/"])


def test_erf_of_keras_bert_is_saved_as_what_it_is(tmp_path):
    model = loaded("keras-bert", testing.write_bert(tmp_path / "source"), activation="gelu_erf")
    with pytest.raises(errors.ConfigError, match="hidden_act: gelu_erf is no activation of the form google"):
        safeload.save_bert(model, tmp_path / "saved")
    safeload.save_bert(model, tmp_path / "saved", form="safetensors")

    assert json.loads((tmp_path / "saved/config.json").read_text())["hidden_act"] == "gelu"


@pytest.mark.parametrize("value", ["nan", "double", "meta"])
def test_a_model_without_good_values_is_refused(value, tmp_path):
    torch = pytest.importorskip("torch")
    model = loaded("transformers", testing.write_bert(tmp_path / "source"))
    if value == "nan":
        model.embeddings.LayerNorm.bias.data[3] = float("nan")
    elif value == "double":
        model = model.double()
        model.embeddings.LayerNorm.bias.data += 1e-12
    else:
        model = model.to("meta")
    text = {"nan": "NaN or infinite", "double": "not exactly float32", "meta": "has no values"}[value]
    with pytest.raises(errors.ArgumentError, match=text) as caught:
        safeload.save_bert(model, tmp_path / "saved")

    assert (caught.value.argument, (tmp_path / "saved").exists()) == ("model", False)
    assert torch


def test_half_precision_is_widened(tmp_path):
    torch = pytest.importorskip("torch")
    model = loaded("transformers", testing.write_bert(tmp_path / "source")).to(torch.bfloat16)
    safeload.save_bert(torch.nn.DataParallel(model), tmp_path / "saved")

    wanted = {
        name: torch.from_numpy(value).to(torch.bfloat16).float().numpy() for name, value in bert_tensors().items()
    }
    assert_same_values(wanted, read_values(tmp_path / "saved")[1], without=["cls/"])


def test_an_untied_decoder_is_refused(tmp_path):
    torch = pytest.importorskip("torch")
    model = loaded("transformers", testing.write_bert(tmp_path / "source"), training=True)
    model.cls.predictions.decoder.weight = torch.nn.Parameter(model.cls.predictions.decoder.weight.detach() + 1)
    with pytest.raises(errors.VariableMismatchError, match="does not fit"):
        safeload.save_bert(model, tmp_path / "saved")

    assert not (tmp_path / "saved").exists()


@pytest.mark.parametrize("model", [None, object(), "bert", 3])
def test_what_is_no_bert_is_refused(model, tmp_path):
    with pytest.raises(errors.ArgumentError, match="model must be a BERT of transformers, KerasHub or keras-bert"):
        safeload.save_bert(model, tmp_path / "saved")


def test_a_vocabulary_that_does_not_fit_is_refused(tmp_path):
    source = testing.write_bert(tmp_path / "source")
    model = loaded("transformers", source)
    with (source / "vocab.txt").open("a") as file:
        file.write("more\n")
    with warnings.catch_warnings(), pytest.raises(errors.VocabularyError, match="cannot be used"):
        safeload.save_bert(model, tmp_path / "saved", vocab_file=source / "vocab.txt")
