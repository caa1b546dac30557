"""Every argument of every call reaches what it is for."""

from __future__ import annotations

import pytest

import safeload
from safeload import SafeLoadError
from safeload.lock import LOCK_NAME, lock_text, make_lock

FILES = ("a/bert_config.json", "b/bert_model.ckpt", "c/vocab.txt")


def check(*given, **options):
    return safeload.check_bert(*given, **options)


def load(*given, **options):
    return safeload.report_of(safeload.load_bert(*given, **options))


each_call = pytest.mark.parametrize("call", [check, load])


@pytest.fixture
def apart(bert):
    """Return a folder with each file in a folder of its own."""
    for name, pattern in (("a", "*.json"), ("c", "*.txt"), ("b", "bert_model*")):
        paths = list(bert.glob(pattern))
        (bert / name).mkdir()
        for path in paths:
            path.rename(bert / name / path.name)
    return bert


@each_call
def test_each_file_is_found_where_it_is_said_to_be(apart, call):
    report = call(*FILES, base_dir=apart)
    assert {file.path.removeprefix(str(apart))[:3] for file in report.files} == {"/a/", "/b/", "/c/"}

    with pytest.raises(SafeLoadError, match="there is no"):
        call(*FILES)
    (apart / "c" / "vocab.txt").write_text("a\na\n")
    with pytest.raises(SafeLoadError, match="repeated"):
        call(*FILES, base_dir=apart)


@each_call
def test_the_heads_are_read_with_training(tiny_bert, call):
    assert (len(call(tiny_bert).read), len(call(tiny_bert, training=True).read)) == (37, 46)


def drop_a_layer(path):
    path.write_text(path.read_text().replace('"num_hidden_layers": 2', '"num_hidden_layers": 1'))


@each_call
def test_what_is_to_be_ignored_is_ignored(bert, call):
    drop_a_layer(bert / "bert_config.json")

    report = call(bert, ignore_unused=["bert/encoder/layer_1/*"])
    assert len(report.ignored) == 16


@each_call
def test_the_lock_that_is_named_is_the_one_that_counts(bert, tmp_path, call):
    lock = tmp_path / LOCK_NAME
    lock.write_text(lock_text(make_lock(check(bert), str(lock))))
    assert "lock" in call(bert, lock_file=lock).seconds

    (bert / "vocab.txt").write_text((bert / "vocab.txt").read_text().replace("film", "FILM"))
    assert "lock" not in call(bert).seconds
    with pytest.raises(SafeLoadError, match="locked"):
        call(bert, lock_file=lock)


def test_a_diagnosis_takes_what_a_load_takes(apart, tiny_bert, tmp_path):
    drop_a_layer(apart / "a" / "bert_config.json")
    options = {"base_dir": apart, "ignore_unused": ["bert/encoder/layer_1/*"]}
    lock = tmp_path / LOCK_NAME
    lock.write_text(lock_text(make_lock(check(*FILES, **options), str(lock))))
    found = safeload.diagnose_bert(*FILES, training=True, lock_file=lock, **options)

    assert found.at_fault == "nothing", str(found)
    assert (len(found.report.read), len(found.report.ignored)) == (30, 16)
    assert {file.role for file in found.report.files} == {"config", "index", "shard", "vocab", "lock"}
    assert len(safeload.diagnose_bert(tiny_bert).report.read) == 37


def test_a_load_says_what_it_did(tiny_bert):
    report = load(tiny_bert, seq_len=8, use_task_embed=True, task_num=3)

    assert report.initialised == ("Embedding-Task/embeddings",)
    assert list(report.seconds) == ["resolve", "read", "list", "compare", "import", "build", "fill"]
    assert {"safeload", "python", "numpy", "tensorflow", "keras-bert"} <= set(report.versions)
    assert list(check(tiny_bert).seconds) == ["resolve", "read", "list", "compare"]


def test_a_vocabulary_is_found_where_it_is_said_to_be(apart):
    assert safeload.load_vocabulary("c/vocab.txt", base_dir=apart)["[SEP]"] == 3
    with pytest.raises(SafeLoadError) as caught:
        safeload.load_vocabulary("c/no.txt", base_dir=apart)
    assert (caught.value.given, caught.value.resolved) == ("c/no.txt", str(apart / "c" / "no.txt"))
    with pytest.raises(SafeLoadError, match=r"^vocab_file "):
        safeload.load_vocabulary(None)
