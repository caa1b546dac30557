"""What a path holds where a model was expected: files of the real libraries, and each hint is true of them."""

from __future__ import annotations

import importlib.util
import json
import pickle
import re
import shutil

import numpy as np
import pytest

import safeload
from safeload import testing
from safeload._advice import advice, models_in
from safeload.errors import CheckpointNotFoundError, InvalidPathError, MissingFileError, WrongFileKindError
from safeload.testing._bundle import write_checkpoint
from safeload.testing._elmo_forms import ELMO_FORMS
from tests.checkpoints import BERT_CONFIG, PREFIX, bert_tensors
from tests.command_line import safeload_cli
from tests.opened import ref

READS_BERT = (
    "safeload reads BERT from Google's checkpoints (bert_config.json and bert_model.ckpt.*), from those and the SavedModels "
    "of tf-models, from Hugging Face's folders (config.json and model.safetensors, pytorch_model.bin or tf_model.h5), and from "
    "files of keras-bert and KerasHub"
)
READS_ELMO = (
    "safeload reads ELMo from options.json and weights.hdf5, from checkpoints of bilm-tf, from TF-Hub's modules, and from "
    "archives and state dicts of AllenNLP"
)
CHECKS = {"BERT": safeload.check_bert, "ELMo": safeload.check_elmo}
BILM = {
    "lm/char_embed": np.ones((261, 4), "f4"),
    "lm/CNN/W_cnn_0": np.ones((1, 1, 4, 4), "f4"),
    "lm/RNN_0/rnn/multi_rnn_cell/cell_0/lstm_cell/kernel": np.ones((4, 4), "f4"),
    "global_step": np.int64(3),
}
LOAD_TRAINED = "load it with safeload.load_elmo, with the options.json of its training"


def failure(call, *paths, **arguments):
    with pytest.raises(safeload.SafeLoadError) as caught:
        call(*paths, **arguments)
    return caught.value


@pytest.fixture
def torch():
    return pytest.importorskip("torch")


@pytest.fixture
def tensorflow():
    return pytest.importorskip("tensorflow")


def hugging_face(folder, *weights, config=True):
    folder.mkdir(parents=True, exist_ok=True)
    if config:
        (folder / "config.json").write_text(json.dumps({**BERT_CONFIG, "model_type": "bert"}))
    for name in weights:
        (folder / name).write_bytes((2).to_bytes(8, "little") + b"{}")
    return folder


# an Estimator's folder


def trained(folder, model, *steps, state=True):
    """Write what an Estimator leaves: checkpoints, their state, a graph, events; and no config."""
    folder.mkdir()
    for step in steps:
        for path in model.glob(f"{PREFIX}.*"):
            shutil.copy(path, folder / path.name.replace(PREFIX, f"model.ckpt-{step}"))
    (folder / "graph.pbtxt").write_text("node {}")
    (folder / "eval").mkdir()
    if state:
        (folder / "checkpoint").write_text(f'model_checkpoint_path: "/author/model.ckpt-{steps[-1]}"\n')
    return folder


@pytest.mark.parametrize(("steps", "state"), [((7,), True), ((7,), False), ((7, 12), True), ((7, 12), False)])
def test_a_folder_of_training_has_a_checkpoint_and_needs_the_config(steps, state, tiny_bert, tmp_path):
    folder = trained(tmp_path / "out", tiny_bert, *steps, state=state)
    error = failure(safeload.check_bert, folder)
    checkpoint = re.search(r"as config_file, and (\S+) as checkpoint_file", error.hints[0])[1]

    assert type(error) is MissingFileError
    assert "a checkpoint of a BERT, model.ckpt-7, and no config" in error.hints[0]
    assert len(safeload.check_bert(tiny_bert / "bert_config.json", checkpoint).read) == 37


