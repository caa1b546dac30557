"""Texts in the attributes of HDF5 files, which h5py writes and safeload reads."""

from __future__ import annotations

import contextlib

import h5py
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from safeload._forms.hdf5 import attributes
from safeload._forms.hdf5.attributes import MAX_TEXT_BYTES
from safeload._forms.hdf5.file import Hdf5File
from safeload.errors import CorruptFileError, SafeLoadError, UnsafeFileError
from tests.forms.laws import LAW
from tests.opened import ref

TEXTS = {"short": "a", "empty": "", "long": "x\u00e9" * 40_000, "json": '{"a": [1]}'}


@pytest.fixture(params=["earliest", "latest"])
def path(request, tmp_path):
    """Return a file with texts at its root and at a group."""
    with h5py.File(tmp_path / "a.h5", "w", libver=request.param) as file:
        file["g/x"] = np.ones(3, np.float32)
        for place in (file, file["g"]):
            for name, text in TEXTS.items():
                place.attrs[name] = text
            place.attrs["bytes"] = b"fixed" if place is file else np.bytes_("fixed")
            place.attrs["number"] = 3
            place.attrs["list"] = ["a", "b"]
            place.attrs["fixed list"] = np.array([b"a", b"longer"])
        file.create_group("t").attrs["table"] = [["a", "b"]]
    return tmp_path / "a.h5"


def opened(path):
    return Hdf5File(ref(path, "weight", "g"))


def test_texts_are_read(path):
    with opened(path) as file:
        for group in ("", "g"):
            assert {name: file.note(group, name) for name in TEXTS} == TEXTS
            assert file.note(group, "bytes") == "fixed"


def test_what_is_no_text_is_none(path):
    with opened(path) as file:
        assert [file.note("", name) for name in ("number", "list", "absent")] == [None] * 3
        assert file.note("elsewhere", "short") is None
        assert file.note("g/x", "short") is None


def test_lists_of_texts_are_read(path):
    with opened(path) as file:
        for group in ("", "g"):
            assert file.notes(group, "list") == ["a", "b"]
            assert file.notes(group, "fixed list") == ["a", "longer"]


def test_what_is_no_list_of_texts_is_none(path):
    with opened(path) as file:
        assert [file.notes("", name) for name in ("number", "short", "absent")] == [None] * 3
        assert file.notes("t", "table") is None
        assert file.notes("elsewhere", "list") is None


@pytest.mark.parametrize(
    "texts", [[], ["x" * 300] * 1000, [f"layer_{at}" for at in range(1000)], ["", "a", ""]], ids=len
)
@pytest.mark.parametrize("dtype", [h5py.string_dtype(), "S"], ids=["variable", "fixed"])
def test_lists_of_any_length_are_those_of_h5py(texts, dtype, tmp_path):
    texts = texts[: 60_000 // (len(max(texts, default="")) or 1)] if dtype == "S" else texts
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.attrs.create("list", np.array([text.encode() for text in texts] or np.array([], "S1"), dtype))

    with opened(tmp_path / "a.h5") as file:
        assert file.notes("", "list") == texts


def test_the_texts_of_a_file_are_counted_once(tmp_path, monkeypatch):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for name in "abc":
            file.attrs[name] = ["x"] * 100

    monkeypatch.setattr(attributes, "MAX_HEAP_ITEMS", 300)
    with opened(tmp_path / "a.h5") as file:
        assert [file.notes("", name) for name in "abca"] == [["x"] * 100] * 4
    monkeypatch.setattr(attributes, "MAX_HEAP_ITEMS", 299)
    with opened(tmp_path / "a.h5") as file, pytest.raises(UnsafeFileError, match="more than 299 texts in the file"):
        [file.notes("", name) for name in "abc"]


def test_a_text_of_many_bytes_is_refused(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.attrs["model_config"] = "x" * (MAX_TEXT_BYTES + 1)

    with opened(tmp_path / "a.h5") as file, pytest.raises(UnsafeFileError) as caught:
        file.note("", "model_config")
    assert f"a text of {MAX_TEXT_BYTES + 1:,} bytes" in str(caught.value)


def test_a_text_that_is_not_utf_8_is_told(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.attrs["a"] = np.bytes_(b"\xff\xfe")

    with opened(tmp_path / "a.h5") as file, pytest.raises(CorruptFileError):
        file.note("", "a")


@LAW
@given(data=st.data())
def test_a_changed_byte_is_a_text_or_typed(data, tmp_path_factory):
    path = tmp_path_factory.mktemp("attributes") / "a.h5"
    with h5py.File(path, "w") as file:
        file.attrs["a"] = "text of some length"
        file.attrs["b"] = ["text", "of some length"]
    raw = bytearray(path.read_bytes())
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] = data.draw(st.integers(0, 255))
    path.write_bytes(raw)

    with contextlib.suppress(SafeLoadError), opened(path) as file:
        found = file.note("", "a")
        assert found is None or isinstance(found, str)
        texts = file.notes("", "b")
        assert texts is None or all(isinstance(text, str) for text in texts)
