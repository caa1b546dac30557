"""What the commands print as JSON is of the published schema, key for key, and each key is in the reference."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil

import numpy as np
import pytest

import safeload
from safeload.cli import _diagnosing
from safeload.testing import poison, write_checkpoint
from tests.checkpoints import bert_tensors
from tests.command_line import safeload_cli
from tests.conftest import copied
from tests.docs.blocks import ROOT

SCHEMA = json.loads((ROOT / "docs/reference/safeload.schema.json").read_text(encoding="utf-8"))
REFERENCE = (ROOT / "docs/reference/command-line.md").read_text(encoding="utf-8")
NAMED_BY_FILES = ("context", "settings", "unused", "not_looked_at", "taken_from_config", "seconds", "versions", "keys")


def closed(schema):
    """Return a schema that allows no key that it does not name, as the published one does for the keys of later versions."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {key: closed(each) for key, each in schema.items()}
    return {**inner, "additionalProperties": False} if isinstance(inner.get("required"), list) else inner


def keys_of(value):
    if isinstance(value, list):
        for each in value:
            yield from keys_of(each)
    elif isinstance(value, dict):
        for key, each in value.items():
            yield key
            if key not in NAMED_BY_FILES:
                yield from keys_of(each)


def require_published(found):
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.Draft202012Validator(closed(SCHEMA)).validate(found)
    assert set(keys_of(found)) <= set(re.findall(r"`(\w+)`", REFERENCE)) | {"schema"}


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("check", "bert", "{bert}"), 0),
        (("check", "{bert}", "{elmo}"), 0),
        (("check", "{bert}", "{elmo}/none"), 1),
        (("inspect", "{tree}"), 0),
        (("lock", "{tree}"), 1),
        (("check", "bert", "{bert}", "--lock"), 1),
        (("check", "elmo", "{bert}", "{elmo}"), 1),
        (("check", "weights", "{bert}", "{elmo}"), 0),
        (("check", "weights", "{poisoned}"), 1),
        (("lock", "--any", "{locked}"), 0),
        (("inspect", "{bert}", "--stats"), 0),
        (("inspect", "{poisoned}", "--stats"), 1),
        (("inspect", "{elmo}/weights.hdf5"), 0),
        (("inspect", "{bert}/vocab.txt"), 0),
        (("inspect", "{elmo}/options.json"), 0),
        (("inspect", "{bert}/none"), 1),
        (("diff", "{bert}", "{poisoned}"), 1),
        (("diff", "{bert}", "{other}"), 1),
        (("diff", "{bert}/bert_model.ckpt", "{cut}"), 1),
        (("diff", "{bert}", "{none}"), 2),
        (("lock", "{poisoned}"), 1),
        (("lock", "{locked}"), 0),
        (("lock", "{other}"), 0),
        (("convert", "{other}", "{new}", "--form", "safetensors"), 0),
        (("convert", "{elmo}", "{new}", "--form", "hdf5"), 0),
        (("convert", "{other}", "{new}", "--form", "keras-hub"), 1),
        (("outputs", "{other}", "--save", "{new}"), 0),
        (("outputs", "{bert}/none", "--save", "{new}"), 2),
        (("doctor", "bert", "{bert}"), 0),
        (("doctor", "elmo", "{elmo}"), 0),
        (("doctor", "elmo", ""), 2),
    ],
)
def test_what_a_command_prints_is_of_the_schema_and_in_the_reference(
    arguments, code, tiny_bert, tiny_elmo, bert, elmo, tmp_path
):
    needed = {"bert": "keras_bert", "elmo": "torch"}[arguments[1]] if arguments[0] == "doctor" else "json"
    needed = "keras_bert" if arguments[0] == "outputs" else needed
    if not importlib.util.find_spec(needed):
        pytest.skip(f"needs {needed}")
    poison(bert)
    tensors = {name: values for name, values in bert_tensors().items() if "layer_1" not in name}
    other = copied(tiny_bert, tmp_path / "other")
    write_checkpoint(other / "bert_model.ckpt", bert_tensors(seed=3))
    write_checkpoint(tmp_path / "cut", {**tensors, "cls/predictions/output_bias": np.zeros(3, np.float64)})
    for name, model in (("tree/good", other), ("tree/bad", bert)):
        shutil.copytree(model, tmp_path / name)
    places = {
        "tree": tmp_path / "tree",
        "bert": tiny_bert,
        "elmo": tiny_elmo,
        "poisoned": bert,
        "locked": elmo,
        "other": other,
        "cut": tmp_path / "cut",
        "none": "x",
        "new": tmp_path / "new",
    }

    found = json.loads(safeload_cli(*[text.format(**places) for text in arguments], "--json", code=code).stdout)

    require_published(found)
    assert found.get("schema", "error") in REFERENCE or "error" in found
    if arguments[:1] == ("doctor",) and code == 0:
        assert found["at_fault"] == "nothing"


def test_a_diagnosis_of_bad_files_is_of_the_schema_and_in_the_reference(bert):
    pytest.importorskip("keras_bert")
    poison(bert)
    found = json.loads(json.dumps(safeload.diagnose_bert(bert).to_dict()))

    assert found["at_fault"] == "files"
    require_published({"schema": _diagnosing.SCHEMA, **found})


def test_the_schema_is_one_and_refuses_another_object():
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    good = {
        "schema": "safeload-doctor/1",
        "ok": True,
        "system": {},
        "versions": {"torch": None},
        "branches": {},
        "calls": [],
    }
    is_valid = jsonschema.Draft202012Validator(SCHEMA).is_valid

    assert is_valid(good)
    assert is_valid({**good, "more": 1})
    assert not is_valid({**good, "schema": "safeload-doctor/2"})
    assert not is_valid({**good, "ok": "yes"})
    assert not is_valid({key: value for key, value in good.items() if key != "calls"})
