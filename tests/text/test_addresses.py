"""Addresses in texts have no secrets."""

from __future__ import annotations

import pytest

from safeload._text.addresses import without_secrets


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://user:PW@host/a@b?sig=PW#PW", "https://host/a@b"),
        ("https://user:P/W@host:80/a", "https://host:80/a"),
        ("https://user:P?W#@host/a", "https://host/a"),
        ("https://user:P W\n@host/a", "https://host/a"),
        ("zip://a.zip::https://user:PW@host/a?PW", "zip://a.zip::https://host/a"),
        (
            "see http://host:80 and http://host:81/x@y, or mail a@b",
            "see http://host:80 and http://host:81/x@y, or mail a@b",
        ),
        ("http://[::1]:80/x@y", "http://[::1]:80/x@y"),
        ("hf://owner/name@main", "hf://owner/name@main"),
        ("https:/user:PW@host/a?PW", "https:/host/a"),
        ("'S3:/PW@bucket'", "'S3:/bucket'"),
        ("C:/models/a?b@home", "C:/models/a?b@home"),
        ("prefix:/home/a:b@c", "prefix:/home/a:b@c"),
        ("C:\\models@home", "C:\\models@home"),
    ],
)
def test_user_info_and_queries_are_cut(text, shown):
    assert without_secrets(text) == shown