def test_the_folder_that_tensorflow_s_estimator_writes(tiny_bert, tmp_path, tensorflow):
    if importlib.util.find_spec("tensorflow_estimator") is None:
        pytest.skip("TensorFlow has no Estimator any more")
    tf = tensorflow

    def model(features, labels, mode):  # noqa: ARG001  (Estimator's own names)
        for name, value in bert_tensors().items():
            tf.compat.v1.get_variable(name, initializer=value)
        step = tf.compat.v1.train.get_or_create_global_step()
        loss = tf.reduce_sum(features) * 0.0
        return tf.estimator.EstimatorSpec(mode, loss=loss, train_op=tf.compat.v1.assign_add(step, 1))

    estimator = tf.estimator.Estimator(model, model_dir=str(tmp_path / "out"))
    estimator.train(lambda: tf.data.Dataset.from_tensors((np.ones(1, "f4"), np.ones(1, "f4"))), steps=1)
    error = failure(safeload.check_bert, tmp_path / "out")

    assert "a checkpoint of a BERT, model.ckpt-1, and no config" in error.hints[0]
    assert len(safeload.check_bert(tiny_bert / "bert_config.json", tmp_path / "out").read) == 37


def test_a_checkpoint_of_another_model_is_not_called_a_bert_s(tmp_path):
    write_checkpoint(tmp_path / "x.ckpt", {"conv/kernel": np.ones(3, "f4")})

    assert failure(safeload.check_bert, tmp_path).hints == ()


def test_a_lost_checkpoint_is_not_blamed_on_the_config(bert):
    (bert / "checkpoint").write_text('model_checkpoint_path: "gone"\n')

    assert not any("no config" in hint for hint in failure(safeload.check_bert, bert).hints)


# Hugging Face


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """Return the root of a cache as huggingface_hub lays it out: two revisions, and blobs behind links."""
    home = tmp_path / "huggingface"
    repository = home / "hub/models--google-bert--bert-base-uncased"
    for revision in ("aaa", "main1"):
        hugging_face(repository / "snapshots" / revision, "model.safetensors")
    (repository / "refs").mkdir()
    (repository / "refs/main").write_text("main1")
    (repository / "blobs").mkdir()
    monkeypatch.setenv("HF_HOME", str(home))
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    return home


SNAPSHOTS = "hub/models--google-bert--bert-base-uncased/snapshots"


@pytest.mark.parametrize("model", ["BERT", "ELMo"])
@pytest.mark.parametrize("root", [".", "hub"])
def test_the_root_of_a_cache_leads_to_the_snapshot_of_main_and_says_what_it_is(root, model, cache):
    error = failure(CHECKS[model], cache / root)

    assert error.hints[0].endswith(f"the files of a model are in {cache / SNAPSHOTS / 'main1'}")
    assert "(model.safetensors): transformers.AutoModel.from_pretrained loads that folder" in error.hints[1]


@pytest.mark.parametrize("root", ["hub/models--google-bert--bert-base-uncased", SNAPSHOTS])
def test_of_several_snapshots_that_of_main_comes_first(root, cache):
    (hint,) = failure(safeload.check_bert, cache / root).hints

    assert hint.endswith(f"pass the folder of one model: {cache / SNAPSHOTS / 'main1'}, {cache / SNAPSHOTS / 'aaa'}")


def test_of_many_models_three_are_listed(cache):
    for number in range(4):
        hugging_face(cache / f"hub/models--a--{number}/snapshots/r", "model.safetensors")
    (hint,) = failure(safeload.check_bert, cache).hints

    assert hint.count("snapshots/r") == 3
    assert hint.endswith(", ...")


