"""A lock: any other byte in any file of the model stops the load, and what was hashed is what is loaded."""

from __future__ import annotations

import errno
import os
import resource
import shutil

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import safeload
from safeload._bytes.files import DISK
from safeload.errors import FileSystemError, LockError, MissingFileError, UnsafeFileError, WrongFileKindError
from safeload.lock import LOCK_NAME, Lock, LockedFile, hash_of, lock_text, make_lock, read_lock
from tests.checkpoints import PREFIX

CHECKS = {"bert": safeload.check_bert, "elmo": safeload.check_elmo}


@pytest.fixture(params=CHECKS)
def locked(request):
    """Return a folder that has a lock, and its check."""
    folder = request.getfixturevalue(request.param)
    check = CHECKS[request.param]
    write_lock(folder, check)
    return folder, check


def write_lock(folder, check=safeload.check_bert):
    path = folder / LOCK_NAME
    path.write_text(lock_text(make_lock(check(folder), str(path))))
    return path


def test_the_report_of_a_locked_model_has_its_hashes(locked):
    folder, check = locked
    report = check(folder)

    assert report.files[-1].role == "lock"
    assert all(len(file.sha256) == 64 for file in report.files[:-1])
    assert check(folder, lock_file=folder / LOCK_NAME).files == check(folder, lock_file=folder).files == report.files
    assert "lock" in report.seconds
    assert report.files[0].sha256[:16] in str(report)


def test_a_lock_lists_every_file_of_the_model(locked):
    folder, _ = locked
    lock = read_lock(str(folder / LOCK_NAME))

    assert [file.name for file in lock.files] == sorted(p.name for p in folder.iterdir() if p.name != LOCK_NAME)
    for file in lock.files:
        assert file.n_bytes == (folder / file.name).stat().st_size


@given(data=st.data())
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_changed_byte_of_any_file_is_told_with_the_file(data, locked):
    folder, check = locked
    path = data.draw(st.sampled_from(sorted(path for path in folder.iterdir() if path.name != LOCK_NAME)))
    whole = path.read_bytes()
    at, bit = data.draw(st.integers(0, len(whole) - 1)), data.draw(st.integers(0, 7))
    path.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << bit]) + whole[at + 1 :])
    try:
        with pytest.raises(LockError) as caught:
            check(folder)
    finally:
        path.write_bytes(whole)
    assert caught.value.files == (path.name,)
    assert caught.value.resolved == str(folder / LOCK_NAME)


def test_several_changed_files_are_told_at_once(bert):
    write_lock(bert)
    (bert / "vocab.txt").write_text("[PAD]\n")
    (bert / "bert_config.json").unlink()
    (bert / "bert_config.json").write_text("{}")
    (bert / "bert_model.ckpt.index").unlink()
    (bert / "bert_model.ckpt.index").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 3\n")
    with pytest.raises(LockError) as caught:
        safeload.check_bert(bert)

    assert set(caught.value.files) == {"vocab.txt", "bert_config.json", "bert_model.ckpt.index"}
    assert "Git LFS pointer" in str(caught.value)


def test_a_removed_file_is_told(bert):
    write_lock(bert)
    (bert / "vocab.txt").unlink()
    with pytest.raises(LockError, match=r"MISSING    vocab\.txt"):
        safeload.check_bert(bert)


def test_a_directory_in_the_place_of_a_file_is_told(bert):
    write_lock(bert)
    (bert / "vocab.txt").unlink()
    (bert / "vocab.txt").mkdir()
    with pytest.raises(LockError, match=r"NOT A FILE vocab\.txt"):
        safeload.check_bert(bert)


def test_a_file_that_came_later_is_told(bert):
    (bert / "vocab.txt").rename(bert / "later.txt")
    write_lock(bert)
    (bert / "later.txt").rename(bert / "vocab.txt")
    with pytest.raises(LockError) as caught:
        safeload.check_bert(bert)

    assert caught.value.resolved == str(bert / "vocab.txt")
    assert caught.value.files == ("vocab.txt",)


