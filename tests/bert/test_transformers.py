"""Hugging Face's own files: what transformers writes, is loaded, and computes what transformers computes."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

import safeload
from safeload import errors
from safeload.testing._bert import TOKENS

transformers = pytest.importorskip("transformers", minversion="4.30")
torch = pytest.importorskip("torch")
safetensors = pytest.importorskip("safetensors.torch")

SIZES = {"vocab_size": 30, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 32}
IDS = np.array([[2, 5, 7, 9, 3], [2, 8, 3, 0, 0]])
SEGMENTS = np.array([[0, 0, 1, 1, 1], [0, 0, 0, 0, 0]])


def written(folder, *, kind="BertForPreTraining", shard="5GB", variant=None, dtype=None, **config):
    """Let transformers write a model whose values are large enough to tell one GELU from the other; return both."""
    torch.manual_seed(0)
    config = transformers.BertConfig(**SIZES, max_position_embeddings=20, initializer_range=0.3, **config)
    model = getattr(transformers, kind)(config).eval()
    with torch.no_grad():
        for name, value in model.named_parameters():
            if name.endswith("bias"):
                value.normal_(0, 0.3)
    model = model.to(dtype) if dtype else model
    model.save_pretrained(folder, max_shard_size=shard, variant=variant)
    (folder / "vocab.txt").write_text("\n".join([*TOKENS, *(f"word{number}" for number in range(20))]) + "\n")
    return model


def theirs(model):
    with torch.no_grad():
        return model(torch.tensor(IDS), torch.ones_like(torch.tensor(IDS)), torch.tensor(SEGMENTS))


def edit(folder, change):
    """Change the tensors of a file."""
    path = folder / "model.safetensors"
    tensors = safetensors.load_file(path)
    change(tensors)
    safetensors.save_file({name: value.contiguous() for name, value in tensors.items()}, path, {"format": "pt"})


@pytest.mark.parametrize("shard", ["5GB", "6KB"])
def test_the_encoder_computes_what_transformers_does(tmp_path, shard):
    pytest.importorskip("keras_bert")
    judge = written(tmp_path, shard=shard)
    assert (tmp_path / "model.safetensors.index.json").exists() == (shard == "6KB")

    model = safeload.load_bert(tmp_path, seq_len=None)

    found = model.predict([IDS, SEGMENTS], verbose=0)
    wanted = theirs(judge.bert).last_hidden_state.numpy()
    words = IDS[0] > 0  # keras-bert masks padding, and no mask was passed to transformers
    np.testing.assert_allclose(found[0, words], wanted[0, words], rtol=0, atol=1e-5)
    report = safeload.report_of(model)
    assert (report.form, report.naming, report.activation) == ("safetensors", "hugging-face", "gelu_erf")
    other = safeload.load_bert(tmp_path, seq_len=None, activation="gelu_tanh").predict([IDS, SEGMENTS], verbose=0)
    assert np.abs(other[0] - wanted[0]).max() > 1e-5


@pytest.mark.parametrize(
    ("shard", "name"), [("5GB", "model.fp16.safetensors"), ("6KB", "model.safetensors.index.fp16.json")]
)
def test_a_variant_is_read_as_transformers_names_it(tmp_path, shard, name):
    written(tmp_path, shard=shard, variant="fp16", dtype=torch.float16)
    for given in (None, tmp_path / name):
        report = safeload.check_bert(tmp_path, given)
        assert name in [file.path.rpartition("/")[2] for file in report.files]
        assert report.warnings == ()
    written(tmp_path)
    assert safeload.check_bert(tmp_path).files[-1].path == str(tmp_path / "model.safetensors")


def test_the_heads_compute_what_transformers_does(tmp_path):
    pytest.importorskip("keras_bert")
    judge = written(tmp_path)
    model = safeload.load_bert(tmp_path, training=True, seq_len=5)

    tokens, following = model.predict([IDS, SEGMENTS, np.ones_like(IDS)], verbose=0)
    wanted = theirs(judge)
    for found, logits in ((tokens[0], wanted.prediction_logits[0]), (following[0], wanted.seq_relationship_logits[0])):
        np.testing.assert_allclose(found, torch.softmax(logits, -1).numpy(), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("kind", "scope", "unused"),
    [
        ("BertModel", "", {"pooler"}),
        ("BertForMaskedLM", "bert.", {"heads"}),
        ("BertForSequenceClassification", "bert.", {"pooler", "task heads"}),
        ("BertForQuestionAnswering", "bert.", {"task heads"}),
        ("BertForTokenClassification", "bert.", {"task heads"}),
    ],
)
def test_every_class_of_transformers_has_the_encoder(tmp_path, kind, scope, unused):
    written(tmp_path, kind=kind)
    report = safeload.check_bert(tmp_path)

    assert (report.scope, set(report.unused), len(report.read)) == (scope, unused, 37)


def test_a_model_without_heads_lacks_them_by_their_stored_names(tmp_path):
    written(tmp_path, kind="BertForMaskedLM")
    with pytest.raises(errors.VariableMismatchError) as caught:
        safeload.check_bert(tmp_path, training=True)

    assert {problem.name for problem in caught.value.report.problems} == {
        "bert.pooler.dense.weight",
        "bert.pooler.dense.bias",
        "cls.seq_relationship.weight",
        "cls.seq_relationship.bias",
    }


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_other_types_are_widened(tmp_path, dtype):
    judge = written(tmp_path, dtype=getattr(torch, dtype))
    if dtype == "float64":
        edit(
            tmp_path, lambda tensors: tensors.update({name: value.float().double() for name, value in tensors.items()})
        )
    found = safeload.check_bert(tmp_path, training=True)

    assert found.notes == (f"46 of 46 tensors are stored as {dtype}; read as float32, without loss",)
    assert len(judge.state_dict()) >= 46


def old_norms(tensors):
    for name in [name for name in tensors if "LayerNorm" in name]:
        tensors[name.replace("weight", "gamma").replace("bias", "beta")] = tensors.pop(name)


def old_copies(tensors):
    tensors["cls.predictions.decoder.weight"] = tensors["bert.embeddings.word_embeddings.weight"].clone()
    tensors["cls.predictions.decoder.bias"] = tensors["cls.predictions.bias"].clone()
    tensors["bert.embeddings.position_ids"] = torch.arange(20)[None]
    tensors["bert.embeddings.token_type_ids"] = torch.zeros((1, 20), dtype=torch.int64)


@pytest.mark.parametrize("change", [old_norms, old_copies])
def test_files_of_older_versions_load(tmp_path, change):
    written(tmp_path)
    wanted = safeload.check_bert(tmp_path, training=True).read
    edit(tmp_path, change)

    assert safeload.check_bert(tmp_path, training=True).read == wanted
    assert safeload.check_bert(tmp_path).warnings == ()


@pytest.mark.parametrize(
    ("name", "value", "fault"),
    [
        ("cls.predictions.decoder.weight", torch.zeros(30, 16), "BERT has one tensor for this"),
        ("cls.predictions.decoder.bias", torch.zeros(30), "BERT has one tensor for this"),
        ("bert.embeddings.position_ids", torch.ones((1, 20), dtype=torch.int64), "BERT computes the positions"),
    ],
)
def test_copies_and_buffers_that_differ_are_unexpected(tmp_path, name, value, fault):
    written(tmp_path)
    edit(tmp_path, lambda tensors: tensors.update({name: value}))
    with pytest.raises(errors.VariableMismatchError, match=fault) as caught:
        safeload.check_bert(tmp_path, training=True)

    (problem,) = caught.value.report.problems
    assert (problem.kind, problem.name) == ("unexpected", name)
    if name.startswith("cls."):
        assert set(safeload.check_bert(tmp_path).unused) == {"pooler", "heads"}, "the encoder alone has no decoder"


def test_one_encoder_of_several_is_chosen_by_its_scope(tmp_path):
    written(tmp_path, kind="BertModel")

    def two(tensors):
        for name in list(tensors):
            value = tensors.pop(name)
            tensors[f"teacher.bert.{name}"], tensors[f"student.{name}"] = value, value * 2

    edit(tmp_path, two)
    with pytest.raises(errors.AmbiguousCheckpointError) as caught:
        safeload.check_bert(tmp_path)
    assert caught.value.candidates == ("student.", "teacher.bert.")
    for scope in ("teacher.bert", "teacher.bert.", "student"):
        report = safeload.check_bert(tmp_path, scope=scope)
        assert report.scope == f"{scope.rstrip('.')}."
        assert set(report.unused) == {"pooler", "other encoders"}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("position_embedding_type", "relative_key"),
        ("is_decoder", True),
        ("hidden_act", "mish"),
        ("model_type", "roberta"),
        ("type_vocab_size", 1),
        ("add_cross_attention", True),
    ],
)
def test_what_keras_bert_cannot_express_is_an_error_that_names_the_key(tmp_path, key, value):
    written(tmp_path)
    path = tmp_path / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
    with pytest.raises(errors.ConfigError, match=key):
        safeload.check_bert(tmp_path)


def test_keys_that_a_config_leaves_out_have_the_values_of_transformers(tmp_path):
    written(tmp_path)
    path = tmp_path / "config.json"
    config = json.loads(path.read_text())
    for key in ("hidden_act", "type_vocab_size"):
        config.pop(key)
    path.write_text(json.dumps(config))

    assert safeload.check_bert(tmp_path).activation == "gelu_erf"


def test_another_epsilon_is_warned_of(tmp_path):
    written(tmp_path, layer_norm_eps=1e-5)
    with pytest.warns(safeload.SafeLoadWarning, match="layer_norm_eps is 1e-05"):
        safeload.check_bert(tmp_path)


@pytest.mark.filterwarnings("ignore::safeload.SafeLoadWarning")
def test_google_s_files_in_the_same_folder_are_chosen_by_their_path(tmp_path, tiny_bert):
    written(tmp_path)
    for path in tiny_bert.iterdir():
        shutil.copy(path, tmp_path)

    with pytest.raises(errors.AmbiguousCheckpointError):
        safeload.check_bert(tmp_path)
    for name, form in (("bert_model.ckpt", "tensorflow"), ("model.safetensors", "safetensors")):
        assert safeload.check_bert(tmp_path, tmp_path / name).form == form
    for name, form in (("bert_config.json", "tensorflow"), ("config.json", "safetensors")):
        assert safeload.check_bert(tmp_path / name).form == form
