"""Signatures of models at addresses, and signatures at addresses."""

from __future__ import annotations

import pytest

import safeload
from safeload import testing
from safeload.errors import LockError
from tests.servers import serving
from tests.signatures.keys import sign, write_key

pytest.importorskip("model_signing")

CALLS = (safeload.check_bert, safeload.check_weights, safeload.load_state_dict)


@pytest.fixture
def signed(tmp_path):
    """Serve a BERT that its publisher signed; return the server and the two paths."""
    private, public = write_key(tmp_path / "keys")
    testing.write_bert(tmp_path / "served" / "bert", form="safetensors")
    signature = sign(tmp_path / "served" / "bert", tmp_path / "served" / "bert" / "model.sig", private)
    with serving(tmp_path / "served") as server:
        yield server, signature, public


def test_a_model_at_an_address_with_a_signature_of_the_disk(signed):
    server, signature, public = signed
    report = safeload.check_bert(f"{server.address}/bert", signature=signature, signed_by=public)
    assert report.signature.n_files == 3
    assert all(file.sha256 for file in report.files if file.role != "signature")


def test_a_signature_at_an_address(signed, tmp_path):
    server, _, public = signed
    address = server.address.replace("http://", "http://user:SECRET@")
    arguments = {"signature": f"{address}/bert/model.sig", "signed_by": public}
    for path in (f"{address}/bert", tmp_path / "served" / "bert"):
        report = safeload.check_bert(path, **arguments)
        assert report.signature.path == f"{server.address}/bert/model.sig"
        assert "SECRET" not in f"{report} {report.to_dict()}"


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.__name__)
def test_a_byte_that_differs(call, signed):
    server, signature, public = signed
    path = server.folder / "bert" / "model.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(LockError, match="different from what was signed"):
        call(f"{server.address}/bert", signature=signature, signed_by=public)


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.__name__)
def test_a_signed_file_that_is_gone(call, signed):
    server, signature, public = signed
    (server.folder / "bert" / "model.safetensors").unlink()
    with pytest.raises(LockError, match="MISSING"):
        call(f"{server.address}/bert", signature=signature, signed_by=public)


def test_a_file_that_the_signature_does_not_cover(signed):
    server, signature, public = signed
    (server.folder / "bert" / "vocab.txt").rename(server.folder / "vocab.txt")
    with pytest.raises(LockError):
        safeload.check_bert(
            f"{server.address}/bert", vocab_file=f"{server.address}/vocab.txt", signature=signature, signed_by=public
        )
