"""What a BERT computes is saved, and a model that computes something else is found, with the real runtimes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest

import safeload
from safeload import testing
from safeload._outputs.report import BOUND
from safeload.errors import ArgumentError, ConfigError, OutputMismatchError, WrongFileKindError
from tests.bert.bert_models import write_hugging_face, write_keras_hub
from tests.bert.torch_berts import write_loud

MODERN = find_spec("keras_hub") is not None
needs_today = pytest.mark.skipif(not MODERN, reason="transformers 5 and KerasHub do not install beside AllenNLP")
BACKENDS = ["keras-bert", *(["transformers", "keras-hub"] if MODERN else [])]


@pytest.fixture(scope="module")
def tanh(tmp_path_factory):
    """Return the folder of a model with loud values and GELU by tanh, which each runtime has, and its outputs."""
    torch = pytest.importorskip("torch")
    del torch
    pytest.importorskip("transformers", minversion="4.57")
    folder = tmp_path_factory.mktemp("tanh") / "model"
    folder.mkdir()
    write_hugging_face(folder, hidden_act="gelu_new")
    return folder


@pytest.fixture(scope="module")
def saved(tanh):
    """Return the outputs of that model in transformers."""
    model = safeload.load_bert(tanh, backend="transformers", training=True)
    file = tanh.parent / "model.outputs.json"
    report = safeload.save_outputs(model, file, vocab_file=tanh / "vocab.txt")
    assert report.computed == ("embeddings", "layer 0", "layer 1", "layer 2", "pooler", "mlm", "nsp")
    return file


@needs_today
@pytest.mark.parametrize("backend", BACKENDS)
def test_each_runtime_computes_what_another_saved(backend, tanh, saved):
    model = safeload.load_bert(tanh, backend=backend, expected_outputs=saved)
    report = safeload.compare_outputs(model, saved, vocab_file=tanh / "vocab.txt")

    assert report.runtime == backend
    assert report.notes == ()
    assert max(each.max_abs for each in report.layers if not each.only_in) < BOUND / 5
    loaded = safeload.report_of(model)
    assert loaded.files[-1].path == str(saved)
    assert any("as expected, within" in note for note in loaded.notes)
    assert "outputs" in loaded.seconds


ENGINE = """
import sys, safeload
report = safeload.compare_outputs(safeload.load_bert(sys.argv[1], backend="keras-hub"), sys.argv[2])
print(max(each.max_abs for each in report.layers if not each.only_in))
"""


@needs_today
@pytest.mark.parametrize("engine", ["tensorflow", "jax", "torch"])
def test_each_engine_of_keras_computes_what_transformers_saved(engine, tanh, saved):
    environment = {**os.environ, "KERAS_BACKEND": engine, "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-c", ENGINE, str(tanh), str(saved)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)

    assert float(done.stdout.split()[-1]) < BOUND / 5


def with_two_heads(model):
    for layer in model.encoder.layer:
        attention = layer.attention.self
        attention.num_attention_heads, attention.attention_head_size = 2, 8


def query_for_key(model):
    attention = model.encoder.layer[1].attention.self
    attention.query, attention.key = attention.key, attention.query


def with_gelu_by_erf(model):
    import transformers

    for layer in model.encoder.layer:
        layer.intermediate.intermediate_act_fn = transformers.activations.ACT2FN["gelu"]


def with_another_epsilon(model):
    import torch

    for module in model.modules():
        if isinstance(module, torch.nn.LayerNorm):
            module.eps = 1e-5


def gamma_for_beta(model):
    norm = model.encoder.layer[2].output.LayerNorm
    gamma = norm.weight.clone()
    norm.weight.copy_(norm.bias)
    norm.bias.copy_(gamma)


def transposed(model):
    weight = model.encoder.layer[1].attention.self.value.weight
    weight.copy_(weight.T.clone())


def shifted_rows(model):
    weight = model.embeddings.word_embeddings.weight
    weight.copy_(weight.roll(1, 0))


def last_row(model):
    model.embeddings.word_embeddings.weight[-1, 0] += 0.1


CHANGES = {
    "other heads": (with_two_heads, "layer 0", "num_attention_heads is 2; expected 4"),
    "query for key": (query_for_key, "layer 1", None),
    "another GELU": (with_gelu_by_erf, "layer 0", "activation is gelu_erf; expected gelu_tanh"),
    "another epsilon": (with_another_epsilon, "embeddings", "layer_norm_eps is 1e-05; expected 1e-12"),
    "gamma for beta": (gamma_for_beta, "layer 2", None),
    "a transposed kernel": (transposed, "layer 1", None),
    "embeddings shifted by one": (shifted_rows, "embeddings", None),
    "the last token": (last_row, "embeddings", None),
    "bfloat16": (lambda model: model.bfloat16(), "embeddings", "dtype is bfloat16, half precision; expected float32"),
    "float16": (lambda model: model.half(), "embeddings", "dtype is float16, half precision; expected float32"),
    "dropout": (
        lambda model: model.train(),
        "embeddings",
        "the model gives other numbers each time: dropout is left on",
    ),
}


@needs_today
@pytest.mark.parametrize("name", CHANGES)
def test_a_model_of_transformers_that_computes_something_else_is_found(name, tanh, saved):
    import torch

    change, first, cause = CHANGES[name]
    model = safeload.load_bert(tanh, backend="transformers")
    safeload.compare_outputs(model, saved)
    with torch.no_grad():
        change(model)
    with pytest.raises(OutputMismatchError) as caught:
        safeload.compare_outputs(model, saved)
    error = caught.value

    assert error.first_layer == first
    assert f"computes something else than expected, from {first} on: " in error.message
    assert (error.resolved, error.label, error.bound) == (str(saved), "outputs", BOUND)
    if name != "another epsilon":  # which matters less where the embeddings are as large as these
        assert dict(error.layers)[first] > 5 * BOUND, error
    if cause is None:
        assert error.causes == ()
    else:
        assert len(error.causes) == 1, error
        assert error.causes[0].startswith(cause)
        assert f"  cause:    {cause}" in str(error)


@needs_today
def test_keras_hub_in_bfloat16_is_found(tanh, saved):
    import keras

    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        with pytest.raises(OutputMismatchError) as caught:
            safeload.load_bert(tanh, backend="keras-hub", expected_outputs=saved)
    finally:
        keras.config.set_dtype_policy("float32")
    assert caught.value.first_layer == "embeddings"
    assert caught.value.causes == ("dtype is bfloat16, half precision; expected float32",)


def loud_google(folder, **changed):
    """Write a model in Google's form whose values are large enough to tell one arithmetic from another."""
    return write_loud(folder, **changed)


