"""Every form of the call finds the same files; addresses go through AllenNLP's cache."""

from __future__ import annotations

import functools
import http.server
import importlib.util
import json
import os
import threading
from pathlib import Path

import pytest
from elmos import OPTIONS_NAME, WEIGHTS_NAME

import safeload
from safeload.errors import InvalidPathError, MissingFileError

FORMS = {
    "folder": lambda folder: ((folder,), {}),
    "folder_with_slash": lambda folder: ((f"{folder}/",), {}),
    "options": lambda folder: ((folder / OPTIONS_NAME,), {}),
    "two_files": lambda folder: ((str(folder / OPTIONS_NAME), str(folder / WEIGHTS_NAME)), {}),
    "bytes": lambda folder: ((os.fsencode(folder / OPTIONS_NAME), os.fsencode(folder / WEIGHTS_NAME)), {}),
    "two_folders": lambda folder: ((folder, folder), {}),
    "base_dir": lambda folder: ((OPTIONS_NAME, WEIGHTS_NAME), {"base_dir": folder}),
    "file_url": lambda folder: (((folder / OPTIONS_NAME).as_uri(), (folder / WEIGHTS_NAME).as_uri()), {}),
    "dots": lambda folder: ((f"{folder}/../{folder.name}/{OPTIONS_NAME}",), {}),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_each_form_finds_the_files(form, tiny_elmo):
    arguments, options = form(tiny_elmo)
    report = safeload.check_elmo(*arguments, **options)

    assert [file.path for file in report.files] == [str(tiny_elmo / OPTIONS_NAME), str(tiny_elmo / WEIGHTS_NAME)]
    assert len(report.read) == 29


def test_home_and_variables(tiny_elmo, monkeypatch):
    monkeypatch.setenv("HOME", str(tiny_elmo.parent))
    monkeypatch.setenv("ELMO", tiny_elmo.name)

    assert safeload.check_elmo("~/$ELMO").files[0].path == str(tiny_elmo / OPTIONS_NAME)


def test_published_names_are_preferred(elmo):
    (elmo / OPTIONS_NAME).rename(elmo / "elmo_2x16_options.json")
    (elmo / WEIGHTS_NAME).rename(elmo / "elmo_2x16_weights.h5")
    (elmo / "metrics.json").write_text("{}", encoding="utf-8")
    (elmo / "vectors.hdf5").write_bytes(b"")

    assert [Path(file.path).name for file in safeload.check_elmo(elmo).files] == [
        "elmo_2x16_options.json",
        "elmo_2x16_weights.h5",
    ]


def test_links_are_followed_and_said(elmo, tmp_path):
    (tmp_path / "linked").symlink_to(elmo)
    report = safeload.check_elmo(tmp_path / "linked")

    assert report.files[1].path == str(tmp_path / "linked" / WEIGHTS_NAME)
    assert report.files[1].real_path == str(elmo / WEIGHTS_NAME)


def test_a_report_is_text_and_json(tiny_elmo):
    report = safeload.report_of(safeload.load_elmo(tiny_elmo, backend="torch"))
    lines = str(report).splitlines()

    assert lines[0] == "ELMo: 29 datasets read and verified, 0 unused"
    assert "  backend:     torch" in lines
    assert "  from config: activation=relu, cell_clip=3, proj_clip=3, use_skip_connections=True" in lines
    assert json.loads(json.dumps(report.to_dict()))["model"] == "ELMo"
    assert {"resolve", "read", "list", "compare", "import", "build"} == set(report.seconds)
    assert {"torch", "h5py", "numpy", "safeload", "python"} == set(report.versions)


@pytest.fixture
def server(tiny_elmo):
    """Serve the tiny ELMo on loopback."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(tiny_elmo))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def addresses(server):
    return [f"http://127.0.0.1:{server.server_port}/{name}" for name in (OPTIONS_NAME, WEIGHTS_NAME)]


@pytest.mark.skipif(importlib.util.find_spec("cached_path") is None, reason="cached-path comes with AllenNLP")
def test_addresses_go_through_the_cache_of_allennlp(server, tmp_path, monkeypatch):
    monkeypatch.setenv("ALLENNLP_CACHE_ROOT", str(tmp_path))
    options, weights = addresses(server)
    report = safeload.check_elmo(options, weights)

    assert len(report.read) == 29
    assert report.given == weights
    assert all(file.path.startswith(str(tmp_path / "cache")) for file in report.files)
    with pytest.raises(MissingFileError) as caught:
        safeload.check_elmo(options, weights + ".gone")
    assert "could not be downloaded" in str(caught.value)
    assert "given:" in str(caught.value)


@pytest.mark.skipif(importlib.util.find_spec("cached_path") is not None, reason="cached-path is installed")
def test_without_cached_path_an_address_says_what_to_do(server):
    with pytest.raises(InvalidPathError) as caught:
        safeload.check_elmo(*addresses(server))

    assert "pass the folder that holds both" in str(caught.value)
    assert "pip install cached-path" in str(caught.value)
