"""The headings of the troubleshooting page are what TensorFlow, keras-bert, AllenNLP, torch and others really say."""

from __future__ import annotations

import functools
import importlib
import inspect
import json
import re
import shutil
import tarfile
import zipfile

import pytest

from safeload import testing
from safeload._frameworks.tensorflow import require_keras_bert
from tests.docs.blocks import ROOT
from tests.docs.test_links import slug
from tests.forms.torch import archives as torch_files

PAGE = (ROOT / "docs/how-to/troubleshooting.md").read_text(encoding="utf-8")
HEADINGS = re.findall(r"^### `(.*)`$", PAGE, re.MULTILINE)
BEGINNINGS = {
    anchor: re.findall(r"`(.*?)`", row.partition(" | ")[0])
    for row in re.findall(r"^\| `.*$", PAGE, re.MULTILINE)
    for anchor in re.findall(r"\(#(.*?)\)", row)
}
"""The first words of a text, by the section that the table at the top of the page names for it."""
CONFIG, PREFIX = "bert_config.json", "bert_model.ckpt"


def as_it_is(_folder):
    """Leave the model good: the call alone is wrong."""


def bert(heading, spoil=as_it_is, *, config=CONFIG, checkpoint=PREFIX, training=False):
    return heading, testing.write_bert_checkpoint, spoil, (config, checkpoint, training)


def elmo(heading, spoil=as_it_is, *, options="options.json", weights="weights.hdf5", ids=False):
    return heading, testing.write_elmo, spoil, (options, weights, ids)


def other(heading, form, load, spoil=as_it_is, **sizes):
    """Return a row for a model in another form, which `load` loads from its folder."""
    return heading, functools.partial(testing.write_bert, form=form, **sizes), spoil, (load,)


def by_torch(folder, **options):
    torch = pytest.importorskip("torch")
    if "weights_only" in inspect.signature(torch.load).parameters:
        options = {"weights_only": False, **options}
    return torch.load(folder / TORCH, **options)


def by_torch_alone(folder):
    torch = pytest.importorskip("torch")
    if "weights_only" not in inspect.signature(torch.load).parameters:
        pytest.skip("torch 2.6 loads weights only first")
    return torch.load(folder / TORCH)


def by_safetensors(folder):
    return pytest.importorskip("safetensors").safe_open(str(folder / SAFETENSORS), "pt")


def by_transformers(folder):
    return pytest.importorskip("transformers").BertModel.from_pretrained(str(folder))


def into_a_module(rename=str, **sizes):
    """Return a function that loads a state dict, with renamed tensors, into a model of transformers."""

    def load(folder):
        transformers = pytest.importorskip("transformers")
        config = transformers.BertConfig.from_pretrained(str(folder), **sizes)
        state = {rename(name): values for name, values in by_torch(folder).items()}
        return transformers.BertForPreTraining(config).load_state_dict(state, strict=not sizes)

    return load


def into_keras_bert(folder):
    backend = require_keras_bert()
    model, _ = backend.keras_bert.loader.build_model_from_config(str(folder / CONFIG))
    model.load_weights(str(folder / "model.h5"))


def by_load_model(folder):
    return require_keras_bert().tf.keras.models.load_model(str(folder / "model.h5"))


def saved_by_keras_bert(folder):
    backend = require_keras_bert()
    model, _ = backend.keras_bert.loader.build_model_from_config(str(folder / CONFIG))
    model.save(str(folder / "model.h5"))


def with_names_as_trainable(folder):
    load = require_keras_bert().keras_bert.load_trained_model_from_checkpoint
    load(str(folder / CONFIG), str(folder / PREFIX), trainable=["Encoder-1"])


def the_object_graph(folder):
    tf = pytest.importorskip("tensorflow")
    return tf.train.load_checkpoint(str(folder / PREFIX)).get_tensor("_CHECKPOINTABLE_OBJECT_GRAPH")


def a_module_in_keras(_folder):
    tf = pytest.importorskip("tensorflow")
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        session.run(tf.compat.v1.get_variable("module/bilm/CNN_high_0/b_carry", [8], use_resource=True) + 1)


def a_graph_of_tensorflow_1(folder):
    pytest.importorskip("tensorflow").compat.v1.train.import_meta_graph(str(folder / f"{PREFIX}.meta"))


def elmo_embedder(_folder):
    pytest.importorskip("allennlp")
    importlib.import_module("allennlp.commands.elmo")


def half_an_archive(kind):
    """Return a function that packs the folder, and cuts the archive."""

    def spoil(folder):
        with open(shutil.make_archive(str(folder / "model"), kind, folder), "r+b") as file:
            file.truncate(len(file.read()) // 2)

    return spoil


def unpacked(folder):
    with tarfile.open(folder / "model.tar.gz") as archive:
        archive.extractall(folder / "out", **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))


