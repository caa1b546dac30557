"""Checkpoints and SavedModels of tf-models: those that `golden/write_tf_models.py` wrote, with what its models compute."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import safeload
from safeload import SafeLoadWarning, errors, testing
from safeload._forms.tensorflow.prefixes import SAVED_MODEL
from tests.command_line import safeload_cli
from tests.opened import opened_checkpoint

GOLDEN = Path(__file__).parent / "golden" / "tf_models"
CONFIG = GOLDEN / "bert_config.json"
OTHERS = ("never_called", "converted", "converted_in_2019")
CHECKPOINTS = sorted(path.parent.name for path in GOLDEN.glob("*/x*.index") if path.parent.name not in OTHERS)
WHOLE = ("pretrainer_of_2020", "pretrainer_v2")
SCOPES = {
    "encoder_v2": "bert_encoder_v2/",
    "pretrainer_v2": "bert_encoder_v2_2/",
    "trainer": "bert_encoder_v2_3/",
    "trainer_of_keras": "bert_encoder_v2_3/",
}
POOLERS = "bert/next_sentence/pooler_dense/*"


@pytest.fixture
def hub(tmp_path):
    """Return a TF-Hub module, whose graph holds anything: it is never read."""
    folder = shutil.copytree(GOLDEN / "hub", tmp_path / "hub")
    (folder / SAVED_MODEL).write_bytes(b"\x08\1 never read")
    return folder


def prefix(name):
    (index,) = (GOLDEN / name).glob("*.index")
    return index.with_suffix("")


def computed(name):
    """Return the input as keras-bert takes it, and the outputs of tf-models."""
    given, found = np.load(GOLDEN / "input.npz"), np.load(GOLDEN / name / "outputs.npz")
    return [given["input_word_ids"], given["input_type_ids"]], found


def softmax(logits):
    exponents = np.exp(logits - logits.max(-1, keepdims=True))
    return exponents / exponents.sum(-1, keepdims=True)


@pytest.mark.parametrize("name", [*CHECKPOINTS, "hub"])
def test_the_encoder_computes_what_tf_models_computes(name, hub):
    pytest.importorskip("keras_bert")
    model = safeload.load_bert(CONFIG, hub if name == "hub" else prefix(name), trainable=False)
    given, wanted = computed(name)

    report = safeload.report_of(model)
    assert (report.form, report.naming, report.scope) == ("tensorflow", "tf-models", SCOPES.get(name, ""))
    assert report.activation == "gelu_tanh"
    assert np.abs(model.predict(given, verbose=0) - wanted["sequence_output"]).max() < 1e-5


@pytest.mark.parametrize("name", WHOLE)
def test_the_heads_compute_what_tf_models_computes(name):
    pytest.importorskip("keras_bert")
    model = safeload.load_bert(CONFIG, prefix(name), training=True)
    given, wanted = computed(name)
    words, next_sentence = model.predict([*given, np.ones_like(given[0])], verbose=0)

    assert np.abs(words - softmax(wanted["mlm_logits"])).max() < 1e-5
    assert np.abs(next_sentence - softmax(wanted["next_sentence"])).max() < 1e-5


@pytest.mark.parametrize("name", ["converted", "converted_in_2019"])
def test_a_checkpoint_that_was_converted_has_google_s_values(name, tmp_path):
    """tf-models converted what `write_bert_checkpoint` writes."""
    sizes = {"layers": 2, "hidden": 8, "attention_heads": 2, "intermediate": 16, "vocab": 12, "positions": 10}
    source = testing.write_bert_checkpoint(tmp_path, **sizes)

    assert values_of(prefix(name)).keys() == values_of(source).keys()
    for parameter, values in values_of(source).items():
        np.testing.assert_array_equal(values_of(prefix(name))[parameter], values, err_msg=parameter)
    assert "the same values" in safeload_cli("diff", source, prefix(name)).stdout


def values_of(weights, *, training=True):
    """Return every parameter of a BERT."""
    from safeload._model_kind import Request
    from safeload._steps import check
    from safeload.bert._arguments import build_options
    from safeload.bert._model import bert

    options = build_options(training=training, seq_len=None)
    return check(bert(options), Request(CONFIG, weights), keep_values=True).values


def test_what_a_trainer_adds_is_explained():
    for name, n_states in (("trainer", 6), ("trainer_of_keras", 3)):
        report = safeload.check_bert(CONFIG, prefix(name))
        with opened_checkpoint(prefix(name)) as bundle:
            n_variables = len(bundle.tensors)

        assert {what: len(names) for what, names in report.unused.items()} == {
            "training": n_variables - 37 - 11,
            "heads": 9,
            "pooler": 2,
        }
        states = [each for each in report.unused["training"] if each.rpartition("/")[2] not in ("m", "v")]
        assert len(states) == n_states


def test_what_a_tf_hub_module_adds_is_explained(hub):
    assert safeload.check_bert(CONFIG, hub).unused["training"] == ("do_lower_case",)


def test_the_shapes_prove_the_number_of_heads(tmp_path):
    assert set(safeload.check_bert(CONFIG, prefix("encoder")).taken_from_config) == {"hidden_act"}
    config = tmp_path / "bert_config.json"
    config.write_text(json.dumps({**json.loads(CONFIG.read_text()), "num_attention_heads": 4}))
    with pytest.raises(errors.VariableMismatchError) as caught:
        safeload.check_bert(config, prefix("encoder"))

    assert {problem.kind for problem in caught.value.report.problems} == {"shape"}
    assert len(caught.value.report.problems) == 2 * 7
    (hint,) = caught.value.hints
    assert hint.startswith("num_attention_heads is 4 in the config but 2 in the checkpoint; ")


def test_the_shapes_of_2019_may_not_prove_it(tmp_path):
    """Some of its files have the heads in one axis, as Google's."""
    folder = testing.write_bert(tmp_path, form="tensorflow/tf-models")
    with opened_checkpoint(folder / "bert_model.ckpt") as bundle:
        tensors = bundle.read(bundle.tensors)
    joined = {
        name: value.reshape(16, -1) if value.ndim == 3 else value.ravel() if "self_attention/" in name else value
        for name, value in tensors.items()
    }
    joined = {name: value.ravel() if name.endswith("bias") else value for name, value in joined.items()}
    testing.write_checkpoint(folder / "bert_model.ckpt", joined)

    assert set(safeload.check_bert(folder).taken_from_config) == {"hidden_act", "num_attention_heads"}


