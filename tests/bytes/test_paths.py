"""What a path means that a caller passed."""

from __future__ import annotations

import enum
import os
from pathlib import Path

import numpy as np
import pytest

from safeload._bytes.mistyped import close_names, invisible_hints, near_paths
from safeload._bytes.paths import is_remote, resolve_path, working_directory
from safeload.errors import InvalidPathError


def resolved(given, **facts):
    return resolve_path(given, argument="config_file", **facts)


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MODELS", "models")
    monkeypatch.delenv("LOST", raising=False)
    return tmp_path


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("a/b", "a/b"),
        (b"a/b", "a/b"),
        (Path("a") / "b", "a/b"),
        ("./a//b/", "a/b"),
        ("a/./c/../b", "a/b"),
        ("~/a", "home/a"),
        ("$MODELS/a", "models/a"),
        ("${MODELS}.old/a", "models.old/a"),
    ],
)
def test_a_relative_path_begins_in_the_working_directory_or_the_base(given, wanted, here):
    (here / "a" / "c").mkdir(parents=True)
    assert resolved(given) == str(here / wanted)
    if not str(given).startswith("~"):
        assert resolved(given, base_dir="base") == str(here / "base" / wanted)


@pytest.mark.parametrize("given", ["file://{}/a%20b", "file://localhost{}/a%20b", "FILE://{}/a%20b"])
def test_an_address_of_a_file_is_its_path(given, here):
    assert resolved(given.format(here)) == str(here / "a b")


@pytest.mark.parametrize(
    "given",
    [
        "https://user:SECRET@",
        "https://user:SECRET@:99999999/x",
        "https://user:p/SECRET@host/x",
        "https://user:SECRET @host/x",
        "zip://a.zip::https://user:p/SECRET@host/x",
        "http://[::1/SECRET",
        "hf://user:SECRET@owner/name",
        "https://user:SECRET\n@host/x",
    ],
)
def test_an_address_without_a_valid_host_is_said_without_its_secrets(given):
    with pytest.raises(InvalidPathError) as caught:
        resolve_path(given, argument="path", takes_address=True)
    assert "SECRET" not in str(caught.value).replace("[::1/SECRET", "")


@pytest.mark.parametrize("address", ["https://user:SECRET@host/bert", "s3://bucket/bert", "HF://owner/name"])
def test_an_address_that_pathlib_changed_is_said_as_one(address, here):
    given = Path(address)
    with pytest.raises(InvalidPathError, match=r"pass it as str: pathlib\.Path removes the second slash") as caught:
        resolve_path(given, argument="path", takes_address=True)

    assert "SECRET" not in str(caught.value)
    (here / given).mkdir(parents=True)
    assert resolved(given) == str(here / given)


@pytest.mark.parametrize("name", ["$LOST", "~nobody-of-this-name", "%s"])
def test_a_name_that_is_there_is_taken_to_the_letter(name, here):
    (here / name).write_text("")

    assert resolved(str(here / name)) == str(here / name)
    assert resolved(name) == str(here / name)


def test_a_link_is_not_followed_but_what_is_above_it_is_looked_up(here):
    (here / "there" / "inner").mkdir(parents=True)
    (here / "link").symlink_to("there/inner")

    assert resolved("link/x") == str(here / "link" / "x")
    assert resolved("link/../x") == str(here / "there" / "x")


BAD = {
    "none": (None, "config_file is None, not a path"),
    "number": (3, "config_file is of type int, not a path"),
    "empty": ("", "config_file is empty"),
    "spaces": ("  ", "config_file is empty"),
    "nul": ("a\0b", "control character '\\x00'"),
    "tab": ("a\tb", "control character '\\t'"),
    "escaped_nul": ("file:///a%00", "control character '\\x00'"),
    "surrogate": ("a\ud800", "which is not allowed in a path"),
    "remote": ("https://host/a", "(https://)"),
    "other_host": ("file://host/a", "another host, 'host'"),
    "variable": ("$LOST/a", "environment variable LOST is not set"),
    "home": ("~nobody-of-this-name/a", "'~nobody-of-this-name'"),
}


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(("given", "text"), BAD.values(), ids=BAD)
def test_what_is_no_path_is_told(given, text):
    with pytest.raises(InvalidPathError) as caught:
        resolved(given)
    assert text in caught.value.message
    assert caught.value.given == given


