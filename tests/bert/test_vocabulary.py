from __future__ import annotations

import pytest

import safeload
from safeload.bert._config import validate_config
from safeload.bert._vocabulary import SPECIAL_TOKENS, require_fit
from safeload.errors import VocabularyError, WrongFileKindError
from tests.checkpoints import BERT_CONFIG
from tests.checkpoints import TOKENS as BERT_TOKENS
from tests.opened import ref

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
    assert "no [MASK]" in notes(bert, ["other" if token == "[MASK]" else token for token in TOKENS])
    assert "[PAD] has the id 1" in notes(bert, [TOKENS[1], TOKENS[0], *TOKENS[2:]])


def test_a_model_without_vocabulary_is_checked_without(bert):
    (bert / "vocab.txt").unlink()

    assert [file.role for file in safeload.check_bert(bert).files] == ["config", "index", "shard"]


def test_a_folder_given_as_vocabulary_means_the_file_in_it(tiny_bert):
    assert safeload.check_bert(tiny_bert, vocab_file=tiny_bert).files[1].path == str(tiny_bert / "vocab.txt")


def fault(path):
    with pytest.raises(VocabularyError) as caught:
        safeload.load_vocabulary(path.name, base_dir=path.parent)
    assert (caught.value.resolved, caught.value.given, caught.value.label) == (str(path), path.name, "vocab")
    return caught.value


def test_every_repeated_token_is_told_with_both_lines(tmp_path):
    error = fault(write(tmp_path / "vocab.txt", [*TOKENS, TOKENS[0], "x", TOKENS[0], "x"]))
    n = len(TOKENS)

    assert error.message == "the vocabulary cannot be used: 3 faults"
    assert error.problems == (
        f"line {n + 1} repeats the token '[PAD]' of line 1",
        f"line {n + 3} repeats the token '[PAD]' of line 1",
        f"line {n + 4} repeats the token 'x' of line {n + 2}",
    )
    assert error.hints == ("each token may appear once: a repeated one would shift or hide an id",)


def test_a_byte_order_mark_is_told_where_it_stands_first_alone(tmp_path):
    error = fault(write(tmp_path / "vocab.txt", ["\ufeff[PAD]", *TOKENS[1:]]))
    assert error.problems == (r"line 1 starts with a byte order mark, which makes its token '\ufeff[PAD]'",)
    assert error.hints == ("save the file as UTF-8 without a byte order mark",)
    assert safeload.load_vocabulary(write(tmp_path / "v.txt", [*TOKENS, "\ufeff"]))["\ufeff"] == len(TOKENS)
    (tmp_path / "w.txt").write_text("\n".join([*TOKENS, "x\ufeff"]), encoding="utf-8")
    assert safeload.load_vocabulary(tmp_path / "w.txt")["x\ufeff"] == len(TOKENS)


@pytest.mark.parametrize("lost", [["[UNK]"], ["[CLS]", "[SEP]"], ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]], ids=len)
def test_the_special_tokens_that_are_missing_are_named(lost, tmp_path):
    kept = [token for token in TOKENS if token not in lost]
    error = fault(write(tmp_path / "vocab.txt", kept))

    assert error.problems == (f"the special token{' is' if len(lost) == 1 else 's are'} missing: {' '.join(lost)}",)
    assert error.hints == (f"this may not be a BERT vocabulary; its first lines are {kept[:3]!r}",)
    long = fault(write(tmp_path / "vocab.txt", ["x" * 300, *kept]))
    assert len(long.hints[0]) == 200


def test_the_first_ten_problems_are_printed(tmp_path):
    error = fault(write(tmp_path / "vocab.txt", [*TOKENS, *TOKENS[:12]]))

    assert len(error.problems) == 12
    assert "... and 2 more in error.problems" in str(error)


def test_an_empty_first_line_counts(tmp_path):
    (tmp_path / "vocab.txt").write_bytes(b"\n\xff\n")

    assert fault(tmp_path / "vocab.txt").problems == ("line 2 is not UTF-8: byte 0xff",)


