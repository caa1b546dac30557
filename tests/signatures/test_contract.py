"""What safeload uses of model-signing, some of it private, is as it was: another release that changes it fails here."""

from __future__ import annotations

import hashlib
import inspect
import json
import shutil
from pathlib import Path

import pytest

from safeload._frameworks.signing import require_signing
from safeload._signatures.bundle import MEDIA_TYPE
from tests.signatures.keys import Chain, hashing, sign, sign_with, write_key

pytest.importorskip("model_signing")


class OnlyReads:
    """Stands for a path: it has the two methods that safeload gives, and no other."""

    def __init__(self, path):
        self.path = path

    def read_bytes(self):
        return Path(self.path).read_bytes()

    def read_text(self, encoding):
        return Path(self.path).read_text(encoding)


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "a").write_bytes(b"12345")
    (folder / "empty").write_bytes(b"")
    return folder


def test_a_bundle_a_key_and_certificates_are_read_by_two_methods_of_a_path(folder, tmp_path):
    signing = require_signing()
    private, public = write_key(tmp_path)
    bundle = signing.bundles.Signature.read(OnlyReads(sign(folder, tmp_path / "a.sig", private)))
    manifest = signing.keys.Verifier(OnlyReads(public)).verify(bundle)
    assert [each.identifier for each in manifest.resource_descriptors()] == ["a", "empty"]
    hint = bundle.bundle.verification_material.public_key.hint
    assert hint == hashlib.sha256(public.read_bytes()).hexdigest()
    assert bundle.bundle.media_type == MEDIA_TYPE == signing.bundles._BUNDLE_MEDIA_TYPE

    chain = Chain(tmp_path / "chain")
    bundle = signing.bundles.Signature.read(OnlyReads(sign_with(chain, folder, tmp_path / "b.sig")))
    manifest = signing.certificates.Verifier([OnlyReads(chain.root)]).verify(bundle)
    assert [each.identifier for each in manifest.resource_descriptors()] == ["a", "empty"]
    first = bundle.bundle.verification_material.x509_certificate_chain.certificates[0]
    assert signing.x509.load_der_x509_certificate(first.raw_bytes) == chain.certificate


def test_a_signature_that_is_not_of_its_contents_raises_what_safeload_expects(folder, tmp_path):
    signing = require_signing()
    private, public = write_key(tmp_path)
    path = sign(folder, tmp_path / "a.sig", private)
    found = json.loads(path.read_text())
    found["dsseEnvelope"]["signatures"][0]["sig"] = (
        json.loads(sign(folder, tmp_path / "b.sig", private).read_text())["dsseEnvelope"]["signatures"][0]["sig"][:-8]
        + "AAAAAAA="
    )
    path.write_text(json.dumps(found))
    with pytest.raises((signing.invalid, ValueError)):
        signing.keys.Verifier(OnlyReads(public)).verify(signing.bundles.Signature.read(OnlyReads(path)))

    chain, other = Chain(tmp_path / "chain"), Chain(tmp_path / "more")
    bundle = signing.bundles.Signature.read(OnlyReads(sign_with(chain, folder, tmp_path / "c.sig")))
    with pytest.raises(signing.untrusted):
        signing.certificates.Verifier([OnlyReads(other.paths["signer"])]).verify(bundle)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [("a", "sha256", hashlib.sha256(b"12345")), ("empty", "sha256", hashlib.sha256(b""))]),
        (
            {"hashing_algorithm": "blake2"},
            [("a", "blake2b", hashlib.blake2b(b"12345")), ("empty", "blake2b", hashlib.blake2b(b""))],
        ),
        (
            {"shard_size": 3},
            [
                ("a:0:3", "sha256-sharded-3", hashlib.sha256(b"123")),
                ("a:3:5", "sha256-sharded-3", hashlib.sha256(b"45")),
            ],
        ),
    ],
    ids=["files", "blake2", "shards"],
)
def test_a_manifest_names_files_or_their_shards_and_their_hash_method(options, expected, folder):
    manifest = hashing(**options).hash(folder)
    found = [
        (each.identifier, each.digest.algorithm, each.digest.digest_hex) for each in manifest.resource_descriptors()
    ]
    assert found == [(name, algorithm, digest.hexdigest()) for name, algorithm, digest in expected]
    assert manifest.serialization_type["method"] == ("shards" if "shard_size" in options else "files")


def test_a_file_by_itself_is_called_by_a_dot(folder):
    assert [each.identifier for each in hashing().hash(folder / "a").resource_descriptors()] == ["."]


def test_a_configuration_of_hashes_is_asked_for_no_more_than_its_hash(folder, tmp_path):
    """`safeload lock --sign` gives one that returns the hashes that were checked."""
    signing = require_signing()
    private, public = write_key(tmp_path)
    manifest = hashing().hash(folder)

    class Known:
        def hash(self, model):
            assert Path(model) == folder
            shutil.rmtree(folder)
            return manifest

    path = tmp_path / "a.sig"
    signing.signing.Config().use_elliptic_key_signer(private_key=private).set_hashing_config(Known()).sign(folder, path)
    assert signing.keys.Verifier(public).verify(signing.bundles.Signature.read(path)) == manifest
    assert list(inspect.signature(signing.signing.Config.use_certificate_signer).parameters)[1:] == [
        "private_key",
        "signing_certificate",
        "certificate_chain",
    ]
