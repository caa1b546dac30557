"""TOML, and what is raised for what is none."""

from __future__ import annotations

import time

import pytest

from safeload._text.toml import toml_table


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


DOTTED = {
    "one_key": b"a." * 500_000 + b"a = 1\n",
    "many_keys": b"".join(b"b" * at + b"." + b"a." * 990 + b"a = 1\n" for at in range(1, 500)),
    "keys_below_a_header": b"[" + b"a." * 990 + b"a]\n" + b"".join(b"a%d=1\n" % at for at in range(100_000)),
    "headers": b"".join(b"[" + b"a." * 400 + b"a%d]\n" % at for at in range(1200)),
}


@pytest.mark.parametrize("data", DOTTED.values(), ids=DOTTED)
def test_dotted_keys_take_little_time(data):
    start = time.process_time()
    with pytest.raises(ValueError, match="too many dots in its keys"):
        toml_table(data)
    assert time.process_time() - start < 2


def test_a_line_of_a_thousand_dots_is_read():
    assert toml_table(b'a = "' + b"." * 1000 + b'"') == {"a": "." * 1000}