@pytest.fixture
def google(tmp_path):
    pytest.importorskip("keras_bert")
    return loud_google(tmp_path / "google")


@pytest.fixture
def google_saved(google):
    file = google.parent / "google.outputs.json"
    safeload.save_outputs(safeload.load_bert(google), file, vocab_file=google / "vocab.txt")
    return file


@pytest.mark.parametrize(
    "options", [{}, {"training": True}, {"seq_len": 12}, {"seq_len": None}, {"output_layer_num": 2}]
)
def test_a_load_with_other_options_computes_the_same(options, google, google_saved):
    model = safeload.load_bert(google, expected_outputs=google_saved, **options)

    assert safeload.compare_outputs(model, google_saved).notes == (
        "the vocabulary is not compared: the model has none",
    )


FOUND_IN_KERAS_BERT = {
    "heads": ({"num_attention_heads": 2}, {}, "layer 0", "num_attention_heads is 2; expected 4"),
    "GELU": ({}, {"activation": "gelu_erf"}, "layer 0", "activation is gelu_erf; expected gelu_tanh"),
}


@pytest.mark.parametrize("name", FOUND_IN_KERAS_BERT)
def test_a_setting_that_no_file_proves_is_found_in_keras_bert(name, google, google_saved):
    keys, options, first, cause = FOUND_IN_KERAS_BERT[name]
    testing.edit_config(google, **keys)
    with pytest.raises(OutputMismatchError) as caught:
        safeload.load_bert(google, expected_outputs=google_saved, **options)

    assert caught.value.first_layer == first
    assert caught.value.causes == (cause,)


