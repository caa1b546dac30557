"""The reference of the JSON objects names every key that the commands print."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.command_line import safeload_cli

REFERENCE = (Path(__file__).parents[2] / "docs/reference/command-line.md").read_text(encoding="utf-8")
NAMED_BY_FILES = ("context", "unused", "taken_from_config", "seconds", "versions", "keys")


def keys_of(value):
    if isinstance(value, list):
        for each in value:
            yield from keys_of(each)
    elif isinstance(value, dict):
        for key, each in value.items():
            yield key
            if key not in NAMED_BY_FILES:
                yield from keys_of(each)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("check", "bert", "{bert}"), 0),
        (("check", "elmo", "{bert}", "{elmo}"), 1),
        (("inspect", "{bert}", "--stats"), 0),
        (("inspect", "{bert}/vocab.txt"), 0),
        (("inspect", "{bert}/none"), 1),
        (("diff", "{bert}", "{other}"), 1),
        (("lock", "{other}"), 0),
        (("doctor", "bert", "{bert}"), 0),
    ],
)
def test_every_key_is_documented(arguments, code, tiny_bert, tiny_elmo, bert):
    import importlib.util

    from tests.checkpoints import bert_tensors, write_checkpoint

    if arguments[0] == "doctor" and not importlib.util.find_spec("keras_bert"):
        pytest.skip("needs keras-bert")
    write_checkpoint(bert / "bert_model.ckpt", bert_tensors(seed=3))
    filled = [text.format(bert=tiny_bert, elmo=tiny_elmo, other=bert) for text in arguments]
    found = json.loads(safeload_cli(*filled, "--json", code=code).stdout)

    documented = set(re.findall(r"`(\w+)`", REFERENCE)) | {"schema"}
    assert set(keys_of(found)) <= documented
    assert found.get("schema", "error") in REFERENCE or "error" in found
