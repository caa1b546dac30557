"""The vocabulary beside an ELMo, and the folders and zips of simple_elmo that have one."""

from __future__ import annotations

import gzip
import shutil

import pytest

import safeload
from safeload import testing
from safeload.elmo import _vocabulary
from safeload.errors import (
    AmbiguousCheckpointError,
    CorruptFileError,
    LockError,
    UnsafeFileError,
    VocabularyError,
    WrongFileKindError,
)
from tests.command_line import safeload_cli

WORDS = "<S>\n</S>\n<UNK>\nder\ncaf\u00e9\n".encode()


PACKED = gzip.compress(WORDS, mtime=0)


def roles(report):
    return [file.role for file in report.files]


@pytest.fixture
def simple(elmo):
    """Return a folder as simple_elmo unpacks it."""
    (elmo / "weights.hdf5").rename(elmo / "model.hdf5")
    (elmo / "meta.json").write_text('{"algorithm": {"name": "ELMo"}}')
    (elmo / "README").write_text("an ELMo\n")
    (elmo / "vocab.txt").write_bytes(WORDS)
    return elmo


def test_a_folder_of_simple_elmo_is_read(simple):
    report = safeload.check_elmo(simple)

    assert (len(report.read), roles(report), report.place) == (29, ["options", "vocab", "weight"], "folder")


@pytest.mark.parametrize("root", ["", "elmo"])
def test_its_zip_is_read_in_place(simple, root, tmp_path):
    path = shutil.make_archive(str(tmp_path / "145"), "zip", simple.parent if root else simple, root or None)
    report = safeload.check_elmo(path)

    assert (len(report.read), roles(report)) == (29, ["options", "vocab", "weight", "archive"])


def test_of_several_hdf5_files_it_is_model_hdf5_unless_one_has_weights_in_its_name(simple):
    shutil.copy(simple / "model.hdf5", simple / "a.hdf5")
    assert safeload.check_elmo(simple).files[-1].path == str(simple / "model.hdf5")
    shutil.copy(simple / "model.hdf5", simple / "elmo_weights.hdf5")
    assert safeload.check_elmo(simple).files[-1].path == str(simple / "elmo_weights.hdf5")
    (simple / "elmo_weights.hdf5").unlink()
    (simple / "model.hdf5").rename(simple / "b.hdf5")
    with pytest.raises(AmbiguousCheckpointError, match="2 HDF5 files"):
        safeload.check_elmo(simple)


@pytest.mark.parametrize("data", [b"", WORDS, WORDS * 100_000, b"{\n}\n"], ids=["empty", "words", "long", "braces"])
def test_a_compressed_vocabulary_is_one(data, elmo):
    (elmo / "vocab.txt.gz").write_bytes(gzip.compress(data))
    if not data:
        with pytest.raises(WrongFileKindError, match="empty"):
            safeload.check_elmo(elmo)
        return
    report = safeload.check_elmo(elmo)

    assert report.files[1].path == str(elmo / "vocab.txt.gz")


def test_gzip_files_one_after_another_are_one_text(elmo):
    (elmo / "vocab.txt.gz").write_bytes(gzip.compress(WORDS) + gzip.compress(b"caf\xe9\n"))
    with pytest.raises(VocabularyError) as caught:
        safeload.check_elmo(elmo)

    assert caught.value.problems == ("line 6 is not UTF-8: byte 0xe9",)


def test_the_text_is_looked_at_before_the_compressed_one(elmo):
    (elmo / "vocab.txt").write_bytes(WORDS)
    (elmo / "vocab.txt.gz").write_bytes(b"")

    assert safeload.check_elmo(elmo).files[1].path == str(elmo / "vocab.txt")


@pytest.mark.parametrize(
    ("name", "data", "error"),
    [
        pytest.param("vocab.txt", b"caf\xe9\n", VocabularyError, id="Latin-1"),
        pytest.param("vocab.txt", PACKED, WrongFileKindError, id="compressed without its ending"),
        pytest.param("vocab.txt", b"<!DOCTYPE html>", WrongFileKindError, id="a page"),
        pytest.param(
            "vocab.txt.gz", gzip.compress(b"<!DOCTYPE html>", mtime=0), WrongFileKindError, id="a packed page"
        ),
        pytest.param("vocab.txt.gz", PACKED[:-4], CorruptFileError, id="cut"),
        pytest.param("vocab.txt.gz", PACKED[:-8] + bytes(8), CorruptFileError, id="another checksum"),
        pytest.param("vocab.txt.gz", PACKED + b"x", CorruptFileError, id="more behind it"),
    ],
)
def test_what_is_no_vocabulary_is_an_error_of_its_file(name, data, error, elmo):
    (elmo / name).write_bytes(data)
    with pytest.raises(error) as caught:
        safeload.check_elmo(elmo)

    assert type(caught.value) is error
    assert (caught.value.resolved, caught.value.label) == (str(elmo / name), "vocab")


@pytest.mark.parametrize("n_more", [-1, 0])
def test_a_vocabulary_unpacks_to_a_bounded_size(n_more, elmo, monkeypatch):
    monkeypatch.setattr(_vocabulary, "MAX_VOCAB_BYTES", 1000 * len(WORDS) + n_more)
    (elmo / "vocab.txt.gz").write_bytes(gzip.compress(1000 * WORDS))
    if n_more < 0:
        with pytest.raises(UnsafeFileError, match="unpacks to more than"):
            safeload.check_elmo(elmo)
    else:
        assert safeload.check_elmo(elmo).read


def test_a_lock_without_the_vocabulary_still_fits(elmo):
    safeload_cli("lock", elmo)
    (elmo / "vocab.txt").write_bytes(b"caf\xe9\n")
    assert roles(safeload.check_elmo(elmo)) == ["options", "weight", "lock"]

    (elmo / "vocab.txt").write_bytes(WORDS)
    (elmo / "safeload.lock").unlink()
    safeload_cli("lock", elmo)
    assert roles(safeload.check_elmo(elmo)) == ["options", "vocab", "weight", "lock"]
    (elmo / "vocab.txt").write_bytes(WORDS + b"x\n")
    with pytest.raises(LockError):
        safeload.check_elmo(elmo)


def test_a_training_and_a_module_have_one_beside_them_too(tmp_path):
    for form in ("tensorflow", "tensorflow/tf-hub"):
        folder = testing.write_elmo(tmp_path / form, form=form)
        (folder / "vocab.txt").write_bytes(WORDS)
        assert "vocab" in roles(safeload.check_elmo(folder))
