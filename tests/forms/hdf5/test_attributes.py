"""Texts in the attributes of HDF5 files, which h5py writes and safeload reads."""

from __future__ import annotations

import contextlib

import h5py
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

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
    raw = bytearray(path.read_bytes())
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] = data.draw(st.integers(0, 255))
    path.write_bytes(raw)

    with contextlib.suppress(SafeLoadError), opened(path) as file:
        found = file.note("", "a")
        assert found is None or isinstance(found, str)