@pytest.mark.parametrize("name", ["trainer", "trainer_of_keras"])
def test_two_poolers_that_differ_are_not_guessed_between(name):
    with pytest.raises(errors.VariableMismatchError) as caught:
        safeload.check_bert(CONFIG, prefix(name), training=True)

    assert "bert/next_sentence/pooler_dense/kernel" in str(caught.value)
    assert "BERT has one tensor for this and bert_encoder_v2_3/pooler_transform/bias" in caught.value.hints[0]
    report = safeload.check_bert(CONFIG, prefix(name), training=True, ignore_unused=[POOLERS])
    assert len(report.ignored) == 2


def test_two_poolers_that_are_equal_are_one():
    assert safeload.check_bert(CONFIG, prefix("pretrainer_v2"), training=True).unused["copies"] == (
        "bert/next_sentence/pooler_dense/bias",
        "bert/next_sentence/pooler_dense/kernel",
    )


def test_a_pretrainer_s_items_have_no_logits():
    with pytest.raises(errors.VariableMismatchError) as caught:
        safeload.check_bert(CONFIG, prefix("pretrainer"), training=True)

    assert caught.value.hints == (
        "the checkpoint has the pooler and MLM head, but no NSP head; training=True needs all three: load it with training=False",
    )


def test_an_encoder_that_was_never_called_has_no_variables():
    with pytest.raises(errors.WrongFileKindError) as caught:
        safeload.check_bert(CONFIG, prefix("never_called"))

    assert caught.value.found == "a TensorFlow 2 checkpoint of an object that had no variables when it was saved"


def test_two_models_without_full_names_of_their_own_are_an_error(tmp_path):
    tf = pytest.importorskip("tensorflow")
    names = ["word_embeddings/embeddings", "pooler_transform/kernel"]
    models = {root: [tf.Variable(tf.ones([2, 2]), name=name) for name in names] for root in ("student", "teacher")}
    saved = tf.train.Checkpoint(**models).save(str(tmp_path / "x"))
    with pytest.raises(errors.WrongFileKindError) as caught:
        safeload.check_bert(CONFIG, saved)

    assert caught.value.found == "a TensorFlow 2 checkpoint whose variables have no full names of their own"


# TF-Hub modules and other SavedModels


def test_a_config_that_lacks_is_asked_for(hub):
    with pytest.raises(errors.MissingFileError) as caught:
        safeload.check_bert(hub)

    (hint,) = caught.value.hints
    assert hint == (
        "the folder is a SavedModel with BERT's variables, without a config: pass the bert_config.json that it was made "
        f"with as config_file, and {hub} as checkpoint_file"
    )


@pytest.mark.parametrize("folder", [".", "assets"])
def test_a_config_in_the_folder_or_its_assets_is_found(folder, hub):
    shutil.copy(CONFIG, hub / folder)
    for given in (hub, hub / folder, hub / folder / CONFIG.name):
        report = safeload.check_bert(given)

        assert (report.place, len(report.read)) == ("SavedModel", 37)
        paths = {file.role: file.path for file in report.files}
        assert paths["vocab"] == str(hub / "assets" / "vocab.txt")
        assert paths["index"] == str(hub / "variables" / "variables.index")
        assert SAVED_MODEL not in "".join(paths.values())


