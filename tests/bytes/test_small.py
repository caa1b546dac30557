"""Small files, read whole or told why not."""

from __future__ import annotations

import errno
import os

import pytest

from safeload._bytes.files import Source
from safeload._bytes.small import read_small, require_file
from safeload.errors import (
    CorruptFileError,
    MissingFileError,
    SafeLoadError,
    UnreadableFileError,
    UnsafeFileError,
    WrongFileKindError,
)
from tests.opened import ref


def failure(path, max_bytes=100, source=None):
    with pytest.raises(SafeLoadError) as caught:
        read_small(ref(path, given="g", **({"source": source} if source else {})), max_bytes=max_bytes)
    assert (caught.value.resolved, caught.value.given, caught.value.label) == (str(path), "g", "config")
    return caught.value


@pytest.mark.parametrize("data", [b"", b"1", b"x" * 100])
def test_a_file_is_read_whole_up_to_its_limit(data, tmp_path):
    (tmp_path / "f").write_bytes(data)

    assert read_small(ref(tmp_path / "f"), max_bytes=100) == data
    assert require_file(ref(tmp_path / "f")).st_size == len(data)


@pytest.mark.parametrize(("begin", "hints"), [(b"x", ()), (b"{", ("this looks like: JSON text",))])
def test_a_larger_file_is_not_read(begin, hints, tmp_path):
    (tmp_path / "f").write_bytes(begin.ljust(1001, b"x"))
    error = failure(tmp_path / "f", 1000)

    assert type(error) is UnsafeFileError
    assert error.message == "the config file has 1,001 bytes; no config file needs more than 1,000"
    assert error.hints == hints


def test_a_file_that_grows_or_shrinks_while_it_is_read_is_told(tmp_path):
    class Changing(Source):
        n_bytes = 0

        def open(self, path):
            os.truncate(path, self.n_bytes)
            return super().open(path)

    for Changing.n_bytes in (9, 11, 2000):
        (tmp_path / "f").write_bytes(bytes(10))
        error = failure(tmp_path / "f", source=Changing())

        assert type(error) is CorruptFileError
        assert error.message == "the config file changed while it was being read"


def test_a_file_that_is_gone_when_it_is_opened_is_told(tmp_path):
    class Removing(Source):
        def open(self, path):
            os.unlink(path)
            return super().open(path)

    (tmp_path / "f").write_bytes(b"1")
    error = failure(tmp_path / "f", source=Removing())

    assert type(error) is UnreadableFileError
    assert error.message == "the system cannot read the config file: No such file or directory"


OTHERS = {
    "none": (lambda _: None, MissingFileError, "there is no config file"),
    "folder": (os.mkdir, WrongFileKindError, "is a directory, not a file"),
    "fifo": (os.mkfifo, UnsafeFileError, "is not a regular file"),
    "loop": (lambda path: path.symlink_to(path), MissingFileError, "is a broken symbolic link"),
    "device": (lambda path: path.symlink_to("/dev/zero"), UnsafeFileError, "is not a regular file"),
}


@pytest.mark.parametrize(("make", "error", "text"), OTHERS.values(), ids=OTHERS)
def test_what_is_no_file_is_told(make, error, text, tmp_path):
    make(tmp_path / "f")
    caught = failure(tmp_path / "f")

    assert type(caught) is error
    assert text in caught.message


def test_a_folder_says_what_is_in_it(tmp_path):
    (tmp_path / "f").mkdir()
    (tmp_path / "f" / "inner").touch()

    assert failure(tmp_path / "f").context == (("inside", "inner"),)


@pytest.mark.parametrize("mode", ["file", "folder"])
def test_a_file_that_may_not_be_read_is_told(mode, tmp_path, monkeypatch):
    """The user who runs the tests may be root, who may read everything."""
    (tmp_path / "f").touch()

    def forbidden(path):
        raise PermissionError(13, "Permission denied", path)

    if mode == "file":
        monkeypatch.setattr(os, "access", lambda *_: False)
    else:
        monkeypatch.setattr(os, "stat", forbidden)
    error = failure(tmp_path / "f")

    assert type(error) is UnreadableFileError
    assert error.message == "no permission to read the config"


def test_a_file_without_a_size_is_one_that_changes():
    with pytest.raises(CorruptFileError, match="changed while it was being read"):
        read_small(ref("/proc/self/status"), max_bytes=10_000)


def test_a_disk_that_fails_is_told(tmp_path):
    (tmp_path / "f").touch()

    class Failing:
        def open(self, _):
            raise OSError(errno.EIO, "Input/output error")

    with pytest.raises(
        UnreadableFileError, match="the system cannot read the config file: Input/output error"
    ) as caught:
        read_small(ref(tmp_path / "f", source=Failing()), max_bytes=10)
    assert caught.value.resolved == str(tmp_path / "f")
