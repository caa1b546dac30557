"""TOML, and what is raised for what is none."""

from __future__ import annotations

import time

import pytest

from safeload._text.toml import MAX_DOTS, toml_table


def test_a_table_is_read():
    assert toml_table('a = 1\n[b]\nc = "\u00e9"\n'.encode()) == {"a": 1, "b": {"c": "\u00e9"}}
    assert toml_table(b"") == {}


BAD = {
    "not_toml": b"a = ",
    "not_utf_8": b'a = "\xff"',
    "key_twice": b"a = 1\na = 2\n",
    "nested_too_deep": b"a = " + b"[" * 100_000,
    "too_many_digits": b"a = " + b"9" * 10_000,
}


@pytest.mark.parametrize("data", BAD.values(), ids=BAD)
def test_whatever_is_wrong_is_a_value_error(data):
    with pytest.raises(ValueError, match=r"."):
        toml_table(data)


def test_a_line_has_so_many_dots():
    assert toml_table(b'a = "' + b"." * MAX_DOTS + b'"') == {"a": "." * MAX_DOTS}
    start = time.monotonic()
    with pytest.raises(ValueError, match="more than 1,000 dots"):
        toml_table(b"a." * 500_000 + b"a = 1\n")
    assert time.monotonic() - start < 5
