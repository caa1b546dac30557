"""Reports on bytes, configs and vocabularies."""

from __future__ import annotations

import fcntl
import functools
import gzip
import pickle

import h5py
import numpy as np
import pytest

import safeload
from safeload import testing
from safeload.errors import (
    ArgumentError,
    ConfigError,
    CorruptFileError,
    LockError,
    VariableMismatchError,
    VocabularyError,
    WrongFileKindError,
)
from tests.command_line import safeload_cli

PREFIX = "bert_model.ckpt"


def check(folder, **options):
    return functools.partial(safeload.check_bert, folder, **options)


def check_elmo(folder, **options):
    return functools.partial(safeload.check_elmo, folder, **options)


def test_C1_access_denied(elmo, said):
    (elmo / "weights.hdf5").write_text('<?xml version="1.0"?>\n<Error><Code>AccessDenied</Code></Error>')
    said.typed(WrongFileKindError, check_elmo(elmo))


def test_C2_html_page(bert, said):
    for name in ("vocab.txt", f"{PREFIX}.index", "bert_config.json"):
        testing.as_html_page(bert, name)
        with pytest.raises(WrongFileKindError, match="HTML page"):
            safeload.check_bert(bert)
    said.typed(WrongFileKindError, check(bert))


def test_C3_lfs_pointer(bert, said):
    testing.as_lfs_pointer(bert)
    said.typed(WrongFileKindError, check(bert))


def test_C4_not_hdf5(elmo, said):
    data = (elmo / "weights.hdf5").read_bytes()
    for other in (b"", b"PK\3\4", gzip.compress(data), b"text"):
        (elmo / "weights.hdf5").write_bytes(other)
        with pytest.raises(WrongFileKindError):
            safeload.check_elmo(elmo)
    (elmo / "weights.hdf5").write_bytes(pickle.dumps({"a": 1}))
    said.typed(WrongFileKindError, check_elmo(elmo))


def test_C5_cut_hdf5(elmo, said):
    testing.truncate(elmo, keep=5000)
    said.typed(CorruptFileError, check_elmo(elmo))


def test_C6_cut_shard(bert, said):
    testing.truncate(bert, keep=20_000)
    said.typed(CorruptFileError, check(bert))


def test_C7_wrong_checksum(bert, said):
    testing.flip_bit(bert, "bert/embeddings/word_embeddings")
    error = said.typed(CorruptFileError, check(bert))
    assert error.variables == ("bert/embeddings/word_embeddings",)


def test_C8_cut_index(bert, said):
    testing.truncate(bert, f"{PREFIX}.index", keep=20)
    said.typed(CorruptFileError, check(bert))


def test_C9_damaged_hdf5_values(elmo, said):
    safeload_cli("lock", elmo)
    testing.flip_bit(elmo, "CNN_proj/W_proj")
    said.typed(LockError, check_elmo(elmo))


def test_C10_nan(elmo, said):
    testing.poison(elmo, "CNN_proj/W_proj")
    error = said.typed(CorruptFileError, check_elmo(elmo))
    assert error.variables == ("CNN_proj/W_proj",)


def test_C11_partial_download(elmo, said):
    testing.truncate(elmo)
    said.typed(CorruptFileError, check_elmo(elmo))


def test_C12_locked_by_another_job(elmo, said):
    with (elmo / "weights.hdf5").open("rb+") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert len(safeload.check_elmo(elmo).read) == 29
    said.handled(
        "the file is opened for reading only and through no lock of HDF5's, so no other job's lock is in the way"
    )


def test_D1_config_of_another_size(bert, said):
    testing.edit_config(bert, vocab_size=31)
    said.typed(VariableMismatchError, check(bert, vocab_file=None))


def test_D2_more_layers_in_the_config(bert, said):
    testing.edit_config(bert, num_hidden_layers=4)
    said.typed(VariableMismatchError, check(bert))


def test_D3_fewer_layers_in_the_config(bert, said):
    testing.edit_config(bert, num_hidden_layers=1)
    said.typed(VariableMismatchError, check(bert))


