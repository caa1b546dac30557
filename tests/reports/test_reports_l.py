"""Reports on the files of Hugging Face, PyTorch and Keras, on SavedModels and on archives."""

from __future__ import annotations

import functools
import io
import json
import shutil
import zipfile

import h5py
import numpy as np
import pytest

import safeload
from safeload import testing
from safeload._model_kind import Request
from safeload._steps import check
from safeload.bert._arguments import build_options
from safeload.bert._model import bert as kind
from safeload.errors import (
    AmbiguousCheckpointError,
    CheckpointNotFoundError,
    ConfigError,
    CorruptFileError,
    MissingFileError,
    UnsafeFileError,
    VariableMismatchError,
    WrongFileKindError,
)
from safeload.testing._bert import BERT_CONFIG, bert_tensors
from safeload.testing._forms import FORMS, renamed
from safeload.testing._safetensors import write_safetensors
from safeload.testing._torch import write_torch
from tests.forms.torch import archives as torch_files

SAFETENSORS, INDEX = "model.safetensors", "model.safetensors.index.json"
TORCH = "pytorch_model.bin"
SHARDS = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")
WORDS = "bert.embeddings.word_embeddings.weight"
TENSORS = renamed(bert_tensors(), FORMS["torch"], BERT_CONFIG["num_attention_heads"])
"""Hugging Face's name -> values."""


def checking(*paths, **options):
    return functools.partial(safeload.check_bert, *paths, **options)


def read(*paths, training=False, **options):
    """Return the report of a check; the values are those of the good model."""
    options = build_options(training=training, seq_len=None)
    checked = check(kind(options), Request(*paths), keep_values=True)
    wanted = bert_tensors()
    assert len(checked.values) == (46 if training else 37)
    for name, values in checked.values.items():
        np.testing.assert_array_equal(values, wanted[name], err_msg=name)
    return checked.report


@pytest.fixture
def model(tmp_path):
    """Return a function that writes the good model in a form."""
    return lambda form: testing.write_bert(tmp_path / "model", form=form)


def torch_model(folder, rename):
    testing.write_bert(folder, form="torch")
    write_torch(folder / TORCH, {rename(name): values for name, values in TENSORS.items()})
    return folder