def test_weights_from_another_folder_are_not_the_locked_ones(bert, tmp_path):
    write_lock(bert)
    other = shutil.copytree(bert, tmp_path / "other")
    (other / LOCK_NAME).unlink()
    with pytest.raises(LockError, match="not in its lock file") as caught:
        safeload.check_bert(bert / "bert_config.json", other / "bert_model.ckpt")
    first, second = caught.value.hints
    assert first.startswith("a lock covers its own folder")
    assert second == "if it belongs to another model, copy the config beside it, and load it with that copy"
    assert safeload.check_bert(other / "bert_config.json", other / "bert_model.ckpt")


def test_a_lock_above_the_model_works_when_it_is_passed(bert):
    path = bert.parent / "all.lock"
    path.write_text(lock_text(make_lock(safeload.check_bert(bert), str(path))))

    assert safeload.check_bert(bert, lock_file="all.lock", base_dir=bert.parent).files[-1].path == str(path)
    assert "model/vocab.txt" in path.read_text()


def test_a_lock_in_a_linked_folder_works(bert, tmp_path):
    write_lock(bert)
    (tmp_path / "link").symlink_to(bert)

    assert safeload.check_bert(tmp_path / "link", lock_file=bert).files[0].sha256


def test_a_locked_file_that_is_a_link_works(bert, tmp_path):
    (bert / "vocab.txt").rename(tmp_path / "blob")
    (bert / "vocab.txt").symlink_to(tmp_path / "blob")
    write_lock(bert)

    assert safeload.check_bert(bert).files[1].real_path == str(tmp_path / "blob")


def test_a_state_file_is_locked_too(bert):
    (bert / "checkpoint").write_text('model_checkpoint_path: "bert_model.ckpt"\n')
    write_lock(bert)
    assert "state file" in {file.role for file in read_lock(str(bert / LOCK_NAME)).files}
    (bert / "checkpoint").write_text('model_checkpoint_path: "bert_model.ckpt" \n')
    with pytest.raises(LockError, match="CHANGED    checkpoint"):
        safeload.check_bert(bert)


def test_files_that_lie_outside_cannot_be_locked(bert, tmp_path):
    with pytest.raises(LockError, match="outside the lock file's folder"):
        make_lock(safeload.check_bert(bert), str(tmp_path / "elsewhere" / LOCK_NAME))


def test_a_missing_lock_that_was_passed_is_told(bert):
    with pytest.raises(MissingFileError, match="no lock file"):
        safeload.check_bert(bert, lock_file=bert)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("version = 1", "version = 2", "it is of version 2"),
        ("version = 1", "", "lacks version"),
        ('model = "BERT"', 'model = "GPT"', "neither"),
        ('model = "BERT"', 'model = "ELMo"', "the lock is for ELMo"),
        ('model = "BERT"', "model = BERT", "not TOML"),
        ("n_files = 4", "n_files = 5", "4 of 5 files"),
        ('role = "config"', 'rôle = "config"', "not TOML"),
        ('role = "config"', 'roles = "config"', "a file lacks role"),
        ('role = "config"', 'role = "config"\nmode = 1', "unknown key 'mode'"),
        ('role = "config"', "role = 1", "role of a file is of type int, not str"),
        ('name = "vocab.txt"', 'name = "bert_config.json"', "more than once"),
        ('sha256 = "', 'sha256 = "0', "SHA-256 of"),
        ("n_bytes = ", "n_bytes = -", "the size or"),
        ("[[file]]", "[file]", "not TOML"),
    ],
)
def test_a_malformed_lock_is_told(old, new, told, bert):
    path = write_lock(bert)
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(LockError, match=told) as caught:
        safeload.check_bert(bert)

    assert caught.value.resolved == str(path)
    assert caught.value.hints