@pytest.mark.parametrize("line", [1, 2, 9])
def test_the_line_that_is_no_utf8_is_told(line, tmp_path):
    lines = [token.encode() for token in TOKENS]
    lines[line - 1] = b"a\xffb"
    (tmp_path / "vocab.txt").write_bytes(b"\n".join(lines))

    error = fault(tmp_path / "vocab.txt")
    assert error.problems == (f"line {line} is not UTF-8: byte 0xff",)
    assert error.hints == ("save the file as UTF-8",)
    assert isinstance(error.__cause__, UnicodeDecodeError)


@pytest.mark.parametrize("content", [b"<html>", b'{"a": 1}\n', b"\x89HDF\r\n\x1a\n"])
def test_another_kind_of_file_is_told(content, tmp_path):
    (tmp_path / "vocab.txt").write_bytes(content)
    with pytest.raises(WrongFileKindError) as caught:
        safeload.load_vocabulary("vocab.txt", base_dir=tmp_path)
    assert caught.value.wanted == "a vocabulary with one token per line"
    assert (caught.value.given, caught.value.label) == ("vocab.txt", "vocab")


def test_a_vocabulary_of_keras_bert_begins_with_an_empty_token(tmp_path):
    vocabulary = safeload.load_vocabulary(write(tmp_path / "vocab.txt", ["", *TOKENS[1:]]))

    assert vocabulary[""] == 0


def test_an_empty_token_elsewhere_is_no_padding(tmp_path):
    assert fault(write(tmp_path / "vocab.txt", [*TOKENS[1:4], "", *TOKENS[4:]])).problems == (
        "the special token is missing: [PAD]",
    )


def test_rows_without_tokens_are_a_warning(bert):
    write(bert / "vocab.txt", TOKENS[:-5])
    with pytest.warns(safeload.SafeLoadWarning, match="5 more rows than the vocabulary has tokens") as caught:
        report = safeload.check_bert(bert, vocab_file=bert / "vocab.txt")

    assert len(report.warnings) == len(caught) == 1
    assert caught[0].filename == __file__


def fit(n_tokens, vocab_size, **changes):
    tokens = {
        token: number
        for number, token in enumerate(["[PAD]", *SPECIAL_TOKENS, "[MASK]", *map(str, range(n_tokens))][:n_tokens])
    }
    config = validate_config({**BERT_CONFIG, "vocab_size": vocab_size}, ref("/c"))
    return require_fit({**tokens, **changes}, config, ref("/v", "vocab", "v"))


@pytest.mark.parametrize(("n_tokens", "vocab_size"), [(200, 200), (197, 200), (200, 256), (129, 256), (30_522, 30_528)])
def test_a_table_that_is_padded_is_noted(n_tokens, vocab_size):
    notes, warnings = fit(n_tokens, vocab_size)

    assert warnings == []
    assert len(notes) == (n_tokens != vocab_size)
    assert not notes or notes[0].endswith(": padding")


@pytest.mark.parametrize(("n_tokens", "vocab_size"), [(199, 201), (128, 256), (31_102, 32_102), (21_126, 21_128)])
def test_rows_that_no_padding_explains_are_a_warning(n_tokens, vocab_size):
    (warning,) = fit(n_tokens, vocab_size)[1]

    assert warning.startswith(f"the embedding table has {vocab_size - n_tokens:,} more rows than")


def test_one_line_less_than_the_chinese_bert_has_is_a_warning():
    (warning,) = fit(21_127, 21_128)[1]

    assert warning.startswith("the embedding table has 1 more row than the vocabulary has tokens (21,127)")


def test_more_tokens_than_rows_are_an_error():
    with pytest.raises(VocabularyError) as caught:
        fit(201, 200)
    assert caught.value.problems == ("201 tokens in the vocabulary, vocab_size is 200 in the config",)
    assert caught.value.hints == ("use the vocabulary and the config from the same release",)
    assert (caught.value.resolved, caught.value.given, caught.value.context) == ("/v", "v", (("config", "/c"),))


def test_an_empty_line_is_told_where_the_size_is_wrong():
    with pytest.raises(VocabularyError) as caught:
        fit(200, 200, **{"": 7})
    assert caught.value.hints[1:] == ("line 8 of the vocabulary is empty; remove it if it is not meant as a token",)
    assert fit(199, 200, **{"": 7}) == ([], [])
