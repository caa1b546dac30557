"""What safeload signs, model-signing verifies; and both read what the other wrote."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import safeload
from safeload.lock import LOCK_NAME
from tests.archives import write_archive
from tests.command_line import safeload_cli
from tests.signatures.keys import Chain, sign, write_key
from tests.weights.files import cache_of, write_shards

pytest.importorskip("model_signing")


def verify(*arguments, code=0):
    """Run model-signing's own command."""
    done = subprocess.run(
        [sys.executable, "-m", "model_signing", "verify", *map(str, arguments)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def keys(tmp_path):
    return write_key(tmp_path / "keys")


@pytest.mark.parametrize("kind", ["bert", "elmo"])
def test_what_safeload_signs_theirs_verifies(kind, request, keys):
    folder = request.getfixturevalue(kind)
    done = safeload_cli("lock", folder, "--sign", keys[0])
    assert f"signed  {folder}/model.sig\n" in done.stdout
    verify("key", folder, "--signature", folder / "model.sig", "--public_key", keys[1])
    options = ("--signature", folder / "model.sig", "--signed-by", keys[1])
    assert ", locked, signed, " in safeload_cli("check", kind, folder, *options).stdout

    config = folder / ("bert_config.json" if kind == "bert" else "options.json")
    config.write_text(config.read_text() + " ")
    (folder / LOCK_NAME).unlink()
    assert "CHANGED" in safeload_cli("check", kind, folder, *options, code=1).stdout
    verify("key", folder, "--signature", folder / "model.sig", "--public_key", keys[1], code=1)


def test_what_systems_put_into_a_folder_is_not_signed(bert, keys):
    for name in (".DS_Store", "._vocab.txt", "inner/.DS_Store"):
        (bert / name).parent.mkdir(exist_ok=True)
        (bert / name).write_bytes(b"x")
    (bert / "inner" / "kept.txt").write_text("x")
    signature = bert / "model.sig"
    safeload_cli("lock", bert, "--sign", keys[0])
    (bert / ".DS_Store").write_bytes(b"another")
    (bert / "inner/.DS_Store").unlink()

    verify("key", bert, "--signature", signature, "--public_key", keys[1])
    n_files = sum(path.is_file() and not path.name.startswith(".") for path in bert.rglob("*")) - 1
    assert safeload.check_bert(bert, signature=signature, signed_by=keys[1]).signature.n_files == n_files


def test_a_certificate_signs(bert, tmp_path):
    chain = Chain(tmp_path / "chain")
    options = ("--certificate", chain.paths["signer"], "--chain", chain.paths["inner"], "--chain", chain.root)
    signature = tmp_path / "bert.sig"
    done = safeload_cli("lock", bert, "--sign", chain.private, *options, "--signature", signature, "--json")
    found = json.loads(done.stdout)["signature"]
    assert (found["path"], found["subject"]) == (str(signature), "CN=Publisher")
    verify("certificate", bert, "--signature", signature, "--certificate_chain", chain.root)
    by = safeload.check_bert(bert, signature=signature, signed_by=chain.root).signature
    assert (by.fingerprint, by.n_files) == (found["fingerprint"], found["n_files"])


def test_an_archive_and_weights_of_any_model_are_signed(tiny_bert, tmp_path, keys):
    archive = write_archive(tiny_bert, tmp_path / "deflated.zip")
    safeload_cli("lock", archive, "--sign", keys[0])
    verify("key", archive, "--signature", f"{archive}.sig", "--public_key", keys[1])
    assert safeload.check_bert(archive, signature=f"{archive}.sig", signed_by=keys[1]).signature.n_files == 1

    (tmp_path / "any").mkdir()
    folder = write_shards(tmp_path / "any")
    safeload_cli("lock", "--any", folder, "--sign", keys[0])
    verify("key", folder, "--signature", folder / "model.sig", "--public_key", keys[1])
    done = safeload_cli("check", "weights", folder, "--signature", folder / "model.sig", "--signed-by", keys[1])
    assert ", signed, " in done.stdout


def test_a_snapshot_of_links_is_signed(tiny_elmo, tmp_path, keys):
    snapshot = cache_of(tmp_path, {path.name: path.read_bytes() for path in tiny_elmo.iterdir()})
    safeload_cli("lock", snapshot, "--sign", keys[0], "--signature", tmp_path / "a.sig")
    verify("key", snapshot, "--signature", tmp_path / "a.sig", "--public_key", keys[1], "--allow_symlinks")
    assert safeload.check_elmo(snapshot, signature=tmp_path / "a.sig", signed_by=keys[1]).signature


def test_signing_again_replaces_the_signature(bert, keys):
    for _ in range(2):
        safeload_cli("lock", bert, "--sign", keys[0])
    verify("key", bert, "--signature", bert / "model.sig", "--public_key", keys[1])
    assert sorted(path.name for path in bert.iterdir() if "sig" in path.name) == ["model.sig"]


def test_a_bad_model_is_not_signed(bert, keys):
    (bert / "vocab.txt").write_text("")
    safeload_cli("lock", bert, "--sign", keys[0], code=1)
    assert not (bert / "model.sig").exists()


def test_what_cannot_sign_is_told(bert, keys, tmp_path):
    from cryptography.hazmat.primitives import serialization as s

    from tests.signatures.keys import derived

    encrypted = tmp_path / "encrypted.pem"
    encrypted.write_bytes(
        derived(3).private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, s.BestAvailableEncryption(b"x"))
    )
    for path in (keys[1], encrypted, bert / "vocab.txt"):
        done = safeload_cli("lock", bert, "--sign", path, code=1)
        assert (
            "WrongFileKindError: the private key file is not the private key of an elliptic curve in PEM" in done.stderr
        )
    assert "MissingFileError" in safeload_cli("lock", bert, "--sign", tmp_path / "none", code=1).stderr
    assert not (bert / "model.sig").exists()


def test_options_without_a_key_are_wrong_usage(bert, keys):
    assert "are for --sign" in safeload_cli("lock", bert, "--signature", "x", code=2).stderr
    assert "--chain vouches" in safeload_cli("lock", bert, "--sign", keys[0], "--chain", "x", code=2).stderr
    done = safeload_cli("check", "bert", bert, "--signed-by", keys[1], code=1)
    assert "--signature" in done.stdout


def test_a_model_that_theirs_signed_is_checked_on_the_command_line(bert, keys, tmp_path):
    signature = sign(bert, tmp_path / "a.sig", keys[0])
    done = safeload_cli("check", "bert", bert, "--signature", signature, "--signed-by", keys[1], "--json")
    assert json.loads(done.stdout)["models"][0]["report"]["signature"]["method"] == "key"