def changed_in_keras_bert(model, name):
    if name == "query for key":
        layer = model.get_layer("Encoder-2-MultiHeadSelfAttention")
        values = layer.get_weights()
        layer.set_weights([*values[2:4], *values[:2], *values[4:]])
    elif name == "gamma for beta":
        layer = model.get_layer("Encoder-1-FeedForward-Norm")
        layer.set_weights(layer.get_weights()[::-1])
    elif name == "a transposed kernel":
        layer = model.get_layer("Encoder-2-MultiHeadSelfAttention")
        values = layer.get_weights()
        layer.set_weights([*values[:4], values[4].T, *values[5:]])
    else:
        for layer in model.layers:
            if layer.name.endswith("-Norm"):
                layer.epsilon = 1e-5


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("query for key", "layer 1"),
        ("gamma for beta", "layer 0"),
        ("a transposed kernel", "layer 1"),
        ("epsilon", "embeddings"),
    ],
)
def test_a_model_of_keras_bert_that_computes_something_else_is_found(name, first, google, google_saved):
    model = safeload.load_bert(google)
    changed_in_keras_bert(model, name)
    with pytest.raises(OutputMismatchError) as caught:
        safeload.compare_outputs(model, google_saved)

    assert caught.value.first_layer == first
    assert caught.value.causes == (("layer_norm_eps is 1e-05; expected 1e-14",) if name == "epsilon" else ())


@needs_today
def test_an_epsilon_of_the_config_is_found(tmp_path):
    folder = testing.write_bert(tmp_path / "model", form="safetensors")
    file = tmp_path / "outputs.json"
    safeload.save_outputs(safeload.load_bert(folder, backend="transformers"), file)
    testing.edit_config(folder, layer_norm_eps=1e-5)
    with pytest.raises(OutputMismatchError) as caught:
        safeload.load_bert(folder, backend="transformers", expected_outputs=file)

    assert caught.value.first_layer == "embeddings"
    assert caught.value.causes == ("layer_norm_eps is 1e-05; expected 1e-12",)


LAYER = "bert/encoder/layer_1/"
QUERY, KEY, VALUE = (f"{LAYER}attention/self/{part}/kernel" for part in ("query", "key", "value"))
GAMMA, BETA = (f"{LAYER}output/LayerNorm/{part}" for part in ("gamma", "beta"))
WORDS = "bert/embeddings/word_embeddings"
FAULTS_OF_FILES = {
    "exchanged queries and keys": (lambda held: {QUERY: held[KEY], KEY: held[QUERY]}, "layer 1"),
    "exchanged gamma and beta": (lambda held: {GAMMA: held[BETA], BETA: held[GAMMA]}, "layer 1"),
    "a transposed square kernel": (lambda held: {VALUE: held[VALUE].T.copy()}, "layer 1"),
    "a table shifted by one": (lambda held: {WORDS: np.roll(held[WORDS], 1, axis=0)}, "embeddings"),
}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", FAULTS_OF_FILES)
def test_a_fault_that_a_check_cannot_see_is_found_in_each_runtime(name, backend, google, google_saved, tmp_path):
    change, first = FAULTS_OF_FILES[name]
    changed = change(safeload.load_state_dict(google / "bert_model.ckpt"))
    faulty = loud_google(tmp_path / "faulty", more=changed)
    safeload.check_bert(faulty, backend=backend)
    with pytest.raises(OutputMismatchError) as caught:
        safeload.load_bert(faulty, backend=backend, expected_outputs=google_saved)
    error = caught.value

    assert (error.first_layer, error.causes) == (first, ())
    assert "no setting that the model has explains it" in str(error)
    assert dict(error.layers)[first] > 100 * BOUND