def in_shards(folder, *, listed=lambda name: name.startswith("cls.")):
    """Write two shards, and an index that lists tensors in the second."""
    (folder / SAFETENSORS).unlink()
    for number, shard in enumerate(SHARDS):
        part = {name: values for name, values in TENSORS.items() if name.startswith("cls.") == bool(number)}
        write_safetensors(folder / shard, part, {"format": "pt"})
    places = {name: SHARDS[listed(name)] for name in TENSORS}
    (folder / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": places}))
    return folder


def test_L1_google_s_files_where_others_are_looked_for(model, said):
    folder = model("tensorflow")
    (folder / "bert_config.json").rename(folder / "config.json")
    assert read(folder, training=True).naming == "google"
    said.handled("Google's files load as downloaded, whether the config is named bert_config.json or config.json")


def test_L2_a_config_without_weights(model, said):
    folder = model("safetensors")
    (folder / SAFETENSORS).unlink()
    said.typed(CheckpointNotFoundError, checking(folder))


def test_L3_a_pointer_in_the_place_of_safetensors(model, said):
    folder = model("safetensors")
    testing.as_lfs_pointer(folder)
    said.typed(WrongFileKindError, checking(folder))
    for number in (0, 1):
        in_shards(testing.write_bert(folder, form="safetensors"))
        testing.as_lfs_pointer(folder, SHARDS[number])
        with pytest.raises(WrongFileKindError, match="the shard file is not a") as caught:
            safeload.check_bert(folder)
        assert caught.value.hints == ("run: git lfs install && git lfs pull, in the clone",)
        (folder / INDEX).unlink()


def test_L4_safetensors_that_were_cut(model, said):
    folder = model("safetensors")
    testing.truncate(folder)
    said.typed(CorruptFileError, checking(folder))


def test_L5_a_pointer_in_the_place_of_a_pytorch_file(model, said):
    folder = model("torch")
    testing.as_lfs_pointer(folder)
    said.typed(WrongFileKindError, checking(folder))


def test_L6_a_page_in_the_place_of_a_pytorch_file(model, said):
    folder = model("torch")
    testing.as_html_page(folder, TORCH)
    said.typed(WrongFileKindError, checking(folder))


def test_L7_a_pytorch_file_that_was_cut(model, said):
    folder = model("torch")
    testing.truncate(folder)
    said.typed(CorruptFileError, checking(folder))


def test_L8_the_arguments_of_a_script_in_the_file(model, said):
    folder = model("torch")
    torch_files.file_of(folder / TORCH, b"\x80\x02cargparse\nNamespace\n)\x81.")
    said.typed(UnsafeFileError, checking(folder))


def test_L9_a_whole_model_in_the_file(model, said):
    folder = model("torch")
    torch_files.file_of(folder / TORCH, b"\x80\x02cmodels.bert\nBertClassifier\n)\x81.")
    said.typed(UnsafeFileError, checking(folder))


def test_L10_saved_on_a_gpu(model, said):
    folder = model("torch")
    with zipfile.ZipFile(folder / TORCH) as archive:
        members = {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}
    members["data.pkl"] = members["data.pkl"].replace(b"X\3\0\0\0cpu", b"X\6\0\0\0cuda:0")
    (folder / TORCH).write_bytes(torch_files.zipped(members))
    read(folder)
    said.handled("the device in the file is ignored; the values are read into memory")


def test_L11_names_of_data_parallel(tmp_path, said):
    assert read(torch_model(tmp_path / "model", lambda name: f"module.{name}")).scope == "module.bert."
    said.handled("any prefix before the encoder's names is detected; the report's `scope` says which")


def test_L12_a_checkpoint_of_lightning(tmp_path, said):
    folder = testing.write_bert(tmp_path / "model", form="torch")
    torch = pytest.importorskip("torch")
    state = {f"model.{name}": torch.tensor(values) for name, values in TENSORS.items()}
    (folder / TORCH).unlink()
    torch.save({"epoch": 3, "state_dict": state, "optimizer_states": []}, folder / "last.ckpt")
    assert read(folder, folder / "last.ckpt").scope == "state_dict.model.bert."
    said.handled("the tensors below state_dict and model are found; everything else is left out")


def test_L13_with_and_without_bert(tmp_path, said):
    assert read(torch_model(tmp_path / "a", lambda name: name)).scope == "bert."
    assert read(torch_model(tmp_path / "b", lambda name: name.removeprefix("bert."))).scope == ""
    said.handled("names with and without `bert.` mean the same encoder")


def test_L14_gamma_and_beta(tmp_path, said):
    old = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}

    def rename(name):
        return next((name.replace(new, other) for new, other in old.items() if name.endswith(new)), name)

    read(torch_model(tmp_path / "model", rename), training=True)
    said.handled("`gamma` and `beta` in old files are read as `weight` and `bias`")


def test_L15_no_pooler(model, said):
    folder = model("safetensors")
    write_safetensors(folder / SAFETENSORS, {n: v for n, v in TENSORS.items() if "pooler" not in n}, {"format": "pt"})
    read(folder)
    said.typed(VariableMismatchError, checking(folder, training=True))


def test_L16_another_vocabulary_size(model, said):
    folder = model("torch")
    testing.edit_config(folder, vocab_size=31)
    said.typed(VariableMismatchError, checking(folder))


def test_L17_another_type_of_model(model, said):
    folder = model("safetensors")
    testing.edit_config(folder, model_type="roberta")
    said.typed(ConfigError, checking(folder))


def test_L18_an_output_layer_of_its_own(model, said):
    folder = model("safetensors")
    tied = {
        "cls.predictions.decoder.weight": TENSORS[WORDS],
        "cls.predictions.decoder.bias": TENSORS["cls.predictions.bias"],
    }
    write_safetensors(folder / SAFETENSORS, {**TENSORS, **tied}, {"format": "pt"})
    assert read(folder, training=True).unused["copies"] == tuple(tied)
    tied["cls.predictions.decoder.weight"] = TENSORS[WORDS] * 2
    write_safetensors(folder / SAFETENSORS, {**TENSORS, **tied}, {"format": "pt"})
    said.typed(VariableMismatchError, checking(folder, training=True))


def test_L19_safetensors_without_metadata(model, said):
    folder = model("safetensors")
    write_safetensors(folder / SAFETENSORS, TENSORS, {})
    read(folder, training=True)
    said.handled("the metadata is not needed; names, shapes and dtypes are in the header")


def test_L20_a_shard_is_missing(model, said):
    folder = in_shards(model("safetensors"))
    read(folder, training=True)
    first = (folder / SHARDS[0]).read_bytes()
    for missing in ([0, 1], [0]):
        for number in missing:
            (folder / SHARDS[number]).unlink(missing_ok=True)
        with pytest.raises(MissingFileError) as caught:
            safeload.check_bert(folder)
        assert all(SHARDS[number] in caught.value.message for number in missing)
        in_shards(testing.write_bert(folder, form="safetensors"))
    assert (folder / SHARDS[0]).read_bytes() == first
    (folder / SHARDS[1]).unlink()
    said.typed(MissingFileError, checking(folder))


