"""Locks at addresses, and of files at addresses."""

from __future__ import annotations

import shutil

import fsspec
import pytest

import safeload
from safeload import errors, testing
from safeload.lock import LOCK_NAME, lock_text, make_lock
from tests.servers import serving

CHECKS = {"bert": safeload.check_bert, "elmo": safeload.check_elmo}
PAYLOADS = {"bert": "vocab.txt", "elmo": "weights.hdf5"}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Hold a BERT and an ELMo, each with its lock, and archives of them."""
    found = tmp_path_factory.mktemp("locked")
    testing.write_bert(found / "bert")
    testing.write_elmo(found / "elmo")
    for kind, check in CHECKS.items():
        shutil.make_archive(str(found / kind), "zip", found / kind)
        lock = found / kind / LOCK_NAME
        lock.write_text(lock_text(make_lock(check(found / kind), lock)), encoding="utf-8")
    return found


@pytest.fixture
def folder(written, tmp_path):
    return shutil.copytree(written, tmp_path / "served")


@pytest.fixture
def server(folder):
    with serving(folder) as found:
        yield found


def changed(path):
    """Change a byte that no checksum of the form covers."""
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("kind", CHECKS)
def test_a_lock_beside_a_model_at_an_address(kind, folder, server):
    report = CHECKS[kind](f"{server.address}/{kind}")
    assert {file.role: file.path for file in report.files}["lock"] == f"{server.address}/{kind}/{LOCK_NAME}"
    assert all(file.sha256 for file in report.files if file.role != "lock")

    changed(folder / kind / PAYLOADS[kind])
    with pytest.raises(errors.LockError, match=r"1 of \d locked files is different") as caught:
        CHECKS[kind](f"{server.address}/{kind}")
    assert caught.value.files == (PAYLOADS[kind],)
    assert f"--update {server.address}/{kind} --output {LOCK_NAME}" in str(caught.value)


@pytest.mark.parametrize("kind", CHECKS)
def test_a_lock_of_the_disk_for_a_model_at_an_address(kind, folder, server, tmp_path):
    lock = (folder / kind / LOCK_NAME).rename(tmp_path / "mine.lock")
    report = CHECKS[kind](f"{server.address}/{kind}", lock_file=lock)
    assert {file.role: file.path for file in report.files}["lock"] == str(lock)

    changed(folder / kind / PAYLOADS[kind])
    with pytest.raises(errors.LockError, match="CHANGED") as caught:
        CHECKS[kind](f"{server.address}/{kind}", lock_file=lock)
    assert f"--update {server.address}/{kind} --output {lock}" in str(caught.value)


@pytest.mark.parametrize("kind", CHECKS)
def test_a_lock_at_an_address_for_a_model_of_the_disk(kind, folder, server, tmp_path):
    shutil.copytree(folder / kind, tmp_path / "copy", ignore=shutil.ignore_patterns(LOCK_NAME))
    for given in (f"{server.address}/{kind}/{LOCK_NAME}", f"{server.address}/{kind}"):
        report = CHECKS[kind](tmp_path / "copy", lock_file=given)
        assert {file.role: file.path for file in report.files}["lock"] == f"{server.address}/{kind}/{LOCK_NAME}"
    changed(tmp_path / "copy" / PAYLOADS[kind])
    with pytest.raises(errors.LockError, match="CHANGED"):
        CHECKS[kind](tmp_path / "copy", lock_file=f"{server.address}/{kind}")


def test_a_lock_for_a_model_of_another_address(folder, server):
    fsspec.filesystem("memory").put(str(folder / "bert" / LOCK_NAME), "/locks/bert.lock")
    report = safeload.check_bert(f"{server.address}/bert", lock_file="memory://locks/bert.lock")
    assert {file.role: file.path for file in report.files}["lock"] == "memory://locks/bert.lock"


def test_a_file_that_is_in_no_lock(folder, server):
    lock = folder / "bert" / LOCK_NAME
    report = safeload.check_bert(folder / "bert")
    kept = make_lock(report, lock)
    left = kept._replace(files=tuple(file for file in kept.files if file.role != "vocab"))
    lock.write_text(lock_text(left), encoding="utf-8")
    with pytest.raises(errors.LockError, match="not in its lock file"):
        safeload.check_bert(f"{server.address}/bert")


def test_a_locked_file_that_is_gone(folder, server):
    (folder / "bert" / "vocab.txt").unlink()
    with pytest.raises(errors.LockError, match="MISSING"):
        safeload.check_bert(f"{server.address}/bert")


def test_a_server_that_refuses_what_is_not_there(folder, server):
    (folder / "bert" / LOCK_NAME).unlink()
    server.faults, server.only = {"403", "no lists"}, LOCK_NAME
    names = ("bert_config.json", "bert_model.ckpt", "vocab.txt")
    report = safeload.check_bert(*(f"{server.address}/bert/{name}" for name in names))
    assert "lock" not in {file.role for file in report.files}


def test_a_server_that_sends_a_page_for_what_is_not_there(folder, server):
    (folder / "bert" / LOCK_NAME).unlink()
    server.faults, server.only = {"login page", "no lists"}, LOCK_NAME
    report = safeload.check_bert(f"{server.address}/bert/bert_config.json", f"{server.address}/bert/bert_model.ckpt")
    assert "lock" not in {file.role for file in report.files}


def test_a_lock_that_is_there_and_refused(server):
    server.faults, server.only = {"403"}, LOCK_NAME
    with pytest.raises(errors.UnreadableFileError, match="HTTP 403"):
        safeload.check_bert(f"{server.address}/bert")


def test_a_server_that_fails_at_a_lock(server, monkeypatch):
    monkeypatch.setattr("safeload._bytes.remote.attempts.FIRST_WAIT", 0.0)
    server.faults, server.only = {"503", "no lists"}, LOCK_NAME
    with pytest.raises(errors.FileSystemError, match="HTTP 503"):
        safeload.check_bert(f"{server.address}/bert/bert_config.json", f"{server.address}/bert/bert_model.ckpt")


def test_an_archive_at_an_address_with_its_lock(folder, server):
    report = safeload.check_bert(folder / "bert.zip")
    (folder / LOCK_NAME).write_text(lock_text(make_lock(report, folder / LOCK_NAME)), encoding="utf-8")
    remote = safeload.check_bert(f"{server.address}/bert.zip")
    assert [file.role for file in remote.files if file.sha256] == ["archive"]

    with (folder / "bert.zip").open("r+b") as file:
        file.seek(10)  # the time of the first member
        file.write(b"x")
    with pytest.raises(errors.LockError, match="CHANGED") as caught:
        safeload.check_bert(f"{server.address}/bert.zip")
    assert (
        f"--update {server.address}/bert.zip --output {LOCK_NAME}, and copy it to {server.address}/{LOCK_NAME}"
        in str(caught.value)
    )


def test_what_is_loaded_is_what_was_hashed(folder, server):
    vocabulary = safeload.load_vocabulary(f"{server.address}/bert/vocab.txt")
    assert vocabulary == safeload.load_vocabulary(folder / "bert" / "vocab.txt")
    changed(folder / "bert" / "vocab.txt")
    with pytest.raises(errors.LockError, match="CHANGED"):
        safeload.load_vocabulary(f"{server.address}/bert/vocab.txt")


def test_the_errors_of_a_lock_have_no_secrets(folder, server):
    address = server.address.replace("http://", "http://user:SECRET@")
    changed(folder / "bert" / "vocab.txt")
    with pytest.raises(errors.LockError) as caught:
        safeload.check_bert(f"{address}/bert", lock_file=f"{address}/bert/{LOCK_NAME}?sig=SECRET")
    assert "SECRET" not in f"{caught.value} {caught.value!r} {vars(caught.value)} {caught.value.to_dict()}"
    assert {headers.get("Authorization") for headers in server.headers} == {"Basic dXNlcjpTRUNSRVQ="}
