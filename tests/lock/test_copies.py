"""What was hashed is what is loaded: the copies of locked files that a load reads."""

from __future__ import annotations

import contextlib
import dataclasses
import os

import pytest

import safeload
from safeload import _steps
from safeload.errors import FileSystemError, LockError
from safeload.lock import _copies
from tests.lock.test_lock import CHECKS, write_lock

COPIED = ("bert_config.json", "vocab.txt", "bert_model.ckpt.data-00000-of-00001", "options.json")


@pytest.mark.parametrize("is_resized", [False, True])
@pytest.mark.parametrize("given", ["config", "both"])
@pytest.mark.parametrize("model", CHECKS)
def test_what_is_loaded_is_what_was_hashed(model, given, is_resized, request, monkeypatch):
    """Every file is replaced after the hashes were compared; the load goes on with the bytes that were."""
    folder = request.getfixturevalue(model)

    def check(folder):
        return CHECKS[model](folder, folder if given == "both" else None)

    if model == "bert":
        (folder / "checkpoint").write_text('model_checkpoint_path: "bert_model.ckpt"\n')
    write_lock(folder, check)
    usual = check(folder)

    opened_source = _steps.opened_source

    @contextlib.contextmanager
    def replacing(*arguments, **options):
        with opened_source(*arguments, **options) as source:
            for path in folder.iterdir():
                path.write_bytes(b"\0" * path.stat().st_size)
            if is_resized:
                for path in folder.iterdir():
                    if path.name in COPIED:
                        path.write_bytes(b"longer than it was" * 99)
            yield source

    monkeypatch.setattr(_steps, "opened_source", replacing)
    assert dataclasses.replace(check(folder), seconds={}) == dataclasses.replace(usual, seconds={})


def test_without_memfd_the_copy_is_a_file_that_has_no_name(bert, monkeypatch):
    write_lock(bert)
    monkeypatch.delattr(os, "memfd_create", raising=False)

    assert safeload.check_bert(bert).files[0].sha256


def test_the_copies_are_let_go(bert):
    write_lock(bert)
    before = len(os.listdir("/proc/self/fd"))
    safeload.check_bert(bert)
    (bert / "vocab.txt").write_text("x")
    with pytest.raises(LockError):
        safeload.check_bert(bert)

    assert len(os.listdir("/proc/self/fd")) == before


def test_a_file_that_cannot_be_read_is_told(bert, monkeypatch):
    write_lock(bert)

    def fail(*_):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(_copies, "hash_of", fail)
    with pytest.raises(FileSystemError, match="cannot read the config file: Input/output error"):
        safeload.check_bert(bert)