def test_a_snapshot_with_a_checkpoint_in_it_loads_as_the_hint_says(cache, tiny_bert):
    snapshot = cache / "hub/models--me--mine/snapshots/r"
    shutil.copytree(tiny_bert, snapshot)
    shutil.rmtree(cache / "hub/models--google-bert--bert-base-uncased")
    (hint,) = failure(safeload.check_bert, cache).hints

    assert hint.endswith(f" are in {snapshot}")
    assert len(safeload.check_bert(snapshot).read) == 37


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
def test_a_name_on_the_hub_is_not_downloaded(check, cache, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cached, other = (failure(check, name).hints for name in ("google-bert/bert-base-uncased", "dbmdz/bert-x"))

    start = "if {} is a model on the Hugging Face hub: safeload downloads nothing; "
    assert cached == (
        start.format("google-bert/bert-base-uncased") + f"its files are in {cache / SNAPSHOTS / 'main1'}",
    )
    assert other == (start.format("dbmdz/bert-x") + "download it and pass the folder with its files",)


@pytest.mark.parametrize("given", ["models/config.json", "here/model", "a/b/c", "./a/b", "../a"])
def test_a_path_is_no_name_on_the_hub(given, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path)

    assert not any("hub" in hint for hint in failure(safeload.check_bert, given).hints)


@pytest.mark.parametrize(
    ("weights", "loader"),
    [
        (["flax_model.msgpack"], "FlaxAutoModel"),
    ],
    ids=str,
)
def test_a_folder_of_hugging_face_says_what_loads_it(weights, loader, tmp_path):
    folder = hugging_face(tmp_path / "hf", *weights)
    error = failure(safeload.check_bert, folder)

    assert type(error) is CheckpointNotFoundError
    assert list(error.hints) == [
        f"{folder} holds a Hugging Face model ({', '.join(sorted(weights))}): transformers.{loader}.from_pretrained loads that folder",
        READS_BERT,
    ]


def test_weights_of_hugging_face_without_a_config_say_so(tmp_path, tiny_bert):
    (tmp_path / "flax_model.msgpack").write_bytes(b"\x81")
    first, second = failure(safeload.check_bert, tiny_bert, tmp_path).hints

    assert first.endswith("(flax_model.msgpack) without its config.json, which transformers needs too")
    assert second == READS_BERT


# files of other libraries


@pytest.mark.parametrize("new", [True, False])
def test_a_file_of_torch_is_not_to_be_unpacked(new, tmp_path, torch, tiny_elmo):
    torch.save({"x": torch.ones(2)}, tmp_path / "x.pt", _use_new_zipfile_serialization=new)
    error = failure(safeload.check_elmo, tiny_elmo, tmp_path / "x.pt")

    assert error.hints[0].startswith("the file contains no biLM tensors")
    assert "unpack the archive" not in str(error)


def keras_model(tf):
    inner = tf.keras.Input((3,))
    return tf.keras.Model(inner, tf.keras.layers.Dense(2)(inner))


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
@pytest.mark.parametrize("name", ["m.keras", "m.h5", "m.weights.h5"])
@pytest.mark.parametrize("model", ["BERT", "ELMo"])
def test_a_file_of_keras_is_loaded_with_keras(model, name, tmp_path, tensorflow, tiny_bert, tiny_elmo):
    made = keras_model(tensorflow)
    (made.save_weights if "weights" in name else made.save)(str(tmp_path / name))
    error = failure(CHECKS[model], {"BERT": tiny_bert, "ELMo": tiny_elmo}[model], tmp_path / name)

    assert type(error) is WrongFileKindError
    has_layers = "weights" in name or (model == "BERT" and name == "m.keras")
    assert any(("load_weights" if has_layers else "load_model") in hint for hint in error.hints)
    assert "unpack" not in str(error)


def test_an_archive_that_cannot_be_read_is_to_be_unpacked(tmp_path, tiny_bert):
    shutil.make_archive(str(tmp_path / "m"), "xztar", tiny_bert)

    assert failure(safeload.check_bert, tmp_path / "m.tar.xz").hints == (
        "unpack the archive and pass the folder or file inside it",
    )


# SavedModels


def save_of_tensorflow_1(tf, folder):
    """Write BERT's variables as TensorFlow 1 exports them, with Google's names."""
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        for name, value in bert_tensors().items():
            tf.compat.v1.get_variable(name, initializer=value)
        session.run(tf.compat.v1.global_variables_initializer())
        given = tf.compat.v1.placeholder(tf.float32, [None], name="given")
        tf.compat.v1.saved_model.simple_save(session, str(folder), {"x": given}, {"y": given + 1.0})


@pytest.mark.parametrize("has_config", [True, False])
def test_a_saved_model_with_berts_variables_is_a_checkpoint(has_config, tmp_path, tensorflow, tiny_bert):
    folder = tmp_path / "saved"
    save_of_tensorflow_1(tensorflow, folder)
    config = shutil.copy(tiny_bert / "bert_config.json", folder if has_config else tmp_path)
    if has_config:
        assert len(safeload.check_bert(folder).read) == 37
        return
    (hint,) = failure(safeload.check_bert, folder).hints
    found = re.search(r"(\S+) as checkpoint_file$", hint)[1]

    assert "a SavedModel with BERT's variables, without a config" in hint
    assert len(safeload.check_bert(config, found).read) == 37


@pytest.mark.parametrize("has_config", [True, False])
def test_a_saved_model_of_tensorflow_2_is_no_checkpoint(has_config, tmp_path, tensorflow, tiny_bert):
    module = tensorflow.Module()
    module.kernel = tensorflow.Variable(np.ones(3, "f4"))
    tensorflow.saved_model.save(module, str(tmp_path / "saved"))
    if has_config:
        shutil.copy(tiny_bert / "bert_config.json", tmp_path / "saved")
    (hint,) = failure(safeload.check_bert, tmp_path / "saved").hints

    other = f"the folder is a SavedModel or TF-Hub module, which tf.saved_model.load loads; {READS_BERT}"
    assert hint == (
        "the checkpoint contains no BERT variables; pass the file of the BERT itself" if has_config else other
    )
    assert tensorflow.saved_model.load(str(tmp_path / "saved")).kernel.shape == (3,)


def test_a_saved_model_without_its_variables_is_loaded_by_nothing(tmp_path, tensorflow):
    module = tensorflow.Module()
    module.kernel = tensorflow.Variable(np.ones(3, "f4"))
    tensorflow.saved_model.save(module, str(tmp_path / "saved"))
    shutil.rmtree(tmp_path / "saved/variables")
    (hint,) = failure(safeload.check_bert, tmp_path / "saved").hints

    assert "without variables/variables.index" in hint
    with pytest.raises(FileNotFoundError, match=r"Failed to find any matching files for .*variables"):
        tensorflow.saved_model.load(str(tmp_path / "saved"))


# the other model


def test_a_folder_of_the_other_model_names_the_call_and_the_command(tiny_bert, tiny_elmo):
    of_elmo = f"the folder contains an ELMo: load it with safeload.load_elmo, or check it with: safeload check elmo {tiny_elmo}"

    assert failure(safeload.check_bert, tiny_elmo).hints == (of_elmo,)
    assert failure(safeload.check_bert, tiny_elmo / "options.json").hints == (
        "load it with safeload.load_elmo, or check it with: safeload check elmo",
    )
    (hint,) = failure(safeload.check_elmo, tiny_bert).hints
    assert hint == f"load it with safeload.load_bert, or check it with: safeload check bert {tiny_bert}"


def test_an_hdf5_file_alone_is_not_an_elmo(tmp_path):
    (tmp_path / "images.h5").write_bytes(b"x")

    assert failure(safeload.check_bert, tmp_path).hints == ()


def test_an_elmo_with_another_name_of_its_options_is_an_elmo(elmo):
    (elmo / "options.json").rename(elmo / "elmo.json")

    assert "the folder contains an ELMo" in failure(safeload.check_bert, elmo).hints[0]


def test_a_bert_with_another_name_of_its_config_is_a_bert_to_elmo(bert):
    (bert / "bert_config.json").rename(bert / "config.json")

    assert failure(safeload.check_elmo, bert).hints == ("pass BERT's config to safeload.load_bert",)


def test_weights_of_the_other_model_name_it(tiny_bert, tiny_elmo):
    hdf5 = failure(safeload.check_bert, tiny_bert, tiny_elmo / "weights.hdf5")
    prefix = failure(safeload.check_elmo, tiny_elmo / "options.json", tiny_bert / PREFIX)

    assert (type(hdf5), hdf5.found) == (WrongFileKindError, "an ELMo")
    assert "load it with safeload.load_elmo" in hdf5.hints[0]
    assert (type(prefix), prefix.found) == (WrongFileKindError, "a BERT")
    assert prefix.hints == ("load it with safeload.load_bert, or check it with: safeload check bert",)


def test_a_folder_of_bilm_tf_s_training_is_no_bert_s(elmo):
    (elmo / "weights.hdf5").unlink()
    write_checkpoint(elmo / "model.ckpt-9", BILM)

    hint = f"model.ckpt-9 belongs to a training checkpoint of bilm-tf: {LOAD_TRAINED}"
    assert failure(safeload.check_bert, elmo).hints == (hint,)


def test_bilm_tf_s_checkpoint_is_no_bert(elmo, tiny_bert):
    write_checkpoint(elmo / "model.ckpt-9", BILM)
    error = failure(safeload.check_bert, tiny_bert, elmo / "model.ckpt-9")

    assert (error.found, error.hints) == ("a training checkpoint of bilm-tf", (LOAD_TRAINED,))


@pytest.mark.parametrize("form", ELMO_FORMS)
def test_the_model_of_a_folder_is_known_by_its_checkpoint_too(form, tmp_path):
    folder = testing.write_elmo(tmp_path / "m", form=form)
    assert models_in(ref(folder, "folder")) == ["ELMo"]
    (folder / "options.json").unlink(missing_ok=True)
    assert models_in(ref(folder, "folder")) == ["ELMo"]


def test_the_models_of_a_folder_are_those_of_all_its_files(tmp_path):
    folder = testing.write_bert(tmp_path / "m")
    assert models_in(ref(folder, "folder")) == ["BERT"]
    (folder / "bert_config.json").unlink()
    assert models_in(ref(folder, "folder")) == ["BERT"]
    testing.write_elmo(folder)
    assert models_in(ref(folder, "folder")) == ["BERT", "ELMo"]
    (folder / "bert_model.ckpt.index").write_bytes(b"x")
    assert models_in(ref(folder, "folder")) == ["ELMo"]
    for name in ("options.json", "weights.hdf5"):
        (folder / name).unlink()
    assert models_in(ref(folder, "folder")) == ["BERT"]
    assert models_in(ref(tmp_path, "folder")) == []


# addresses and paths of another system


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
@pytest.mark.parametrize(
    "url", ["https://tfhub.dev/google/elmo/3", "http://www.tfhub.dev/x/1", "https://kaggle.com/models/google/bert"]
)
def test_a_handle_of_tf_hub_is_not_downloaded(url, check, monkeypatch, tmp_path):
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path))
    error = failure(check, url)

    assert type(error) is InvalidPathError
    assert error.message.endswith(" is a TF-Hub handle, which names a SavedModel")
    download = "the module" if "kaggle" in url else f"{url}?tf-hub-format=compressed"
    assert "bert_config.json" in error.hints[0]
    assert error.hints[1] == f"of ELMo, download {download} and pass the archive, which is read in place"