def test_the_vocabulary_beside_the_config_goes_first(hub, tmp_path):
    shutil.copy(CONFIG, tmp_path)
    vocab = shutil.copy(hub / "assets" / "vocab.txt", tmp_path)

    for weights, found in ((hub, vocab), (prefix("encoder"), vocab)):
        report = safeload.check_bert(tmp_path, weights)
        assert {file.path for file in report.files if file.role == "vocab"} == {str(found)}
    Path(vocab).unlink()
    report = safeload.check_bert(tmp_path, hub / "variables" / "variables")
    assert {file.path for file in report.files if file.role == "vocab"} == {str(hub / "assets" / "vocab.txt")}


@pytest.mark.parametrize("folder", [".", "assets"])
def test_the_folders_of_a_saved_model_are_no_models(folder, hub):
    shutil.copy(CONFIG, hub / folder)
    found = json.loads(safeload_cli("check", "bert", hub.parent, "--json").stdout)

    assert [each["path"] for each in found["models"]] == [str(hub)]


def test_files_without_a_usual_name_beside_its_variables_are_of_no_concern(hub, tmp_path):
    shutil.copy(CONFIG, hub)
    shutil.copy(testing.write_bert(tmp_path / "keras", form="hdf5/keras-bert") / "model.h5", hub / "tuned.h5")
    assert safeload.check_bert(hub).place == "SavedModel"

    shutil.copy(testing.write_bert(tmp_path / "theirs", form="safetensors") / "model.safetensors", hub)
    with pytest.warns(SafeLoadWarning, match=r"model\.safetensors"):
        assert safeload.check_bert(hub).place == "SavedModel"


@pytest.mark.parametrize("folder", [".", "assets"])
def test_its_graph_in_the_place_of_a_checkpoint_is_explained(folder, hub):
    shutil.copy(CONFIG, hub / folder)
    with pytest.raises(errors.WrongFileKindError) as caught:
        safeload.check_bert(CONFIG, hub / SAVED_MODEL)

    assert caught.value.hints == (f"the folder is a SavedModel with BERT's variables: pass {hub}",)


@pytest.mark.parametrize("folder", [".", "assets"])
def test_the_lock_of_a_saved_model_applies_to_all_of_it(folder, hub):
    shutil.copy(CONFIG, hub / folder)
    safeload_cli("lock", hub)
    assert all(file.sha256 for file in safeload.check_bert(hub / folder).files if file.role != "lock")
    safeload_cli("check", "bert", hub, "--lock")
    vocab = hub / "assets" / "vocab.txt"
    vocab.write_text(vocab.read_text().replace("g", "h"))

    for weights in (None, hub, hub / "variables" / "variables"):
        with pytest.raises(errors.LockError):
            safeload.check_bert(hub / folder, weights)
    with pytest.raises(errors.LockError):
        safeload.load_vocabulary(vocab)


@pytest.mark.parametrize("scope", ["", "bert/", "module/bert/"])
def test_a_module_of_tensorflow_1_has_google_s_names(scope, tmp_path):
    model = testing.write_bert_checkpoint(tmp_path / "model")
    folder = tmp_path / "hub"
    (folder / "variables").mkdir(parents=True)
    (folder / SAVED_MODEL).touch()
    with opened_checkpoint(model / "bert_model.ckpt") as bundle:
        tensors = {name.replace("bert/", scope, 1): values for name, values in bundle.read(bundle.tensors).items()}
    testing.write_checkpoint(folder / "variables" / "variables", tensors)
    report = safeload.check_bert(model / "bert_config.json", folder)

    assert (report.form, report.naming, report.scope) == ("tensorflow", "google", scope)


def test_inspect_and_diff_show_full_names(hub):
    done = safeload_cli("inspect", hub)
    assert "transformer/layer_0 " in done.stdout
    assert "variables/0" not in done.stdout
    assert safeload_cli("diff", hub, hub / "variables" / "variables").returncode == 0


def test_other_sizes_are_told_with_the_number_of_heads(tmp_path):
    small = testing.write_bert(tmp_path / "small", form="tensorflow/tf-models")
    wide = testing.write_bert(tmp_path / "wide", form="tensorflow/tf-models", hidden=192, attention_heads=2)
    with pytest.raises(errors.VariableMismatchError) as caught:
        safeload.check_bert(small / "bert_config.json", wide)

    told = [hint.partition(";")[0] for hint in caught.value.hints]
    assert told == [
        "the config in the folder of the checkpoint fits it",
        "hidden_size is 16 in the config but 192 in the checkpoint",
        "num_attention_heads is 4 in the config but 2 in the checkpoint",
    ]


@pytest.mark.parametrize("form", ["zip", "tar", "gztar"])
@pytest.mark.parametrize("folder", [".", "assets"])
def test_a_module_is_read_in_its_archive(form, folder, hub, tmp_path):
    """TF-Hub's archives have no folder above the module's files."""
    shutil.copy(CONFIG, hub / folder)
    archive = shutil.make_archive(str(tmp_path / "packed"), form, hub)
    report = safeload.check_bert(archive)

    assert (report.naming, len(report.read)) == ("tf-models", 37)
    assert {Path(file.path).name for file in report.files if file.role == "vocab"} == {"vocab.txt"}
