"""A lock is of its published schema, and one of the first edition is read as it was written."""

from __future__ import annotations

import copy
import json
import re

import pytest

import safeload
from safeload._text.toml import toml_table
from safeload.errors import LockError, UnsafeFileError
from safeload.lock import LOCK_NAME, MODELS, VERSION, LockedFile, lock_text, make_lock, read_lock
from tests.archives import write_archive
from tests.docs.blocks import ROOT
from tests.weights.files import write_shards

SCHEMA = json.loads((ROOT / "docs/reference/safeload.lock.schema.json").read_text(encoding="utf-8"))
DIGEST = "d0449c92dadd385818046fb96149928079c44e70f82be2e5b039dd74502a1503"
FIRST_EDITION = f"""\
# Written by `safeload lock`: a file of another size or SHA-256 is not loaded.
version = 1
model = "BERT"
n_files = 2

[[file]]
name = "bert_config.json"
role = "config"
n_bytes = 203
sha256 = "2d407f0e772704c44e916306570f8699257cce7f2f95eef59cf929b41ebe92d4"

[[file]]
name = "vocab.txt"
role = "vocab"
n_bytes = 182
sha256 = "{DIGEST}"
"""


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
    "up": lambda table: table["file"][0].update(name="../x"),
    "absolute": lambda table: table["file"][0].update(name="/x"),
    "backslash": lambda table: table["file"][0].update(name="a\\b"),
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


def test_a_lock_of_a_later_version_says_that_a_newer_safeload_wrote_it(tmp_path):
    (tmp_path / LOCK_NAME).write_text(re.sub("version = 1", f"version = {VERSION + 1}\nmore = 1", FIRST_EDITION))
    with pytest.raises(LockError, match="it is of version 2") as caught:
        read_lock(tmp_path / LOCK_NAME)
    assert any("newer safeload" in hint for hint in caught.value.hints)
