from __future__ import annotations

import pytest
from checkpoints import TOKENS as BERT_TOKENS

import safeload

TOKENS = [*BERT_TOKENS, *(f"word{number}" for number in range(20))]


def write(path, lines, end="\n"):
    path.write_bytes(end.join([*lines, ""]).encode())
    return path


def test_the_vocabulary_equals_keras_berts_where_that_is_right(tiny_bert):
    import keras_bert

    path = str(tiny_bert / "vocab.txt")

    assert list(safeload.load_vocabulary(path).items()) == list(keras_bert.load_vocabulary(path).items())


@pytest.mark.parametrize("odd", ["\u2028", "\u0085", "a\u2029b", "x\fy", "\x0b\x1c", "\u00a0", "\u3000"])
def test_only_a_newline_ends_a_line(tmp_path, odd):
    vocabulary = safeload.load_vocabulary(write(tmp_path / "vocab.txt", [*TOKENS, odd, "last"]))

    assert vocabulary[odd] == len(TOKENS)
    assert vocabulary["last"] == len(TOKENS) + 1


def test_windows_line_ends_and_a_missing_last_newline_make_no_difference(tmp_path):
    unix = safeload.load_vocabulary(write(tmp_path / "unix.txt", TOKENS))

    assert safeload.load_vocabulary(write(tmp_path / "windows.txt", TOKENS, "\r\n")) == unix
    (tmp_path / "cut.txt").write_text("\n".join(TOKENS))
    assert safeload.load_vocabulary(tmp_path / "cut.txt") == unix


def notes(folder, lines):
    write(folder / "vocab.txt", lines)
    return " ".join(safeload.check_bert(folder).notes)


def test_what_is_odd_and_not_wrong_is_noted(bert):
    assert notes(bert, TOKENS) == ""
    assert "5 rows more than" in notes(bert, TOKENS[:-5])
    assert "no [MASK]" in notes(bert, ["other" if token == "[MASK]" else token for token in TOKENS])
    assert "[PAD] has the id 1" in notes(bert, [TOKENS[1], TOKENS[0], *TOKENS[2:]])


def test_a_model_without_vocabulary_is_checked_without(bert):
    (bert / "vocab.txt").unlink()

    assert [file.role for file in safeload.check_bert(bert).files] == ["config", "index", "shard"]


def test_a_folder_given_as_vocabulary_means_the_file_in_it(tiny_bert):
    assert safeload.check_bert(tiny_bert, vocab_file=tiny_bert).files[1].path == str(tiny_bert / "vocab.txt")