def test_a_relative_path_without_a_working_directory_is_told(here, monkeypatch):
    (here / "gone").mkdir()
    monkeypatch.chdir(here / "gone")
    (here / "gone").rmdir()

    assert working_directory() is None
    with pytest.raises(InvalidPathError, match="working directory"):
        resolved("a")
    assert resolved("a", base_dir=here) == str(here / "a")
    assert resolved(here / "a") == str(here / "a")
    monkeypatch.chdir(here)
    assert working_directory() == str(here)


@pytest.mark.parametrize(
    ("given", "is_one"),
    [("https://h/a", True), ("S3://b/a", True), ("hf://a", True), ("file:///a", False), ("a", False), (None, False)],
)
def test_an_address_that_can_be_downloaded(given, is_one):
    assert is_remote(given) is is_one


def test_what_cannot_be_seen_is_told(tmp_path):
    (tmp_path / "a").write_text("")

    assert invisible_hints(str(tmp_path / "a")) == []
    (space,) = invisible_hints(f"{tmp_path}/a ")
    assert str(tmp_path / "a") in space
    (odd,) = invisible_hints(f"{tmp_path}/a\u200b\u00a0b")
    assert "U+00A0 NO-BREAK SPACE, U+200B ZERO WIDTH SPACE" in odd


def test_names_that_look_alike_are_found_whatever_their_case():
    assert close_names("Vocab.TXT", ["vocab.txt", "config.json"]) == ["vocab.txt"]
    assert close_names("x", ["vocab.txt"]) == []
    assert close_names("ab1", ["ab2", "ab3", "ab4", "ab5"]) == sorted(
        close_names("ab1", ["ab2", "ab3", "ab4", "ab5"]), reverse=True
    )
    assert len(close_names("ab1", ["ab2", "ab3", "ab4", "ab5"])) == 3


def test_a_misspelt_folder_is_put_right_and_one_too_many_left_out(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "vocab.txt").write_text("")
    (tmp_path / "vocab.txt").write_text("")
    names = sorted(os.listdir(tmp_path))

    assert near_paths(f"{tmp_path}/modle/vocab.txt", str(tmp_path), names) == [
        f"{tmp_path}/model/vocab.txt",
        f"{tmp_path}/vocab.txt",
    ]
    assert near_paths(f"{tmp_path}/modle/x.txt", str(tmp_path), names) == []
    assert near_paths(f"{tmp_path}/vocb.txt", str(tmp_path), names) == [f"{tmp_path}/vocab.txt"]


MODEL = "bert_config.json"


def made(*parts):
    path = os.path.join(*map(str, parts))
    os.makedirs(os.path.dirname(path), exist_ok=True)
    Path(path).touch()
    return path


LITERAL = {
    "a folder": "$MODELS",
    "a file in it": f"$MODELS/{MODEL}",
    "in braces": f"${{MODELS}}/{MODEL}",
    "below another": f"a/$MODELS/{MODEL}",
    "a part of a name": f"v$MODELS.1/{MODEL}",
    "of an unset variable": f"$LOST/{MODEL}",
    "a checkpoint prefix": "$MODELS/bert_model.ckpt",
    "a prefix with a variable": "a/$MODELS.ckpt",
    "a file that is missing in it": "a/$MODELS/none",
}


@pytest.mark.parametrize("given", LITERAL.values(), ids=LITERAL)
@pytest.mark.parametrize("base", [None, "base", "$MODELS-base"])
def test_a_variable_that_exists_as_it_is_written_is_kept(given, base, here):
    root = here if base is None else here / base
    for folder in ("$MODELS", "${MODELS}", "a/$MODELS", "v$MODELS.1", "$LOST"):
        for name in (MODEL, "bert_model.ckpt.index"):
            made(root, folder, name)
    made(root, "a", "$MODELS.ckpt.index")

    assert resolved(given, base_dir=base) == str(root / given)
    assert resolved(str(root / given)) == str(root / given)


def test_a_variable_in_the_name_of_a_folder_on_the_way_does_not_hide_an_existing_path(here):
    made(here, "$MODELS", "other")
    existing = made(here, "models", MODEL)

    assert resolved(f"$MODELS/{MODEL}") == existing
    assert resolved("$MODELS/other") == str(here / "$MODELS" / "other")
    assert resolved("$MODELS/none") == str(here / "$MODELS" / "none")


