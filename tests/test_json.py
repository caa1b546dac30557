"""JSON objects and their typed getters: each bound from both sides."""

from __future__ import annotations

import json

import pytest

from safeload._json import Keys, json_object, json_type, shown
from safeload.errors import ConfigError, WrongFileKindError
from tests.opened import ref


def read(text):
    return json_object(text.encode(), ref("/config.json"))


def problems_of(keys):
    return [f"{problem.key}: {problem.problem}" for problem in keys.problems]


def test_another_kind_of_file_is_told():
    with pytest.raises(WrongFileKindError) as caught:
        json_object(b"PK\3\4 and more", ref("/config.json", given="c"))
    assert (caught.value.resolved, caught.value.given, caught.value.label) == ("/config.json", "c", "config")
    assert (caught.value.wanted, caught.value.found.split()[0]) == ("JSON text", "zip")


@pytest.mark.parametrize(("value", "fits"), [((1 << 63) - 1, True), (1 << 63, False), (5e-324, True), (0, False)])
def test_a_number_lies_between_its_bounds(value, fits):
    keys = Keys({"clip": value})

    assert keys.number_or_null("clip") == (value if fits else None)
    assert bool(problems_of(keys)) is not fits


@pytest.mark.parametrize("line", range(1, 6))
def test_the_line_that_is_no_json_is_shown(line):
    rows = ["{", ' "a": 1,', ' "b": 2,', ' "c": 3,', ' "d": 4', "}"]
    rows[line] = f"what stands in line {line + 1}"

    with pytest.raises(ConfigError, match=rf"at line {line + 1}, column \d+: 'what stands in line {line + 1}'"):
        read("\n".join(rows))


def test_a_comma_too_many_is_told_in_the_words_of_the_python():
    """From 3.13 on `json` points at the comma; before, at what stands behind it."""
    with pytest.raises(ConfigError, match=r"is not JSON: .+ at line 1, column 1[01]: '\{\"dim\": 1,\}'"):
        read('{"dim": 1,}')


def test_a_long_line_is_cut_after_60_characters():
    with pytest.raises(ConfigError) as caught:
        read("{ " + "x" * 100)

    assert caught.value.message.endswith("'{ " + "x" * 58 + "'")


def test_the_first_of_the_repeated_keys_is_named():
    with pytest.raises(ConfigError, match="the key 'b' appears more than once"):
        read('{"a": 1, "c": 1, "b": 1, "c": 2, "b": 2}')


def test_a_number_has_at_most_20_digits():
    assert read(f'{{"a": {"9" * 20}}}') == {"a": int("9" * 20)}
    with pytest.raises(ConfigError, match="a number has 21 digits"):
        read(f'{{"a": {"9" * 21}}}')


@pytest.mark.parametrize(("value", "fits"), [(1, False), (2, True), (5, True), (6, False)])
def test_an_integer_lies_between_its_bounds_which_are_allowed(value, fits):
    keys = Keys({"a": value})

    assert keys.integer("a", 2, 5) == (value if fits else 2)
    assert problems_of(keys) == ([] if fits else [f"a: expected 2 to 5, found {value}"])


@pytest.mark.parametrize("value", [0.5, 1, 3.0, None])
def test_a_number_above_zero_or_null_is_itself(value):
    keys = Keys({"a": value})

    assert keys.number_or_null("a") == value
    assert problems_of(keys) == []


@pytest.mark.parametrize("value", [0, -0.5, -3, True, "3"])
def test_another_number_is_a_problem(value):
    keys = Keys({"a": value})
    quotes = "; remove the quotes" if value == "3" else ""

    assert keys.number_or_null("a") is None
    assert problems_of(keys) == [f"a: expected a number above 0, or null, found {json.dumps(value)}{quotes}"]


@pytest.mark.parametrize("length", [38, 39, 40, 41, 60])
def test_a_value_is_shown_in_40_characters(length):
    text = shown("x" * (length - 2))

    assert text == (f'"{"x" * (length - 2)}"' if length <= 40 else f'"{"x" * 36}...')
    assert len(text) == min(length, 40)


@pytest.mark.parametrize("mark", ["//", "#", "/*"])
def test_a_comment_is_told(mark):
    with pytest.raises(ConfigError) as caught:
        read(f'{{"a": 1,\n  {mark} what a is\n"b": 2}}')

    assert caught.value.hints == ("JSON has no comments; remove the line",)