@pytest.mark.parametrize(
    "name",
    [
        "../vocab.txt",
        "/etc/passwd",
        "a/../../x",
        "./vocab.txt",
        "a//b",
        ".",
        "C:/x",
        "c:x",
        "//server/share/x",
        "a/..",
    ],
)
@pytest.mark.parametrize("separator", ["/", "\\\\"], ids=["slashes", "backslashes"])
def test_a_lock_leads_nowhere_but_down(name, separator, bert):
    path = write_lock(bert)
    path.write_text(path.read_text().replace('"vocab.txt"', f'"{name.replace("/", separator)}"'))
    with pytest.raises(UnsafeFileError, match="outside its folder"):
        safeload.check_bert(bert)


def test_every_cut_of_a_lock_is_told(bert):
    path = write_lock(bert)
    whole = path.read_bytes()
    for n_bytes in range(len(whole) - 2):  # without the last line end or quotation mark's line end it is whole
        path.write_bytes(whole[:n_bytes])
        with pytest.raises((LockError, WrongFileKindError)):
            safeload.check_bert(bert)


@pytest.mark.parametrize("text", ["<html>not found</html>", "[" * 100_000, "a = " + "[" * 5_000])
def test_something_else_in_the_place_of_a_lock_is_told(text, bert):
    (bert / LOCK_NAME).write_text(text)
    with pytest.raises((LockError, WrongFileKindError)):
        safeload.check_bert(bert)


def test_a_locked_model_loads(bert):
    pytest.importorskip("keras_bert")
    values = safeload.load_bert(bert).get_weights()
    write_lock(bert)
    model = safeload.load_bert(bert)

    assert all(np.array_equal(a, b) for a, b in zip(values, model.get_weights(), strict=True))
    assert safeload.report_of(model).files[-1].role == "lock"


def test_a_locked_elmo_loads(elmo):
    pytest.importorskip("torch")
    write_lock(elmo, safeload.check_elmo)

    assert safeload.report_of(safeload.load_elmo(elmo)).files[-1].role == "lock"
    (elmo / "options.json").write_text((elmo / "options.json").read_text() + " ")
    with pytest.raises(LockError, match=r"options\.json"):
        safeload.load_elmo(elmo)


def test_the_drop_ins_obey_a_lock(bert):
    pytest.importorskip("keras_bert")
    from safeload.compat import keras_bert

    model, config = keras_bert.build_model_from_config(bert)
    write_lock(bert)
    keras_bert.load_model_weights_from_checkpoint(model, config, bert / "bert_model.ckpt")
    (bert / "vocab.txt").write_text("x")
    for call in (
        lambda: keras_bert.build_model_from_config(bert),
        lambda: keras_bert.load_model_weights_from_checkpoint(model, config, bert / "bert_model.ckpt"),
        lambda: keras_bert.load_trained_model_from_checkpoint(
            str(bert / "bert_config.json"), str(bert / "bert_model.ckpt")
        ),
    ):
        with pytest.raises(LockError):
            call()


NAMES = {
    "emoji": "\U0001f600" * 60,
    "two_dots": "..model",
    "three_dots": "...",
    "spaces": " a b ",
    "quotes": "'\"",
    "line separator": "a\u2028b",
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_a_name_round_trips(name, bert):
    (bert / "vocab.txt").rename(bert / name)

    def check(folder):
        return safeload.check_bert(folder, vocab_file=folder / name)

    path = write_lock(bert, check)
    assert name in {file.name for file in read_lock(str(path)).files}
    assert check(bert).files[1].sha256


@pytest.mark.parametrize("name", [b"a\\b", b"a\xff", b"\xed\xa0\x80"])
def test_a_name_that_a_lock_cannot_have_is_refused(name, bert):
    path = os.path.join(os.fsencode(bert), name)
    (bert / "vocab.txt").rename(os.fsdecode(path))
    with pytest.raises(LockError, match="the name of the vocab file cannot be written into a lock") as caught:
        write_lock(bert, lambda folder: safeload.check_bert(folder, vocab_file=path))
    assert caught.value.resolved == os.fsdecode(path)


def test_a_thousand_files_take_few_descriptors(bert):
    index = bert / f"{PREFIX}.index"
    files = [
        LockedFile(path.name, "shard", *reversed(hashed(path)))
        for path in (bert / "bert_config.json", bert / "vocab.txt", index)
    ]
    for number in range(1000):
        path = bert / f"extra-{number}"
        path.write_bytes(bytes([number % 256]) * number)
        files.append(LockedFile(path.name, "shard", *reversed(hashed(path))))
    shard = bert / f"{PREFIX}.data-00000-of-00001"
    files.append(LockedFile(shard.name, "shard", *reversed(hashed(shard))))
    lock = Lock(path=str(bert / LOCK_NAME), model="BERT", files=tuple(files))
    (bert / LOCK_NAME).write_text(lock_text(lock))
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) + 12, limits[1]))
    try:
        report = safeload.check_bert(bert)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert report.files[-1].role == "lock"


