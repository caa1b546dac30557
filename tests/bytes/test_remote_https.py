"""A real HTTPS server with a certificate authority of its own: the same results as from the disk, and its faults."""

from __future__ import annotations

import ssl

import pytest

import safeload
from safeload import errors, testing
from tests.servers import be_impatient, require_same, serving

trustme = pytest.importorskip("trustme")
WEIGHTS = "model.safetensors"
CHECKS = {"bert": safeload.check_bert, "elmo": safeload.check_elmo, "hf": safeload.check_weights}


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """Return a certificate authority, and the file of its certificate."""
    found = trustme.CA()
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    found.cert_pem.write_to_path(str(path))
    return found, str(path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    found = tmp_path_factory.mktemp("served")
    testing.write_bert(found / "bert")
    testing.write_bert(found / "hf", form="safetensors")
    testing.write_elmo(found / "elmo")
    return found


@pytest.fixture
def server(folder, authority, monkeypatch):
    be_impatient(monkeypatch, seconds=0.5)
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority[0].issue_cert("localhost").configure_cert(context)
    with serving(folder, context) as found:
        yield found


@pytest.fixture
def trusted(server, authority, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", authority[1])
    return server


@pytest.mark.parametrize("name", CHECKS)
def test_a_check_says_what_one_of_the_disk_says(name, folder, trusted):
    report = CHECKS[name](f"{trusted.address}/{name}")
    require_same(report, CHECKS[name](folder / name))
    assert all(file.path.startswith("https://localhost:") for file in report.files)


def test_a_certificate_that_no_one_vouches_for(server):
    with pytest.raises(errors.FileSystemError, match="certificate is not accepted"):
        safeload.check_bert(f"{server.address}/bert/bert_config.json")


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"])
def test_who_vouches_is_said_by_the_usual_variables(name, folder, server, authority, monkeypatch):
    monkeypatch.setenv(name, authority[1])
    require_same(safeload.check_bert(f"{server.address}/bert"), safeload.check_bert(folder / "bert"))


@pytest.mark.parametrize("fault", ["429", "500", "503", "cut", "stall", "wrong length"])
def test_what_may_pass_is_tried_again(fault, folder, trusted):
    trusted.faults, trusted.left, trusted.only = {fault}, 2, WEIGHTS
    require_same(safeload.check_weights(f"{trusted.address}/hf"), safeload.check_weights(folder / "hf"))


@pytest.mark.parametrize("fault", ["no ranges", "no etag", "weak etag"])
def test_what_a_server_may_leave_out(fault, folder, trusted):
    trusted.faults = {fault}
    require_same(safeload.check_bert(f"{trusted.address}/hf"), safeload.check_bert(folder / "hf"))


@pytest.mark.parametrize(
    ("fault", "error", "text"),
    [
        ("429", errors.FileSystemError, "HTTP 429"),
        ("503", errors.FileSystemError, "HTTP 503"),
        ("cut", errors.FileSystemError, "closed the connection"),
        ("wrong length", errors.FileSystemError, "closed the connection after"),
        ("stall", errors.FileSystemError, "stopped sending"),
        ("encoded", errors.FileSystemError, r"encoded \(gzip\)"),
        ("login page", errors.WrongFileKindError, "HTML page"),
        ("403", errors.UnreadableFileError, "HTTP 403"),
    ],
)
def test_what_does_not_pass(fault, error, text, trusted):
    trusted.faults, trusted.only = {fault}, WEIGHTS
    with pytest.raises(error, match=text):
        safeload.check_weights(f"{trusted.address}/hf/{WEIGHTS}")


def test_a_redirect_to_a_server_without_encryption(folder, trusted):
    with serving(folder) as other:
        trusted.redirects = {"/config.json": f"{other.address}/hf/config.json"}
        with pytest.raises(errors.FileSystemError, match="redirects to another scheme"):
            safeload.check_bert(f"{trusted.address}/config.json")
