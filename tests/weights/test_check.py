"""Weights of any model are checked without a config: structure, shards, values, locks and the names of blobs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import warnings
import zipfile
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest

import safeload
from safeload import testing
from safeload._forms.element_types import NAN_BITS
from safeload._forms.safetensors.header import DTYPES
from safeload.errors import (
    AmbiguousCheckpointError,
    CheckpointNotFoundError,
    CorruptFileError,
    InvalidPathError,
    LockError,
    MissingFileError,
    SafeLoadWarning,
    UnsafeFileError,
    WrongFileKindError,
)
from safeload.lock import lock_text, make_lock, read_lock
from safeload.testing._forms import FORMS
from safeload.testing._torch import write_torch
from safeload.weights import _checking
from tests.weights.files import cache_of, write_lock, write_safetensors, write_shards, write_typed

VALUES = {
    "unet.down.0.weight": np.arange(12, dtype=np.float32).reshape(3, 4),
    "unet.down.0.bias": np.ones(3, np.float16),
    "step": np.array(7, np.int64),
}


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "model"
    path.mkdir()
    write_safetensors(path / "model.safetensors", VALUES)
    return path


def test_a_report_says_what_was_read(folder):
    report = safeload.check_weights(folder)

    assert report.headline() == "weights: 3 tensors of 62 bytes read and verified"
    assert (report.form, report.place, report.given, report.model) == ("safetensors", "folder", str(folder), "any")
    assert {spec.name: (spec.shape, spec.dtype) for spec in report.read} == {
        name: (values.shape, values.dtype.name) for name, values in VALUES.items()
    }
    assert report.not_looked_at == {"int64": 1}
    assert report.not_read == report.proofs == report.warnings == report.notes == ()
    assert [file.role for file in report.files] == ["weight"]
    assert "safetensors stores no checksums" in report.checksums
    assert report.to_dict()["n_bytes"] == 62
    assert "int64 1" in str(report)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_checked(tmp_path, form):
    testing.write_bert(tmp_path, form=form)
    with_config = safeload.check_bert(tmp_path, training=True)
    report = safeload.check_weights(tmp_path)

    assert report.form == with_config.form
    assert len(report.read) >= len(with_config.read)
    os.remove(with_config.files[0].path)
    assert len(safeload.check_weights(tmp_path).read) == len(report.read)


def test_a_path_may_be_relative(folder):
    assert safeload.check_weights("model", base_dir=folder.parent).read
    with pytest.raises(InvalidPathError):
        safeload.check_weights(None)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_every_tensor_with_a_bad_value_is_named(folder, bad):
    weights = np.ones((2, 3), np.float32)
    weights[1, 2] = bad
    write_safetensors(
        folder / "model.safetensors", {"a": weights, "b": np.ones(3), "c": np.array([1, bad], np.float16)}
    )

    with pytest.raises(CorruptFileError) as caught:
        safeload.check_weights(folder)
    assert caught.value.message == "2 of 3 tensors are damaged in the weight file"
    assert sorted(caught.value.variables) == ["a", "c"]
    assert "1 of 6 values are NaN or infinite" in str(caught.value)


@pytest.mark.parametrize("is_torch", [False, True])
@pytest.mark.parametrize("name", sorted({*NAN_BITS} & {*DTYPES.values()}))
def test_nan_in_floats_of_a_byte_is_what_torch_says(name, is_torch, tmp_path):
    """Each of the 256 values of a type, in a file of its own."""
    torch = pytest.importorskip("torch")
    stored = next(theirs for theirs, ours in DTYPES.items() if ours == name)
    if not hasattr(torch, name):
        pytest.skip("this torch has no such type")
    values = torch.arange(256, dtype=torch.uint8).view(getattr(torch, name))
    finite = torch.isfinite(values.to(torch.float32))
    good = torch.arange(256, dtype=torch.uint8)[finite]
    for bits, n_bad in ((good, 0), (torch.arange(256, dtype=torch.uint8), int((~finite).sum()))):
        path = tmp_path / ("a.pt" if is_torch else "a.safetensors")
        if is_torch:
            torch.save({"x": bits.view(getattr(torch, name))}, path)
        else:
            write_typed(path, {"x": (stored, bits.numpy())})
        if n_bad == 0:
            report = safeload.check_weights(path)
            assert report.not_looked_at == {}
            assert report.read[0].dtype == name
        else:
            with pytest.raises(CorruptFileError, match=f"{n_bad} of 256 values are NaN or infinite"):
                safeload.check_weights(path)


def test_a_cut_file_says_which_tensors_are_lost(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-9])

    with pytest.raises(CorruptFileError, match="truncated") as caught:
        safeload.check_weights(path)
    assert caught.value.variables


@pytest.mark.parametrize("name", ["model", "diffusion_pytorch_model", "my model"])
def test_shards_that_an_index_lists_are_one(tmp_path, name):
    folder = write_shards(tmp_path, name)
    report = safeload.check_weights(folder)

    assert [file.role for file in report.files] == ["index", "shard", "shard"]
    assert [spec.name for spec in report.read] == ["w0", "w1"]
    assert safeload.check_weights(folder / f"{name}-00002-of-00002.safetensors").read == report.read
    assert safeload.check_weights(folder / f"{name}.safetensors.index.json").read == report.read


def test_an_index_is_compared_with_its_shards(tmp_path):
    folder = write_shards(tmp_path, n_shards=3)
    second = folder / "model-00002-of-00003.safetensors"
    os.replace(folder / "model-00003-of-00003.safetensors", second)
    with pytest.raises(MissingFileError, match="1 of 3 shards is missing"):
        safeload.check_weights(folder)
    write_safetensors(folder / "model-00003-of-00003.safetensors", {"w2": np.ones((4, 2), np.float32)})
    with pytest.raises(CorruptFileError, match="a shard does not hold what its index says"):
        safeload.check_weights(folder)


def test_an_index_does_not_lead_out_of_its_folder(tmp_path):
    folder = write_shards(tmp_path, weight_map={"w0": "../x.safetensors", "w1": "model-00002-of-00002.safetensors"})
    with pytest.raises(UnsafeFileError, match="outside its folder"):
        safeload.check_weights(folder)


def test_of_several_files_the_usual_one_is_read(folder):
    write_safetensors(folder / "adapter.safetensors", {"a": np.ones(2)})
    write_torch(folder / "pytorch_model.bin", {"a": np.ones(2)})

    assert [file.path for file in safeload.check_weights(folder).files] == [str(folder / "model.safetensors")]


def test_several_unusual_files_are_listed(folder):
    (folder / "model.safetensors").rename(folder / "one.safetensors")
    shutil.copy(folder / "one.safetensors", folder / "two.safetensors")

    with pytest.raises(AmbiguousCheckpointError) as caught:
        safeload.check_weights(folder)
    assert [os.path.basename(path) for path in caught.value.candidates] == ["one.safetensors", "two.safetensors"]


def test_two_models_in_shards_are_listed_by_their_indexes(tmp_path):
    write_shards(write_shards(tmp_path, "one"), "two")
    with pytest.raises(AmbiguousCheckpointError) as caught:
        safeload.check_weights(tmp_path)
    assert [os.path.basename(path) for path in caught.value.candidates] == [
        "one.safetensors.index.json",
        "two.safetensors.index.json",
    ]


def test_a_pipeline_names_the_folders_that_have_weights(tmp_path):
    for name in ("unet", "vae", "scheduler"):
        (tmp_path / name).mkdir()
    (tmp_path / "model_index.json").write_text("{}")
    (tmp_path / "scheduler/scheduler_config.json").write_text("{}")
    write_safetensors(tmp_path / "unet/diffusion_pytorch_model.safetensors", VALUES)
    with pytest.raises(CheckpointNotFoundError) as caught:
        safeload.check_weights(tmp_path)
    assert caught.value.hints == (f"pass {tmp_path / 'unet'}",)

    write_safetensors(tmp_path / "vae/diffusion_pytorch_model.safetensors", VALUES)
    with pytest.raises(AmbiguousCheckpointError) as several:
        safeload.check_weights(tmp_path)
    assert several.value.message == "the folder has no weights of its own; 2 folders below it have"
    assert several.value.candidates == (str(tmp_path / "unet"), str(tmp_path / "vae"))
    assert "safeload check weights" in str(several.value)


def test_weights_below_weights_are_noted(folder):
    (folder / "2_Dense").mkdir()
    write_safetensors(folder / "2_Dense/model.safetensors", {"linear.weight": np.ones((2, 2), np.float32)})
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling/config.json").write_text("{}")

    (note,) = safeload.check_weights(folder).notes
    assert note == "weights in folders below this one were not read: 2_Dense"


def test_a_folder_without_weights_is_told(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(CheckpointNotFoundError, match="no weights that safeload reads"):
        safeload.check_weights(tmp_path)


def test_a_missing_file_and_another_kind_are_told(tmp_path):
    with pytest.raises(MissingFileError, match="there is no weight file at this path"):
        safeload.check_weights(tmp_path / "model.safetensors")
    (tmp_path / "model.safetensors").write_text("<!doctype html><html>")
    with pytest.raises(WrongFileKindError, match="the weight file is not a weight file: HTML page"):
        safeload.check_weights(tmp_path / "model.safetensors")
    with pytest.raises(WrongFileKindError, match="HTML page"):
        safeload.check_weights(tmp_path)
    (tmp_path / "config.json").write_text('{"a": 1}')
    with pytest.raises(WrongFileKindError, match="JSON text"):
        safeload.check_weights(tmp_path / "config.json")


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
def test_weights_in_an_archive_are_checked_in_place(tmp_path, kind):
    folder = write_shards(tmp_path / "model") if (tmp_path / "model").mkdir() is None else None
    path = tmp_path / f"model.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            for file in folder.iterdir():
                archive.write(file, f"model/{file.name}")
    else:
        with tarfile.open(path, "w:gz" if kind == "tar.gz" else "w") as archive:
            archive.add(folder, "model")
    report = safeload.check_weights(path)

    assert [spec.name for spec in report.read] == ["w0", "w1"]
    assert report.files[-1].role == "archive"
    write_lock(path, tmp_path / "safeload.lock")
    assert read_lock(tmp_path / "safeload.lock").files[0].name == path.name
    assert [file.role for file in safeload.check_weights(path).files][-2:] == ["archive", "lock"]
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(LockError):
        safeload.check_weights(path)


def test_a_lock_applies_and_lists_the_weights(folder):
    (folder / "config.json").write_text("{}")
    path = write_lock(folder)
    lock = read_lock(path)
    assert (lock.model, [file.name for file in lock.files]) == ("any", ["model.safetensors"])

    report = safeload.check_weights(folder)
    assert report.files[0].sha256 == lock.files[0].sha256
    assert report.proofs == (f"the SHA-256 of 1 file in {path}",)
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\1")
    with pytest.raises(LockError, match="1 of 1 locked file is different") as caught:
        safeload.check_weights(folder)
    assert caught.value.hints[-1].endswith(f"safeload lock --any --update {folder}")
    path.rename(folder.parent / "elsewhere.lock")
    assert safeload.check_weights(folder).proofs == ()
    with pytest.raises(LockError):
        safeload.check_weights(folder, lock_file=folder.parent / "elsewhere.lock")


def test_a_file_that_no_lock_lists_is_not_read(folder):
    write_lock(folder)
    write_safetensors(folder / "other.safetensors", VALUES)
    with pytest.raises(LockError, match="not in its lock file"):
        safeload.check_weights(folder / "other.safetensors")


def test_the_lock_of_a_bert_applies_to_its_weights(bert):
    path = bert / "safeload.lock"
    path.write_text(lock_text(make_lock(safeload.check_bert(bert), str(path))), encoding="utf-8")

    assert len(safeload.check_weights(bert).files) == 3
    with (bert / "vocab.txt").open("a") as file:
        file.write("x\n")
    with pytest.raises(LockError, match="1 of 4 locked files"):
        safeload.check_weights(bert)
    (bert / "safeload.lock").unlink()
    write_lock(bert)
    with pytest.raises(LockError, match="the lock is for any, but this model is BERT"):
        safeload.check_bert(bert)


@pytest.mark.parametrize("algorithm", ["sha256", "git-sha1"])
def test_the_names_of_blobs_prove_a_cache(tmp_path, algorithm):
    write_shards(tmp_path)
    files = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    snapshot = cache_of(tmp_path, files, algorithm=algorithm)
    report = safeload.check_weights(snapshot)

    assert report.proofs == ("the digests that are the names of 3 blobs in a Hugging Face cache",)
    assert report.files[1].real_path == os.path.realpath(snapshot / "model-00001-of-00002.safetensors")
    for name in ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"):
        blob = Path(os.path.realpath(snapshot / name))
        blob.write_bytes(blob.read_bytes()[:-1] + b"\1")
    with pytest.raises(CorruptFileError) as caught:
        safeload.check_weights(snapshot)
    assert "2 of 2 blobs are damaged in the Hugging Face cache" in caught.value.message
    assert "CHANGED    model-00002-of-00002.safetensors" in str(caught.value)
    with pytest.raises(CorruptFileError, match="Hugging Face cache"):
        safeload.load_state_dict(snapshot)


def test_a_damaged_blob_that_is_locked_is_told_by_the_lock(tmp_path, folder):
    snapshot = cache_of(tmp_path, {"model.safetensors": (folder / "model.safetensors").read_bytes()})
    write_lock(snapshot)
    assert len(safeload.check_weights(snapshot).proofs) == 2
    blob = Path(os.path.realpath(snapshot / "model.safetensors"))
    blob.write_bytes(blob.read_bytes()[:-1] + b"\1")
    with pytest.raises(LockError):
        safeload.check_weights(snapshot)


def test_other_links_and_other_names_of_blobs_prove_nothing(tmp_path, folder):
    data = (folder / "model.safetensors").read_bytes()
    blobs = tmp_path / "blobs"
    blobs.mkdir()
    (blobs / "0123.safetensors").write_bytes(data)
    (blobs / ("0" * 64)).write_bytes(data)
    (tmp_path / "a.safetensors").symlink_to(blobs / "0123.safetensors")
    (tmp_path / "b.safetensors").symlink_to(folder / "model.safetensors")

    for path in (tmp_path / "a.safetensors", tmp_path / "b.safetensors", blobs / ("0" * 64)):
        assert safeload.check_weights(path).proofs == ()
    (tmp_path / "c.safetensors").symlink_to(blobs / ("0" * 64))
    with pytest.raises(CorruptFileError):
        safeload.check_weights(tmp_path / "c.safetensors")


def test_types_that_are_not_read_are_listed(tmp_path):
    torch = pytest.importorskip("torch")
    with warnings.catch_warnings(action="ignore") if sys.version_info >= (3, 11) else nullcontext():
        quantized = torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8)
        torch.save({"w": torch.ones(2), "q": quantized, "s": torch.ones(2, 2).to_sparse()}, tmp_path / "a.pt")
    report = safeload.check_weights(tmp_path / "a.pt")

    assert [spec.name for spec in report.read] == ["w"]
    assert sorted(spec.name for spec in report.not_read) == ["q", "s"]
    assert report.headline().endswith(", 2 not read")


def test_a_file_that_changes_after_it_was_hashed_is_told(folder, monkeypatch):
    write_safetensors(folder / "model.safetensors", {"a": np.ones(200_000, np.float32)})
    write_lock(folder)
    real = _checking.open_weights

    def changing(place):
        found = real(place)
        with (folder / "model.safetensors").open("r+b") as file:
            file.seek(700_000)
            file.write(b"\1\2\3")
        return found

    monkeypatch.setattr(_checking, "open_weights", changing)
    with pytest.raises(CorruptFileError, match="it is no longer what was hashed"):
        safeload.check_weights(folder)


def test_a_file_that_changes_during_an_unlocked_check_is_told(folder, monkeypatch):
    real = _checking.open_weights

    def changing(place):
        found = real(place)
        with (folder / "model.safetensors").open("ab") as file:
            file.write(b"\1")
        return found

    monkeypatch.setattr(_checking, "open_weights", changing)
    with pytest.raises(CorruptFileError, match="was replaced or written to"):
        safeload.check_weights(folder)


def test_no_file_stays_open(folder):
    write_lock(folder)
    before = len(os.listdir("/proc/self/fd"))
    safeload.check_weights(folder)
    held = safeload.load_state_dict(folder)
    (folder / "model.safetensors").write_bytes(b"")
    with pytest.raises(LockError):
        safeload.check_weights(folder)
    assert len(os.listdir("/proc/self/fd")) == before
    assert held["step"] == 7


MEASURED = """
import pathlib, sys, safeload
report = safeload.check_weights(sys.argv[1])
peak = pathlib.Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]
print(int(peak) // 1024, report.n_bytes, len(report.proofs))
"""


def write_sparse_shards(folder, n_shards, n_bytes, n_tensors=1):
    """Write shards of zeros that take no place on the disk, each with as many bytes, and their index."""
    weight_map = {}
    for number in range(n_shards):
        name, rows = f"model-{number + 1:05d}-of-{n_shards:05d}.safetensors", {}
        n_each = n_bytes // n_tensors
        for at in range(n_tensors):
            place = [at * n_each, (at + 1) * n_each]
            rows[f"w{number}.{at}"] = {"dtype": "F32", "shape": [n_each // 4096, 1024], "data_offsets": place}
        weight_map |= dict.fromkeys(rows, name)
        header = json.dumps(rows).encode()
        with (folder / name).open("wb") as file:
            file.write(len(header).to_bytes(8, "little") + header)
            file.truncate(8 + len(header) + n_each * n_tensors)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))


def test_many_shards_take_little_memory_on_the_command_line(tmp_path):
    """A hundred shards of fifty tensors: what grows with their number is a few kB for each."""
    if not Path("/proc/self/status").exists():
        pytest.skip("the peak is Linux's to tell")
    write_sparse_shards(tmp_path, 100, 50 * 65_536, 50)
    command = [sys.executable, "-m", "safeload", "check", "weights", str(tmp_path)]
    code = f"""
import resource, subprocess
print(subprocess.run({command!r}, capture_output=True, text=True).stdout)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    *_, peak = done.stdout.split()

    assert "5,000 tensors" in done.stdout
    assert int(peak) < 200 * 1024  # kB, as Linux says it


@pytest.mark.parametrize("is_locked", [False, True])
def test_shards_of_gigabytes_take_little_memory(tmp_path, is_locked):
    """The shards are sparse: 2 GB that take no place on the disk."""
    if not Path("/proc/self/status").exists():
        pytest.skip("the peak is Linux's to tell")
    n_shards, n_bytes = 2, 1 << (28 if is_locked else 30)
    write_sparse_shards(tmp_path, n_shards, n_bytes)
    if is_locked:
        write_lock(tmp_path)
    command = [sys.executable, "-W", "ignore", "-c", MEASURED, str(tmp_path)]
    peak, found, n_proofs = map(int, subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())

    assert peak < 200
    assert found == n_shards * n_bytes
    assert n_proofs == is_locked


def test_a_warning_names_weights_that_were_not_read(folder, monkeypatch):
    real = _checking.find
    monkeypatch.setattr(_checking, "find", lambda ref: real(ref)._replace(others=("x.ckpt",)))
    with pytest.warns(
        SafeLoadWarning, match="suspicious weights .*\n  other weights in the folder were not read: x.ckpt"
    ):
        safeload.check_weights(folder)


def test_a_file_without_tensors_warns(tmp_path):
    write_safetensors(tmp_path / "a.safetensors", {})
    with pytest.warns(SafeLoadWarning, match="there is no tensor in it"):
        report = safeload.check_weights(tmp_path)
    assert report.read == ()
