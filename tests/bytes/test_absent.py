"""What is said of a path at which nothing is."""

from __future__ import annotations

import os

import pytest

from safeload._bytes import absent
from safeload.errors import MissingFileError
from tests.opened import ref


def files(folder, *names):
    for name in names:
        (folder / name).touch()


def test_a_file_that_is_not_there_is_told_with_what_is_beside_it(tmp_path):
    files(tmp_path, "config.json", "vocab.txt", ".hidden")
    error = absent.missing(ref(tmp_path / "confg.json", given=tmp_path / "confg.json"))

    assert type(error) is MissingFileError
    assert error.message == "there is no config file at this path"
    assert error.context == (("inside", "config.json, vocab.txt"),)
    assert error.hints == (f"did you mean {tmp_path}/config.json?",)
    assert error.looked_for == ("confg.json",)
    assert error.beside == ("config.json", "vocab.txt")
    assert error.close_names == ("config.json",)


def test_the_nearest_folder_that_is_there_is_named(tmp_path):
    (tmp_path / "model").mkdir()
    files(tmp_path / "model", "config.json")
    path = tmp_path / "modl" / "config.json"
    error = absent.missing(ref(path, given=path))

    assert error.context == (("exists", str(tmp_path)), ("inside", "model"))
    assert error.hints == (f"did you mean {tmp_path}/model/config.json?",)
    assert error.close_names == ()


def test_a_relative_path_says_where_it_starts(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    assert absent.missing(ref(tmp_path / "x", given="x")).context == (("cwd", str(tmp_path)), ("inside", "nothing"))


def test_a_relative_path_from_a_removed_folder_is_told(tmp_path, monkeypatch):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()

    assert absent.missing(ref(tmp_path / "x", given="x")).context[0] == ("cwd", "removed")


def test_a_link_that_leads_nowhere_says_where(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "none")
    error = absent.missing(ref(tmp_path / "link", given=tmp_path / "link"))

    assert error.message == "the config file is a broken symbolic link"
    assert error.context[-1] == ("link to", str(tmp_path / "none"))


def test_other_names_may_have_been_looked_for(tmp_path):
    assert absent.missing(ref(tmp_path / "x"), ("a", "b")).looked_for == ("a", "b")


def test_an_invisible_character_is_told(tmp_path):
    assert "U+200B ZERO WIDTH SPACE" in absent.missing(ref(f"{tmp_path}/x\u200b")).hints[0]


def test_a_file_that_may_not_be_read_has_a_hint():
    error = absent.unreadable(ref("/a/b", given="b"))

    assert error.message == "no permission to read the config"
    assert (error.resolved, error.given, error.label) == ("/a/b", "b", "config")
    assert "execute permission on each folder above" in error.hints[0]


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "nothing"), (1, "0"), (8, "0, 1, 2, 3, 4, 5, 6, 7"), (10, "0, 1, 2, 3, 4, 5, 6, 7, ... and 2 more")],
)
def test_the_first_names_are_printed(count, text):
    assert absent.names_text([str(number) for number in range(count)]) == text


def test_a_folder_that_cannot_be_listed_has_no_names(tmp_path):
    files(tmp_path, "b", "a", ".hidden")

    assert absent.names_in(ref(str(tmp_path))) == ["a", "b"]
    assert absent.names_in(ref(os.path.join(tmp_path, "a"))) == []
    assert absent.names_in(ref(os.path.join(tmp_path, "none"))) == []
