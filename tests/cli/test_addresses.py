"""Every command takes an address, or says what to do instead; none of them prints a secret."""

from __future__ import annotations

import json
import shutil

import pytest

import safeload
from safeload import testing
from safeload.lock import read_lock
from tests.command_line import safeload_cli
from tests.servers import serving


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    found = tmp_path_factory.mktemp("served")
    testing.write_bert(found / "bert")
    testing.write_bert(found / "hf", form="safetensors")
    testing.write_elmo(found / "elmo")
    shutil.make_archive(str(found / "bert"), "zip", found / "bert")
    return found


@pytest.fixture
def folder(written, tmp_path):
    return shutil.copytree(written, tmp_path / "served")


@pytest.fixture
def server(folder):
    with serving(folder) as found:
        yield found


@pytest.fixture
def secret(server):
    return server.address.replace("http://", "http://user:SECRET@")


def said(done):
    text = done.stdout + done.stderr
    assert "SECRET" not in text
    return text


def test_check_of_a_tree(secret, server):
    found = json.loads(said(safeload_cli("check", secret, "--json")))
    assert {model["path"].removeprefix(server.address): model["kind"] for model in found["models"]} == {
        "/bert": "bert",
        "/bert.zip": "bert",
        "/elmo": "elmo",
        "/hf": "bert",
    }
    assert all(model["ok"] for model in found["models"])


@pytest.mark.parametrize("form", ["text", "jsonl", "junit", "sarif", "github", "html"])
def test_no_format_of_a_check_has_secrets(form, folder, secret):
    (folder / "bert" / "bert_config.json").write_text("{")
    text = said(safeload_cli("check", secret, f"{secret}/gone?sig=SECRET", "--format", form, code=1))
    assert "ConfigError" in text


def test_an_address_that_cannot_be_read_is_no_bad_model(secret, server):
    server.faults = {"403"}
    text = said(safeload_cli("check", secret, code=2))
    assert "the address cannot be read: HTTP 403" in text
    text = said(safeload_cli("check", "http://user:SECRET@127.0.0.1:9/models", code=2))
    assert "the address cannot be read: no connection to the server" in text
    said(safeload_cli("check", "adl://user:SECRET@host/models", code=2))


def test_checks_of_one_kind(secret, server):
    said(safeload_cli("check", "bert", f"{secret}/bert", "--vocab", f"{secret}/bert/vocab.txt"))
    said(safeload_cli("check", "elmo", f"{secret}/elmo/options.json", "--weights", f"{secret}/elmo/weights.hdf5"))
    text = said(safeload_cli("check", "weights", f"{secret}/bert", f"{secret}/hf"))
    assert f"{server.address}/hf" in text


def test_a_check_that_wants_a_lock_says_how_to_make_one(server):
    text = said(safeload_cli("check", "bert", f"{server.address}/bert", "--lock", code=1))
    assert f"safeload lock {server.address}/bert --output safeload.lock" in " ".join(text.split())


def test_inspect(secret, server):
    found = json.loads(said(safeload_cli("inspect", f"{secret}/hf", "--json", "--stats")))
    assert found["path"] == f"{server.address}/hf/model.safetensors"
    assert "a folder with 4 models" in said(safeload_cli("inspect", secret))
    assert "vocabulary" in said(safeload_cli("inspect", f"{secret}/bert/vocab.txt"))
    assert "CheckpointNotFoundError" in said(safeload_cli("inspect", f"{secret}/bert/gone?sig=SECRET", code=1))


def test_diff(folder, secret):
    said(safeload_cli("diff", f"{secret}/hf", folder / "hf"))


def test_lock_writes_to_the_disk_and_the_lock_applies(folder, secret, server, tmp_path):
    lock = tmp_path / "mine.lock"
    for kind, names in (("bert", 4), ("elmo", 2), ("bert.zip", 1)):
        lock.unlink(missing_ok=True)
        assert "written" in said(safeload_cli("lock", f"{secret}/{kind}", "--output", lock))
        assert len(read_lock(lock).files) == names
        assert "SECRET" not in lock.read_text(encoding="utf-8")
        assert "unchanged" in said(safeload_cli("lock", f"{secret}/{kind}", "--output", lock))
    lock.unlink()
    said(safeload_cli("lock", "--any", f"{secret}/hf", "--output", lock))
    assert len(safeload.check_weights(f"{server.address}/hf", lock_file=lock).proofs) == 1

    lock.unlink()
    said(safeload_cli("lock", f"{secret}/bert", "--output", lock))
    (folder / "bert" / "vocab.txt").write_bytes((folder / "bert" / "vocab.txt").read_bytes() + b"x\n")
    text = said(safeload_cli("lock", f"{secret}/bert", "--output", lock, code=1))
    assert "LockError" in text


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((), "pass --output FILE"),
        (("--output", "x.lock", "--sign", "key.pem"), "--sign needs a folder on the disk"),
    ],
)
def test_lock_says_what_is_missing(arguments, text, server):
    assert text in said(safeload_cli("lock", f"{server.address}/bert", *arguments, code=2))


def test_lock_of_several_models_at_an_address(server):
    assert "lock each of them with its own --output" in said(safeload_cli("lock", server.address, code=2))
    assert "--output names one file" in said(safeload_cli("lock", server.address, "--output", "x", code=2))


def test_convert(secret, tmp_path):
    said(safeload_cli("convert", f"{secret}/hf", tmp_path / "google", "--form", "google", "--activation", "gelu_tanh"))
    assert safeload.check_bert(tmp_path / "google").read
    text = said(safeload_cli("convert", f"{secret}/hf", f"{secret}/x", "--form", "google", code=2))
    assert "target is an address (http://), and must be on the disk" in text


@pytest.mark.parametrize("kind", ["bert", "elmo"])
def test_outputs_find_out_which_model_is_at_an_address(kind, folder, secret, tmp_path):
    pytest.importorskip({"bert": "keras_bert", "elmo": "torch"}[kind])
    file = tmp_path / "outputs.json"
    assert said(safeload_cli("outputs", folder / kind, "--save", file)).startswith("saved")
    assert said(safeload_cli("outputs", f"{secret}/{kind}", "--compare", file)).startswith("as expected  http://127")
    done = safeload_cli("outputs", f"{secret}/{kind}", "--compare", file, "--json")
    said(done)  # where a library's own log may follow the object
    found = json.loads(done.stdout)
    assert found["path"].endswith(f"/{kind}")
    text = said(safeload_cli("outputs", f"{secret}/nothing", "--compare", file, code=2))
    assert "MissingFileError" in text


def test_doctor(secret):
    pytest.importorskip("torch")
    text = said(safeload_cli("doctor", "elmo", f"{secret}/elmo"))
    assert "ok" in text


def test_settings_have_addresses(server, tmp_path):
    file = tmp_path / "models.ini"
    file.write_text(f"[E]\noptions_file = {server.address}/elmo\n[B]\nconfig_file = {server.address}/bert\n")
    assert safeload.check_elmo(**safeload.read_settings(file, "E")).read
    assert safeload.check_bert(**safeload.read_settings(file, "B")).read


def test_an_output_is_a_path_of_the_disk(tiny_bert):
    shown = safeload_cli("check", tiny_bert, "--output", "https://user:SECRET@host/x.json", code=2).stderr
    assert "--output is an address (https://), and must be on the disk" in shown
    assert "SECRET" not in shown