def test_D4_another_number_of_heads(bert, said):
    testing.edit_config(bert, num_attention_heads=2)
    assert safeload.check_bert(bert).taken_from_config["num_attention_heads"] == 2
    testing.edit_config(bert, num_attention_heads=5)
    with pytest.raises(ConfigError, match="num_attention_heads"):
        safeload.check_bert(bert)
    said.handled(
        "no file proves it: the report's `taken_from_config` has it, and a number that does not divide is an error"
    )


def test_D5_another_activation(bert, said):
    testing.edit_config(bert, hidden_act="relu")
    assert safeload.check_bert(bert).taken_from_config["hidden_act"] == "relu"
    testing.edit_config(bert, hidden_act="gelu_new")
    said.typed(ConfigError, check(bert))


def test_D7_config_without_keys(bert, said):
    testing.edit_config(bert, hidden_act=None, max_position_embeddings=None)
    error = said.typed(ConfigError, check(bert))
    assert {problem.key for problem in error.problems} == {"hidden_act", "max_position_embeddings"}


def test_D8_config_of_another_name(bert, said):
    for name in ("config.json", "bert_config_uncased.json"):
        next(bert.glob("*config*.json")).rename(bert / name)
        assert safeload.check_bert(bert).files[0].path == str(bert / name)
    said.handled("in a folder, bert_config.json, config.json and a single other bert_config*.json are found")


def test_D9_byte_order_mark_and_comments(bert, said):
    path = bert / "bert_config.json"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    safeload.check_bert(bert)
    path.write_text("{\n// tiny\n}")
    said.typed(ConfigError, check(bert))


def test_D10_sixteen_segments(bert, said):
    testing.reshape_variable(bert, "bert/embeddings/token_type_embeddings", (16, 16))
    said.typed(VariableMismatchError, check(bert))


def test_D11_longer_than_the_positions(bert, said):
    said.typed(ArgumentError, check(bert, seq_len=600))


def test_D12_padded_table(tmp_path, said):
    testing.write_bert_checkpoint(tmp_path / "m", vocab=32)
    testing.edit_vocabulary(tmp_path / "m", lambda lines: lines[:-2])
    assert safeload.check_bert(tmp_path / "m").notes == (
        "the embedding table has 2 more rows than the vocabulary has tokens",
    )
    said.handled("a few rows more than tokens are a note in the report, not an error")


def test_E1_locale(bert, monkeypatch, said):
    testing.edit_vocabulary(bert, lambda lines: [*lines[:-1], "\u4e2d"])
    monkeypatch.setenv("LC_ALL", "C")
    assert safeload.load_vocabulary(bert / "vocab.txt")["\u4e2d"] == 29
    said.handled("text is read as UTF-8 whatever the locale is")


def test_E2_line_separators(bert, said):
    testing.edit_vocabulary(bert, lambda lines: [*lines[:-2], "\u2028", "last"])
    assert safeload.load_vocabulary(bert / "vocab.txt")["last"] == 29
    said.handled("lines end at a newline alone: U+2028, U+0085 and form feeds belong to their token, and no id moves")


def test_E3_token_twice(bert, said):
    testing.edit_vocabulary(bert, lambda lines: [*lines[:-1], "film"])
    said.typed(VocabularyError, check(bert))


def test_E4_another_number_of_tokens(bert, said):
    testing.edit_vocabulary(bert, lambda lines: [*lines, ""])
    said.typed(VocabularyError, check(bert))


def test_E5_id_beyond_the_table(bert, said):
    testing.edit_vocabulary(bert, lambda lines: [*lines, "one", "more"])
    said.typed(VocabularyError, check(bert))


def test_E6_no_special_tokens(bert, said):
    testing.edit_vocabulary(bert, lambda lines: ["\ufeff[PAD]", *lines[2:], "a1"])
    said.typed(VocabularyError, check(bert))


def test_E8_binary_in_a_text_slot(bert, said):
    with h5py.File(bert / "vocab.h5", "w") as file:
        file["w"] = np.zeros(3)
    said.typed(WrongFileKindError, check(bert, vocab_file=bert / "vocab.h5"))
