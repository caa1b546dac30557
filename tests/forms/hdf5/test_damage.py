"""HDF5 files that are cut, changed, or written to while they are read."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import safeload
from safeload._forms.hdf5.file import Hdf5File
from safeload.errors import CorruptFileError, MissingFileError, SafeLoadError, WrongFileKindError
from tests.command_line import safeload_cli
from tests.elmos import OPTIONS_NAME, WEIGHTS_NAME, random_datasets, write_elmo
from tests.opened import opened_hdf5


@pytest.mark.parametrize("raised", [OSError, RuntimeError, KeyError, ValueError, TypeError, OverflowError])
def test_whatever_hdf5_raises_is_damage(raised, elmo):
    with (
        opened_hdf5(str(elmo / WEIGHTS_NAME), given="w") as file,
        pytest.raises(CorruptFileError) as caught,
        file._translated("it"),
    ):
        raise raised("a\n b" + "c" * 300)

    assert type(caught.value.__cause__) is raised
    assert caught.value.message == "the weight file is damaged: it"
    assert (caught.value.resolved, caught.value.given) == (str(elmo / WEIGHTS_NAME), "w")
    assert len(dict(caught.value.context)["hdf5"]) == 200
    assert caught.value.hints == ("copy or download the file again",)


def test_want_of_memory_is_no_damage(elmo):
    with opened_hdf5(str(elmo / WEIGHTS_NAME)) as file, pytest.raises(MemoryError), file._translated("it"):
        raise MemoryError


@pytest.mark.parametrize("change", ["a byte more", "another time"])
def test_a_file_that_was_written_to_is_told(change, elmo):
    path = elmo / WEIGHTS_NAME
    with opened_hdf5(str(path)) as file:
        file.require_unchanged()
        times = path.stat()
        if change == "a byte more":
            path.write_bytes(path.read_bytes() + b"\0")
            os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
        else:
            os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns + 1000))
        with pytest.raises(CorruptFileError, match="changed while it was being read") as caught:
            file.require_unchanged()
    assert caught.value.hints == ("load again when it is complete",)


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(MissingFileError, match="no weight file") as caught:
        opened_hdf5(str(tmp_path / "w.hdf5"), given="w.hdf5")
    assert (caught.value.given, caught.value.label) == ("w.hdf5", "weight")


@pytest.mark.parametrize(("n_beyond", "fits"), [(0, True), (1, False)])
def test_a_dataset_may_end_where_the_file_ends(n_beyond, fits, tmp_path):
    path = tmp_path / "w.hdf5"
    with h5py.File(path, "w", libver="earliest") as file:
        file["a"] = np.arange(1, 6, dtype="f4")
        offset = file["a"].id.get_offset()
    moved = path.stat().st_size - 20 + n_beyond
    place, other = (at.to_bytes(8, "little") + (20).to_bytes(8, "little") for at in (offset, moved))
    assert path.read_bytes().count(place) == 1
    path.write_bytes(path.read_bytes().replace(place, other))
    if fits:
        with opened_hdf5(str(path)) as file:
            assert file.datasets["a"].offset == moved
    else:
        with pytest.raises(CorruptFileError, match="the weight file is damaged"):  # libhdf5 may tell it first
            opened_hdf5(str(path))


def test_every_cut_is_told_before_h5py_opens_the_file(elmo, monkeypatch):
    path = elmo / WEIGHTS_NAME
    data = path.read_bytes()
    monkeypatch.setattr(h5py, "File", None)
    for size in (*range(1, 200), *range(200, len(data), 997), len(data) - 1):
        path.write_bytes(data[:size])
        with pytest.raises((CorruptFileError, WrongFileKindError)) as caught:
            safeload.check_elmo(elmo)
        if size >= 48:
            assert caught.value.offset == size
            assert caught.value.message == f"the weight file is truncated: {size:,} of {len(data):,} bytes are present"


def test_bytes_behind_the_end_change_nothing(elmo):
    with (elmo / WEIGHTS_NAME).open("ab") as file:
        file.write(bytes(100))

    assert len(safeload.check_elmo(elmo).read) == 29


def test_a_file_that_changes_while_it_is_read_is_told(elmo, monkeypatch):
    read = Hdf5File.read

    def slow(file, names, **options):
        result = read(file, names, **options)
        os.utime(elmo / WEIGHTS_NAME, ns=(1, 1))
        return result

    monkeypatch.setattr(Hdf5File, "read", slow)
    with pytest.raises(CorruptFileError, match="changed while it was being read"):
        safeload.load_elmo(elmo, backend="torch")


@pytest.fixture(scope="module", params=["earliest", "latest"])
def original(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("fuzz")
    write_elmo(folder)
    with h5py.File(folder / WEIGHTS_NAME, "w", libver=request.param) as file:
        for name, value in random_datasets().items():
            packed = {"compression": "gzip"} if request.param == "latest" and value.ndim > 1 else {}
            file.create_dataset(name, data=value, **packed)
    return folder


@pytest.mark.filterwarnings("ignore::safeload.errors.SafeLoadWarning")
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_changed_or_missing_byte_escapes_untyped(original, tmp_path, data):
    content = bytearray((original / WEIGHTS_NAME).read_bytes())
    for _ in range(data.draw(st.integers(1, 5))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(content))) if data.draw(st.booleans()) else len(content)
    folder = Path(tmp_path)
    shutil.copyfile(original / OPTIONS_NAME, folder / OPTIONS_NAME)
    (folder / WEIGHTS_NAME).write_bytes(content[:cut])
    try:
        n_read, said = len(safeload.check_elmo(folder).read), ""
    except SafeLoadError as exc:
        n_read, said = 0, str(exc)
    assert n_read == 29 or str(folder) in said


@pytest.mark.parametrize("command", [("check", "elmo"), ("inspect",)])
def test_a_command_lives_to_its_end_where_h5py_does_not_open_the_file(command, elmo):
    """What h5py leaves of a file that it could not open must not live until the end of Python, which it would crash."""
    path = elmo / WEIGHTS_NAME
    data = bytearray(path.read_bytes())
    data[int.from_bytes(data[64:72], "little")] = 77  # the version of the root's header
    path.write_bytes(data)
    done = safeload_cli(*command, elmo, code=1)

    assert "bad object header version number" in done.stdout + done.stderr
