"""A lock is of its published schema, and one of the first edition is read as it was written."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path

import pytest

import safeload
from safeload._text.toml import toml_table
from safeload.errors import LockError, UnsafeFileError
from safeload.lock import (
    _FILE_KEYS,
    _LOCK_KEYS,
    LOCK_NAME,
    MODELS,
    VERSION,
    LockedFile,
    lock_text,
    make_lock,
    read_lock,
)
from tests.archives import write_archive
from tests.docs.blocks import ROOT
from tests.weights.files import write_shards

SCHEMA = json.loads((ROOT / "docs/reference/safeload.lock.schema.json").read_text(encoding="utf-8"))
DIGEST = "d0449c92dadd385818046fb96149928079c44e70f82be2e5b039dd74502a1503"
FIRST_EDITION = (Path(__file__).parent / "golden/first_edition.lock").read_text(encoding="utf-8")


@pytest.fixture
def validator():
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    return jsonschema.Draft202012Validator(SCHEMA)


def locks(tiny_bert, tiny_elmo, tmp_path):
    """Yield the text of a lock of each kind: of a BERT, an ELMo, an archive, and weights of any model."""
    archive = write_archive(tiny_bert, tmp_path / "deflated.zip")
    (tmp_path / "any").mkdir()
    shards = write_shards(tmp_path / "any")
    for report, folder in (
        (safeload.check_bert(tiny_bert), tiny_bert),
        (safeload.check_elmo(tiny_elmo), tiny_elmo),
        (safeload.check_bert(archive), tmp_path),
        (safeload.check_weights(shards), tmp_path),
    ):
        yield lock_text(make_lock(report, folder / LOCK_NAME))


def test_what_is_written_is_of_the_schema(tiny_bert, tiny_elmo, tmp_path, validator):
    models = set()
    for text in locks(tiny_bert, tiny_elmo, tmp_path):
        table = toml_table(text.encode())
        validator.validate(table)
        models.add(table["model"])
    assert models == set(MODELS) == set(SCHEMA["properties"]["model"]["enum"])
    assert SCHEMA["properties"]["version"] == {"const": VERSION}


def test_a_lock_of_the_first_edition_is_read_and_is_of_the_schema(tmp_path, validator):
    (tmp_path / LOCK_NAME).write_text(FIRST_EDITION)
    lock = read_lock(tmp_path / LOCK_NAME)
    validator.validate(toml_table(FIRST_EDITION.encode()))

    assert lock.model == "BERT"
    assert lock.files[1] == LockedFile("vocab.txt", "vocab", 182, DIGEST)


def test_a_name_with_backslashes_is_of_the_schema(tmp_path, validator):
    text = FIRST_EDITION.replace('"vocab.txt"', r'"a.b\\..c\\vocab.txt"')
    (tmp_path / LOCK_NAME).write_text(text)

    validator.validate(toml_table(text.encode()))
    assert "a.b/..c/vocab.txt" in {file.name for file in read_lock(tmp_path / LOCK_NAME).files}


CHANGES = {
    "version": lambda table: table.update(version=2),
    "model": lambda table: table.update(model="GPT"),
    "no files": lambda table: table.update(n_files=0, file=[]),
    "key": lambda table: table.update(more=1),
    "key of a file": lambda table: table["file"][0].update(more=1),
    "missing": lambda table: table.pop("n_files"),
    "missing of a file": lambda table: table["file"][0].pop("role"),
    "digest": lambda table: table["file"][0].update(sha256=DIGEST.upper()),
    "size": lambda table: table["file"][0].update(n_bytes=-1),
    "text": lambda table: table["file"][0].update(n_bytes="1"),
    "text for a number": lambda table: table.update(n_files="2"),
    "bool for a number": lambda table: table["file"][0].update(n_bytes=True),
    "bool for a version": lambda table: table.update(version=True),
    "number for a text": lambda table: table["file"][0].update(role=1),
    "list for a text": lambda table: table.update(model=["BERT"]),
    "table for a list": lambda table: table.update(file=table["file"][0]),
    "text for a table": lambda table: table.update(file=["vocab.txt"]),
    "fraction": lambda table: table["file"][0].update(n_bytes=1.5),
    "up": lambda table: table["file"][0].update(name="../x"),
    "absolute": lambda table: table["file"][0].update(name="/x"),
    "up with a backslash": lambda table: table["file"][0].update(name="a\\..\\x"),
    "drive": lambda table: table["file"][0].update(name="C:\\x"),
    "share": lambda table: table["file"][0].update(name="\\\\server\\x"),
    "not the shortest": lambda table: table["file"][0].update(name="a/./x"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_the_schema_refuses_is_refused_by_safeload(change, tmp_path, validator):
    import tomli_w

    table = copy.deepcopy(toml_table(FIRST_EDITION.encode()))
    change(table)
    (tmp_path / LOCK_NAME).write_text(tomli_w.dumps(table))

    assert not validator.is_valid(table)
    with pytest.raises((LockError, UnsafeFileError)):
        read_lock(tmp_path / LOCK_NAME)


@pytest.mark.parametrize("key", ["version", "n_files"])
def test_a_number_with_a_point_is_no_integer_although_json_has_none(key, tmp_path):
    (tmp_path / LOCK_NAME).write_text(re.sub(rf"{key} = (\d)", rf"{key} = \1.0", FIRST_EDITION))
    with pytest.raises(LockError, match="is of type float, not int"):
        read_lock(tmp_path / LOCK_NAME)
    assert "1.0 is not one" in SCHEMA["description"]


def test_the_schema_has_each_key_that_is_read():
    file = SCHEMA["properties"]["file"]["items"]
    assert SCHEMA["properties"].keys() == set(SCHEMA["required"]) == set(_LOCK_KEYS)
    assert file["properties"].keys() == set(file["required"]) == set(_FILE_KEYS) == set(LockedFile._fields)


def test_a_lock_of_a_later_version_says_that_a_newer_safeload_wrote_it(tmp_path):
    (tmp_path / LOCK_NAME).write_text(re.sub("version = 1", f"version = {VERSION + 1}\nmore = 1", FIRST_EDITION))
    with pytest.raises(LockError, match="it is of version 2") as caught:
        read_lock(tmp_path / LOCK_NAME)
    assert any("newer safeload" in hint for hint in caught.value.hints)