def hashed(path):
    with DISK.open(str(path)) as file:
        return hash_of(file)


@pytest.mark.parametrize("model", CHECKS)
def test_locks_beside_the_config_and_beside_the_weights_both_apply(model, request, tmp_path):
    folder = request.getfixturevalue(model)
    config, weights = ("bert_config.json", PREFIX) if model == "bert" else ("options.json", "weights.hdf5")
    other = shutil.copytree(folder, tmp_path / "other")
    check = CHECKS[model]
    write_lock(folder, check)
    assert [file.role for file in check(folder / config, folder / weights).files].count("lock") == 1
    with pytest.raises(LockError, match="not in its lock file"):
        check(other / config, folder / weights)
    write_lock(other, check)

    report = check(other / config, folder / weights)
    assert [file.path for file in report.files if file.role == "lock"] == [
        str(other / LOCK_NAME),
        str(folder / LOCK_NAME),
    ]
    assert all(file.sha256 for file in report.files if file.role != "lock")
    for each in (folder, other):
        (each / config).write_text((each / config).read_text() + " ")
        with pytest.raises(LockError) as caught:
            check(other / config, folder / weights)
        assert caught.value.resolved == str(each / LOCK_NAME)
        (each / config).write_text((each / config).read_text()[:-1])


def test_a_lock_beside_a_vocabulary_applies_to_it_alone(bert):
    usual = safeload.load_vocabulary(bert / "vocab.txt")
    write_lock(bert)
    (bert / "bert_config.json").write_text("x")
    assert safeload.load_vocabulary(bert / "vocab.txt") == usual
    shutil.copy(bert / "vocab.txt", bert / "other.txt")
    with pytest.raises(LockError, match="not in its lock file"):
        safeload.load_vocabulary(bert / "other.txt")
    (bert / "vocab.txt").write_text((bert / "vocab.txt").read_text() + "new\n")
    with pytest.raises(LockError, match=r"vocab\.txt"):
        safeload.load_vocabulary(bert / "vocab.txt")
    (bert / LOCK_NAME).write_text("version = 1\n")
    with pytest.raises(LockError, match="cannot be used"):
        safeload.load_vocabulary(bert / "vocab.txt")


@pytest.mark.parametrize("code", [errno.EIO, errno.ESTALE])
def test_a_lock_that_the_system_cannot_look_at_is_an_error(code, bert, monkeypatch):
    write_lock(bert)
    lstat = os.lstat

    def fail(path, **options):
        if str(path).endswith(LOCK_NAME):
            raise OSError(code, os.strerror(code), path)
        return lstat(path, **options)

    monkeypatch.setattr(os, "lstat", fail)
    for call in (lambda: safeload.check_bert(bert), lambda: safeload.load_vocabulary(bert / "vocab.txt")):
        with pytest.raises(FileSystemError, match="cannot read the lock file") as caught:
            call()
        assert caught.value.errno == code


@pytest.mark.parametrize(
    "make", [lambda path: path.symlink_to("none"), lambda path: path.mkdir(), lambda path: path.symlink_to(path)]
)
def test_a_lock_that_cannot_be_read_is_an_error(make, bert):
    make(bert / LOCK_NAME)
    with pytest.raises((FileSystemError, MissingFileError, WrongFileKindError)) as caught:
        safeload.check_bert(bert)
    assert caught.value.resolved == str(bert / LOCK_NAME)
