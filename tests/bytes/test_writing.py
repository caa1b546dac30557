"""A file is written whole or not at all."""

from __future__ import annotations

import os

import pytest

from safeload._bytes.writing import atomic_write
from safeload.errors import LockError, UnreadableFileError


@pytest.fixture
def path(tmp_path):
    (tmp_path / "f").write_text("old")
    return tmp_path / "f"


def test_the_old_file_is_there_until_the_new_one_is_whole(path):
    with atomic_write(str(path), role="lock") as unfinished:
        unfinished.write_text("new")
        assert path.read_text() == "old"
        assert unfinished.parent == path.parent

    assert path.read_text() == "new"
    assert os.listdir(path.parent) == ["f"]


@pytest.mark.parametrize("raised", [LockError("x"), ValueError("x"), KeyboardInterrupt()], ids=repr)
def test_what_stops_the_writing_leaves_the_old_file(raised, path):
    with pytest.raises(type(raised)) as caught, atomic_write(str(path), role="lock") as unfinished:  # noqa: PT012
        unfinished.write_text("half")
        raise raised

    assert caught.value is raised
    assert path.read_text() == "old"
    assert os.listdir(path.parent) == ["f"]


def test_a_full_disk_is_told_and_leaves_the_old_file(path):
    with (  # noqa: PT012
        pytest.raises(UnreadableFileError, match=r"^the lock file cannot be written: No space left") as caught,
        atomic_write(str(path), role="lock") as unfinished,
    ):
        unfinished.write_text("half")
        with open("/dev/full", "w", buffering=1) as full:
            full.write("line\n")

    assert path.read_text() == "old"
    assert os.listdir(path.parent) == ["f"]
    assert (caught.value.resolved, caught.value.label) == (str(path), "lock")


def test_a_folder_that_is_not_there_or_in_the_file_s_place_is_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    for name in ("none/f", "folder"):
        with (
            pytest.raises(UnreadableFileError, match="the page file cannot be written") as caught,
            atomic_write(name, role="page") as unfinished,
        ):
            unfinished.write_text("new")
        assert (caught.value.resolved, caught.value.given) == (str(tmp_path / name), name)

    assert os.listdir(tmp_path) == ["folder"]
