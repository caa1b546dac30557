"""Addresses in place of paths go through AllenNLP's cache."""

from __future__ import annotations

import functools
import http.server
import importlib.util
import threading

import pytest

import safeload
from safeload.errors import InvalidPathError, MissingFileError
from tests.elmos import OPTIONS_NAME, WEIGHTS_NAME


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
    error = caught.value
    assert error.message == "weight_file could not be downloaded, and the cache has no copy"
    assert (error.given, error.looked_for) == (weights + ".gone", (weights + ".gone",))
    assert error.hints == ("download the options and the weights, and pass the folder that holds both",)
    (cache, cache_path), (reason, why) = error.context
    assert (cache, cache_path, reason) == ("cache", str(tmp_path / "cache"), "reason")
    assert why.endswith(f": {weights}.gone")


@pytest.mark.skipif(importlib.util.find_spec("cached_path") is None, reason="cached-path comes with AllenNLP")
def test_the_cache_of_allennlp_lies_in_the_home_folder(server, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("ALLENNLP_CACHE_ROOT", raising=False)

    files = safeload.check_elmo(*addresses(server)).files
    assert all(file.path.startswith(str(tmp_path / ".allennlp/cache")) for file in files)


@pytest.mark.skipif(importlib.util.find_spec("cached_path") is not None, reason="cached-path is installed")
def test_without_cached_path_an_address_says_what_to_do(server):
    with pytest.raises(InvalidPathError) as caught:
        safeload.check_elmo(*addresses(server))

    assert caught.value.given == addresses(server)[0]
    assert "pass the folder that holds both" in str(caught.value)
    assert "pip install cached-path" in str(caught.value)