def test_L21_an_index_of_another_save(model, said):
    folder = in_shards(model("safetensors"), listed=lambda name: name.startswith(("cls.", "bert.pooler")))
    said.typed(CorruptFileError, checking(folder))


def test_L22_an_adapter(model, said):
    folder = model("safetensors")
    adapter = {"base_model.model.bert.encoder.layer.0.attention.self.query.lora_A.weight": np.zeros((2, 16), "f4")}
    write_safetensors(folder / "adapter_model.safetensors", adapter, {})
    with pytest.raises(WrongFileKindError, match="a PEFT adapter"):
        safeload.check_bert(folder, folder / "adapter_model.safetensors")
    for name in (SAFETENSORS, "config.json"):
        (folder / name).unlink()
    (folder / "adapter_config.json").write_text('{"peft_type": "LORA"}')
    said.typed(MissingFileError, checking(folder))


def test_L23_a_sentence_transformer(model, said):
    folder = model("safetensors")
    (folder / "0_Transformer").mkdir()
    for name in ("config.json", SAFETENSORS, "vocab.txt"):
        (folder / name).rename(folder / "0_Transformer" / name)
    (folder / "modules.json").write_text('[{"idx": 0, "path": "0_Transformer"}]')
    read(folder / "0_Transformer")
    said.typed(MissingFileError, checking(folder))


def test_L24_a_flipped_bit_in_a_pytorch_file(model, said):
    folder = model("torch")
    data = (folder / TORCH).read_bytes()
    at = data.index(TENSORS["bert.encoder.layer.0.output.dense.weight"].tobytes())
    (folder / TORCH).write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
    said.typed(CorruptFileError, checking(folder))


def test_L25_kernels_column_by_column(model, said):
    folder = model("torch")
    write_torch(folder / TORCH, TENSORS, transposed=True)
    read(folder, training=True)
    said.handled("strides are read, so a kernel that is stored column by column has the same values")


def test_L26_a_pytorch_file_without_checksums(model, said):
    torch = pytest.importorskip("torch")
    config = pytest.importorskip("torch.utils.serialization.config", reason="torch 2.6 has compute_crc32 first")
    folder = model("torch")
    with config.patch({"save.compute_crc32": False}):
        torch.save({name: torch.tensor(values) for name, values in TENSORS.items()}, folder / TORCH)
    assert read(folder, training=True).checksums.startswith("none: ")
    said.handled("the report's `checksums` says that the file has none")


def test_L27_tf_model_h5(model, said):
    assert read(model("hdf5"), training=True).naming == "hugging-face-tf"
    said.handled("tf_model.h5 of transformers loads without a conversion")


def test_L28_more_layers_in_the_file(model, said):
    folder = model("hdf5/keras-bert")
    with h5py.File(folder / "model.h5") as file:
        assert len(file.attrs["layer_names"]) > 12
    assert read(folder).unused.keys() == {"heads", "pooler"}
    said.handled("layers are matched by name; layers of heads that are not loaded are listed in the report's `unused`")


def test_L29_fewer_layers_in_the_file(model, said):
    folder = model("hdf5/keras-bert")
    testing.edit_config(folder, num_hidden_layers=3)
    said.typed(VariableMismatchError, checking(folder))


def test_L30_weights_without_a_model(model, said):
    folder = model("hdf5/keras-bert")
    with h5py.File(folder / "model.h5") as file:
        assert "model_config" not in file.attrs
    read(folder, training=True)
    said.handled("files of `save_weights` and of `save` both load; the sizes come from bert_config.json")


def changed_keras(folder, change, member):
    """Change a member of the .keras file."""
    with zipfile.ZipFile(folder / "model.keras") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members[member] = change(members[member])
    with zipfile.ZipFile(folder / "model.keras", "w") as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data)
    return folder


def test_L31_exchanged_layers(model, said):
    def exchange(data):
        file = io.BytesIO(data)
        with h5py.File(file, "a") as weights:
            for place, layer in (("", 2), ("_1", 1)):
                group = weights[f"layers/multi_head_attention{place}/vars"]
                group.attrs["name"] = f"Encoder-{layer}-MultiHeadSelfAttention"
        return file.getvalue()

    said.typed(CorruptFileError, checking(changed_keras(model("keras"), exchange, "model.weights.h5")))


