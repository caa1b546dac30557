"""Files that other libraries wrote: the model computes what theirs did."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

import safeload
from safeload._recognise import has_piece_of
from safeload.errors import ConfigError, CorruptFileError, MissingFileError, VariableMismatchError
from tests.command_line import safeload_cli

GOLDEN = Path(__file__).parent / "golden"
WRITTEN = {
    "transformers": ("hdf5", "hugging-face-tf", "gelu_erf"),
    "transformers_safetensors": ("safetensors", "hugging-face-tf", "gelu_erf"),
    "transformers_sharded": ("hdf5", "hugging-face-tf", "gelu_erf"),
    "transformers_safetensors_sharded": ("safetensors", "hugging-face-tf", "gelu_erf"),
    "keras_hub": ("hdf5", "keras-hub", "gelu_tanh"),
    "keras_hub_sharded": ("hdf5", "keras-hub", "gelu_tanh"),
    "keras_hub_model": ("keras", "keras-hub", "gelu_tanh"),
}
INDEXES = [
    ("tf_model.h5.index.json", "tf_model-00002-of-00002.h5"),
    ("model.safetensors.index.json", "model-00001-of-00002.safetensors"),
    ("model.weights.json", "model_00001.weights.h5"),
]
TOLERANCE = 1e-5


@pytest.fixture
def written(tmp_path):
    """Return a function that copies a folder of files, unpacked."""

    def copy(name):
        folder = Path(shutil.copytree(GOLDEN / name, tmp_path / name))
        for packed in folder.glob("*.gz"):
            packed.with_suffix("").write_bytes(gzip.decompress(packed.read_bytes()))
            packed.unlink()
        return folder

    return copy


@pytest.mark.parametrize("name", WRITTEN)
def test_the_model_computes_what_its_writer_did(name, written):
    pytest.importorskip("keras_bert")
    folder = written(name)
    wanted = np.load(folder / "outputs.npz")
    model = safeload.load_bert(folder, seq_len=None)

    report = safeload.report_of(model)
    assert (report.form, report.naming, report.activation) == WRITTEN[name]
    hidden = model.predict([wanted["tokens"], wanted["segments"]], verbose=0)
    np.testing.assert_allclose(hidden, wanted["hidden"], atol=TOLERANCE)


@pytest.mark.parametrize("name", [name for name in WRITTEN if name.startswith("transformers")])
def test_the_heads_compute_what_transformers_did(name, written):
    pytest.importorskip("keras_bert")
    folder = written(name)
    wanted = np.load(folder / "outputs.npz")
    model = safeload.load_bert(folder, seq_len=None, training=True)

    given = [wanted["tokens"], wanted["segments"], np.ones_like(wanted["tokens"])]
    mlm, nsp = model.predict(given, verbose=0)
    np.testing.assert_allclose(mlm, wanted["mlm"], atol=TOLERANCE)
    np.testing.assert_allclose(nsp, wanted["nsp"], atol=TOLERANCE)


@pytest.mark.parametrize(("index", "shard"), INDEXES)
def test_shards_are_found_by_their_index_and_by_each_of_themselves(index, shard, written):
    folder = written(next(path for path in GOLDEN.iterdir() if (path / index).exists()).name)
    shards = sorted(path.name for path in folder.glob("*model?0*"))
    assert shard in shards

    for given in ("", index, shard):
        report = safeload.check_bert(folder, folder / given)
        files = [(file.role, Path(file.path).name) for file in report.files if file.role in ("index", "shard")]
        assert files == [("index", index), *(("shard", name) for name in shards)]
    for name in ("", shard):
        assert len(json.loads(safeload_cli("inspect", folder / name, "--json").stdout)["tensors"]) in (23, 30)


@pytest.mark.parametrize(("index", "shard"), INDEXES)
def test_a_shard_that_is_missing_or_of_another_model_is_told(index, shard, written):
    folder = written(next(path for path in GOLDEN.iterdir() if (path / index).exists()).name)
    other = next(path for path in sorted(folder.glob("*model?0*")) if path.name != shard)
    shutil.copy(other, folder / shard)
    with pytest.raises(CorruptFileError) as caught:
        safeload.check_bert(folder)
    assert caught.value.message.startswith("a shard does not hold what its index says")

    (folder / shard).unlink()
    with pytest.raises(MissingFileError) as missing:
        safeload.check_bert(folder)
    assert missing.value.resolved == str(folder / shard)


def test_a_bert_in_shards_is_no_elmo(written):
    for name in ("transformers_sharded", "keras_hub_sharded"):
        names = [path.name for path in written(name).iterdir()]
        assert has_piece_of("BERT", names)
        assert not has_piece_of("ELMo", names)


def test_the_names_of_layers_in_any_shard_are_compared(written):
    folder = written("keras_hub_sharded")
    with h5py.File(folder / "model_00000.weights.h5", "r+") as file:
        file["layers/transformer_encoder/vars"].attrs["name"] = "transformer_layer_1"

    with pytest.raises(CorruptFileError, match="1 layer of the weight file was renamed or exchanged"):
        safeload.check_bert(folder)


def test_the_embeddings_that_the_mlm_head_repeats_must_be_equal(written):
    path = written("transformers") / "tf_model.h5"
    copy = "mlm___cls/tf_bert_for_pre_training/bert/embeddings/position_embeddings/embeddings:0"
    with h5py.File(path, "r+") as file:
        file[copy][3, 4] += 1

    assert len(safeload.check_bert(path.parent).read) == 21
    with pytest.raises(VariableMismatchError) as caught:
        safeload.check_bert(path.parent, training=True)
    (problem,) = caught.value.report.problems
    assert (problem.kind, problem.name) == ("unexpected", copy)
    assert "their values differ" in caught.value.hints[0]


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("transformer_encoder", "transformer_encoder_1"),
        (
            "transformer_encoder/_self_attention_layer/query_dense",
            "transformer_encoder/_self_attention_layer/key_dense",
        ),
    ],
)
def test_layers_that_were_exchanged_are_found(one, two, written):
    path = written("keras_hub") / "model.weights.h5"
    with h5py.File(path, "r+") as file:
        layers = file["layers"]
        layers.move(one, "between")
        layers.move(two, one)
        layers.move("between", two)

    with pytest.raises(CorruptFileError) as caught:
        safeload.check_bert(path.parent)
    assert "2 layers of the weight file were renamed or exchanged" in caught.value.message
    assert f"layers/{one}/vars" in str(caught.value)


def test_a_backbone_has_no_heads(written):
    with pytest.raises(VariableMismatchError) as caught:
        safeload.check_bert(written("keras_hub"), training=True)
    assert {problem.kind for problem in caught.value.report.problems} == {"missing"}
    assert "load it with training=False" in caught.value.hints[-1]


def test_heads_of_another_number_do_not_fit_the_split_axes(written):
    folder = written("keras_hub")
    config = folder / "config.json"
    config.write_text(config.read_text().replace('"num_heads": 4', '"num_heads": 2'))

    with pytest.raises(VariableMismatchError) as caught:
        safeload.check_bert(folder)
    assert {problem.kind for problem in caught.value.report.problems} == {"shape"}


def test_the_vocabulary_of_a_preset_is_read(written):
    folder = written("keras_hub")
    report = safeload.check_bert(folder)
    assert any(file.role == "vocab" and file.path.endswith("vocabulary.txt") for file in report.files)

    (folder / "assets" / "tokenizer" / "vocabulary.txt").write_text("[PAD]\n")
    with pytest.raises(safeload.errors.VocabularyError):
        safeload.check_bert(folder)


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ('"BertBackbone"', '"AlbertBackbone"', "another model of Keras"),
        ('"num_layers": 2', '"layers": 2', "num_hidden_layers"),
        ('"num_segments": 2', '"num_segments": 3', "type_vocab_size"),
    ],
)
def test_a_preset_of_another_model_is_told(old, new, text, written):
    folder = written("keras_hub")
    config = folder / "config.json"
    assert old in config.read_text()
    config.write_text(config.read_text().replace(old, new))

    with pytest.raises(ConfigError) as caught:
        safeload.check_bert(folder)
    assert text in str(caught.value)
