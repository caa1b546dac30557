"""`safeload convert` writes a model in another form, says what it wrote, and ends with the right code."""

from __future__ import annotations

import json
import shlex

import numpy as np
import pytest

import safeload
from safeload import testing
from safeload.testing._bert import bert_tensors
from tests.command_line import safeload_cli


def test_a_model_is_written_and_described(tmp_path):
    source = testing.write_bert(tmp_path / "source")
    done = safeload_cli("convert", source, tmp_path / "target", "--form", "safetensors")

    assert done.stdout.startswith(f"written  {tmp_path / 'target'}  safetensors, 46 tensors, ")
    assert f"{tmp_path / 'target/model.safetensors'}  weight" in done.stdout
    assert done.stderr == ""
    safeload.check_bert(tmp_path / "target", backend="transformers")


def test_json_is_one_object(tmp_path):
    source = testing.write_elmo(tmp_path / "source")
    done = safeload_cli("convert", source, tmp_path / "target", "--form", "hdf5", "--lock", "--json")
    found = json.loads(done.stdout)

    assert (found["schema"], found["path"]) == ("safeload-convert/1", str(tmp_path / "target"))
    assert [file["role"] for file in found["report"]["files"]] == ["options", "lock", "weight"]


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (("{bert}", "{new}", "--form", "keras-hub"), 1, "has no place for 7 tensors"),
        (("{hf}", "{new}", "--form", "google"), 1, "pass --activation gelu_tanh"),
        (("{elmo}", "{new}", "--form", "google"), 2, ""),
        (("{bert}", "{bert}", "--form", "google", "--overwrite"), 2, "the folder that the model is read from"),
        (("{bert}", "{hf}", "--form", "safetensors"), 2, "pass --overwrite to replace them"),
        (("{bert}/none", "{new}", "--form", "google"), 2, "MissingFileError"),
        (("{bert}", "{new}", "--form", "torch"), 2, "Invalid value for '--form'"),
        (("{bert}", "{new}"), 2, "Missing option '--form'"),
    ],
)
def test_what_cannot_be_converted_is_an_error(arguments, code, text, tmp_path):
    places = {
        "bert": testing.write_bert(tmp_path / "bert"),
        "hf": testing.write_bert(tmp_path / "hf", form="safetensors"),
        "elmo": testing.write_elmo(tmp_path / "elmo"),
        "new": tmp_path / "new",
    }
    done = safeload_cli("convert", *[each.format(**places) for each in arguments], code=code)

    assert text in done.stderr
    assert not (tmp_path / "new").exists()


def test_the_hint_on_several_heads_can_be_pasted(tmp_path):
    source = testing.write_bert(tmp_path / "source")
    tensors = {name: values for name, values in bert_tensors().items() if not name.startswith("cls/")}
    head = {"output_weights": np.ones((2, 16), np.float32) * np.arange(16, dtype=np.float32)}
    testing.write_checkpoint(source / "bert_model.ckpt", {**tensors, **head})
    arguments = ["convert", source, tmp_path / "target", "--form", "keras-bert-h5"]
    done = safeload_cli(*arguments, code=1)
    (hint,) = [line for line in done.stderr.splitlines() if "--ignore-unused" in line]
    assert hint.endswith("pass --ignore-unused 'bert/pooler/dense/*' --ignore-unused 'output_weights*'")
    done = safeload_cli(*arguments, *shlex.split(hint.partition("pass ")[2]))

    assert done.stdout.count("left out: ") == 3


def test_what_is_left_out_is_listed(tmp_path):
    source = testing.write_bert(tmp_path / "source")
    done = safeload_cli("convert", source, tmp_path / "target", "--form", "keras-hub", "--ignore-unused", "cls*")

    assert done.stdout.count("left out: cls/") == 7


def test_the_help_has_examples():
    text = safeload_cli("convert", "--help").stdout

    assert "Examples:" in text
    assert "--form [safetensors|google|keras-bert-h5|keras-hub|hdf5]" in text
