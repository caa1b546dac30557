"""Small files, read whole or told why not."""

from __future__ import annotations

import errno
import os
import resource

import pytest

from safeload._bytes.files import Source
from safeload._bytes.small import open_file, read_small, require_file
from safeload.errors import (
    CorruptFileError,
    FileSystemError,
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
    require_file(ref(tmp_path / "f"))


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
            file = super().open(path)
            os.truncate(path, self.n_bytes)
            return file

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

    assert type(error) is MissingFileError
    assert error.message == "there is no config file at this path"


def test_a_file_that_becomes_a_fifo_is_told_and_nothing_stays_open(tmp_path):
    class Replacing(Source):
        def open(self, path):
            os.unlink(path)
            os.mkfifo(path)
            return super().open(path)

    (tmp_path / "f").write_bytes(b"1")
    before = os.listdir("/proc/self/fd")
    error = failure(tmp_path / "f", source=Replacing())

    assert type(error) is UnsafeFileError
    assert "no longer a regular file" in error.message
    assert os.listdir("/proc/self/fd") == before


def test_a_file_is_opened_by_its_source(tmp_path):
    class Second(Source):
        def open(self, path):
            return super().open(path + "2")

    (tmp_path / "f").write_bytes(b"one")
    (tmp_path / "f2").write_bytes(b"two")

    with open_file(ref(tmp_path / "f", source=Second())) as file:
        assert file.read(9) == b"two"
    assert read_small(ref(tmp_path / "f", source=Second()), max_bytes=9) == b"two"


OTHERS = {
    "none": (lambda _: None, MissingFileError, "there is no config file"),
    "folder": (os.mkdir, WrongFileKindError, "is a directory, not a file"),
    "fifo": (os.mkfifo, UnsafeFileError, "is not a regular file"),
    "broken link": (lambda path: path.symlink_to("none"), MissingFileError, "is a broken symbolic link"),
    "loop": (lambda path: path.symlink_to(path), FileSystemError, "Too many levels of symbolic links"),
    "memory": (lambda path: path.symlink_to("/proc/self/mem"), FileSystemError, "Input/output error"),
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


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (errno.ENOENT, MissingFileError),
        (errno.ENOTDIR, MissingFileError),
        (errno.ENAMETOOLONG, MissingFileError),
        (errno.EACCES, UnreadableFileError),
        (errno.EPERM, UnreadableFileError),
        *[
            (code, FileSystemError)
            for code in (errno.EIO, errno.ESTALE, errno.ELOOP, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EBUSY)
        ],
    ],
)
@pytest.mark.parametrize("step", ["look", "open", "read"])
@pytest.mark.system_calls
def test_what_the_system_says_selects_the_error(step, code, kind, tmp_path, monkeypatch):
    (tmp_path / "f").write_bytes(b"1")

    def fail(*_, **__):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, {"look": "stat", "open": "open", "read": "preadv"}[step], fail)
    with pytest.raises(SafeLoadError) as caught:
        read_small(ref(tmp_path / "f", given="g"), max_bytes=10)
    monkeypatch.undo()
    error = caught.value

    assert type(error) is kind
    assert isinstance(error, OSError)
    assert (error.resolved, error.given, error.label) == (str(tmp_path / "f"), "g", "config")
    if kind is FileSystemError:
        assert error.errno == code
        assert os.strerror(code) in error.message
        assert error.hints or code == errno.EBUSY


def test_too_many_open_files_have_a_hint(tmp_path):
    (tmp_path / "f").touch()
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, limits[1]))
    try:
        error = failure(tmp_path / "f")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)

    assert (type(error), error.errno) == (FileSystemError, errno.EMFILE)
    assert error.hints == ("allow this process more open files: ulimit -n",)
