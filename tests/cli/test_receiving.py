"""What a command shows while bytes come from an address."""

from __future__ import annotations

import shutil
import tempfile

import fsspec
import numpy as np
import pytest
from click.testing import CliRunner

from safeload import check_weights, testing
from safeload._bytes.remote.reading import LISTENERS
from safeload._text import progress
from safeload.cli import main
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


@pytest.fixture
def bert():
    files = fsspec.filesystem("memory")
    with tempfile.TemporaryDirectory() as folder:
        for path in testing.write_bert(folder, vocab=6000).iterdir():
            files.pipe(f"/received/{path.name}", path.read_bytes())
        files.put(shutil.make_archive(f"{folder}/bert", "gztar", folder), "/received.tar.gz")
    yield "memory://received"
    files.store.clear()
    files.pseudo_dirs[:] = [""]


COMMANDS = {
    "inspect": ["inspect", "{archive}"],
    "diff": ["diff", "{archive}", "{archive}"],
    "convert": ["convert", "{archive}", "{new}", "--form", "safetensors", "--activation", "gelu_tanh"],
    "outputs": ["outputs", "{path}", "--save", "{new}"],
    "doctor": ["doctor", "bert", "{path}"],
    "check": ["check", "bert", "{path}"],
    "check weights": ["check", "weights", "{path}"],
}
"""Command -> its arguments; those that count tensors once they have the files are given an archive, which is read first."""


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_shows_what_comes(command, bert, tmp_path, monkeypatch):
    if command in ("outputs", "doctor"):
        pytest.importorskip("keras_bert")
    monkeypatch.setattr(progress, "LINE_EVERY", 0.0)
    done = CliRunner().invoke(
        main, [each.format(path=bert, archive=f"{bert}.tar.gz", new=tmp_path / "new") for each in COMMANDS[command]]
    )

    assert done.exit_code == 0, done.output
    assert "reading bytes: " in done.stderr
    assert LISTENERS == []


def test_no_one_listens_after_an_error(address):
    with pytest.raises(KeyError), receiving():
        raise KeyError
    assert LISTENERS == []
    assert check_weights(address).read