def test_a_line_ends_where_json_s_lines_end():
    with pytest.raises(ConfigError) as caught:
        read('{"a": "\u2028",\n  # what a is\n"b": 2}')

    assert caught.value.hints == ("JSON has no comments; remove the line",)


def test_a_text_that_ends_too_soon_shows_no_line():
    with pytest.raises(ConfigError) as caught:
        read("{\n")

    assert caught.value.message.endswith("at line 2, column 1: ''")
    assert caught.value.hints == ("the file ends too early: copy or download it again",)


HINTS = {
    '{"a": 1,\n "b": [1, 2': "the file ends too early: copy or download it again",
    '{"a": "b\n}': "",
    '{"a": "b': "the file ends too early: copy or download it again",
    "[PAD]\n[CLS]\nword\n": "this looks like a vocabulary",
    "[PAD]\nword\n": "",
    '{"a": 1}\n# b': "JSON has no comments; remove the line",
}


@pytest.mark.parametrize(("text", "hint"), HINTS.items())
def test_what_is_no_json_has_a_hint(text, hint):
    with pytest.raises(ConfigError) as caught:
        read(text)

    assert caught.value.hints == ((hint,) if hint else ())
    assert " at at " not in caught.value.message


@pytest.mark.parametrize(
    ("text", "cause"),
    [("{", json.JSONDecodeError), ('{"a": NaN}', ValueError), ('{"a": ' + "[" * 100_000, RecursionError)],
    ids=["no_json", "no_number", "too_deep"],
)
def test_what_the_parser_raised_is_the_cause(text, cause):
    with pytest.raises(ConfigError) as caught:
        read(text)

    assert type(caught.value.__cause__) is cause


@pytest.mark.parametrize(("value", "word"), [("b", "b"), ("a", "a"), ("c", "a"), (None, "a")])
def test_a_word_is_one_of_those_allowed_or_the_first_of_them(value, word):
    keys = Keys({"k": value})

    assert keys.word("k", ("a", "b")) == word
    assert problems_of(keys) == ([] if value == word else [f"k: expected one of a, b, found {json.dumps(value)}"])


@pytest.mark.parametrize(("value", "flag"), [(True, True), (False, False), (1, False), ("true", False)])
def test_a_flag_is_a_bool(value, flag):
    keys = Keys({"k": value})

    assert keys.flag("k") is flag
    assert problems_of(keys) == ([] if value is flag else [f"k: expected true or false, found {json.dumps(value)}"])


def test_a_missing_key_is_a_problem_under_its_whole_path():
    inner = Keys({"a": {"b": {}}}).children("a").children("b")
    inner.integer("i", 1, 2)
    inner.word("w", ("x", "y"))
    inner.number_or_null("n")
    inner.flag("f")
    inner.children("c").integer("of_what_is_missing", 1, 2)

    assert problems_of(inner) == [
        "a.b.i: missing; expected an integer from 1 to 2",
        "a.b.w: missing; expected one of x, y",
        "a.b.n: missing; expected a number above 0, or null",
        "a.b.f: missing; expected true or false",
        "a.b.c: missing; expected an object",
    ]


def test_a_quoted_number_alone_may_lose_its_quotes():
    keys = Keys({"a": " 12 ", "b": "twelve"})
    keys.integer("a", 1, 20)
    keys.integer("b", 1, 20)

    assert [text.endswith("; remove the quotes") for text in problems_of(keys)] == [True, False]


def test_all_problems_are_kept_and_the_first_ten_printed():
    keys = Keys({})
    for number in range(12):
        keys.flag(f"k{number}")
    with pytest.raises(ConfigError) as caught:
        keys.raise_problems("no config", ref("/c.json", given="c.json"), ["a hint"])

    assert caught.value.problems == tuple(keys.problems)
    assert str(caught.value).startswith("no config: 12 bad keys\n  config: /c.json\n  given:  'c.json'\n")
    assert str(caught.value).endswith("... and 2 more in error.problems\n  hint:   a hint")


TYPES = [("[1]", "array"), ("null", "null"), ("true", "boolean"), ("1", "number"), ("1.5", "number"), ('"a"', "string")]


@pytest.mark.parametrize(("text", "word"), TYPES)
def test_the_type_of_another_value_is_told_in_the_words_of_json(text, word):
    with pytest.raises(ConfigError, match=f"the config file holds a JSON {word}, not an object"):
        read(text)


def test_a_type_that_json_does_not_have_is_pythons():
    assert (json_type({}), json_type({1})) == ("object", "set")