def test_L32_a_lambda_in_the_config(model, said):
    code = {"class_name": "__lambda__", "config": {"code": "4wEAAAAAAAAA", "defaults": None, "closure": None}}
    layer = {"class_name": "Lambda", "module": "keras.layers", "config": {"name": "l", "function": code}}

    def add(data):
        config = json.loads(data)
        config["config"]["layers"].append(layer)
        return json.dumps(config).encode()

    read(changed_keras(model("keras"), add, "config.json"), training=True)
    said.handled("the config in the file is data: no class is looked up, and no Lambda is run")


def saved_model(folder, source):
    """Write what a SavedModel of this checkpoint has; the graph is anything."""
    for name in ("variables", "assets"):
        (folder / name).mkdir(parents=True)
    for path in source.glob("bert_model.ckpt.*"):
        shutil.copy(path, folder / "variables" / path.name.replace("bert_model.ckpt", "variables"))
    shutil.copy(source / "vocab.txt", folder / "assets")
    (folder / "saved_model.pb").write_bytes(b"\x08\1 never read")
    return folder


def test_L33_a_saved_model_of_classes_that_are_not_here(model, tmp_path, said):
    source = model("tensorflow/tf-models")
    report = read(source / "bert_config.json", saved_model(tmp_path / "saved", source), training=True)
    assert report.place == "SavedModel"
    said.handled("only the variables of a SavedModel are read; its graph and classes are not needed")


def test_L34_a_saved_model_without_a_config(model, tmp_path, said):
    said.typed(MissingFileError, checking(saved_model(tmp_path / "saved", model("tensorflow"))))


def test_L35_a_checkpoint_without_an_object_graph(model, said):
    tf = pytest.importorskip("tensorflow")
    folder = model("tensorflow")
    with pytest.raises(tf.errors.NotFoundError, match="_CHECKPOINTABLE_OBJECT_GRAPH"):
        tf.train.load_checkpoint(str(folder / "bert_model.ckpt")).get_tensor("_CHECKPOINTABLE_OBJECT_GRAPH")
    read(folder, training=True)
    said.handled("checkpoints of TensorFlow 1 (by names) and of TensorFlow 2 (by an object graph) both load")


def test_L36_a_checkpoint_of_tf_models(model, said):
    assert read(model("tensorflow/tf-models"), training=True).naming == "tf-models"
    said.handled("checkpoints of tf-models load by the full names in their object graph")


def test_L37_another_number_of_heads(model, said):
    folder = model("tensorflow/tf-models")
    assert "num_attention_heads" not in safeload.check_bert(folder).taken_from_config
    testing.edit_config(folder, num_attention_heads=2)
    said.typed(VariableMismatchError, checking(folder))


def test_L38_two_gelus(model, tmp_path, said):
    pytest.importorskip("keras_bert")
    folder = model("safetensors")
    erf, tanh = safeload.load_bert(folder), safeload.load_bert(folder, activation="gelu_tanh")
    assert [safeload.report_of(each).activation for each in (erf, tanh)] == ["gelu_erf", "gelu_tanh"]
    inputs = [np.arange(20)[None], np.zeros((1, 20))]
    assert 1e-7 < np.abs(np.subtract(erf(inputs), tanh(inputs))).max() < 1e-2
    assert safeload.check_bert(testing.write_bert(tmp_path / "google")).activation == "gelu_tanh"
    said.handled(
        "the model uses the GELU of the library that owns the files; the report's `activation` says which, and "
        "`activation=` chooses"
    )


def cut_archive(folder, kind):
    archive = shutil.make_archive(str(folder.parent / "uncased"), kind, folder)
    with open(archive, "r+b") as file:
        file.truncate(len(file.read()) // 2)
    return archive


def test_L39_a_zip_that_was_cut(model, said):
    said.typed(CorruptFileError, checking(cut_archive(model("tensorflow"), "zip")))


def test_L40_a_tar_gz_that_was_cut(model, said):
    said.typed(CorruptFileError, checking(cut_archive(model("tensorflow"), "gztar")))


def test_L41_two_encoders(model, said):
    folder = model("torch")
    names = ("question_encoder", "ctx_encoder")
    write_torch(folder / TORCH, {f"{each}.{name}": values for each in names for name, values in TENSORS.items()})
    assert safeload.check_bert(folder, scope="ctx_encoder.bert").scope == "ctx_encoder.bert."
    said.typed(AmbiguousCheckpointError, checking(folder))