@needs_today
@pytest.mark.parametrize("backend", BACKENDS)
def test_another_number_of_heads_is_found_in_each_runtime(backend, google, google_saved):
    testing.edit_config(google, num_attention_heads=2)
    with pytest.raises(OutputMismatchError) as caught:
        safeload.load_bert(google, backend=backend, expected_outputs=google_saved)

    assert caught.value.first_layer == "layer 0"
    assert caught.value.causes == ("num_attention_heads is 2; expected 4",)


@needs_today
@pytest.mark.parametrize("backend", BACKENDS)
def test_tanh_where_erf_is_expected_is_found_in_each_runtime(backend, google, tmp_path):
    file = tmp_path / "erf.json"
    safeload.save_outputs(safeload.load_bert(google, activation="gelu_erf"), file)
    with pytest.raises(OutputMismatchError) as caught:
        safeload.load_bert(google, backend=backend, activation="gelu_tanh", expected_outputs=file)

    assert caught.value.first_layer == "layer 0"
    assert caught.value.causes == ("activation is gelu_tanh; expected gelu_erf",)


@needs_today
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_a_load_in_half_precision_is_found(dtype, tanh, saved):
    with pytest.raises(OutputMismatchError) as caught:
        safeload.load_bert(tanh, backend="transformers", dtype=dtype, expected_outputs=saved)

    assert caught.value.first_layer == "embeddings"
    assert caught.value.causes == (f"dtype is {dtype}, half precision; expected float32",)


def test_a_vocabulary_shifted_by_one_is_found_before_the_model_is_built(google, google_saved, monkeypatch):
    from safeload.bert.builders import keras_bert

    monkeypatch.setattr(keras_bert, "make", lambda *_: pytest.fail("the model is built"))
    words = (google / "vocab.txt").read_text().split("\n")
    (google / "vocab.txt").write_text("\n".join([words[0], "new", *words[1:-2]]) + "\n")
    with pytest.raises(OutputMismatchError) as caught:
        safeload.load_bert(google, expected_outputs=google_saved)
    error = caught.value

    assert (error.first_layer, error.layers) == ("vocabulary", ())
    assert error.causes[0].startswith("the ids are shifted by +1, in ")
    assert "TOKEN" in str(error)


def test_two_exchanged_words_are_found(google, google_saved):
    words = (google / "vocab.txt").read_text().split("\n")
    words[-2], words[-3] = words[-3], words[-2]
    (google / "vocab.txt").write_text("\n".join(words))
    with pytest.raises(OutputMismatchError, match="the vocabulary is not that of the model"):
        safeload.load_bert(google, expected_outputs=google_saved)


def test_line_ends_are_no_difference(google, google_saved):
    path = google / "vocab.txt"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    safeload.load_bert(google, expected_outputs=google_saved)


def test_another_model_is_found_before_it_is_built(tmp_path, google_saved, monkeypatch):
    from safeload.bert.builders import keras_bert

    monkeypatch.setattr(keras_bert, "make", lambda *_: pytest.fail("the model is built"))
    other = testing.write_bert(tmp_path / "other", layers=1)
    with pytest.raises(OutputMismatchError) as caught:
        safeload.load_bert(other, expected_outputs=google_saved)

    assert caught.value.first_layer == "sizes"
    assert "SIZE       num_hidden_layers" in str(caught.value)
    assert "expected 2, found 1" in str(caught.value)


def test_too_few_tokens_are_said(google, google_saved):
    with pytest.raises(ArgumentError, match="seq_len must be at least 12") as caught:
        safeload.load_bert(google, seq_len=8, expected_outputs=google_saved)
    assert caught.value.argument == "seq_len"


