"""What is behind an address: found, read in ranges, pinned; and what servers do wrong."""

from __future__ import annotations

import importlib.util
import json
import os
import pickle
import shutil
import traceback

import pytest
from safetensors.numpy import load_file, save_file

import safeload
from safeload import errors, testing
from safeload._bytes.addresses import Address
from safeload._bytes.remote import attempts, objects, reading
from safeload._bytes.remote.source import RemoteSource
from tests.servers import be_impatient, in_memory, require_same, serving, write_forms

FORMS = ("tensorflow", "safetensors", "torch", "hdf5", "hdf5/keras-bert", "keras")
WEIGHTS = "model.safetensors"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Hold a small BERT in several forms, and in archives."""
    found = tmp_path_factory.mktemp("served")
    write_forms(testing.write_bert, found, FORMS)
    shutil.make_archive(str(found / "bert"), "zip", found / "tensorflow")
    shutil.make_archive(str(found / "bert"), "gztar", found / "safetensors")
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


# the same as from the disk


@pytest.mark.parametrize("form", FORMS)
def test_a_check_over_http_says_what_one_of_the_disk_says(form, folder, server):
    name = form.replace("/", "-")
    report = safeload.check_bert(f"{server.address}/{name}")

    require_same(report, safeload.check_bert(folder / name))
    assert all(file.path.startswith(f"{server.address}/{name}/") for file in report.files)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.usefixtures("memory")
def test_a_check_of_any_store_of_fsspec_says_what_one_of_the_disk_says(form, folder):
    name = form.replace("/", "-")
    require_same(safeload.check_bert(f"memory://models/{name}"), safeload.check_bert(folder / name))


@pytest.mark.usefixtures("memory")
def test_the_capitals_of_a_scheme_say_nothing():
    assert safeload.check_bert("MEMORY://models/safetensors").files[0].path == "memory://models/safetensors/config.json"


@pytest.mark.parametrize("name", ["bert.zip", "bert.tar.gz"])
@pytest.mark.usefixtures("memory")
def test_an_archive_is_read_where_it_is(name, folder, server):
    for address in (f"{server.address}/{name}", f"memory://models/{name}"):
        require_same(safeload.check_bert(address), safeload.check_bert(folder / name))


def test_fsspecs_way_to_say_what_is_in_a_zip(server):
    report = safeload.check_bert(f"zip://bert_config.json::{server.address}/bert.zip")
    assert report.files[0].path == f"{server.address}/bert.zip/bert_config.json"


def test_the_config_of_the_disk_and_the_weights_of_a_server(folder, server):
    report = safeload.check_bert(folder / "tensorflow", f"{server.address}/tensorflow/bert_model.ckpt")
    assert [file.path.startswith("http") for file in report.files] == [False, False, True, True]


def test_the_config_of_a_server_and_the_weights_of_the_disk(folder, server):
    report = safeload.check_bert(f"{server.address}/tensorflow/bert_config.json", folder / "tensorflow")
    assert [file.path.startswith("http") for file in report.files] == [True, True, False, False]


def test_a_relative_path_below_a_base_that_is_an_address(server):
    report = safeload.check_bert("tensorflow", base_dir=server.address)
    assert report.files[0].path == f"{server.address}/tensorflow/bert_config.json"


def test_a_variable_in_an_address(server, monkeypatch):
    monkeypatch.setenv("MODELS", server.address)
    assert safeload.check_bert("$MODELS/tensorflow").files[0].path.startswith(server.address)
    with pytest.raises(errors.InvalidPathError, match="LOST is not set"):
        safeload.check_bert(f"{server.address}/$LOST")


def test_a_server_that_lists_nothing_gives_files_that_are_named(server):
    server.faults = {"no lists"}
    files = [f"{server.address}/safetensors/{name}" for name in ("config.json", WEIGHTS, "vocab.txt")]
    assert [file.path for file in safeload.check_bert(*files).files] == [files[0], files[2], files[1]]


@pytest.mark.parametrize("form", ["tensorflow", "safetensors", "torch", "hdf5"])
def test_the_usual_names_are_tried_where_a_server_lists_nothing(form, folder, server):
    server.faults = {"no lists"}
    for address in (f"{server.address}/{form}", f"{server.address}/{form}/"):
        require_same(safeload.check_bert(address), safeload.check_bert(folder / form))
    assert set(server.methods) == {"GET", "HEAD"}


def test_shards_of_a_folder_that_is_not_listed(folder, server):
    testing.write_bert(folder / "shards", form="safetensors")
    values = load_file(folder / "shards" / WEIGHTS)
    halves = [dict(list(values.items())[at::2]) for at in (0, 1)]
    names = [f"model-{at + 1:05d}-of-00002.safetensors" for at in (0, 1)]
    for half, name in zip(halves, names, strict=True):
        save_file(half, folder / "shards" / name)
    (folder / "shards" / WEIGHTS).unlink()
    index = {
        "metadata": {},
        "weight_map": {key: name for half, name in zip(halves, names, strict=True) for key in half},
    }
    (folder / "shards" / f"{WEIGHTS}.index.json").write_text(json.dumps(index), encoding="utf-8")
    require_same(safeload.check_bert(f"{server.address}/shards"), safeload.check_bert(folder / "shards"))
    server.faults = {"no lists"}
    require_same(safeload.check_bert(f"{server.address}/shards"), safeload.check_bert(folder / "shards"))


def test_what_was_tried_is_said(server):
    server.faults = {"no lists"}
    with pytest.raises(errors.MissingFileError, match="the server lists no folders") as caught:
        safeload.check_bert(f"{server.address}/nothing")
    assert "bert_config.json, config.json, options.json" in caught.value.hints[1]


def test_a_file_that_is_not_there_is_asked_for_alone(server):
    server.faults = {"no lists"}
    with pytest.raises(errors.MissingFileError):
        safeload.check_bert(f"{server.address}/safetensors/gone.json")
    assert "HEAD" not in server.methods


def test_the_state_file_of_a_checkpoint(folder, server):
    testing.write_bert(folder / "state")
    (folder / "state" / "checkpoint").write_text('model_checkpoint_path: "bert_model.ckpt"\n', encoding="utf-8")
    require_same(safeload.check_bert(f"{server.address}/state"), safeload.check_bert(folder / "state"))


@pytest.mark.parametrize("fault", ["no ranges", "no etag", "weak etag"])
def test_what_a_server_may_leave_out(fault, folder, server):
    server.faults = {fault}
    require_same(safeload.check_bert(f"{server.address}/safetensors"), safeload.check_bert(folder / "safetensors"))


def test_few_requests_find_a_model(server):
    safeload.check_bert(f"{server.address}/tensorflow")
    assert len(server.asked) <= 8, server.asked


# faults of servers


@pytest.mark.parametrize("fault", ["429", "500", "503", "cut", "stall"])
def test_what_may_pass_is_tried_again(fault, folder, server):
    server.faults, server.left, server.only = {fault}, 2, WEIGHTS
    require_same(safeload.check_bert(f"{server.address}/safetensors"), safeload.check_bert(folder / "safetensors"))


@pytest.mark.parametrize(
    ("fault", "text"),
    {
        "429": "HTTP 429 Too Many Requests",
        "500": "HTTP 500 Internal Server Error",
        "503": "HTTP 503 Service Unavailable",
        "cut": "the server closed the connection after",
        "stall": "the server stopped sending after",
        "encoded": r"the server sends the object encoded \(gzip\)",
    }.items(),
)
def test_what_does_not_pass_is_an_error_of_the_file_system(fault, text, server):
    server.faults, server.only = {fault}, WEIGHTS if fault != "encoded" else ""
    with pytest.raises(errors.FileSystemError, match=text):
        safeload.check_bert(f"{server.address}/safetensors")


@pytest.mark.parametrize("status", ["401", "403"])
def test_what_a_server_refuses(status, server):
    server.faults, server.only = {status}, WEIGHTS
    with pytest.raises(errors.UnreadableFileError, match=f"HTTP {status}"):
        safeload.check_bert(f"{server.address}/safetensors")


def test_a_page_in_the_place_of_weights_is_named(server):
    server.faults, server.only = {"login page"}, WEIGHTS
    with pytest.raises(errors.WrongFileKindError, match="HTML page"):
        safeload.check_bert(f"{server.address}/safetensors")


def test_an_object_that_is_not_there(server):
    with pytest.raises(errors.MissingFileError) as caught:
        safeload.check_bert(f"{server.address}/safetensors/lost.json")
    assert "model.safetensors" in str(caught.value)


def test_a_server_that_is_not_there(monkeypatch):
    monkeypatch.setattr(attempts, "FIRST_WAIT", 0.001)
    with pytest.raises(errors.FileSystemError, match=r"no connection to the server.*attempt 5 of 5"):
        safeload.check_bert("http://127.0.0.1:9/bert")


@pytest.mark.parametrize(
    ("there", "text"),
    [
        ("https://example.org/bert", "redirects to another scheme: https://example.org/bert"),
        (
            "http://127.0.0.1:9/bert?token=SECRET",
            "redirects into this machine's own network: http://127.0.0.1:9/bert\n",
        ),
        ("http://169.254.169.254/latest", "redirects into this machine's own network"),
        ("/config.json", "redirects more than 5 times"),
    ],
)
def test_where_a_redirect_may_not_lead(there, text, server):
    server.redirects = {"/config.json": there}
    with pytest.raises(errors.FileSystemError, match=text):
        safeload.check_bert(f"{server.address}/config.json")


def test_a_redirect_that_is_asked_for_is_followed(folder, server, monkeypatch):
    with serving(folder) as other:
        server.redirects = {"/config.json": f"{other.address}/safetensors/config.json"}
        address = server.address.replace("http://", "http://user:SECRET@")
        files = [f"{address}/config.json", f"{address}/safetensors/{WEIGHTS}"]
        with pytest.raises(errors.FileSystemError, match="SAFELOAD_ALLOW_REDIRECTS=1"):
            safeload.check_bert(*files)
        monkeypatch.setenv("SAFELOAD_ALLOW_REDIRECTS", "1")
        remote, local = safeload.check_bert(*files), safeload.check_bert(folder / "safetensors")
        assert remote.read == local.read
        assert [file.role for file in remote.files] == ["config", "weight"]
        assert not any("Authorization" in headers for headers in other.headers)


def test_a_redirect_on_the_same_server_is_followed(server):
    server.redirects = {"/resolve/config.json": "/safetensors/config.json"}
    report = safeload.check_bert(f"{server.address}/resolve/config.json", f"{server.address}/safetensors/{WEIGHTS}")
    assert report.files[0].path == f"{server.address}/resolve/config.json"


# one object, all the time


def opened(address):
    source = RemoteSource()
    return source.open(address)


@pytest.fixture
def large(tmp_path, monkeypatch):
    """Serve an object of several requests."""
    monkeypatch.setattr(reading, "N_UNIT_BYTES", 1 << 16)
    monkeypatch.setattr(attempts, "FIRST_WAIT", 0.001)
    data = os.urandom(5_000_001)
    (tmp_path / "x").write_bytes(data)
    with serving(tmp_path) as found:
        yield found, data


@pytest.mark.parametrize("n_block", [1000, 70_000, 1_000_000, 6_000_000])
def test_blocks_of_any_size_in_order(n_block, large):
    server, data = large
    with opened(f"{server.address}/x") as file:
        assert b"".join(file.read(n_block, at) for at in range(0, len(data), n_block)) == data


def test_blocks_in_any_order(large):
    server, data = large
    with opened(f"{server.address}/x") as file:
        for at in (4_999_000, 0, 3_000_000, 2_999_990, 70_000, 5_000_000, 5_000_001, 6_000_000):
            assert file.read(100_000, at) == data[at : at + 100_000]


@pytest.mark.parametrize("fault", ["", "no etag"])
def test_an_object_that_is_replaced_while_it_is_read(fault, large):
    server, data = large
    server.faults = {fault}
    with opened(f"{server.address}/x") as file:
        assert file.read(10, 0) == data[:10]
        (server.folder / "x").write_bytes(data[:-1] if fault else data[::-1])
        with pytest.raises(OSError, match="replaced or written to"):
            file.read(10, 4_000_000)


def test_a_range_other_than_the_one_that_was_asked_for(large):
    server, _ = large
    server.faults = {"wrong range"}
    with opened(f"{server.address}/x") as file, pytest.raises(OSError, match="another range"):
        file.read(10, 4_000_000)


def test_an_object_of_a_store_that_is_replaced_while_it_is_read(memory, monkeypatch):
    read, done = objects.ObjectStore.read, []

    def replacing(self, address, block, offset, found):
        read(self, address, block, offset, found)
        if address.endswith(WEIGHTS) and not done:
            done.append(memory.pipe(f"/models/safetensors/{WEIGHTS}", memory.cat(f"/models/safetensors/{WEIGHTS}")))

    monkeypatch.setattr(objects.ObjectStore, "read", replacing)
    with pytest.raises(errors.CorruptFileError, match="was replaced"):
        safeload.check_bert("memory://models/safetensors")
    assert done


def test_an_empty_object(tmp_path):
    (tmp_path / "empty.json").write_bytes(b"")
    with serving(tmp_path) as found, pytest.raises(errors.WrongFileKindError, match="empty file"):
        safeload.check_bert(f"{found.address}/empty.json")


# what is not said


def secret_of(server):
    return server.address.replace("http://", "http://user:SECRET@")


def chain_of(exc):
    while exc is not None:
        yield exc
        exc = exc.__cause__ or exc.__context__


def test_no_message_has_user_info_or_a_query(server):
    server.faults, server.only = {"503"}, WEIGHTS
    with pytest.raises(errors.FileSystemError) as caught:
        safeload.check_bert(
            f"{secret_of(server)}/safetensors/config.json?sig=SECRET", f"{secret_of(server)}/safetensors"
        )
    said = [line for each in chain_of(caught.value) for line in traceback.format_exception_only(each)]
    assert "SECRET" not in f"{said} {caught.value.given} {caught.value.to_dict()}"


def test_no_report_has_user_info_or_a_query(server):
    report = safeload.check_bert(
        f"{secret_of(server)}/safetensors", f"{secret_of(server)}/safetensors/{WEIGHTS}?sig=SECRET"
    )
    assert "SECRET" not in f"{report} {report.to_dict()}"


def test_user_info_is_sent_to_its_own_server_alone(server, tmp_path):
    (tmp_path / "config.json").write_bytes((server.folder / "safetensors" / "config.json").read_bytes())
    safeload.check_bert(f"{secret_of(server)}/safetensors")
    assert {headers.get("Authorization") for headers in server.headers} == {"Basic dXNlcjpTRUNSRVQ="}


def test_an_address_keeps_its_secrets_in_another_process():
    address = Address("https://user:SECRET@host/x?sig=SECRET")
    assert str(address) == "https://host/x"
    assert pickle.loads(pickle.dumps(address)).real == address.real


# what is needed


@pytest.mark.parametrize(("scheme", "package"), [("s3", "s3fs"), ("gs", "gcsfs"), ("az", "adlfs")])
def test_the_package_of_a_scheme_is_named(scheme, package):
    if importlib.util.find_spec(package):
        pytest.skip(f"{package} is installed")
    with pytest.raises(errors.MissingDependencyError, match=f"pip install '{package}'") as caught:
        safeload.check_bert(f"{scheme}://bucket/bert")
    assert caught.value.package == package


@pytest.mark.parametrize(
    ("address", "text"),
    [
        ("nothing://x/y", "no store is known for nothing://"),
        ("simplecache::https://host/x", "keeps copies on the disk"),
        ("reference://x", "not of a place of its own"),
    ],
)
def test_an_address_of_no_place(address, text):
    with pytest.raises(errors.InvalidPathError, match=text):
        safeload.check_bert(address)
