"""A signature proves who made the files that a load reads: verified by model-signing, compared with what safeload reads."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import safeload
from safeload import testing
from safeload._bytes import system
from safeload.errors import LockError, UnsafeFileError, WrongFileKindError
from safeload.lock import LOCK_NAME, lock_text, make_lock
from tests.archives import write_archive
from tests.signatures.keys import Chain, derived, hashing, sign, sign_with, write_key
from tests.weights.files import cache_of

pytest.importorskip("model_signing")


@pytest.fixture
def keys(tmp_path):
    """Return the private and the public key of a publisher."""
    return write_key(tmp_path / "keys")


@pytest.fixture
def signed(bert, keys):
    """Return a BERT in safetensors that its publisher signed, and the arguments that say so."""
    shutil.rmtree(bert)
    testing.write_bert(bert, form="safetensors")
    return bert, {"signature": sign(bert, bert / "model.sig", keys[0]), "signed_by": keys[1]}


CALLS = {
    "check_bert": safeload.check_bert,
    "check_weights": safeload.check_weights,
    "load_state_dict": safeload.load_state_dict,
}


@pytest.fixture(params=CALLS)
def call(request):
    return CALLS[request.param]


def refused(call, folder, arguments, kind=LockError):
    with pytest.raises(kind) as caught:
        call(folder, **arguments)
    return caught.value


def flip(path, at=-1):
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def test_what_its_publisher_signed_loads_and_the_report_says_who(signed):
    folder, arguments = signed
    report = safeload.check_bert(folder, **arguments)
    fingerprint = fingerprint_of(arguments["signed_by"])

    assert report.signature.fingerprint == fingerprint
    assert (report.signature.method, report.signature.n_files) == ("key", 3)
    assert f"signed by:   the key {fingerprint}" in str(report)
    assert report.to_dict()["signature"]["path"] == str(folder / "model.sig")
    assert [file.role for file in report.files][-1] == "signature"
    assert all(file.sha256 for file in report.files[:-1])
    weights = safeload.check_weights(folder, **arguments)
    assert weights.signature == report.signature
    assert weights.proofs == (f"the digests of 3 files in {folder / 'model.sig'}",)


def fingerprint_of(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_values_of_a_signed_model_are_those_of_the_same_model_unsigned(signed):
    folder, arguments = signed
    found, usual = safeload.load_state_dict(folder, **arguments), safeload.load_state_dict(folder)

    assert found.keys() == usual.keys()
    assert all(np.array_equal(found[name], usual[name]) for name in usual)


def test_an_elmo_is_verified_too(elmo, keys):
    arguments = {"signature": sign(elmo, elmo / "model.sig", keys[0]), "signed_by": keys[1]}
    assert safeload.check_elmo(elmo, **arguments).signature.n_files == 2
    flip(elmo / "options.json")
    assert refused(safeload.check_elmo, elmo, arguments).files == ("options.json",)


@pytest.mark.parametrize("form", ["tensorflow", "torch", "hdf5", "keras"])
def test_every_form_is_verified(form, tmp_path, keys):
    folder = testing.write_bert(tmp_path / "model", form=form)
    arguments = {"signature": sign(folder, tmp_path / "bert.sig", keys[0]), "signed_by": keys[1]}
    report = safeload.check_bert(folder, **arguments)
    assert report.read == safeload.check_bert(folder).read
    weights = [file.path for file in report.files if file.role not in ("config", "vocab", "signature")]
    for path in weights:
        whole = Path(path).read_bytes()
        Path(path).write_bytes(whole + b"\0")
        assert refused(safeload.check_bert, folder, arguments).files == (os.path.basename(path),)
        Path(path).write_bytes(whole)


def test_a_certificate_is_verified_up_to_the_root(signed, tmp_path, call):
    folder, _ = signed
    chain = Chain(tmp_path / "chain")
    arguments = {"signature": sign_with(chain, folder, tmp_path / "c.sig"), "signed_by": chain.root}
    call(folder, **arguments)
    by = safeload.check_bert(folder, **arguments).signature

    assert (by.method, by.subject) == ("certificate", "CN=Publisher")
    from cryptography.hazmat.primitives import hashes

    assert by.fingerprint == chain.certificate.fingerprint(hashes.SHA256()).hex()


def test_a_certificate_of_another_root_is_not_trusted(signed, tmp_path, call):
    folder, _ = signed
    chain, other = Chain(tmp_path / "chain"), tmp_path / "other.crt"
    from cryptography.hazmat.primitives.serialization import Encoding

    from tests.signatures.keys import certificate

    other.write_bytes(certificate("Root", derived(99), is_ca=True).public_bytes(Encoding.PEM))
    error = refused(call, folder, {"signature": sign_with(chain, folder, tmp_path / "c.sig"), "signed_by": other})
    assert error.message.startswith("the certificate of the signature is not trusted: ")
    assert "CN=Publisher" in str(error)


def test_a_certificate_that_is_not_for_signing_is_refused(signed, tmp_path, call):
    folder, _ = signed
    chain = Chain(tmp_path / "chain", may_sign=False)
    error = refused(call, folder, {"signature": sign_with(chain, folder, tmp_path / "c.sig"), "signed_by": chain.root})
    assert "cannot be used for signing" in error.message


def test_another_key_is_refused_and_both_are_named(signed, tmp_path, call):
    folder, arguments = signed
    _, other = write_key(tmp_path / "keys", "other", derived(8))
    error = refused(call, folder, {**arguments, "signed_by": other})

    assert error.message == "the signature was made with another key"
    assert dict(error.context)["signed with"] == fingerprint_of(arguments["signed_by"])
    assert dict(error.context)["trusted"] == fingerprint_of(other)


@pytest.mark.parametrize("curve", ["SECP384R1", "SECP521R1"])
def test_keys_of_other_curves_are_taken(curve, signed, tmp_path):
    private, public = write_key(tmp_path / "more", "k", derived(5, curve))
    folder, _ = signed
    signature = sign(folder, tmp_path / "more.sig", private, ignored=["model.sig"])
    assert safeload.check_bert(folder, signature=signature, signed_by=public).signature.method == "key"


def test_a_changed_byte_of_any_file_that_is_read_is_told(signed):
    folder, arguments = signed
    for name in ("config.json", "vocab.txt", "model.safetensors"):
        whole = (folder / name).read_bytes()
        for at in range(0, len(whole), len(whole) // 5):
            flip(folder / name, at)
            error = refused(safeload.check_bert, folder, arguments)
            assert error.files == (name,)
            assert error.resolved == str(folder / "model.sig")
            assert f"CHANGED    {name}" in str(error)
            (folder / name).write_bytes(whole)
    safeload.check_bert(folder, **arguments)


@pytest.mark.parametrize("name", ["vocab.txt", "model.safetensors"])
def test_a_missing_file_is_told_and_nothing_else_is_taken_for_it(name, signed):
    folder, arguments = signed
    if name == "model.safetensors":
        testing.write_bert(folder / "other", form="torch")
        shutil.copy(folder / "other" / "pytorch_model.bin", folder)
    (folder / name).unlink()
    error = refused(safeload.check_bert, folder, arguments)

    assert error.files == (name,)
    assert f"MISSING    {name}" in str(error)


def test_a_file_that_came_later_is_told(bert, keys, tmp_path):
    (bert / "vocab.txt").rename(tmp_path / "vocab.txt")
    arguments = {"signature": sign(bert, tmp_path / "a.sig", keys[0]), "signed_by": keys[1]}
    safeload.check_bert(bert, **arguments)
    shutil.copy(tmp_path / "vocab.txt", bert)
    error = refused(safeload.check_bert, bert, arguments)
    assert (error.files, error.resolved) == (("vocab.txt",), str(bert / "vocab.txt"))
    assert "not covered by its signature" in error.message


def test_weights_that_came_later_are_told(signed, call):
    folder, arguments = signed
    shutil.copy(folder / "model.safetensors", folder / "mine.safetensors")
    paths = (folder, folder / "mine.safetensors") if call is safeload.check_bert else (folder / "mine.safetensors",)
    with pytest.raises(LockError, match="not covered by its signature"):
        call(*paths, **arguments)


def test_a_file_that_is_not_read_need_not_be_there(signed):
    folder, arguments = signed
    (folder / "README.md").write_text("later, unsigned, and not read")
    assert safeload.check_bert(folder, **arguments).signature


@pytest.mark.parametrize(
    "options",
    [
        {"hashing_algorithm": "blake2"},
        {"hashing_algorithm": "blake3"},
        {"shard_size": 1000},
        {"shard_size": 1},
        {"shard_size": 1 << 30},
        {"shard_size": 4096, "hashing_algorithm": "blake2"},
    ],
    ids=str,
)
def test_other_hash_methods_of_the_format(options, bert, keys, tmp_path, call):
    folder = testing.write_bert(tmp_path / "model2", form="safetensors", layers=1)
    arguments = {"signature": sign(folder, tmp_path / "a.sig", keys[0], hashing(**options)), "signed_by": keys[1]}
    call(folder, **arguments)
    flip(folder / "model.safetensors")
    error = refused(call, folder, arguments)
    assert error.files == ("model.safetensors",)
    flip(folder / "model.safetensors")
    with open(folder / "model.safetensors", "ab") as file:
        file.write(b"\0")
    assert refused(call, folder, arguments).files == ("model.safetensors",)
    assert bert.is_dir()


def test_a_snapshot_of_hugging_face_needs_no_switch(tmp_path, keys, call):
    folder = testing.write_bert(tmp_path / "made", form="safetensors")
    signature = sign(folder, tmp_path / "a.sig", keys[0])
    snapshot = cache_of(tmp_path, {path.name: path.read_bytes() for path in folder.iterdir()})
    call(snapshot, signature=signature, signed_by=keys[1])

    blob = (snapshot / "model.safetensors").resolve()
    flip(blob)
    error = refused(call, snapshot, {"signature": signature, "signed_by": keys[1]})
    assert error.files == ("model.safetensors",)


def test_a_snapshot_may_lack_what_is_not_read(tmp_path, keys):
    """Whoever downloads one form of a repository has its signature, which covers all."""
    folder = testing.write_bert(tmp_path / "made", form="safetensors")
    for form in ("torch", "hdf5"):
        testing.write_bert(tmp_path / form, form=form)
    shutil.copy(tmp_path / "torch/pytorch_model.bin", folder)
    shutil.copy(tmp_path / "hdf5/tf_model.h5", folder)
    arguments = {"signature": sign(folder, tmp_path / "a.sig", keys[0]), "signed_by": keys[1]}
    kept = ("config.json", "vocab.txt", "model.safetensors")
    snapshot = cache_of(tmp_path, {name: (folder / name).read_bytes() for name in kept})

    report = safeload.check_bert(snapshot, **arguments)
    assert report.signature.n_files == 5
    note = "2 of 5 signed files are not there, and not needed: pytorch_model.bin, tf_model.h5"
    assert note in report.notes
    assert note in safeload.check_weights(snapshot, **arguments).notes
    (snapshot / "model.safetensors").unlink()
    assert refused(safeload.check_bert, snapshot, arguments).files == ("model.safetensors",)


@pytest.mark.parametrize("as_file", [False, True])
def test_an_archive_is_covered_in_its_folder_or_by_itself(as_file, tiny_bert, tmp_path, keys):
    (tmp_path / "models").mkdir()
    archive = write_archive(tiny_bert, tmp_path / "models/deflated.zip")
    signature = sign(archive if as_file else archive.parent, tmp_path / "a.sig", keys[0])
    arguments = {"signature": signature, "signed_by": keys[1]}
    report = safeload.check_bert(archive, **arguments)
    assert [file.role for file in report.files[-2:]] == ["archive", "signature"]
    flip(archive, 10)  # the time of its first member, which no checksum covers
    assert refused(safeload.check_bert, archive, arguments).files == ("." if as_file else "deflated.zip",)


def test_a_weight_file_that_was_signed_by_itself(signed, keys, tmp_path):
    path = signed[0] / "model.safetensors"
    arguments = {"signature": sign(path, tmp_path / "a.sig", keys[0]), "signed_by": keys[1]}
    assert safeload.check_weights(path, **arguments).signature.n_files == 1
    assert "not covered" in refused(safeload.check_bert, signed[0], arguments).message


def test_a_part_of_a_signed_folder_is_known_by_its_place_there(tmp_path, keys):
    """A part with the same names as the whole is not taken for it, whatever is copied over it."""
    pipe = tmp_path / "pipe"
    testing.write_bert(pipe, form="safetensors")
    testing.write_bert(pipe / "student", form="safetensors", seed=1)
    arguments = {"signature": sign(pipe, tmp_path / "a.sig", keys[0]), "signed_by": keys[1]}
    safeload.check_bert(pipe, **arguments)
    safeload.check_bert(pipe / "student", **arguments)
    shutil.copy(pipe / "model.safetensors", pipe / "student")
    assert refused(safeload.check_bert, pipe / "student", arguments).files == ("student/model.safetensors",)


@pytest.mark.parametrize("options", [{}, {"hashing_algorithm": "blake2"}])
def test_a_lock_and_a_signature_both_apply(options, bert, keys, tmp_path, call):
    lock = make_lock(
        CALLS["check_weights" if call is safeload.load_state_dict else call.__name__](bert), bert / LOCK_NAME
    )
    arguments = {"signature": sign(bert, tmp_path / "a.sig", keys[0], hashing(**options)), "signed_by": keys[1]}
    (bert / LOCK_NAME).write_text(lock_text(lock))
    call(bert, **arguments)
    (bert / "vocab.txt").write_text((bert / "vocab.txt").read_text() + "more\n")
    if call is safeload.check_bert:
        assert refused(call, bert, arguments).label == "lock"
    shard = bert / "bert_model.ckpt.data-00000-of-00001"
    flip(shard)
    assert refused(call, bert, arguments).label == "lock"
    (bert / LOCK_NAME).unlink()
    assert refused(call, bert, arguments).label == "signature"


def test_each_file_is_opened_once_and_each_byte_read_once(signed, monkeypatch):
    folder, arguments = signed
    counts = {}
    usual = system.read_at

    def counting(file, block, offset):
        n_read = usual(file, block, offset)
        counts.setdefault(os.fstat(file.fileno()).st_ino, Counter()).update(range(offset, offset + n_read))
        return n_read

    monkeypatch.setattr(system, "read_at", counting)
    safeload.check_bert(folder, **arguments)
    counted = counts[(folder / "model.safetensors").stat().st_ino]
    assert set(list(counted.values())[2000:]) == {1}  # the first bytes are also looked at, to recognise the file


def test_what_is_loaded_is_what_was_hashed(signed, monkeypatch):
    """The weights are replaced after they were compared; the load goes on with the bytes that were."""
    from safeload.lock import _copies

    folder, arguments = signed
    usual = safeload.check_bert(folder, **arguments)
    hash_of = _copies.hash_of

    def replacing(original, *rest, **options):
        found = hash_of(original, *rest, **options)
        with open(original.path, "wb") as file:
            file.write(b"\0" * found[1])
        return found

    monkeypatch.setattr(_copies, "hash_of", replacing)
    assert safeload.check_bert(folder, **arguments).read == usual.read


def rewritten(signature, change):
    bundle = json.loads(signature.read_text())
    change(bundle)
    signature.write_text(json.dumps(bundle))


def with_payload(change):
    """Change what was signed, in an envelope that is left as it is."""

    def changed(bundle):
        payload = base64.b64decode(bundle["dsseEnvelope"]["payload"])
        bundle["dsseEnvelope"]["payload"] = base64.b64encode(change(payload)).decode()

    return changed


@pytest.mark.parametrize("has_hint", [True, False])
def test_an_altered_list_of_files_is_refused(has_hint, signed, call, capfd):
    folder, arguments = signed
    flip(folder / "model.safetensors")
    found = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    payload = base64.b64decode(json.loads(arguments["signature"].read_text())["dsseEnvelope"]["payload"])
    old = next(
        each["digest"] for each in json.loads(payload)["predicate"]["resources"] if "safetensors" in each["name"]
    )
    rewritten(arguments["signature"], with_payload(lambda data: data.replace(old.encode(), found.encode())))
    if not has_hint:
        rewritten(arguments["signature"], lambda bundle: bundle["verificationMaterial"]["publicKey"].pop("hint"))
    error = refused(call, folder, arguments)
    assert error.message.startswith("the signature is not of its contents")
    assert capfd.readouterr().out == ""


def test_an_older_signature_without_the_name_of_its_key_is_verified(signed, capfd):
    folder, arguments = signed
    rewritten(arguments["signature"], lambda bundle: bundle["verificationMaterial"]["publicKey"].pop("hint"))
    assert safeload.check_bert(folder, **arguments).signature
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize("at", [0.1, 0.5, 0.9, 0.999])
def test_a_cut_signature_is_told(at, signed, call):
    folder, arguments = signed
    data = arguments["signature"].read_bytes()
    arguments["signature"].write_bytes(data[: int(len(data) * at)])
    error = refused(call, folder, arguments)
    assert "is not JSON" in error.message
    assert error.resolved == str(arguments["signature"])


BAD = {
    "identity": (
        lambda b: b["verificationMaterial"].update(certificate={"rawBytes": ""}),
        LockError,
        "needs the network",
    ),
    "log": (
        lambda b: b["verificationMaterial"].update(tlogEntries=[{"logIndex": "1"}]),
        LockError,
        "needs the network",
    ),
    "version": (lambda b: b.update(mediaType="application/vnd.dev.sigstore.bundle.v9+json"), LockError, "media type"),
    "no material": (lambda b: b.pop("verificationMaterial"), LockError, "no verificationMaterial"),
    "no envelope": (lambda b: b.pop("dsseEnvelope"), LockError, "no dsseEnvelope"),
    "no signer": (lambda b: b["verificationMaterial"].pop("publicKey"), LockError, "neither a key nor a certificate"),
    "signer of null": (lambda b: b["verificationMaterial"].update(publicKey=None), LockError, "cannot be used"),
    "signatures": (lambda b: b["dsseEnvelope"].update(signatures=[]), LockError, "cannot be used"),
    "base64": (lambda b: b["dsseEnvelope"].update(payload="%%"), LockError, ""),
    "payload type": (lambda b: b["dsseEnvelope"].update(payloadType="x"), LockError, ""),
    "blob": (lambda b: b.update(messageSignature={}), WrongFileKindError, "for one file"),
    "other JSON": (lambda b: b.clear(), WrongFileKindError, "not a Sigstore bundle"),
}


@pytest.mark.parametrize(("change", "kind", "told"), BAD.values(), ids=BAD)
def test_a_bundle_of_another_kind_is_refused(change, kind, told, signed, call):
    folder, arguments = signed
    rewritten(arguments["signature"], change)
    error = refused(call, folder, arguments, kind)
    assert told in error.message
    assert error.resolved == str(arguments["signature"])
    assert error.hints


def test_a_file_of_another_size_than_its_shards_is_not_hashed(signed, keys, tmp_path, call):
    """Else a file of a gigabyte would have as many digests as bytes."""
    folder, arguments = signed
    arguments["signature"] = sign(folder, tmp_path / "a.sig", keys[0], hashing(shard_size=1), ignored=["model.sig"])
    n_bytes = (folder / "model.safetensors").stat().st_size
    os.truncate(folder / "model.safetensors", 1 << 30)
    assert f"signed with {n_bytes:,} bytes, found 1,073,741,824" in str(refused(call, folder, arguments))


def test_a_lock_does_not_list_the_signature(signed):
    folder, arguments = signed
    lock = make_lock(safeload.check_bert(folder, **arguments), folder / LOCK_NAME)
    assert [file.name for file in lock.files] == ["config.json", "model.safetensors", "vocab.txt"]


def test_a_hash_method_that_is_not_known_is_refused(signed, keys):
    from model_signing import signing as theirs
    from model_signing._hashing import hashing as digests

    class Renamed:
        def hash(self, folder):
            manifest = hashing().hash(folder)
            manifest._item_to_digest = {
                key: digests.Digest("md5", digest.digest_value) for key, digest in manifest._item_to_digest.items()
            }
            return manifest

    folder, arguments = signed
    theirs.Config().use_elliptic_key_signer(private_key=keys[0]).set_hashing_config(Renamed()).sign(
        folder, arguments["signature"]
    )
    error = refused(safeload.check_bert, folder, arguments)
    assert "'md5', which is not supported" in error.message


def test_a_signature_of_a_gigabyte_is_not_read(signed):
    folder, arguments = signed
    os.truncate(arguments["signature"], 1 << 30)
    refused(safeload.check_bert, folder, arguments, UnsafeFileError)


def test_other_files_in_the_place_of_the_key_are_told(signed, keys, tmp_path):
    folder, arguments = signed
    from cryptography.hazmat.primitives import serialization as s
    from cryptography.hazmat.primitives.asymmetric import ed25519

    other = tmp_path / "k.pub"
    public = ed25519.Ed25519PrivateKey.generate().public_key()
    other.write_bytes(public.public_bytes(s.Encoding.PEM, s.PublicFormat.SubjectPublicKeyInfo))
    cases = {
        keys[0]: "a private key",
        other: "a key that model-signing does not take",
        folder / "model.safetensors": "safetensors file",
        folder / "vocab.txt": "an unrecognised file",
    }
    for path, told in cases.items():
        error = refused(safeload.check_bert, folder, {**arguments, "signed_by": path}, WrongFileKindError)
        assert told in error.message
        assert (error.resolved, error.label) == (str(path), "signed_by")
    other.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    assert (
        "was made with a key, and signed_by is a certificate"
        in refused(safeload.check_bert, folder, {**arguments, "signed_by": other}).message
    )
    os.truncate(other, 1 << 30)
    refused(safeload.check_bert, folder, {**arguments, "signed_by": other}, UnsafeFileError)


@pytest.mark.parametrize(("there", "then"), [("mod\u00e8le", "mode\u0300le"), ("mode\u0300le", "mod\u00e8le")])
def test_a_name_is_signed_however_its_accents_are_written(there, then, signed, keys):
    folder, arguments = signed
    (folder / "vocab.txt").rename(folder / f"{there}.txt")
    sign(folder, folder / "model.sig", keys[0])
    (folder / f"{there}.txt").rename(folder / f"{then}.txt")

    for asked in (there, then):
        report = safeload.check_bert(folder, vocab_file=folder / f"{asked}.txt", **arguments)
        assert {file.path for file in report.files} >= {str(folder / f"{then}.txt")}
    (folder / f"{then}.txt").write_text("[PAD]\n", encoding="utf-8")
    error = refused(
        lambda path, **more: safeload.check_bert(path, vocab_file=path / f"{then}.txt", **more), folder, arguments
    )
    assert error.files == (f"{then}.txt",)


def test_what_systems_put_beside_signed_files_needs_no_signature_and_is_not_missed(signed, keys):
    folder, arguments = signed
    for name in (".DS_Store", "._vocab.txt", "Thumbs.db", "desktop.ini"):
        (folder / name).write_bytes(b"x")
    before = safeload.check_bert(folder, **arguments)
    sign(folder, folder / "model.sig", keys[0])
    for name in (".DS_Store", "._vocab.txt", "Thumbs.db", "desktop.ini"):
        (folder / name).unlink()

    assert safeload.check_bert(folder, **arguments).notes == before.notes
