"""The drop-ins of AllenNLP take addresses through AllenNLP's cache; `load_elmo` reads them straight into memory."""

from __future__ import annotations

import importlib.util

import pytest

import safeload
from safeload.compat.allennlp import Elmo, ElmoEmbedder
from safeload.errors import InvalidPathError, MissingFileError
from tests.elmos import OPTIONS_NAME, WEIGHTS_NAME
from tests.servers import serving

pytest.importorskip("torch")
has_cached_path = importlib.util.find_spec("cached_path") is not None
needs_cached_path = pytest.mark.skipif(not has_cached_path, reason="cached-path comes with AllenNLP")


@pytest.fixture
def addresses(tiny_elmo):
    """Serve the tiny ELMo on loopback."""
    with serving(tiny_elmo) as server:
        yield [f"{server.address}/{name}" for name in (OPTIONS_NAME, WEIGHTS_NAME)]


@needs_cached_path
@pytest.mark.parametrize("load", [lambda *files: Elmo(*files, 1), ElmoEmbedder], ids=["Elmo", "ElmoEmbedder"])
def test_addresses_go_through_the_cache_of_allennlp(load, addresses, tmp_path, monkeypatch):
    monkeypatch.setenv("ALLENNLP_CACHE_ROOT", str(tmp_path))
    files = safeload.report_of(load(*addresses)).files

    assert len(files) == 2
    assert all(file.path.startswith(str(tmp_path / "cache")) for file in files)


@needs_cached_path
def test_the_token_embedder_uses_the_cache_too(addresses, tmp_path, monkeypatch):
    embedder = pytest.importorskip("safeload.compat.allennlp.embedder")
    monkeypatch.setenv("ALLENNLP_CACHE_ROOT", str(tmp_path))
    module = embedder.ElmoTokenEmbedder(*addresses)
    assert all(file.path.startswith(str(tmp_path)) for file in safeload.report_of(module._elmo).files)


@needs_cached_path
def test_what_cannot_be_downloaded(addresses, tmp_path, monkeypatch):
    monkeypatch.setenv("ALLENNLP_CACHE_ROOT", str(tmp_path))
    gone = f"{addresses[1]}.gone"
    with pytest.raises(MissingFileError) as caught:
        Elmo(addresses[0], gone, 1)
    error = caught.value
    assert error.message == "weight_file could not be downloaded, and the cache has no copy"
    assert (error.given, error.looked_for) == (gone, (gone,))
    assert error.hints == ("download the options and the weights, and pass the folder that holds both",)
    (cache, cache_path), (reason, why) = error.context
    assert (cache, cache_path, reason) == ("cache", str(tmp_path / "cache"), "reason")
    assert why.endswith(f": {gone}")


@needs_cached_path
def test_the_cache_of_allennlp_lies_in_the_home_folder(addresses, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("ALLENNLP_CACHE_ROOT", raising=False)

    files = safeload.report_of(Elmo(*addresses, 1)).files
    assert all(file.path.startswith(str(tmp_path / ".allennlp/cache")) for file in files)


@pytest.mark.skipif(has_cached_path, reason="cached-path is installed")
def test_without_cached_path_an_address_says_what_to_do(addresses):
    with pytest.raises(InvalidPathError) as caught:
        Elmo(*addresses, 1)

    assert caught.value.given == addresses[0]
    assert "pass the folder that holds both" in str(caught.value)
    assert "pip install cached-path" in str(caught.value)


def test_load_elmo_writes_nothing_into_the_cache(addresses, tmp_path, monkeypatch):
    monkeypatch.setenv("ALLENNLP_CACHE_ROOT", str(tmp_path / "cache"))
    module = safeload.load_elmo(*addresses, backend="torch")
    assert [file.path for file in safeload.report_of(module).files] == addresses
    assert list(tmp_path.iterdir()) == []