@pytest.mark.parametrize("given", [r"C:\Users\me\bert", "C:/Users/me/bert", r"d:\m\bert_model.ckpt"])
@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
def test_a_path_of_windows_is_called_that(given, check, tiny_bert, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    assert "this is a Windows path" in failure(check, given).hints[0]
    assert "this is a Windows path" in failure(safeload.check_bert, tiny_bert, given).hints[0]


def test_backslashes_lead_to_the_path_with_slashes_if_there_is_one(bert, monkeypatch):
    monkeypatch.chdir(bert.parent)
    (hint,) = failure(safeload.check_bert, r"model\bert_config.json").hints

    assert hint == "this is a Windows path; here it is model/bert_config.json"
    assert failure(safeload.check_bert, r"nowhere\x").hints == (
        "this path has backslashes; write the path as it is on this system, with slashes",
    )


# configs of something else


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("tokenizer_config.json", {"do_lower_case": True}),
        ("sentence_bert_config.json", {"max_seq_length": 128}),
        ("adapter_config.json", {"peft_type": "LORA"}),
    ],
)
def test_a_config_of_something_else_is_not_the_model_s(name, content, bert):
    (bert / "bert_config.json").unlink()
    (bert / name).write_text(json.dumps(content))
    error = failure(safeload.check_bert, bert)

    assert type(error) is MissingFileError
    assert not any(name in hint for hint in error.hints)
    (bert / "uncased_config.json").write_text(json.dumps(BERT_CONFIG))
    assert safeload.check_bert(bert).files[0].path.endswith("uncased_config.json")


