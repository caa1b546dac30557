"""Reports on locks, on trees of models, and on how commands end."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest

import safeload
from safeload.errors import LockError, MissingFileError
from safeload.lock import LOCK_NAME
from tests.checkpoints import PREFIX, bert_tensors, write_checkpoint
from tests.command_line import safeload_cli
from tests.fleet.test_tree import without_root

SAFELOAD = [sys.executable, "-m", "safeload"]


def test_K1_stopped(elmo, tmp_path, said):
    (tmp_path / "h5py.py").write_text("import sys, time\nsys.stderr.write('here')\nsys.stderr.flush()\ntime.sleep(60)")
    command = [*SAFELOAD, "check", "elmo", elmo, elmo, "--jobs", "2"]
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    pipe, env = subprocess.PIPE, {**os.environ, "PYTHONPATH": path}
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, env=env, start_new_session=True) as process:
        assert process.stderr.read(8) == b"herehere"
        os.killpg(process.pid, signal.SIGINT)
        _, complaints = process.communicate(timeout=20)
    assert process.returncode == 130
    said.told(f"{complaints.decode().strip()}; the workers end too, and the exit code is 130")


def test_K2_a_reader_that_goes_away(elmo, said):
    command = f"{' '.join(SAFELOAD)} inspect {elmo} | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("141\n", "")
    said.told("nothing; the exit code is 141, as for the system's own commands")


def test_K3_no_space_for_a_lock(bert, said):
    safeload_cli("lock", bert)
    kept = (bert / LOCK_NAME).read_bytes()
    command = ["bash", "-c", 'ulimit -f 0; exec "$@"', "-", *SAFELOAD, "lock", "--update", str(bert)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert (bert / LOCK_NAME).read_bytes() == kept
    assert not [name for name in os.listdir(bert) if name.startswith(".")]
    said.told(f"{done.stderr.splitlines()[0]}; the old file is unchanged")


def test_K4_a_folder_that_cannot_be_read(bert, tmp_path, said):
    (tmp_path / "locked/inner").mkdir(parents=True)
    (tmp_path / "locked").chmod(0)
    command = [*without_root(), *SAFELOAD, "check", "bert", str(tmp_path)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    finally:
        (tmp_path / "locked").chmod(0o755)
    assert done.returncode == 2
    assert "1 good, 1 bad" in done.stdout, bert
    said.told(f"{line_of(done, 'BAD', tmp_path)}; the exit code is 2")


def line_of(done, start, folder):
    """Return the one line that starts so, without what differs."""
    (line,) = [line for line in done.stdout.splitlines() if line.startswith(start)]
    return " ".join(line.replace(str(folder), "...").split())


def test_K5_a_model_copied_half(bert, tmp_path, said):
    shutil.copytree(bert, tmp_path / "half")
    (tmp_path / f"half/{PREFIX}.index").unlink()
    (tmp_path / "half/bert_config.json").unlink()
    done = safeload_cli("check", "bert", tmp_path, code=1)
    assert safeload_cli("check", "bert", bert, "--expect", "2", code=1)
    said.told(f"{line_of(done, 'BAD', tmp_path)}; `--expect N` also fails if fewer than N models are found")


def test_K6_a_lock_in_the_other_folder(bert, tmp_path, said):
    (tmp_path / "config").mkdir()
    config = shutil.copy(bert / "bert_config.json", tmp_path / "config")
    safeload_cli("lock", bert)
    (bert / "vocab.txt").write_text((bert / "vocab.txt").read_text() + "new\n")
    with pytest.raises(LockError):
        safeload.load_vocabulary(bert / "vocab.txt")
    said.typed(LockError, lambda: safeload.check_bert(config, bert / PREFIX))


def test_K7_a_lock_that_cannot_be_read(bert, said):
    (bert / LOCK_NAME).symlink_to("gone")
    said.typed(MissingFileError, lambda: safeload.check_bert(bert))


def test_K8_a_name_that_is_not_utf_8(bert, said):
    vocab = os.path.join(os.fsencode(bert), b"vocab\xff.txt")
    os.rename(bert / "vocab.txt", vocab)
    report = safeload.check_bert(bert, vocab_file=vocab)
    said.typed(LockError, lambda: safeload.lock.make_lock(report, str(bert / LOCK_NAME)))


def test_K9_a_name_of_any_characters(bert, said):
    (bert / "vocab.txt").rename(bert / "\U0001f600 \u4e2d.txt")
    report = safeload.check_bert(bert, vocab_file=bert / "\U0001f600 \u4e2d.txt")
    lock = safeload.lock.make_lock(report, str(bert / LOCK_NAME))
    (bert / LOCK_NAME).write_text(safeload.lock.lock_text(lock), encoding="utf-8")
    assert safeload.lock.read_lock(str(bert / LOCK_NAME)) == lock
    said.handled("a lock can list files with any characters of UTF-8 in their names")


def test_K10_a_thousand_files(bert, said):
    folders = [shutil.copytree(bert, bert.parent / str(number)) for number in range(30)]
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) + 12, limits[1]))
    try:
        assert all(safeload.check_bert(folder) for folder in folders)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    said.handled("every file is closed after use; a check has at most a dozen files open at a time")


def test_K11_tensors_that_one_file_has(tmp_path, said):
    write_checkpoint(tmp_path / "a", bert_tensors())
    write_checkpoint(tmp_path / "b", {**bert_tensors(), "head/kernel": np.ones(3, np.float32)})
    shown = safeload_cli("diff", tmp_path / "a", tmp_path / "b", code=1).stdout
    assert "head/kernel" in shown
    said.told(
        f'{shown.splitlines()[0]}; the tensor is named; "the same weights" is printed only if every tensor is equal'
    )


def test_K12_nan_beside_other_values(tmp_path, said):
    bad = bert_tensors()
    bad["cls/predictions/output_bias"][0] = np.nan
    write_checkpoint(tmp_path / "a", bert_tensors())
    write_checkpoint(tmp_path / "b", bad)
    shown = safeload_cli("diff", tmp_path / "a", tmp_path / "b", code=1).stdout
    assert "NOT FINITE" in shown
    said.told(shown.splitlines()[0])


def test_K13_output_that_cannot_be_written(elmo, said):
    with open("/dev/full", "wb") as full:
        done = subprocess.run([*SAFELOAD, "inspect", elmo], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 74
    said.told(f"{done.stderr.strip()}; the exit code is 74")