def a_pickle(opcodes):
    return lambda folder: torch_files.file_of(folder / TORCH, opcodes)


def without_the_second_shard(folder):
    (folder / SAFETENSORS).rename(folder / "model-00001-of-00002.safetensors")
    with pytest.importorskip("safetensors").safe_open(str(folder / "model-00001-of-00002.safetensors"), "np") as file:
        names = {name: f"model-0000{1 + name.startswith('cls')}-of-00002.safetensors" for name in file.keys()}  # noqa: SIM118
    (folder / f"{SAFETENSORS}.index.json").write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": names}))
    if int(pytest.importorskip("transformers").__version__.partition(".")[0]) < 5:
        pytest.skip("transformers 4.20 reads no safetensors")


def with_mark(folder):
    (folder / CONFIG).write_bytes(b"\xef\xbb\xbf" + (folder / CONFIG).read_bytes())


SAFETENSORS, TORCH = "model.safetensors", "pytorch_model.bin"
LARGE = {"hidden": 64, "intermediate": 256}
WORD, NORM = "bert/embeddings/word_embeddings", "bert/embeddings/LayerNorm"
CELL = "RNN_0/RNN/MultiRNNCell/Cell0/LSTMCell"
UPSTREAM = [
    bert("Failed to find any matching files for ...", checkpoint="bert.ckpt"),
    bert("Failed to find any matching files for ...", checkpoint="~/bert_model.ckpt"),
    bert("Failed to find any matching files for ...", lambda f: testing.write_bert_checkpoint(f / "run[1]"), checkpoint=f"run[1]/{PREFIX}"),
    bert("not an sstable (bad magic number)", checkpoint=f"{PREFIX}.data-00000-of-00001"),
    bert("not an sstable (bad magic number)", lambda f: testing.as_lfs_pointer(f, f"{PREFIX}.index")),
    bert("bert/embeddings/word_embeddings not found in checkpoint file", checkpoint=f"{PREFIX}.index"),
    bert("Couldn't find 'checkpoint' file or checkpoints in given directory ...", checkpoint=""),
    bert("File system scheme '...' not implemented", checkpoint="s3://bucket/bert_model.ckpt"),
    bert("No such file or directory: '~...'", config="~/bert_config.json"),
    bert("No such file or directory: '...bert_config.json'", lambda f: testing.remove_file(f, CONFIG)),
    bert("not an sstable (bad magic number)", lambda f: (f / "pytorch_model.bin").write_bytes(b"PK\3\4" + bytes(99)), checkpoint="pytorch_model.bin"),
    bert("maximum recursion depth exceeded while decoding a JSON object", lambda f: (f / CONFIG).write_text('{"a":' * 10_000)),
    bert("Exceeds the limit (4300...) for integer string conversion", lambda f: (f / CONFIG).write_text('{"hidden_size": ' + "9" * 5000 + "}")),
    bert("Read less bytes than requested", testing.truncate),
    bert("Read less bytes than requested", testing.as_lfs_pointer),
    bert("Checksum does not match: stored ... vs. calculated on the restored bytes ...", lambda f: testing.flip_bit(f, WORD)),
    bert("Checksum does not match: stored ... vs. calculated on the restored bytes ...", testing.swap_index),
    bert("file is too short to be an sstable", lambda f: testing.truncate(f, f"{PREFIX}.index", keep=20)),
    bert("weight shape ... is not compatible with provided weight shape ...", lambda f: testing.edit_config(f, vocab_size=31)),
    bert("Key bert/encoder/layer_... not found in checkpoint", lambda f: testing.edit_config(f, num_hidden_layers=3)),
    bert("KeyError: 'hidden_act'", lambda f: testing.edit_config(f, hidden_act=None)),
    bert("Expecting value: line 1 column 1", lambda f: testing.as_html_page(f, CONFIG)),
    bert("Unexpected UTF-8 BOM", with_mark),
    bert("Key bert/embeddings/word_embeddings not found in checkpoint", lambda f: testing.write_bert_checkpoint(f, scope="module/")),
    bert("Key bert/embeddings/position_embeddings not found in checkpoint", lambda f: testing.drop_variable(f, "bert/embeddings/position_embeddings")),
    bert("Key bert/embeddings/LayerNorm/beta not found in checkpoint", lambda f: testing.rename_variable(f, f"{NORM}/beta", f"{NORM}_1/beta")),
    bert("Key bert/embeddings/LayerNorm/gamma not found in checkpoint", lambda f: testing.rename_variable(f, f"{NORM}/gamma", NORM.replace("LayerNorm", "layer_normalization/gamma"))),
    bert("Key cls/seq_relationship/output_weights not found in checkpoint", lambda f: testing.drop_variable(f, "cls/seq_relationship/output_weights"), training=True),
    bert("Key cls/predictions/transform/dense/kernel not found in checkpoint", lambda f: testing.write_bert_checkpoint(f, heads=False), training=True),
    elmo("file signature not found", testing.as_lfs_pointer),
    elmo("truncated file: eof = ..., stored_eof = ...", testing.truncate),
    elmo("'utf-8' codec can't decode byte 0x89 in position 0", options="weights.hdf5", weights="options.json"),
    elmo("object 'char_embed' doesn't exist", lambda f: testing.drop_variable(f, "char_embed")),
    elmo("object 'W_P_0' doesn't exist", lambda f: testing.drop_variable(f, f"{CELL}/W_P_0")),
    elmo("Invalid weight file", lambda f: testing.edit_config(f, char_cnn={"filters": [[1, 4], [2, 6], [3, 9]]})),
    elmo("The size of tensor a (...) must match the size of tensor b (...) at non-singleton dimension 0", lambda f: testing.edit_config(f, lstm={"dim": 16})),
    elmo("We only support pretrained biLMs with residual connections", lambda f: testing.write_elmo(f, skip_connections=False)),
    elmo("shape '[-1, ...]' is invalid for input of size ...", lambda f: testing.edit_config(f, char_cnn={"max_characters_per_token": 40}), ids=True),
    other("Error no file named ... found in directory ...", "tensorflow", by_transformers, lambda f: (f / CONFIG).rename(f / "config.json")),
    other("Error no file named ... found in directory ...", "safetensors", by_transformers, lambda f: testing.remove_file(f, SAFETENSORS)),
    other("Error while deserializing header: header too large", "safetensors", by_safetensors, testing.as_lfs_pointer),
    other("Error while deserializing header: header too large", "safetensors", by_safetensors, lambda f: testing.as_html_page(f, SAFETENSORS)),
    other("Error while deserializing header: incomplete metadata, file not fully covered", "safetensors", by_safetensors, testing.truncate),
    other("No such file or directory: ...-00002-of-00002.safetensors", "safetensors", by_transformers, without_the_second_shard),
    other("invalid load key, 'v'", "torch", by_torch, testing.as_lfs_pointer),
    other("invalid load key, '<'", "torch", by_torch, lambda f: testing.as_html_page(f, TORCH)),
    other("PytorchStreamReader failed reading zip archive: failed finding central directory", "torch", by_torch, testing.truncate, **LARGE),
    other("Weights only load failed", "torch", by_torch_alone, a_pickle(b"\x80\x02cargparse\nNamespace\n)\x81.")),
    other("No module named 'models'", "torch", by_torch, a_pickle(b"\x80\x02cmodels.bert\nBert\n)\x81.")),
    other("Attempting to deserialize object on a CUDA device but torch.cuda.is_available() is False", "torch", by_torch,
          a_pickle(torch_files.state_dict(x=torch_files.tensor(torch_files.storage(location="cuda:0"))))),
    other("Missing key(s) in state_dict: ...", "torch", into_a_module(lambda name: f"module.{name}")),
    other("size mismatch for bert.embeddings.word_embeddings.weight: copying a param with shape ...", "torch", into_a_module(vocab_size=31)),
    other("Layer count mismatch when loading weights from file", "hdf5/keras-bert", into_keras_bert),
    other("No model config found in the file", "hdf5/keras-bert", by_load_model),
    other("Unknown layer: ...TokenEmbedding...", "tensorflow", by_load_model, saved_by_keras_bert),
    other("Expected ... argument to be a boolean, but got: [...]", "tensorflow", with_names_as_trainable),
    other("Key _CHECKPOINTABLE_OBJECT_GRAPH not found in checkpoint", "tensorflow", the_object_graph),
    other("Could not find variable module/bilm/...", "tensorflow", a_module_in_keras),
    other("Exporting/importing meta graphs is not supported when eager execution is enabled", "tensorflow", a_graph_of_tensorflow_1),
    other("No module named 'allennlp.commands.elmo'", "tensorflow", elmo_embedder),
    other("File is not a zip file", "tensorflow", lambda f: zipfile.ZipFile(f / "model.zip"), half_an_archive("zip")),
    other("Compressed file ended before the end-of-stream marker was reached", "tensorflow", unpacked, half_an_archive("gztar")),
]  # fmt: skip
ELSEWHERE = {
    "No such file or directory: 'C:\\new...'": "Python's own: the control character stands in the reader's script",
    "Unable to lock file, errno = 11": "needs a second process that holds the file: tests/reports, C12",
    "[Errno 5] Input/output error": "needs a disk that fails: tests/reports, C13",
    "[Errno 28] No space left on device": "needs a disk that is full: tests/reports, K3",
    "expected dtype float does not equal original dtype half": "TensorFlow's own restore; keras-bert rounds nothing and says nothing: tests/reports, F18",
    'Unexpected key(s) in state_dict: "...embeddings.position_ids"': "torch's, of a converter: tests/reports, F16",
    "index out of range in self": "torch's, after the load: tests/reports, I28",
    "x and y must have the same dtype, got tf.float16 != tf.float32": "needs a setting of the process: tests/reports, H11",
    "cannot compute AddV2 as input #1(zero-based) was expected to be a half tensor but is a float tensor": "needs a setting of the process: tests/reports, H10",
    "tf.function-decorated function tried to create variables on non-first call": "of a function that is traced twice: tests/reports, H13",
    "'NoneType' object has no attribute 'merge_call'": "TensorFlow 1's, on a TPU: tests/reports, H14",
    "'gbk' codec can't decode byte ...": "needs a system with that encoding: tests/reports, E1",
    "KeyError: '[UNK]'": "the tokenizer's, after the load: tests/reports, E6",
    "indices[...] = ... is not in [0, ...)": "an op's, after the load: tests/reports, E5",
    "A KerasTensor cannot be used as input to a TensorFlow function": "needs TensorFlow with Keras 3 for tf.keras: tests/frameworks/test_keras_versions.py",
    "bert.pooler.dense.weight ... newly initialized": "logged by transformers, not raised: tests/reports, L15",
    "You are using a model of type ... to instantiate a model of type bert": "logged by transformers, not raised: tests/reports, L17",
    "The safetensors archive passed at ... does not contain the valid metadata": "of transformers 4 with safetensors, which no environment here has: tests/reports, L19",
    "You are trying to load a weight file containing ... layers into a model with ... layers": "of older Keras: tests/reports, L29",
    "Unable to restore custom object of type _tf_keras_layer": "needs a SavedModel whose classes are gone: tests/reports, L33",
    "Error while reading resource variable module/bilm/... from Container: localhost": "of TensorFlow before 2.4: tests/reports, M1",
    "No module named 'allennlp.modules.elmo'": "needs a broken AllenNLP: tests/reports, H7",
}
"""Headings that no call here can bring out, with the reason."""


