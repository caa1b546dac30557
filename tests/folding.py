"""A folder as volumes of macOS and Windows have it: names that differ only in case, or in how accents are written, are one."""

from __future__ import annotations

import os
import unicodedata


def without_accents(name):
    return unicodedata.normalize("NFC", name)


def without_case(name):
    return without_accents(without_accents(name).casefold())


def fold(monkeypatch, root, same=without_case):
    """Let the calls of the system find what is below a folder as such a volume does; lists have the names as they are stored."""
    real = {name: getattr(os, name) for name in ("stat", "lstat", "open", "access", "readlink", "listdir", "scandir")}
    top = os.fspath(root)

    def stored(path):
        text = os.fspath(path) if not isinstance(path, int) else ""
        if not isinstance(text, str) or not text.startswith(f"{top}/"):
            return path
        found = top
        for name in text[len(top) + 1 :].split("/"):
            names = real["listdir"](found) if os.path.isdir(found) else []
            found = f"{found}/{next((each for each in names if same(each) == same(name)), name)}"
        return found

    for name, call in real.items():
        monkeypatch.setattr(os, name, lambda path=".", *args, call=call, **facts: call(stored(path), *args, **facts))
