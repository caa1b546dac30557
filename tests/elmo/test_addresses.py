"""An ELMo behind addresses: in every form and place, straight into memory."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

import safeload
from safeload import errors, testing
from tests.elmos import BACKENDS
from tests.servers import be_impatient, in_memory, require_same, serving, write_forms

FORMS = ("hdf5", "tensorflow", "torch", "torch/model", "tensorflow/tf-hub")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Hold a small ELMo in several forms, and in archives."""
    found = tmp_path_factory.mktemp("served")
    write_forms(testing.write_elmo, found, FORMS)
    shutil.make_archive(str(found / "elmo"), "zip", found / "hdf5")
    shutil.make_archive(str(found / "model"), "gztar", found / "torch-model")
    return found


@pytest.fixture
def server(folder, monkeypatch):
    be_impatient(monkeypatch)
    with serving(folder) as found:
        yield found


@pytest.fixture
def memory(folder):
    with in_memory(folder, "elmos") as files:
        yield files


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.usefixtures("memory")
def test_a_check_of_an_address_says_what_one_of_the_disk_says(form, folder, server):
    name = form.replace("/", "-")
    local = safeload.check_elmo(folder / name)
    for address in (f"{server.address}/{name}", f"memory://elmos/{name}"):
        report = safeload.check_elmo(address)
        require_same(report, local)
        assert all(file.path.startswith(f"{address}/") for file in report.files)


@pytest.mark.parametrize("name", ["elmo.zip", "model.tar.gz"])
@pytest.mark.usefixtures("memory")
def test_an_archive_is_read_where_it_is(name, folder, server):
    for address in (f"{server.address}/{name}", f"memory://elmos/{name}"):
        require_same(safeload.check_elmo(address), safeload.check_elmo(folder / name))


def test_weights_alone_that_need_no_options(folder, server):
    name = next(path.name for path in (folder / "torch").iterdir() if path.suffix != ".json")
    require_same(safeload.check_elmo(f"{server.address}/torch/{name}"), safeload.check_elmo(folder / "torch" / name))


def test_options_of_the_disk_and_weights_of_a_server(folder, server):
    for options, weights in ((folder, server.address), (server.address, folder)):
        report = safeload.check_elmo(f"{options}/hdf5/options.json", f"{weights}/hdf5/weights.hdf5")
        assert [file.path.startswith("http") for file in report.files] == [options != folder, weights != folder]


def test_a_server_that_lists_nothing_gives_files_that_are_named(server):
    server.faults = {"no lists"}
    files = [f"{server.address}/hdf5/{name}" for name in ("options.json", "weights.hdf5")]
    assert [file.path for file in safeload.check_elmo(*files).files] == files


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_module_has_the_values_of_the_disk(backend, folder, server):
    pytest.importorskip("torch")
    remote, local = (
        safeload.load_elmo(f"{root}/hdf5", dropout=0.0, backend=backend).state_dict()
        for root in (server.address, folder)
    )
    assert remote.keys() == local.keys()
    assert all(np.array_equal(remote[name].numpy(), local[name].numpy()) for name in local)


def test_swapped_files_are_told(server):
    with pytest.raises(errors.WrongFileKindError, match="swapped"):
        safeload.check_elmo(f"{server.address}/hdf5/weights.hdf5", f"{server.address}/hdf5/options.json")


def test_what_is_not_there(server):
    with pytest.raises(errors.MissingFileError, match=r"weights\.gone"):
        safeload.check_elmo(f"{server.address}/hdf5/options.json", f"{server.address}/hdf5/weights.gone")


def test_an_object_that_is_replaced(memory, monkeypatch):
    from safeload._bytes.remote import objects

    read, done = objects.ObjectStore.read, []

    def replacing(self, address, block, offset, found):
        read(self, address, block, offset, found)
        if address.endswith("weights.hdf5") and not done:
            path = "/elmos/hdf5/weights.hdf5"
            done.append(memory.pipe(path, memory.cat(path)))

    monkeypatch.setattr(objects.ObjectStore, "read", replacing)
    with pytest.raises(errors.CorruptFileError, match="changed while it was being read"):
        safeload.check_elmo("memory://elmos/hdf5")
    assert done


def test_a_model_in_the_cache_of_huggingface_hub(folder, tmp_path, monkeypatch):
    from tests.weights.files import cache_of

    snapshot = cache_of(tmp_path, {path.name: path.read_bytes() for path in (folder / "hdf5").iterdir()})
    refs = snapshot.parent.parent / "refs"
    refs.mkdir()
    (refs / "main").write_text(snapshot.name, encoding="ascii")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    report = safeload.check_elmo("hf://owner/name")
    assert report.files[0].path == str(snapshot / "options.json")
    assert "2 blobs" in report.checksums


def test_no_message_and_no_report_has_secrets(server):
    address = server.address.replace("http://", "http://user:SECRET@")
    report = safeload.check_elmo(f"{address}/hdf5/options.json?sig=SECRET", f"{address}/hdf5/weights.hdf5?sig=SECRET")
    assert "SECRET" not in f"{report} {report.to_dict()}"
    server.faults, server.only = {"503"}, "weights.hdf5"
    with pytest.raises(errors.FileSystemError) as caught:
        safeload.check_elmo(f"{address}/hdf5/options.json", f"{address}/hdf5/weights.hdf5?sig=SECRET")
    error, said = caught.value, ""
    while error is not None:
        said += f"{error!r} {error} {vars(error)}"
        error = error.__cause__ or error.__context__
    assert "SECRET" not in said