def test_a_config_whose_weights_are_elsewhere(tmp_path):
    folder = hugging_face(tmp_path / "model")
    (hint,) = failure(safeload.check_bert, folder).hints
    assert "put model.safetensors" in hint

    hugging_face(folder / "0_Transformer", "model.safetensors")
    for gone in ((), ("config.json",)):
        for name in gone:
            (folder / name).unlink()
        (hint,) = failure(safeload.check_bert, folder).hints
        assert hint == f"there are weights a level deeper: pass {folder / '0_Transformer'}"


def test_an_adapter_has_no_weights_of_its_model(tmp_path):
    folder = hugging_face(tmp_path / "model", config=False)
    (folder / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA"}))
    (folder / "adapter_model.safetensors").write_bytes(b"")
    (hint,) = failure(safeload.check_bert, folder).hints

    assert "merge_and_unload()" in hint
    assert advice(ref(folder), "ELMo") == []


def test_advice_never_raises(tmp_path):
    for name in ("x.index", "weights.hdf5", "pytorch_model.bin", "weights.th", "saved_model.pb"):
        (tmp_path / name).write_bytes(b"\x89HDF\r\n\x1a\n" if name.endswith("5") else b"PK\3\4")
    for path in [tmp_path, *tmp_path.iterdir(), tmp_path / "x", tmp_path / "gone"]:
        for model in CHECKS:
            assert isinstance(advice(ref(path), model), list)


def test_a_checkpoint_of_lightning_in_a_folder_is_told_everywhere(tmp_path, torch):
    folder = testing.write_bert(tmp_path / "model", form="torch")
    state = torch.load(folder / "pytorch_model.bin")
    named = {f"model.{name}": value for name, value in state.items()}
    torch.save({"epoch": 3, "state_dict": named, "optimizer_states": []}, folder / "last.ckpt")
    (folder / "pytorch_model.bin").unlink()
    hint = f"last.ckpt is a PyTorch file, as Lightning saves its checkpoints: pass {folder}/last.ckpt as"

    assert failure(safeload.check_bert, folder).hints == (f"{hint} checkpoint_file",)
    for command in (("check", "bert"), ("lock",), ("inspect",), ("doctor", "bert")):
        done = safeload_cli(*command, folder, code=1)
        assert f"hint:   {hint} " in done.stdout + done.stderr, command
    assert safeload.check_bert(folder, folder / "last.ckpt").scope == "state_dict.model.bert."
    safeload_cli("lock", folder, "--checkpoint", folder / "last.ckpt")
    safeload_cli("inspect", folder / "last.ckpt")


def test_a_pickle_with_the_name_of_a_checkpoint_is_told(tmp_path):
    folder = hugging_face(tmp_path / "model")
    (folder / "last.ckpt").write_bytes(pickle.dumps({"a": 1}, protocol=2))
    (hint,) = failure(safeload.check_bert, folder).hints

    assert hint.startswith(
        "last.ckpt is a pickle (PyTorch's older files are pickles too): safeload never unpickles a file"
    )
    assert advice(ref(folder), "ELMo") == []
