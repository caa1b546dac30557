"""Models in archives: the same values as from the folder, and nothing is unpacked to disk."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
import tarfile
import zipfile

import h5py
import numpy as np
import pytest

import safeload
from safeload import errors, testing
from safeload._bytes.archives.locating import located, lock_folder
from safeload._bytes.archives.source import ArchiveSource
from safeload._model_kind import Request
from safeload._steps import check
from safeload.bert._arguments import build_options
from safeload.bert._model import bert
from safeload.elmo._model import elmo
from safeload.lock import read_lock
from tests.archives import WRITERS, write_archive
from tests.command_line import safeload_cli
from tests.opened import ref

SHARD = "bert_model.ckpt.data-00000-of-00001"


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Return the folders of a BERT in two forms and of an ELMo."""
    root = tmp_path_factory.mktemp("models")
    return {
        "tensorflow": testing.write_bert(root / "tensorflow"),
        "safetensors": testing.write_bert(root / "safetensors", form="safetensors"),
        "elmo": testing.write_elmo(root / "elmo"),
    }


def checked(path, model):
    kind = elmo(None) if model == "elmo" else bert(build_options(training=False, seq_len=None))
    return check(kind, Request(path), keep_values=True)


def test_a_check_of_a_folder_imports_no_reader_of_archives_and_object_graphs(models):
    code = f"import sys, safeload; safeload.check_bert({str(models['tensorflow'])!r}); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    readers = {"safeload._bytes.archives.source", "safeload._forms.tensorflow.object_graph"}
    assert not readers & set(done.stdout.split())


@pytest.mark.parametrize("model", ["tensorflow", "safetensors", "elmo"])
@pytest.mark.parametrize("name", WRITERS)
def test_an_archive_has_the_values_of_its_folder(models, tmp_path, name, model):
    archive = write_archive(models[model], tmp_path / name)

    found, wanted = checked(archive, model), checked(models[model], model)

    assert found.values.keys() == wanted.values.keys()
    for key, values in wanted.values.items():
        np.testing.assert_array_equal(found.values[key], values)
    *members, last = found.report.files
    assert (last.role, last.path, last.n_bytes) == ("archive", str(archive), archive.stat().st_size)
    assert [file.role for file in members] == [file.role for file in wanted.report.files]
    assert all(file.path.startswith(f"{archive}/") for file in members)
    assert [os.path.basename(file.path) for file in members] == [
        os.path.basename(file.path) for file in wanted.report.files
    ]


@pytest.mark.parametrize("name", ["deflated.zip", "stored.zip", "ustar.tar.gz", "gnu.tar"])
def test_a_check_of_an_archive_writes_nothing_to_disk(models, tmp_path, name):
    archive = write_archive(models["elmo"], tmp_path / name)
    (tmp_path / "tmp").mkdir()
    code = f"""
import os, sys
def hook(event, args):
    if event == "open" and isinstance(args[1], str) and set(args[1]) & set("wax+"):
        raise SystemExit(f"writes {{args}}")
sys.addaudithook(hook)
import safeload
safeload.check_elmo({str(archive)!r})
"""
    environment = {**os.environ, "TMPDIR": str(tmp_path / "tmp"), "PYTHONDONTWRITEBYTECODE": "1"}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)

    assert os.listdir(tmp_path / "tmp") == []
    assert sorted(os.listdir(tmp_path)) == sorted([name, "tmp"])


def test_a_compressed_hdf5_in_a_deflated_zip_is_read(tmp_path):
    folder = testing.write_elmo(tmp_path / "elmo")
    weights = folder / "weights.hdf5"
    values = {}
    with h5py.File(weights, "r") as file:
        file.visititems(lambda name, each: values.update({name: each[()]} if isinstance(each, h5py.Dataset) else {}))
    with h5py.File(weights, "w") as file:
        for name, each in values.items():
            file.create_dataset(name, data=each, chunks=each.shape, compression="gzip")
    archive = write_archive(folder, tmp_path / "deflated.zip")

    found, wanted = checked(archive, "elmo"), checked(folder, "elmo")

    for key, array in wanted.values.items():
        np.testing.assert_array_equal(found.values[key], array)


def test_each_argument_may_be_in_an_archive_or_on_disk(models, tmp_path):
    folder = models["tensorflow"]
    archive = write_archive(folder, tmp_path / "flat.zip")
    other = write_archive(folder, tmp_path / "gnu.tar")
    prefix = f"{archive}/bert_model.ckpt"

    for arguments in (
        (folder, archive, folder / "vocab.txt"),
        (folder / "bert_config.json", prefix, f"{archive}/vocab.txt"),
        (archive, folder / "bert_model.ckpt"),
        (archive, other, other),
        (f"{archive}/bert_config.json",),
        (f"{other}/model", prefix),
    ):
        assert len(safeload.check_bert(*arguments).read) == 37
    assert safeload.load_vocabulary(f"{archive}/vocab.txt") == safeload.load_vocabulary(folder / "vocab.txt")


