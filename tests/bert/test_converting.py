"""A BERT in one form is written in another: the same values, or an error and nothing."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import safeload
from safeload import _converting, errors, testing
from safeload.lock import LOCK_NAME, read_lock
from safeload.testing._bert import bert_tensors
from tests.bert.converted import (
    HEADS,
    READABLE,
    TANH,
    WRITTEN,
    assert_same_values,
    change_config,
    contents,
    read_values,
    write_source,
)


def convert(source, target, form="safetensors", **arguments):
    chosen = {"activation": TANH, **({"ignore_unused": HEADS} if form == "keras-hub" else {}), **arguments}
    return safeload.convert(source, target, form=form, **chosen)


@pytest.mark.parametrize("form", WRITTEN)
@pytest.mark.parametrize("source", READABLE)
def test_every_form_is_written_in_every_other_with_the_same_bits(source, form, tmp_path):
    path = write_source(tmp_path / "source", source)
    report = convert(path, tmp_path / "target", form)

    config, values = read_values(tmp_path / "target")
    assert_same_values(bert_tensors(), values, without=["cls/"] if form == "keras-hub" else [])
    assert (report.form, report.n_inexact, report.model) == (form, 0, "BERT")
    assert report.n_values == sum(each.size for each in values.values())
    assert {os.path.relpath(file.path, tmp_path / "target") for file in report.files} == contents(
        tmp_path / "target"
    ).keys()
    assert (config.activation, config.num_attention_heads, config.type_vocab_size) == (TANH, 4, 2)
    vocabulary = "assets/tokenizer/vocabulary.txt" if form == "keras-hub" else "vocab.txt"
    assert (tmp_path / "target" / vocabulary).read_bytes() == (tmp_path / "source/vocab.txt").read_bytes()


@pytest.mark.parametrize("second", WRITTEN)
@pytest.mark.parametrize("first", WRITTEN)
def test_what_was_written_is_read_and_written_again(first, second, tmp_path):
    source = testing.write_bert(tmp_path / "source", heads=False)
    tensors = {**bert_tensors(heads=False)}
    pooler = {
        "bert/pooler/dense/kernel": np.arange(256, dtype=np.float32).reshape(16, 16),
        "bert/pooler/dense/bias": np.arange(16, dtype=np.float32),
    }
    if first != "keras-bert-h5" and second != "keras-bert-h5":
        tensors |= pooler
        testing.write_checkpoint(source / "bert_model.ckpt", tensors)
    elif "keras-hub" in (first, second):
        pytest.skip("keras-bert has the pooler with the heads only, and KerasHub always")
    convert(source, tmp_path / "one", first)
    convert(tmp_path / "one", tmp_path / "two", second)

    assert_same_values(tensors, read_values(tmp_path / "two")[1])


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_other_floats_become_float32_without_loss(dtype, tmp_path):
    ml_dtypes = pytest.importorskip("ml_dtypes")
    source = testing.write_bert(tmp_path / "source", form="safetensors")
    stored = load_file(source / "model.safetensors")
    kind = getattr(ml_dtypes, dtype, None) or np.dtype(dtype)
    narrow = {name: value.astype("float16").astype(kind) for name, value in stored.items()}
    save_file(narrow, source / "model.safetensors")
    convert(source, tmp_path / "target")

    written = load_file(tmp_path / "target/model.safetensors")
    assert all(np.array_equal(written[name], value.astype(np.float32)) for name, value in narrow.items())


def test_float64_that_float32_cannot_hold_is_an_error_and_nothing_is_written(tmp_path):
    source = testing.write_bert(tmp_path / "source", form="safetensors")
    stored = load_file(source / "model.safetensors")
    name = "bert.pooler.dense.bias"
    save_file({**stored, name: stored[name].astype(np.float64) + 1e-12}, source / "model.safetensors")
    with pytest.raises(errors.VariableMismatchError, match="does not fit") as caught:
        convert(source, tmp_path / "target")

    assert [problem.kind for problem in caught.value.report.problems] == ["dtype"]
    assert not (tmp_path / "target").exists()


CONFIGS = [
    ("google", {"hidden_act": "gelu"}, "hidden_act: gelu_erf is no activation of the form google"),
    ("keras-bert-h5", {"hidden_act": "gelu"}, "hidden_act: gelu_erf is no activation"),
    ("keras-hub", {"hidden_act": "relu"}, "hidden_act: relu is no activation"),
    ("google", {"hidden_act": "mish"}, "hidden_act: mish is no activation"),
    (
        "google",
        {"hidden_act": "gelu_new", "layer_norm_eps": 1e-5},
        "layer_norm_eps: 1e-05, and the form google means 1e-12",
    ),
    (
        "keras-hub",
        {"hidden_act": "gelu_new", "attention_probs_dropout_prob": 0.2},
        "attention_probs_dropout_prob: 0.2, and",
    ),
]


@pytest.mark.parametrize(
    ("form", "changes", "text"), CONFIGS, ids=[f"{form}-{number}" for number, (form, *_) in enumerate(CONFIGS)]
)
def test_what_a_form_cannot_express_is_an_error(form, changes, text, tmp_path):
    source = change_config(testing.write_bert(tmp_path / "source", form="safetensors"), "config.json", **changes)
    with pytest.raises(errors.ConfigError, match="cannot express the BERT config") as caught:
        safeload.convert(source, tmp_path / "target", form=form, ignore_unused=HEADS)

    assert text in str(caught.value)
    assert str(source / "config.json") in str(caught.value)
    assert not (tmp_path / "target").exists()


def test_another_number_of_segments_is_not_keras_berts(tmp_path):
    source = testing.write_bert(tmp_path / "source", form="safetensors")
    stored = load_file(source / "model.safetensors")
    name = "bert.embeddings.token_type_embeddings.weight"
    save_file({**stored, name: stored[name][:1]}, source / "model.safetensors")
    change_config(source, "config.json", type_vocab_size=1)
    with pytest.raises(errors.ConfigError, match="type_vocab_size: 1, and the form keras-bert-h5 has 2"):
        convert(source, tmp_path / "target", "keras-bert-h5")
    convert(source, tmp_path / "other", "safetensors")

    assert read_values(tmp_path / "other")[0].type_vocab_size == 1


@pytest.mark.parametrize(("key", "value"), [("position_embedding_type", "relative_key"), ("is_decoder", True)])
def test_a_key_that_makes_another_model_is_an_error(key, value, tmp_path):
    source = change_config(testing.write_bert(tmp_path / "source"), **{key: value})
    with pytest.raises(errors.ConfigError, match="makes another model, which convert does not write"):
        convert(source, tmp_path / "target")


def test_settings_and_labels_are_translated(tmp_path):
    labels = {"id2label": {"0": "bad", "1": "good", "2": "so-so"}, "label2id": {"bad": 0, "good": 1, "so-so": 2}}
    source = change_config(
        testing.write_bert(tmp_path / "source", form="safetensors"),
        "config.json",
        hidden_act="gelu_new",
        hidden_dropout_prob=0.2,
        attention_probs_dropout_prob=0.3,
        auto_map={"AutoModel": "code.py"},
        torch_dtype="float16",
        **labels,
    )
    report = safeload.convert(source, tmp_path / "google", form="google")
    google = json.loads((tmp_path / "google/bert_config.json").read_text())
    safeload.convert(tmp_path / "google", tmp_path / "back", form="safetensors")
    back = json.loads((tmp_path / "back/config.json").read_text())

    for config in (google, back):
        assert (config["hidden_dropout_prob"], config["attention_probs_dropout_prob"]) == (0.2, 0.3)
        assert {key: config[key] for key in labels} == labels
        assert not {"auto_map", "torch_dtype"} & config.keys()
    assert (google["hidden_act"], back["hidden_act"]) == ("gelu", "gelu_new")
    assert not {"model_type", "architectures", "layer_norm_eps"} & google.keys()
    assert back["architectures"] == ["BertForPreTraining"]
    assert report.notes == ("the key auto_map of the config is left out",)


@pytest.mark.parametrize("form", WRITTEN)
def test_what_stands_around_a_token_is_not_written(form, tmp_path):
    source = testing.write_bert(tmp_path / "source", vocab=31)
    lines = [*(source / "vocab.txt").read_bytes().split()[:-1], "a\u2028b".encode()]
    (source / "vocab.txt").write_bytes(b"\r\n".join([lines[0], b" \t" + lines[1], *lines[2:]]))
    convert(source, tmp_path / "target", form)

    vocabulary = "assets/tokenizer/vocabulary.txt" if form == "keras-hub" else "vocab.txt"
    assert (tmp_path / "target" / vocabulary).read_bytes() == b"".join(line + b"\n" for line in lines)


def test_a_carriage_return_in_a_token_is_an_error(tmp_path):
    source = testing.write_bert(tmp_path / "source")
    lines = (source / "vocab.txt").read_bytes().split()
    (source / "vocab.txt").write_bytes(b"\n".join([*lines[:-1], b"a\rb"]))
    with pytest.raises(errors.VocabularyError, match=r"line 30 has a carriage return in its token 'a\\rb'"):
        convert(source, tmp_path / "target")
    assert not (tmp_path / "target").exists()


@pytest.mark.parametrize("key", ["transformers_weights", "_attn_implementation"])
def test_a_key_that_names_other_files_or_code_is_left_out(key, tmp_path):
    source = change_config(testing.write_bert(tmp_path / "source"), **{key: "other"})
    report = convert(source, tmp_path / "target")

    assert report.notes == (f"the key {key} of the config is left out",)
    assert key not in json.loads((tmp_path / "target/config.json").read_text())


def test_labels_that_are_none_are_an_error(tmp_path):
    source = change_config(testing.write_bert(tmp_path / "source"), id2label=["bad", "good"])
    with pytest.raises(errors.ConfigError, match="id2label: expected an object, found"):
        convert(source, tmp_path / "target")


@pytest.mark.parametrize(
    ("tokens", "wanted"), [(["bad", "good"], True), (["Bad", "good"], False)], ids=["uncased", "cased"]
)
def test_the_tokenizer_is_told_the_case_of_the_vocabulary(tokens, wanted, tmp_path):
    source = testing.write_bert(tmp_path / "source")
    (source / "vocab.txt").write_text(
        "\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *tokens, *map(str, range(23))])
    )
    convert(source, tmp_path / "hf")
    convert(source, tmp_path / "hub", "keras-hub")

    assert json.loads((tmp_path / "hf/tokenizer_config.json").read_text())["do_lower_case"] is wanted
    assert json.loads((tmp_path / "hub/tokenizer.json").read_text())["config"]["lowercase"] is wanted
    (tmp_path / "hf/tokenizer_config.json").write_text(json.dumps({"do_lower_case": not wanted}))
    convert(tmp_path / "hf", tmp_path / "again")
    assert json.loads((tmp_path / "again/tokenizer_config.json").read_text())["do_lower_case"] is not wanted


def with_tensors(source, **others):
    tensors = {**bert_tensors(heads=False), **{name.replace("__", "/"): value for name, value in others.items()}}
    testing.write_checkpoint(source / "bert_model.ckpt", tensors)
    return tensors


def test_google_classifier_is_transformers_classifier_and_back(tmp_path):
    source = testing.write_bert(tmp_path / "source")
    head = np.arange(48, dtype=np.float32).reshape(3, 16)
    with_tensors(source, output_weights=head, output_bias=np.ones(3, np.float32))
    report = convert(source, tmp_path / "hf")
    stored = load_file(tmp_path / "hf/model.safetensors")
    config = json.loads((tmp_path / "hf/config.json").read_text())

    assert np.array_equal(stored["classifier.weight"], head)
    assert report.left_out == ()
    assert config["architectures"] == ["BertForSequenceClassification"]
    assert config["id2label"] == {"0": "LABEL_0", "1": "LABEL_1", "2": "LABEL_2"}
    convert(tmp_path / "hf", tmp_path / "back", "google")
    reader = safeload.check_bert(tmp_path / "back")
    assert reader.unused["task heads"] == ("output_bias", "output_weights")


def test_heads_of_the_same_library_keep_their_names(tmp_path):
    source = testing.write_bert(tmp_path / "source", form="torch", heads=False)
    convert(source, tmp_path / "hf")
    stored = load_file(tmp_path / "hf/model.safetensors")
    heads = {"classifier.weight": np.ones((2, 16), np.float32), "classifier.bias": np.zeros(2, np.float32)}
    save_file({**{f"bert.{name}": value for name, value in stored.items()}, **heads}, tmp_path / "hf/model.safetensors")
    change_config(tmp_path / "hf", "config.json", architectures=["BertForTokenClassification"])
    convert(tmp_path / "hf", tmp_path / "again")

    again = load_file(tmp_path / "again/model.safetensors")
    assert np.array_equal(again["classifier.weight"], heads["classifier.weight"])
    assert "bert.embeddings.word_embeddings.weight" in again
    assert json.loads((tmp_path / "again/config.json").read_text())["architectures"] == ["BertForTokenClassification"]
    with pytest.raises(errors.ArgumentError, match="the form google has no place for 2 tensors") as caught:
        convert(tmp_path / "hf", tmp_path / "google", "google")
    assert "pass ignore_unused=['classifier*']" in str(caught.value)


def test_what_a_form_has_no_place_for_is_named_or_an_error(tmp_path):
    source = testing.write_bert(tmp_path / "source")
    with pytest.raises(errors.ArgumentError, match="the form keras-hub has no place for 7 tensors") as caught:
        safeload.convert(source, tmp_path / "target", form="keras-hub")
    assert (caught.value.argument, (tmp_path / "target").exists()) == ("form", False)
    report = convert(source, tmp_path / "target", "keras-hub")

    assert len(report.left_out) == 7
    assert "left out:    cls/predictions/output_bias" in str(report)


def test_what_only_a_training_needs_is_left_out_and_named(tmp_path):
    source = testing.write_bert_checkpoint(tmp_path / "source", slots=True)
    report = convert(source, tmp_path / "target")

    assert "global_step" in report.left_out
    assert len(report.left_out) == 2 * len(bert_tensors()) + 1


def test_kerashub_needs_a_pooler(tmp_path):
    source = testing.write_bert(tmp_path / "source", heads=False)
    with pytest.raises(errors.ArgumentError, match="the form keras-hub always has a pooler, and the weights have none"):
        convert(source, tmp_path / "target", "keras-hub")


def test_what_is_suspicious_of_the_source_is_warned_of_once(tmp_path):
    source = change_config(testing.write_bert(tmp_path / "source", form="keras"), model_type="bert")
    with pytest.warns(safeload.SafeLoadWarning, match="gelu is gelu_erf in the config's library") as caught:
        report = safeload.convert(source, tmp_path / "target", form="safetensors")

    assert (len(caught), len(report.warnings)) == (1, 1)


def test_one_encoder_of_two_is_written(tmp_path):
    source = testing.write_bert(tmp_path / "source")
    both = {f"{scope}/{name.removeprefix('bert/')}": value + number for number, scope in enumerate(["one", "two"])
            for name, value in bert_tensors(heads=False).items()}  # fmt: skip
    testing.write_checkpoint(source / "bert_model.ckpt", both)
    with pytest.raises(errors.AmbiguousCheckpointError):
        convert(source, tmp_path / "target")
    report = convert(source, tmp_path / "target", scope="two")

    assert_same_values(
        {name: value + 1 for name, value in bert_tensors(heads=False).items()}, read_values(tmp_path / "target")[1]
    )
    assert any(name.startswith("one/") for name in report.left_out)


def test_zeros_keep_their_signs(tmp_path):
    source = testing.write_bert(tmp_path / "source")
    tensors = bert_tensors()
    tensors["bert/pooler/dense/bias"][:3] = [-0.0, 0.0, np.float32(1e-45)]
    testing.write_checkpoint(source / "bert_model.ckpt", tensors)
    convert(source, tmp_path / "target")

    assert_same_values(tensors, read_values(tmp_path / "target")[1])


@pytest.mark.parametrize("form", ["pytorch_model.bin", "torch", None, 3, "hdf4"])
def test_other_forms_are_an_error(form, tmp_path):
    with pytest.raises(errors.ArgumentError, match="form must be one of") as caught:
        safeload.convert(testing.write_bert(tmp_path / "source"), tmp_path / "target", form=form)
    assert "a pickle, such as pytorch_model.bin, is never written" in str(caught.value)


def test_arguments_of_the_other_model_are_an_error(tmp_path):
    for name, value in (("activation", TANH), ("vocab_file", "vocab.txt")):
        with pytest.raises(errors.ArgumentError, match=f"{name} is of a BERT"):
            safeload.convert(tmp_path, tmp_path / "target", form="hdf5", **{name: value})
    with pytest.raises(errors.ArgumentError, match="overwrite must be a bool"):
        safeload.convert(tmp_path, tmp_path / "target", form="google", overwrite="yes")


def test_files_are_replaced_only_on_request(tmp_path):
    source, target = testing.write_bert(tmp_path / "source"), tmp_path / "target"
    target.mkdir()
    (target / "notes.txt").write_text("mine")
    convert(source, target)
    before = contents(target)
    with pytest.raises(errors.ArgumentError, match="the folder already has") as caught:
        convert(source, target)
    assert (caught.value.argument, contents(target)) == ("overwrite", before)
    with_tensors(source)
    convert(source, target, overwrite=True)

    assert contents(target).keys() == before.keys()
    assert contents(target)["model.safetensors"] != before["model.safetensors"]


def test_a_folder_with_other_weights_is_an_error(tmp_path):
    source, target = testing.write_bert(tmp_path / "source"), testing.write_bert(tmp_path / "target")
    before = contents(target)
    with pytest.raises(
        errors.ArgumentError, match=r"the folder has other files of a model: bert_config\.json, bert_model\.ckpt\.index"
    ):
        convert(source, target, overwrite=True)

    assert contents(target) == before


@pytest.mark.parametrize("is_link", [False, True], ids=["the folder", "a link to it"])
def test_the_source_is_never_the_target(is_link, tmp_path):
    source = testing.write_bert(tmp_path / "source")
    before = contents(source)
    if is_link:
        (tmp_path / "link").symlink_to(source)
    with pytest.raises(errors.ArgumentError, match="target is the folder that the model is read from"):
        convert(source, tmp_path / "link" if is_link else source, overwrite=True)

    assert contents(source) == before


def test_links_to_the_source_are_replaced_and_not_written_through(tmp_path):
    source, target = testing.write_bert(tmp_path / "source"), tmp_path / "target"
    target.mkdir()
    before = contents(source)
    for name in before:
        (target / name).symlink_to(source / name)
    convert(source, target, "google", overwrite=True)

    assert contents(source) == before
    assert not any((target / name).is_symlink() for name in before)


def test_a_source_of_links_is_read_as_a_cache_has_it(tmp_path):
    source = testing.write_bert(tmp_path / "source", form="safetensors")
    snapshot = tmp_path / "snapshot"
    snapshot.mkdir()
    for path in source.iterdir():
        (snapshot / path.name).symlink_to(path)
    convert(snapshot, tmp_path / "target", "google")

    assert_same_values(bert_tensors(), read_values(tmp_path / "target")[1])


def test_the_lock_of_the_source_is_obeyed_and_a_new_one_written(tmp_path):
    source = testing.write_bert(tmp_path / "source")
    subprocess.run([sys.executable, "-m", "safeload", "lock", str(source)], check=True, capture_output=True)
    convert(source, tmp_path / "target", lock=True)
    lock = read_lock(tmp_path / "target" / LOCK_NAME)
    assert {file.name for file in lock.files} >= {"config.json", "model.safetensors", "vocab.txt"}
    safeload.check_bert(tmp_path / "target", backend="transformers")

    data = source / "bert_model.ckpt.data-00000-of-00001"
    data.write_bytes(data.read_bytes()[:-1] + b"x")
    with pytest.raises(errors.LockError):
        convert(source, tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_a_lock_of_the_old_files_is_never_left(tmp_path):
    source, target = testing.write_bert(tmp_path / "source"), tmp_path / "target"
    convert(source, target, lock=True)
    with pytest.raises(errors.ArgumentError, match="would not match") as caught:
        convert(source, target, overwrite=True)
    assert caught.value.argument == "lock"
    convert(source, target, overwrite=True, lock=True)


def test_a_damaged_source_leaves_nothing(tmp_path):
    source = testing.write_bert(tmp_path / "source")
    data = source / "bert_model.ckpt.data-00000-of-00001"
    data.write_bytes(data.read_bytes()[:-1] + b"x")
    with pytest.raises(errors.CorruptFileError):
        convert(source, tmp_path / "new/target")

    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("form", WRITTEN)
def test_a_full_disk_leaves_the_target_as_it_was(form, tmp_path):
    source, target = testing.write_bert(tmp_path / "source"), tmp_path / "target"
    convert(source, target, form)
    before = contents(target)
    code = (
        "import resource, signal, sys, safeload\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000))\n"
        "try:\n"
        f"    safeload.convert({str(source)!r}, {str(target)!r}, form={form!r}, activation='gelu_tanh', ignore_unused=['cls/*'], overwrite=True)\n"
        "except safeload.SafeLoadError as exc:\n"
        "    print(type(exc).__name__, exc.errno)\n"
    )
    done = subprocess.run([sys.executable, "-B", "-c", code], capture_output=True, text=True, check=True)  # gh-126606

    assert done.stdout.split() == ["FileSystemError", str(errno.EFBIG)]
    assert contents(target) == before


@pytest.mark.parametrize("form", WRITTEN)
def test_a_move_that_fails_leaves_the_target_as_it_was(form, tmp_path, monkeypatch):
    source, target = testing.write_bert(tmp_path / "source"), tmp_path / "target"
    replace, calls = os.replace, []

    def second_fails(*paths):
        calls.append(paths)
        if len(calls) == 2:
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(paths[0]), None, str(paths[1]))
        replace(*paths)

    monkeypatch.setattr(os, "replace", second_fails)
    with pytest.raises(errors.FileSystemError):
        convert(source, target, form)

    assert not target.exists()


@pytest.mark.parametrize("form", WRITTEN)
def test_what_is_read_back_otherwise_is_an_error(form, tmp_path, monkeypatch):
    source = testing.write_bert(tmp_path / "source")
    streamed = _converting.as_stored_values

    def changed(values, change, n_heads):
        found = streamed(values, change, n_heads).copy()
        if found.shape == (30, 16):
            found[7, 3] = np.nextafter(found[7, 3], np.float32(1))
        return found

    monkeypatch.setattr(_converting, "as_stored_values", changed)
    with pytest.raises(
        errors.BackendError, match="the new files do not hold the values of bert/embeddings/word_embeddings"
    ):
        convert(source, tmp_path / "target", form)

    assert not (tmp_path / "target").exists()


def test_large_tensors_are_compared_too(tmp_path, monkeypatch):
    monkeypatch.setattr(_converting, "N_LARGE_BYTES", 0)
    test_what_is_read_back_otherwise_is_an_error("google", tmp_path, monkeypatch)


@pytest.mark.parametrize("form", WRITTEN)
def test_every_file_is_on_the_disk_before_the_first_is_moved(form, tmp_path, monkeypatch):
    synced, moved = set(), []
    sync, replace = os.fsync, os.replace

    def recorded(descriptor):
        sync(descriptor)
        synced.add(os.fstat(descriptor).st_ino)

    def checked(source, target):
        moved.append((os.stat(source).st_ino, len(synced)))
        replace(source, target)

    source = testing.write_bert(tmp_path / "source")
    monkeypatch.setattr(os, "fsync", recorded)
    monkeypatch.setattr(os, "replace", checked)
    convert(source, tmp_path / "target", form, lock=True)

    assert {inode for inode, _ in moved} <= synced
    assert {number for _, number in moved} == {len(synced)}


def test_two_values_exchanged_in_a_large_tensor_are_found(tmp_path, monkeypatch):
    """The sum of the values is the same then; a checksum of the bytes is not."""
    source = testing.write_bert(tmp_path / "source")
    streamed = _converting.as_stored_values

    def changed(values, change, n_heads):
        found = streamed(values, change, n_heads).copy()
        if found.shape == (30, 16):
            found[[3, 9]] = found[[9, 3]]
        return found

    monkeypatch.setattr(_converting, "as_stored_values", changed)
    with pytest.raises(errors.BackendError, match="do not hold the values of bert/embeddings/word_embeddings"):
        convert(source, tmp_path / "target")


def test_unreadable_and_hostile_paths_are_typed(tmp_path):
    source = testing.write_bert(tmp_path / "source")
    (tmp_path / "file").write_text("mine")
    with pytest.raises(errors.WrongFileKindError, match="there is a file at its path"):
        convert(source, tmp_path / "file/below")
    for target in ("", "a\0b", "new\nline"):
        with pytest.raises(errors.InvalidPathError):
            convert(source, target)
    with pytest.raises(errors.MissingFileError):
        convert(tmp_path / "none", tmp_path / "target")
    strange = tmp_path / "new [x] *"
    convert(source, strange)
    assert (strange / "model.safetensors").exists()
    if os.geteuid():
        (tmp_path / "closed").mkdir(mode=0o500)
        with pytest.raises(errors.UnreadableFileError):
            convert(source, tmp_path / "closed/target")


def test_hostile_names_stay_in_the_file(tmp_path):
    source = testing.write_bert(tmp_path / "source", form="safetensors")
    stored = load_file(source / "model.safetensors")
    save_file({**stored, "../../escape.weight": np.zeros(2, np.float32)}, source / "model.safetensors")
    report = convert(source, tmp_path / "target/deep")

    assert not (tmp_path / "escape.weight").exists()
    assert "../../escape.weight" in load_file(tmp_path / "target/deep/model.safetensors") or report.left_out


def peak_growth(source, target, form):
    """Return by how many bytes the memory of a process grows at most, while it converts a model."""
    code = (
        "import sys, safeload\n"
        "def peak(): return int(next(l for l in open('/proc/self/status') if l.startswith('VmHWM')).split()[1]) * 1024\n"
        "tiny, source, target, form = sys.argv[1:]\n"
        "options = dict(form=form, activation='gelu_tanh', ignore_unused=['cls/*'])\n"
        "safeload.convert(tiny, target + '-tiny', **options)\n"
        "before = peak()\n"
        "safeload.convert(source, target, **options)\n"
        "print(peak() - before)\n"
    )
    tiny = testing.write_bert(source.parent / "tiny")
    arguments = [str(each) for each in (tiny, source, target, form)]
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="Linux says the peak there")
@pytest.mark.parametrize("form", WRITTEN)
def test_memory_does_not_grow_with_the_model(form, tmp_path):
    n_layers, hidden = 12, 512
    source = testing.write_bert(
        tmp_path / "source", layers=n_layers, hidden=hidden, intermediate=2048, vocab=4000, attention_heads=8
    )
    largest = 4 * 4000 * hidden
    size = sum(path.stat().st_size for path in source.iterdir())

    growth = peak_growth(source, tmp_path / "target", form)
    assert size > 150 << 20
    assert growth < largest + (32 << 20)


def test_the_report_is_text_and_json(tmp_path):
    report = convert(testing.write_bert(tmp_path / "source"), tmp_path / "target")

    assert str(report).splitlines()[0] == "BERT: 46 tensors written, read back and verified"
    assert "  values:      all 5,952 values come back exactly" in str(report)
    assert json.loads(json.dumps(report.to_dict()))["form"] == "safetensors"
    assert {"write", "compare"} <= report.seconds.keys()


def test_nothing_heavy_is_imported(tmp_path):
    source = testing.write_bert(tmp_path / "source", form="torch")
    code = (
        "import sys, safeload\n"
        f"safeload.convert({str(source)!r}, {str(tmp_path / 'target')!r}, form='keras-hub', activation='gelu_tanh', ignore_unused=['cls/*'])\n"
        "print(*{'torch', 'tensorflow', 'keras', 'transformers', 'keras_hub', 'keras_bert'} & set(sys.modules))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == ""