def test_the_file_is_small_and_holds_the_last_id_both_segments_and_the_settings(google, google_saved):
    found = json.loads(google_saved.read_text())
    tokens = np.array(found["inputs"]["tokens"])

    assert google_saved.stat().st_size < 16_000
    assert (found["schema"], found["model"]) == ("safeload-expected-outputs/1", "BERT")
    assert tokens.shape == (3, 12)
    assert {1, 29} <= set(tokens.ravel().tolist())
    assert (tokens == 0).any()
    assert np.unique(found["inputs"]["segments"]).tolist() == [0, 1]
    assert {
        "num_attention_heads": 4,
        "activation": "gelu_tanh",
        "dtype": "float32",
        "hidden_size": 16,
    }.items() <= found["settings"].items()
    assert found["made_with"]["runtime"] == "keras-bert"
    assert found["made_with"]["versions"]["keras-bert"] == "0.89.0"
    assert found["vocabulary"]["tokens"]["1"] == (google / "vocab.txt").read_text().split("\n")[1]


def test_a_file_is_replaced_only_if_asked(google, google_saved):
    model = safeload.load_bert(google)
    with pytest.raises(ArgumentError) as caught:
        safeload.save_outputs(model, google_saved)
    assert caught.value.argument == "overwrite"
    before = google_saved.read_bytes()
    safeload.save_outputs(model, google_saved, vocab_file=google / "vocab.txt", overwrite=True)
    assert google_saved.read_bytes() == before


@needs_today
def test_half_precision_is_not_saved(tanh, tmp_path):
    model = safeload.load_bert(tanh, backend="transformers", dtype="bfloat16")
    with pytest.raises(ArgumentError, match="the model computes in bfloat16"):
        safeload.save_outputs(model, tmp_path / "outputs.json")
    assert not (tmp_path / "outputs.json").exists()


@needs_today
def test_models_that_safeload_did_not_build_are_compared(tmp_path):
    import transformers

    folder = tmp_path / "model"
    folder.mkdir()
    theirs = write_hugging_face(folder)
    file = tmp_path / "theirs.json"
    safeload.save_outputs(theirs, file)
    report = safeload.compare_outputs(transformers.BertModel.from_pretrained(folder), file)

    assert [each.layer for each in report.layers if each.only_in] == ["mlm", "nsp"]
    backbone = write_keras_hub(tmp_path / "hub")
    with pytest.raises(OutputMismatchError):
        safeload.compare_outputs(backbone, file)


def test_what_is_no_bert_is_no_argument(google_saved, tmp_path):
    with pytest.raises(ArgumentError):
        safeload.save_outputs(object(), tmp_path / "x.json")
    with pytest.raises(ArgumentError):
        safeload.compare_outputs(object(), google_saved)


def test_a_token_that_the_model_lacks_is_another_model(google, google_saved):
    found = json.loads(google_saved.read_text())
    found["inputs"]["tokens"][0][0] = 30
    google_saved.write_text(json.dumps(found))
    with pytest.raises(OutputMismatchError, match="other sizes"):
        safeload.load_bert(google, expected_outputs=google_saved)


@pytest.mark.parametrize("tokens", [[[1, -1]], [[1.5]], [["a"]], [[True]], [[1], [1, 2]], [[1 << 40]]])
def test_inputs_that_are_none_are_said(tokens, google, google_saved):
    found = json.loads(google_saved.read_text())
    found["inputs"] = {"tokens": tokens, "segments": [[0] * len(row) for row in tokens]}
    google_saved.write_text(json.dumps(found))
    with pytest.raises((ConfigError, OutputMismatchError)) as caught:
        safeload.load_bert(google, expected_outputs=google_saved)
    assert (type(caught.value) is OutputMismatchError) == (tokens == [[1 << 40]])


def test_a_file_of_another_kind_is_said(google):
    with pytest.raises(WrongFileKindError):
        safeload.load_bert(google, expected_outputs=google / "bert_model.ckpt.index")
    with pytest.raises(ConfigError, match="the expected outputs cannot be used"):
        safeload.load_bert(google, expected_outputs=google / "bert_config.json")
