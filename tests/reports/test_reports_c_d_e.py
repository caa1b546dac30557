"""Reports on bytes, configs and vocabularies."""

from __future__ import annotations

import fcntl
import functools
import gzip
import pickle

import pytest

import safeload
from safeload import testing
from safeload.errors import (
    ArgumentError,
    ConfigError,
    VocabularyError,
    WrongFileKindError,
)

PREFIX = "bert_model.ckpt"


def check(folder, **options):
    return functools.partial(safeload.check_bert, folder, **options)


def check_elmo(folder, **options):
    return functools.partial(safeload.check_elmo, folder, **options)


def test_C2_html_page(bert):
    for name in ("vocab.txt", f"{PREFIX}.index", "bert_config.json"):
        testing.as_html_page(bert, name)
        with pytest.raises(WrongFileKindError, match="HTML page"):
            safeload.check_bert(bert)


def test_C4_not_hdf5(elmo):
    data = (elmo / "weights.hdf5").read_bytes()
    for other in (b"", b"PK\3\4", gzip.compress(data), b"text", pickle.dumps({"a": 1})):
        (elmo / "weights.hdf5").write_bytes(other)
        with pytest.raises(WrongFileKindError):
            safeload.check_elmo(elmo)


def test_C7_wrong_checksum(reported):
    assert reported.variables == ("bert/embeddings/word_embeddings",)


def test_C10_nan(reported):
    assert reported.variables == ("CNN_proj/W_proj",)


def test_C12_locked_by_another_job(elmo, said):
    with (elmo / "weights.hdf5").open("rb+") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert len(safeload.check_elmo(elmo).read) == 29
    said.handled("the file is opened read-only and without HDF5's file locks, so another job's lock does not matter")


def test_D4_another_number_of_heads(bert, said):
    testing.edit_config(bert, num_attention_heads=2)
    assert safeload.check_bert(bert).taken_from_config["num_attention_heads"] == 2
    testing.edit_config(bert, num_attention_heads=5)
    with pytest.raises(ConfigError, match="num_attention_heads"):
        safeload.check_bert(bert)
    said.handled(
        "no file proves this number; the report lists it in `taken_from_config`, and a number that does not divide hidden_size is an error"
    )


def test_D5_another_activation(bert):
    testing.edit_config(bert, hidden_act="relu")
    assert safeload.check_bert(bert).taken_from_config["hidden_act"] == "relu"


def test_D7_config_without_keys(reported):
    assert {problem.key for problem in reported.problems} == {"hidden_act", "max_position_embeddings"}


def test_D8_config_of_another_name(bert, said):
    for name in ("config.json", "bert_config_uncased.json"):
        next(bert.glob("*config*.json")).rename(bert / name)
        assert safeload.check_bert(bert).files[0].path == str(bert / name)
    said.handled("in a folder, safeload finds bert_config.json, config.json, or a single file named bert_config*.json")


def test_D9_byte_order_mark(bert):
    path = bert / "bert_config.json"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    safeload.check_bert(bert)


def test_D11_longer_than_the_positions(bert, said):
    said.typed(ArgumentError, check(bert, seq_len=600))


def test_D12_padded_table(tmp_path, said):
    testing.write_bert_checkpoint(tmp_path / "m", vocab=32)
    testing.edit_vocabulary(tmp_path / "m", lambda lines: lines[:-2])
    said.noted(safeload.check_bert(tmp_path / "m"))


def test_D17_epsilon(bert, said):
    testing.edit_config(bert, layer_norm_eps=1e-5)
    assert len(said.warned(lambda: safeload.check_bert(bert)).warnings) == 1


def test_E1_locale(bert, monkeypatch, said):
    testing.edit_vocabulary(bert, lambda lines: [*lines[:-1], "\u4e2d"])
    monkeypatch.setenv("LC_ALL", "C")
    assert safeload.load_vocabulary(bert / "vocab.txt")["\u4e2d"] == 29
    said.handled("text is read as UTF-8, whatever the locale")


def test_E2_line_separators(bert, said):
    testing.edit_vocabulary(bert, lambda lines: [*lines[:-2], "\u2028", "last"])
    assert safeload.load_vocabulary(bert / "vocab.txt")["last"] == 29
    said.handled("only a newline ends a line; U+2028, U+0085 and form feeds are part of their token, so no id shifts")


def test_E9_fewer_lines_than_rows(tmp_path, said):
    testing.write_bert_checkpoint(tmp_path / "m", vocab=1030)
    testing.edit_vocabulary(tmp_path / "m", lambda lines: lines[:-1000])
    report = said.warned(lambda: safeload.check_bert(tmp_path / "m"))
    assert len(report.read) == 37
    testing.edit_vocabulary(tmp_path / "m", lambda lines: [*lines, *map(str, range(1001))])
    with pytest.raises(VocabularyError):
        safeload.check_bert(tmp_path / "m")


def test_E10_an_empty_first_token(bert, said):
    testing.edit_vocabulary(bert, lambda lines: ["", *lines[1:]])
    assert not safeload.check_bert(bert).warnings
    assert safeload.load_vocabulary(bert / "vocab.txt")[""] == 0
    said.handled("an empty first line is the token '' with id 0, as in keras-bert's own vocabularies")
