"""`safeload lock`."""

from __future__ import annotations

import json
import os

import pytest

from tests.command_line import safeload_cli


@pytest.mark.parametrize("kind", ["bert", "elmo"])
def test_lock_and_check(kind, request):
    folder = request.getfixturevalue(kind)
    assert "the model has no lock file" in safeload_cli("check", kind, folder, "--lock", code=1).stdout
    assert safeload_cli("lock", folder).stdout.startswith(f"written  {folder}/safeload.lock\n")
    before = (folder / "safeload.lock").read_bytes()
    assert safeload_cli("lock", folder).stdout.startswith(f"unchanged  {folder}/safeload.lock\n")
    assert ", locked, " in safeload_cli("check", kind, folder, "--lock").stdout
    config = folder / ("bert_config.json" if kind == "bert" else "options.json")
    config.write_text(config.read_text() + " ")
    assert "LockError" in safeload_cli("check", kind, folder, code=1).stdout
    assert "LockError" in safeload_cli("lock", folder, code=1).stderr
    assert (folder / "safeload.lock").read_bytes() == before
    assert json.loads(safeload_cli("lock", folder, "--update", "--json").stdout)["done"] == "written"
    safeload_cli("check", kind, folder, "--lock")
    assert sorted(path.name for path in folder.iterdir() if "lock" in path.name) == ["safeload.lock"]


def test_a_bad_model_is_not_locked(bert):
    (bert / "vocab.txt").write_text("")
    assert "empty file" in safeload_cli("lock", bert, code=1).stderr
    assert not (bert / "safeload.lock").exists()


def test_a_folder_without_a_model_is_not_locked(tmp_path):
    assert "contains no BERT or ELMo" in safeload_cli("lock", tmp_path, code=1).stderr
    assert "MissingFileError" in safeload_cli("lock", tmp_path / "none", code=1).stderr


@pytest.mark.skipif(os.getuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_told(bert):
    bert.chmod(0o555)
    assert "cannot write the lock file" in safeload_cli("lock", bert, code=1).stderr
    bert.chmod(0o755)
