"""What a command shows while bytes come from an address."""

from __future__ import annotations

import fsspec
import numpy as np
import pytest

from safeload import check_weights
from safeload._bytes.remote.reading import LISTENERS
from safeload._text import progress
from safeload.cli._receiving import receiving
from tests.weights.files import write_safetensors

N_BYTES = 5 << 20


@pytest.fixture
def address(tmp_path):
    write_safetensors(tmp_path / "x.safetensors", {"x": np.zeros(N_BYTES // 4, np.float32)})
    files = fsspec.filesystem("memory")
    files.put(str(tmp_path / "x.safetensors"), "/received/x.safetensors")
    yield "memory://received/x.safetensors"
    files.store.clear()
    files.pseudo_dirs[:] = [""]


def test_the_bytes_that_came_are_counted(address, monkeypatch, capsys):
    monkeypatch.setattr(progress, "LINE_EVERY", 0.0)
    with receiving():
        check_weights(address)
    assert LISTENERS == []
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("reading bytes: ")
    assert int(last.split()[2].rstrip(",").replace(",", "")) >= N_BYTES


def test_nothing_is_shown_of_files_of_the_disk(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(progress, "LINE_EVERY", 0.0)
    write_safetensors(tmp_path / "x.safetensors", {"x": np.zeros(9, np.float32)})
    with receiving():
        check_weights(tmp_path / "x.safetensors")
    assert capsys.readouterr().err == ""


def test_no_one_listens_after_an_error(address):
    with pytest.raises(KeyError), receiving():
        raise KeyError
    assert LISTENERS == []
    assert check_weights(address).read