@pytest.mark.parametrize("name", ["deflated.zip", "pax.tgz"])
def test_a_model_is_built_from_an_archive(models, tmp_path, name):
    pytest.importorskip("keras_bert")
    archive = write_archive(models["tensorflow"], tmp_path / name)

    ours, theirs = (safeload.load_bert(path).get_weights() for path in (archive, models["tensorflow"]))

    assert all(np.array_equal(one, other) for one, other in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("backend", ["allennlp", "torch", "keras"])
def test_an_elmo_is_built_from_an_archive(models, tmp_path, backend):
    pytest.importorskip({"keras": "tensorflow"}.get(backend, backend))
    archive = write_archive(models["elmo"], tmp_path / "deflated.zip")

    ours, theirs = (safeload.load_elmo(path, backend=backend) for path in (archive, models["elmo"]))

    if backend == "keras":
        pairs = list(zip(ours.get_weights(), theirs.get_weights(), strict=True))
    else:
        pairs = [(values.numpy(), theirs.state_dict()[key].numpy()) for key, values in ours.state_dict().items()]
    assert pairs
    assert all(np.array_equal(one, other) for one, other in pairs)


def test_the_drop_ins_of_keras_bert_take_archives(models, tmp_path):
    pytest.importorskip("keras_bert")
    from safeload.compat import keras_bert as drop_in

    archive = str(write_archive(models["tensorflow"], tmp_path / "flat.zip"))
    model, config = drop_in.build_model_from_config(archive)
    drop_in.load_model_weights_from_checkpoint(model, config, archive)

    wanted = safeload.load_bert(models["tensorflow"])
    assert all(np.array_equal(*pair) for pair in zip(model.get_weights(), wanted.get_weights(), strict=True))


def test_what_macos_adds_is_ignored(models, tmp_path):
    archive = write_archive(models["tensorflow"], tmp_path / "stored.zip")
    with zipfile.ZipFile(archive, "a") as file:
        file.writestr("__MACOSX/uncased_L-12_H-768_A-12/._vocab.txt", b"x")
        file.writestr(".DS_Store", b"x")

    assert safeload.check_bert(archive).place == "folder with one checkpoint"


def test_an_archive_without_a_model_says_what_is_inside(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as file:
        file.writestr("readme.md", b"x")
        file.writestr("notes.txt", b"x")

    with pytest.raises(errors.MissingFileError) as caught:
        safeload.check_bert(tmp_path / "x.zip")

    assert dict(caught.value.context)["inside"] == "notes.txt, readme.md"


def test_a_name_in_an_archive_that_is_not_there_is_missing(models, tmp_path):
    archive = write_archive(models["tensorflow"], tmp_path / "flat.zip")

    with pytest.raises(errors.MissingFileError, match="there is no config file") as caught:
        safeload.check_bert(f"{archive}/bert_confik.json")
    assert f"did you mean {archive}/bert_config.json?" in caught.value.hints
    with pytest.raises(errors.CheckpointNotFoundError, match=r"did you mean the prefix .*flat\.zip/bert_model\.ckpt\?"):
        safeload.check_bert(archive, f"{archive}/bert_modell.ckpt")


def test_the_gzip_of_a_file_is_no_archive(models, tmp_path):
    path = tmp_path / "bert_config.json.gz"
    path.write_bytes(gzip.compress((models["tensorflow"] / "bert_config.json").read_bytes()))

    with pytest.raises(errors.WrongFileKindError, match="unpack the archive"):
        safeload.check_bert(path)


def test_a_tar_gz_of_several_gzip_streams_is_read(models, tmp_path):
    plain = write_archive(models["tensorflow"], tmp_path / "gnu.tar").read_bytes()
    path = tmp_path / "model.tar.gz"
    path.write_bytes(gzip.compress(plain[:5000]) + gzip.compress(plain[5000:]))

    assert len(safeload.check_bert(path).read) == 37


@pytest.mark.parametrize("name", ["stored.zip", "deflated.zip", "gnu.tar", "pax.tgz"])
def test_every_read_gives_the_bytes_of_the_member(tmp_path, name):
    folder = tmp_path / "f"
    folder.mkdir()
    data = np.random.default_rng(1).integers(0, 9, 12_000_000, np.uint8).tobytes()
    (folder / "x").write_bytes(data)
    (folder / "y").write_bytes(b"y")
    archive = write_archive(folder, tmp_path / name)
    here = located(ref(archive))
    order = np.random.default_rng(2)

    with here.source.open(here.inside("x").path) as file:
        for offset in [11_999_990, 0, 4, 9_000_000, *order.integers(0, len(data), 40)]:
            block = bytearray(300_000)
            n_read = file.read_into(memoryview(block), int(offset))
            assert block[:n_read] == data[offset : offset + 300_000]
            assert n_read == min(300_000, len(data) - offset)
        file.prove()
        assert file.read(10, len(data)) == b""


def test_a_lock_beside_an_archive_locks_the_archive(models, tmp_path):
    archive = write_archive(models["tensorflow"], tmp_path / "deflated.zip")

    safeload_cli("lock", str(archive))
    report = safeload.check_bert(archive)

    assert [file.role for file in report.files][-2:] == ["archive", "lock"]
    assert report.files[-2].sha256
    assert read_lock(tmp_path / "safeload.lock").files[0].name == "deflated.zip"
    write_archive(models["safetensors"], tmp_path / "deflated.zip")
    with pytest.raises(errors.LockError, match="1 of 1 locked file is different"):
        safeload.check_bert(archive)


def test_an_archive_that_is_not_in_the_lock_is_refused(models, tmp_path):
    first = write_archive(models["tensorflow"], tmp_path / "deflated.zip")
    second = write_archive(models["tensorflow"], tmp_path / "gnu.tar")
    safeload_cli("lock", str(first))

    with pytest.raises(errors.LockError, match="not in its lock file"):
        safeload.check_bert(second)


def test_the_lock_of_an_archives_folder_is_beside_the_archive(tmp_path):
    archive = tmp_path / "x.zip"
    zipfile.ZipFile(archive, "w").writestr("a/b", b"")

    assert lock_folder(f"{archive}/a/b") == lock_folder(str(archive)) == str(tmp_path)
    assert lock_folder(str(tmp_path)) == str(tmp_path)


def test_an_archive_that_is_replaced_is_not_read_on(models, tmp_path):
    archive = write_archive(models["elmo"], tmp_path / "stored.zip")
    here = located(ref(archive))
    opened = here.source.open(here.inside("weights.hdf5").path)
    write_archive(models["elmo"], tmp_path / "flat.zip").replace(archive)

    assert opened.is_replaced()
    with pytest.raises(OSError, match="replaced or written to"):
        here.source.open(here.inside("weights.hdf5").path)
    opened.close()


def test_inspect_and_diff_read_archives(models, tmp_path):
    one = write_archive(models["tensorflow"], tmp_path / "deflated.zip")
    other = write_archive(models["tensorflow"], tmp_path / "pax.tgz")

    safeload_cli("inspect", str(one))
    safeload_cli("inspect", f"{one}/uncased_L-12_H-768_A-12/bert_config.json")
    safeload_cli("diff", str(one), str(other))
    safeload_cli("check", "bert", str(one))


@pytest.mark.parametrize("name", ["stored.zip", "deflated.zip"])
def test_a_changed_byte_of_a_shard_is_told_by_the_crc(tmp_path, name):
    folder = testing.write_bert(tmp_path / "f", form="safetensors")
    archive = write_archive(folder, tmp_path / name)
    with zipfile.ZipFile(archive) as file:
        info = next(info for info in file.infolist() if info.filename.endswith("model.safetensors"))
    data = bytearray(archive.read_bytes())
    data[info.header_offset + info.compress_size - 100] ^= 1
    archive.write_bytes(data)

    with pytest.raises(errors.CorruptFileError, match="file in the archive is damaged"):
        safeload.check_bert(archive)


def test_the_source_leaves_paths_outside_to_the_disk(models, tmp_path):
    archive = write_archive(models["elmo"], tmp_path / "gnu.tar")
    source = ArchiveSource(ref(archive))
    outside = str(models["elmo"] / "options.json")

    assert source.is_file(outside)
    assert source.is_dir(str(tmp_path))
    assert source.names_in(str(tmp_path)) == ["gnu.tar"]
    assert source.file_read("options", outside).n_bytes
    assert source.may_read(outside)
    assert not source.is_link(outside)
    with source.open(outside) as file, source.look_at(outside) as again:
        assert file.read(5) == again.read(5)
    for path in (f"{archive}/none", f"{archive}/model/none"):
        assert not source.is_there(path)
        with pytest.raises(FileNotFoundError):
            source.mode(path)
        with pytest.raises(FileNotFoundError):
            source.names_in(path)
    with tarfile.open(archive) as file:
        assert set(file.getnames()) == {"model", "model/options.json", "model/weights.hdf5"}