def upstream_text(folder, *arguments):
    """Return how upstream's error is printed; "" where there is none."""
    try:
        upstream_load(folder, *arguments)
    except Exception as exc:  # noqa: BLE001  (its text is what is compared)
        return f"{type(exc).__name__}: {exc}"
    return ""


def upstream_load(folder, first, second=None, third=None):
    if callable(first):
        first(folder)
    elif first.endswith("bert_config.json"):
        import keras_bert

        places = [name if "~" in name or "://" in name else str(folder / name) for name in (first, second)]
        keras_bert.load_trained_model_from_checkpoint(*places, training=third)
    else:
        elmo_module = pytest.importorskip("allennlp.modules.elmo")
        module = elmo_module.Elmo(str(folder / first), str(folder / second), 1)
        if third:
            module(elmo_module.batch_to_ids([["a"]]))


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
@pytest.mark.parametrize(("heading", "write", "spoil", "arguments"), UPSTREAM)
def test_upstream_says_what_the_heading_says(heading, write, spoil, arguments, tmp_path):
    folder = write(tmp_path / "model")
    spoil(folder)

    text = upstream_text(folder, *arguments)

    assert re.search(".*".join(map(re.escape, heading.split("..."))), text), text


@pytest.mark.parametrize(("anchor", "beginnings"), BEGINNINGS.items())
def test_a_text_of_the_section_begins_as_the_table_says(anchor, beginnings, tmp_path):
    texts = []
    for number, (heading, write, spoil, arguments) in enumerate(UPSTREAM):
        if slug(heading) == anchor:
            folder = write(tmp_path / f"{number}")
            spoil(folder)
            texts.append(upstream_text(folder, *arguments).partition(": ")[2])

    patterns = [".*".join(map(re.escape, each.split("..."))) for each in beginnings]
    assert any(re.match(pattern, text) for pattern in patterns for text in texts), texts


def test_every_heading_was_brought_out_or_has_a_reason():
    assert len(HEADINGS) == len(set(HEADINGS))
    assert {row[0] for row in UPSTREAM} | set(ELSEWHERE) == set(HEADINGS)
    assert not {row[0] for row in UPSTREAM} & set(ELSEWHERE)
