"""Weights of any model behind addresses, and in the cache of huggingface_hub."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

import safeload
from safeload import errors, testing
from tests.servers import be_impatient, in_memory, serving, write_forms
from tests.weights.files import cache_of, write_lock

FORMS = ("tensorflow", "safetensors", "torch", "hdf5")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Hold the weights of a small BERT in several forms, and in an archive."""
    found = tmp_path_factory.mktemp("served")
    write_forms(testing.write_bert, found, FORMS)
    shutil.make_archive(str(found / "bert"), "zip", found / "safetensors")
    return found


@pytest.fixture
def server(folder, monkeypatch):
    be_impatient(monkeypatch)
    with serving(folder) as found:
        yield found


@pytest.fixture
def memory(folder):
    with in_memory(folder, "models") as files:
        yield files


def same(remote, local):
    assert (remote.read, remote.n_bytes, remote.form) == (local.read, local.n_bytes, local.form)
    assert remote.checksums == local.checksums
    assert [(file.role, file.n_bytes) for file in remote.files] == [(file.role, file.n_bytes) for file in local.files]


@pytest.mark.parametrize("name", [*FORMS, "bert.zip"])
@pytest.mark.usefixtures("memory")
def test_a_check_of_an_address_says_what_one_of_the_disk_says(name, folder, server):
    local = safeload.check_weights(folder / name)
    for address in (f"{server.address}/{name}", f"memory://models/{name}"):
        report = safeload.check_weights(address)
        same(report, local)
        assert report.given == address


@pytest.mark.parametrize("name", [*FORMS, "bert.zip"])
def test_the_tensors_are_those_of_the_disk(name, folder, server):
    remote, local = (safeload.load_state_dict(f"{root}/{name}") for root in (server.address, folder))
    assert list(remote) == list(local)
    assert all(np.array_equal(remote[key], local[key]) for key in local)


def test_a_relative_path_below_a_base_that_is_an_address(folder, server):
    same(safeload.check_weights("torch", base_dir=server.address), safeload.check_weights(folder / "torch"))


@pytest.mark.parametrize("fault", ["429", "503", "cut", "stall"])
def test_what_may_pass_is_tried_again(fault, folder, server):
    server.faults, server.left, server.only = {fault}, 2, "model.safetensors"
    same(safeload.check_weights(f"{server.address}/safetensors"), safeload.check_weights(folder / "safetensors"))


def test_what_does_not_pass_is_an_error_without_secrets(server):
    server.faults, server.only = {"503"}, "model.safetensors"
    address = server.address.replace("http://", "http://user:SECRET@")
    with pytest.raises(errors.FileSystemError) as caught:
        safeload.check_weights(f"{address}/safetensors/model.safetensors?sig=SECRET")
    error, said = caught.value, ""
    while error is not None:
        said += f"{error!r} {error} {vars(error)}"
        error = error.__cause__ or error.__context__
    assert "SECRET" not in said


def test_no_report_has_secrets(server):
    address = server.address.replace("http://", "http://user:SECRET@")
    report = safeload.check_weights(f"{address}/safetensors/model.safetensors?sig=SECRET")
    assert "SECRET" not in f"{report} {report.to_dict()}"


def test_damage_is_found_wherever_it_is(memory):
    path = "/models/tensorflow/bert_model.ckpt.data-00000-of-00001"
    data = bytearray(memory.cat(path))
    data[100] ^= 1
    memory.pipe(path, bytes(data))
    with pytest.raises(errors.CorruptFileError, match="CHECKSUM"):
        safeload.check_weights("memory://models/tensorflow")


def test_a_lock_beside_weights_at_an_address(memory, tmp_path, folder):
    shutil.copytree(folder / "safetensors", tmp_path / "bert")
    write_lock(tmp_path / "bert")
    memory.put(str(tmp_path / "bert" / "safeload.lock"), "/models/safetensors/safeload.lock")
    report = safeload.check_weights("memory://models/safetensors")
    assert report.proofs == ("the SHA-256 of 1 file in memory://models/safetensors/safeload.lock",)
    assert [file.path for file in report.files if file.role == "lock"] == ["memory://models/safetensors/safeload.lock"]
    assert safeload.load_state_dict("memory://models/safetensors").keys() == {spec.name for spec in report.read}

    path = "/models/safetensors/model.safetensors"
    data = bytearray(memory.cat(path))
    data[-1] ^= 1
    memory.pipe(path, bytes(data))
    for call in (safeload.check_weights, safeload.load_state_dict):
        with pytest.raises(errors.LockError, match="CHANGED"):
            call("memory://models/safetensors")


def test_a_model_in_the_cache_of_huggingface_hub(folder, tmp_path, monkeypatch):
    snapshot = cache_of(tmp_path, {"model.safetensors": (folder / "safetensors" / "model.safetensors").read_bytes()})
    refs = snapshot.parent.parent / "refs"
    refs.mkdir()
    (refs / "main").write_text(snapshot.name, encoding="ascii")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    for address in ("hf://owner/name", "hf://owner/name/model.safetensors"):
        report = safeload.check_weights(address)
        assert report.files[0].path == str(snapshot / "model.safetensors")
        assert report.proofs == ("the digests that are the names of 1 blob in a Hugging Face cache",)
        assert len(safeload.load_state_dict(address)) == len(report.read)
    with pytest.raises(errors.MissingFileError, match="no such model owner/other"):
        safeload.check_weights("hf://owner/other")