@pytest.mark.parametrize("base", [None, "base"])
def test_a_tilde_is_kept_only_where_the_expanded_path_does_not_exist(base, here):
    root = here if base is None else here / base
    for name in (MODEL, "bert_model.ckpt.index"):
        made(root, "~", name)

    assert resolved(f"~/{MODEL}", base_dir=base) == str(root / "~" / MODEL)
    assert resolved("~/bert_model.ckpt", base_dir=base) == str(root / "~" / "bert_model.ckpt")
    assert resolved("~/none", base_dir=base) == str(here / "home" / "none")
    assert resolved("~", base_dir=base) == str(root / "~")
    assert resolved(f"x/~/{MODEL}", base_dir=base) == str(root / "x" / "~" / MODEL)
    for name in (MODEL, "bert_model.ckpt.index"):
        made(here, "home", name)
    assert resolved(f"~/{MODEL}", base_dir=base) == str(here / "home" / MODEL)
    assert resolved("~/bert_model.ckpt", base_dir=base) == str(here / "home" / "bert_model.ckpt")
    assert resolved("~", base_dir=base) == str(here / "home")


def test_a_folder_with_the_name_of_an_unknown_home_is_kept(here):
    made(here, "~nobody-of-this-name", MODEL)

    assert resolved("~nobody-of-this-name/none") == str(here / "~nobody-of-this-name" / "none")


def test_a_base_with_a_variable_in_its_name_is_kept(here):
    made(here, "$MODELS", MODEL)

    assert resolved(MODEL, base_dir="$MODELS") == str(here / "$MODELS" / MODEL)


EXPANDED = {
    "empty": ("$HELD", "", "is empty"),
    "blank": ("${HELD}", " \u00a0 ", "is empty"),
    "line end": ("$HELD/x", "a\n", "control character '\\n'"),
    "escape": ("x/$HELD", "\x1b[2J", "control character '\\x1b'"),
    "address": ("$HELD/x", "gs://bucket", "is an address (gs://)"),
    "handle": ("$HELD", "https://host/a", "is an address (https://)"),
    "other host": ("$HELD/x", "file://host/a", "another host, 'host'"),
    "no path": ("$HELD", "file://", "file URL without a path"),
    "nul in a file URL": ("$HELD", "file:///a%00", "control character '\\x00'"),
}


@pytest.mark.parametrize(("given", "value", "text"), EXPANDED.values(), ids=EXPANDED)
def test_what_a_variable_holds_is_checked_and_the_variable_named(given, value, text, here, monkeypatch):
    monkeypatch.setenv("HELD", value)
    with pytest.raises(InvalidPathError) as caught:
        resolved(given, base_dir=here)
    assert text in caught.value.message
    assert "%00" in value or "environment variable HELD" in caught.value.message
    assert caught.value.given == given


@pytest.mark.usefixtures("here")
def test_the_variable_with_the_control_character_is_named(monkeypatch):
    monkeypatch.setenv("HELD", "a\tb")
    with pytest.raises(InvalidPathError, match="environment variable HELD"):
        resolved("$MODELS/$HELD")
    monkeypatch.setenv("HOME", "gs://bucket")
    with pytest.raises(InvalidPathError, match=r"\(gs://\) after the environment variable HOME is expanded"):
        resolved("~/x")


def test_a_variable_may_hold_the_url_of_a_file(here, monkeypatch):
    monkeypatch.setenv("HELD", f"file://{here}/a%20b")

    assert resolved("$HELD/x") == str(here / "a b" / "x")


class Text(str, enum.Enum):
    MODEL = "a/b"


class Held:
    def __init__(self, path):
        self.path = path

    def __fspath__(self):
        return self.path

    def __repr__(self):
        return f"Held({self.path!r})"


@pytest.mark.parametrize(
    "given", [Text.MODEL, np.str_("a/b"), np.array("a/b"), np.bytes_(b"a/b"), Held("a/b"), Held(b"a/b")], ids=repr
)
def test_text_of_any_class_is_a_path(given, here):
    found = resolved(given)

    assert found == str(here / "a" / "b")
    assert type(found) is str
    assert type(resolved(Text.MODEL, base_dir=np.str_(here))) is str


@pytest.mark.parametrize("given", [np.str_("https://h/a"), Held("https://h/a"), Held(b"https://h/a")], ids=repr)
def test_an_address_of_any_class_is_remote(given):
    assert is_remote(given)
