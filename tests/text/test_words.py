"""How facts become lines."""

from __future__ import annotations

import pytest

from safeload._text import words


def test_what_cannot_be_seen_is_escaped_and_line_ends_stay():
    assert words.plain("a b~\n") == "a b~\n"
    assert words.plain("\x1b[31m\u202e\u00e9\U0001f600\t\x7f") == r"\x1b[31m\u202e\xe9\U0001f600\t\x7f"


def test_a_name_cannot_forge_a_line():
    assert words.one_line("a\n  hint: b") == "a\\n  hint: b"
    assert words.two_lines("SHAPE", "a\nb", "found 3") == "SHAPE      a\\nb\n               found 3"
    assert words.two_lines("X", "\x1b", "b\n\x9bc") == "X          \\x1b\n               b\\n\\x9bc"


def test_a_line_is_cut_where_it_is_longer_than_any_path():
    assert words.shortened("x" * words.MAX_LINE) == "x" * words.MAX_LINE
    assert words.shortened("x" * (words.MAX_LINE + 1)) == "x" * words.MAX_LINE + "... (5,001 characters)"


def test_the_reason_of_an_exception_is_one_line_of_200_characters():
    assert words.reason_of(OSError("a\n  b\tc")) == "a b c"
    assert words.reason_of(OSError("x" * 201)) == "x" * 200


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 files"), (1, "1 file"), (2, "2 files"), (1234567, "1,234,567 files")]
)
def test_things_are_counted(count, text):
    assert words.counted(count, "file") == text


def test_the_beginning_of_a_sentence_agrees_with_its_number():
    assert words.some_of(1, 1, "file") == "1 of 1 file is"
    assert words.some_of(1, 37, "file") == "1 of 37 files is"
    assert words.some_of(2, 37, "file") == "2 of 37 files are"


def test_zeros_are_left_out():
    assert words.tally([(1, "missing"), (0, "unexpected"), (2, "wrong shape")]) == "1 missing, 2 wrong shape"
    assert words.tally([(0, "missing")]) == ""


@pytest.mark.parametrize(
    ("noun", "text"),
    [
        ("file", "a file"),
        ("index file", "an index file"),
        ("HDF5 file", "an HDF5 file"),
        ("ELMo", "an ELMo"),
    ],
)
def test_a_noun_has_its_article(noun, text):
    assert words.with_article(noun) == text


def test_the_first_ten_rows_are_printed_and_the_rest_counted():
    rows = [str(number) for number in range(12)]

    assert words.first_few(rows[:10], "error.rows") == tuple(rows[:10])
    assert words.first_few(rows[:11], "in error.rows") == (*rows[:10], "... and 1 more in error.rows")
    assert words.first_few(rows, "in error.rows")[-1] == "... and 2 more in error.rows"
    assert words.first_few([], "error.rows") == ()


def test_a_long_name_is_cut_where_it_is_shown():
    long = "x" * 2_000_000

    assert words.first_of(["a", long, "c", "d"]) == f"a, {'x' * 300}..., c and 1 more"
    assert words.two_lines("MISSING", long, "text") == f"MISSING    {'x' * 300}...\n               text"
    assert words.short("x" * 300) == "x" * 300


def test_letters_of_every_language_are_visible_and_controls_are_not():
    assert words.visible("é語😀 a") == "é語😀 a"
    assert words.visible("\x1b\u202e\u2028\ud800\u200b") == r"\x1b\u202e\u2028\ud800\u200b"
    assert words.escaped("é\n\x1b") == r"\xe9\n\x1b"
