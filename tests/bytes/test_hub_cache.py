"""A BERT in the cache of huggingface_hub: found by `hf://`, offline, and each blob compared with its name."""

from __future__ import annotations

import pytest

import safeload
from safeload import errors, testing
from safeload._bytes.paths import resolve_path
from tests.weights.files import cache_of


@pytest.fixture
def snapshot(tmp_path, monkeypatch):
    """Hold a BERT in a cache, as the branch `main`."""
    testing.write_bert(tmp_path / "bert", form="safetensors")
    files = {path.name: path.read_bytes() for path in (tmp_path / "bert").iterdir()}
    found = cache_of(tmp_path, files)
    refs = found.parent.parent / "refs"
    (refs / "refs" / "pr").mkdir(parents=True)
    for name in ("main", "v1", "refs/pr/1"):
        (refs / name).write_text("abc", encoding="ascii")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    return found


@pytest.mark.parametrize(
    "address", ["hf://owner/name", "hf://owner/name@v1", "hf://owner/name@abc/", "HF://owner/name@refs%2Fpr%2F1"]
)
def test_a_model_of_the_cache(address, snapshot):
    report = safeload.check_bert(address)

    assert report.files[0].path == str(snapshot / "config.json")
    assert report.checksums.endswith("the digests that are the names of 3 blobs in a Hugging Face cache")
    assert all(file.sha256 for file in report.files)


def test_a_file_of_a_model_in_the_cache(snapshot):
    report = safeload.check_bert("hf://owner/name/config.json", "hf://owner/name@v1/model.safetensors")
    assert [file.path for file in report.files][::2] == [
        str(snapshot / name) for name in ("config.json", "model.safetensors")
    ]


def test_a_name_without_an_owner(tmp_path, snapshot):
    snapshot.parent.parent.rename(tmp_path / "hub/models--bert-base-uncased")
    found = tmp_path / "hub/models--bert-base-uncased/snapshots/abc"
    assert resolve_path("hf://bert-base-uncased/config.json", argument="config_file", takes_address=True) == str(
        found / "config.json"
    )


@pytest.mark.parametrize(
    ("address", "text"),
    [
        ("hf://owner/other", "no such model owner/other"),
        ("hf://owner/name@v2", "no such revision of owner/name"),
        ("hf://name", "no such model name"),
    ],
)
@pytest.mark.usefixtures("snapshot")
def test_what_the_cache_has_not(address, text):
    with pytest.raises(errors.MissingFileError, match=text) as caught:
        safeload.check_bert(address)
    assert "hf download" in str(caught.value)


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "vocab.txt"])
def test_a_blob_whose_bytes_are_not_those_of_its_name(name, snapshot):
    blob = (snapshot / name).resolve()
    data = bytearray(blob.read_bytes())
    data[-3] ^= 1
    blob.write_bytes(data)

    for path in (snapshot, "hf://owner/name"):
        with pytest.raises(errors.CorruptFileError, match="the digest is not the blob's name"):
            safeload.check_bert(path)


def test_a_model_of_the_cache_loads(snapshot):
    pytest.importorskip("transformers", minversion="4.57")
    import torch

    loaded = [safeload.load_bert(path, backend="transformers") for path in ("hf://owner/name", snapshot)]
    one, other = (model.state_dict() for model in loaded)
    assert all(torch.equal(one[name], other[name]) for name in one)
