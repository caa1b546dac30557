"""A file is written whole or not at all."""

from __future__ import annotations

import errno
import os
import socket
import stat
import subprocess
from pathlib import Path

import pytest

from safeload._bytes import system
from safeload._bytes.writing import atomic_write, new_files
from safeload.errors import (
    FileSystemError,
    LockError,
    MissingFileError,
    UnreadableFileError,
    UnsafeFileError,
    WrongFileKindError,
)
from tests.limits import file_size_limit


@pytest.fixture
def path(tmp_path):
    (tmp_path / "f").write_text("old")
    return tmp_path / "f"


def write(path, data=b"new", role="lock"):
    with atomic_write(str(path), role=role) as new:
        new.write(data)


def mode_of(path):
    return stat.S_IMODE(os.lstat(path).st_mode)


def test_the_old_file_is_there_until_the_new_one_is_whole(path):
    with atomic_write(str(path), role="lock") as new:
        new.write(b"ne")
        new.write(b"w")
        assert path.read_text() == "old"
        assert os.path.dirname(new.path) == str(path.parent)
        assert mode_of(new.path) == 0o600
        assert Path(new.path).read_text() == "new"

    assert path.read_text() == "new"
    assert os.listdir(path.parent) == ["f"]


@pytest.mark.parametrize("is_link", [False, True], ids=["itself", "link"])
@pytest.mark.parametrize("kind", ["FIFO", "socket", "device"])
def test_what_is_no_file_is_never_replaced(kind, is_link, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if kind == "FIFO":
        os.mkfifo("there")
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind("there")
    else:
        os.symlink("/dev/null", "there")
    before = os.lstat("there")
    os.symlink("there", "link")
    with pytest.raises(UnsafeFileError, match="never replaced") as caught:
        write("link" if is_link else "there", role="page")

    assert caught.value.resolved == str(tmp_path / ("link" if is_link else "there"))
    assert (os.lstat("there").st_ino, os.readlink("link")) == (before.st_ino, "there")
    assert sorted(os.listdir()) == ["link", "there"]


def test_what_is_among_devices_is_never_replaced(path, monkeypatch):
    """/dev/stdout is a link, and often leads to a regular file."""
    monkeypatch.setattr(os, "devnull", str(path.parent / "null"))
    (path.parent / "stdout").symlink_to(path)
    with pytest.raises(UnsafeFileError, match="never replaced"):
        write(path.parent / "stdout", role="page")

    assert (path.parent / "stdout").is_symlink()
    assert path.read_text() == "old"


@pytest.mark.parametrize("raised", [LockError("x"), ValueError("x"), KeyboardInterrupt()], ids=repr)
def test_what_stops_the_writing_leaves_the_old_file(raised, path):
    with pytest.raises(type(raised)) as caught, atomic_write(str(path), role="lock") as new:  # noqa: PT012
        new.write(b"half")
        raise raised

    assert caught.value is raised
    assert path.read_text() == "old"
    assert os.listdir(path.parent) == ["f"]


def test_each_writing_has_another_name(path):
    with atomic_write(str(path), role="lock") as first, atomic_write(str(path), role="lock") as second:
        assert first.path != second.path


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_a_new_file_has_the_permissions_of_the_user_and_an_old_one_keeps_its_own(umask, path):
    usual = os.umask(umask)
    try:
        write(path.with_name("new"))
        path.chmod(0o640)
        write(path)
        assert os.umask(umask) == umask
    finally:
        os.umask(usual)

    assert mode_of(path.with_name("new")) == 0o666 & ~umask
    assert mode_of(path) == 0o640


def test_a_link_is_replaced_and_never_followed(path, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(path)
    write(link)

    assert path.read_text() == "old"
    assert not link.is_symlink()
    assert link.read_text() == "new"


@pytest.mark.parametrize("make", [lambda at: at.symlink_to("f"), lambda at: at.write_text("x")])
def test_nothing_that_is_there_is_written_into(make, path, monkeypatch):
    """Somebody who guesses the name puts a link or a file there first."""
    monkeypatch.setattr("secrets.token_hex", lambda _: "guessed")
    make(path.with_name(".safeload-guessed.part"))
    with pytest.raises(FileSystemError, match="File exists"):
        write(path)
    with pytest.raises(FileExistsError):
        system.create_file(str(path))

    assert path.read_text() == "old"
    assert path.with_name(".safeload-guessed.part").exists()


def test_a_file_may_have_the_longest_name(tmp_path):
    write(tmp_path / ("n" * 255))

    assert os.listdir(tmp_path) == ["n" * 255]


def test_a_limit_of_the_process_is_told_and_leaves_the_old_file(path):
    with (
        pytest.raises(FileSystemError, match=r"^the system cannot write the lock file: File too large") as caught,
        file_size_limit(10),
    ):
        write(path, b"x" * 100)

    assert caught.value.errno == errno.EFBIG
    assert (caught.value.resolved, caught.value.label) == (str(path), "lock")
    assert path.read_text() == "old"
    assert os.listdir(path.parent) == ["f"]


@pytest.fixture
def small_disk(tmp_path):
    """Return a folder on a disk of 64 kB; only root may make one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("needs root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_told_and_leaves_the_old_file(small_disk):
    (small_disk / "f").write_text("old")
    with pytest.raises(FileSystemError, match="No space left on device") as caught:
        write(small_disk / "f", b"x" * 100_000)

    assert caught.value.errno == errno.ENOSPC
    assert caught.value.hints == ("free some space on the disk, or in the user's quota",)
    assert (small_disk / "f").read_text() == "old"
    assert os.listdir(small_disk) == ["f"]


CANNOT = {
    "none/f": MissingFileError,
    "file/f": MissingFileError,
    "folder": WrongFileKindError,
}


@pytest.mark.parametrize(("name", "kind"), CANNOT.items(), ids=CANNOT)
def test_a_folder_that_is_not_there_or_in_the_file_s_place_is_told(name, kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(kind, match="the system cannot write the page file") as caught:
        write(name, role="page")

    assert type(caught.value) is kind
    assert (caught.value.resolved, caught.value.given) == (str(tmp_path / name), name)
    assert sorted(os.listdir(tmp_path)) == ["file", "folder"]


@pytest.mark.parametrize("name", ["open", "replace"])
def test_a_folder_that_may_not_be_written_to_is_told(name, path, monkeypatch):
    def fail(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, name, fail)
    with pytest.raises(UnreadableFileError, match="cannot write the lock file: Permission denied"):
        write(path)
    monkeypatch.undo()

    assert path.read_text() == "old"
    assert os.listdir(path.parent) == ["f"]


def write_together(folder, **files):
    with new_files(folder) as new:
        for name, text in files.items():
            (new / name).write_text(text)


def texts(folder):
    return {path.name: path.read_text() for path in folder.iterdir() if path.is_file()}


@pytest.mark.system_calls
def test_files_take_their_places_together(path):
    with new_files(path.parent) as new:
        (new / "f").write_text("new")
        (new / "g").write_text("more")
        assert texts(path.parent) == {"f": "old"}

    assert texts(path.parent) == {"f": "new", "g": "more"}
    assert sorted(os.listdir(path.parent)) == ["f", "g"]


@pytest.mark.parametrize("links", [True, False], ids=["links", "no links"])
@pytest.mark.system_calls
def test_files_that_have_taken_their_places_are_taken_back(links, path, monkeypatch):
    (path.parent / "h").write_text("old too")
    replace, n_calls = os.replace, 0

    def fail_at_last(source, target):
        nonlocal n_calls
        n_calls += 1
        if n_calls == 3:
            raise OSError(errno.EIO, "Input/output error", source, None, target)
        replace(source, target)

    monkeypatch.setattr(os, "replace", fail_at_last)
    if not links:
        monkeypatch.setattr(os, "link", lambda *_, **__: (_ for _ in ()).throw(OSError(errno.EPERM, "no links")))
    with pytest.raises(FileSystemError, match="Input/output error") as caught:
        write_together(
            path.parent, **({"f": "new", "g": "new", "h": "new"} if links else {"g": "new", "i": "", "j": ""})
        )

    assert caught.value.errno == errno.EIO
    assert texts(path.parent) == {"f": "old", "h": "old too"}
    assert sorted(os.listdir(path.parent)) == ["f", "h"]


@pytest.mark.parametrize("raised", [LockError("x"), KeyboardInterrupt()], ids=repr)
def test_what_stops_the_writing_of_several_leaves_the_old_ones(raised, path):
    with pytest.raises(type(raised)), new_files(path.parent) as new:  # noqa: PT012
        (new / "f").write_text("half")
        raise raised

    assert texts(path.parent) == {"f": "old"}
    assert os.listdir(path.parent) == ["f"]


def test_a_folder_in_the_place_of_one_of_several_is_told(path):
    (path.parent / "g").mkdir()
    with pytest.raises(WrongFileKindError, match="Is a directory") as caught:
        write_together(path.parent, f="new", g="new")

    assert caught.value.resolved == str(path.parent / "g")
    assert texts(path.parent) == {"f": "old"}


def test_files_in_new_folders_are_moved_and_the_folders_go_if_a_move_fails(tmp_path, monkeypatch):
    def write(folder):
        with new_files(folder) as new:
            (new / "assets/deep").mkdir(parents=True)
            (new / "assets/deep/a.txt").write_text("a")
            (new / "z.txt").write_text("z")

    write(tmp_path)
    assert (tmp_path / "assets/deep/a.txt").read_text() == "a"
    other = tmp_path / "other"
    other.mkdir()
    replace, calls = os.replace, []

    def second_fails(*paths):
        calls.append(paths)
        if len(calls) == 2:
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(paths[0]), None, str(paths[1]))
        replace(*paths)

    monkeypatch.setattr(os, "replace", second_fails)
    with pytest.raises(FileSystemError):
        write(other)

    assert not list(other.iterdir())
