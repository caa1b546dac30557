r"""Paths as Windows has them, resolved with `ntpath` in place of `posixpath`."""

from __future__ import annotations

import errno
import ntpath
import os
import types

import pytest

from safeload import lock, testing
from safeload._bytes import absent, addresses, files, paths, windows
from safeload._bytes.files import FileRef
from safeload._bytes.paths import resolve_path
from safeload.errors import FileSystemError, InvalidPathError, MissingFileError, UnreadableFileError


class Windows:
    """`os` as it is there; what it opens is this system's, where names with backslashes are names of one part."""

    path, sep = ntpath, "\\"

    def __getattr__(self, name):
        return getattr(os, name)

    def getcwd(self):
        return "C:\\work"


@pytest.fixture(autouse=True)
def here(monkeypatch, tmp_path):
    for module in (paths, addresses):
        monkeypatch.setattr(module, "os", Windows())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("USERPROFILE", "C:\\Users\\me")
    monkeypatch.setenv("MODELS", "D:\\models")
    monkeypatch.delenv("LOST", raising=False)
    return tmp_path


def resolved(given, **facts):
    return resolve_path(given, argument="config_file", **facts)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("a\\b", "C:\\work\\a\\b"),
        ("a/b", "C:\\work\\a\\b"),
        ("a/./c\\..\\b", "C:\\work\\a\\b"),
        ("..\\b", "C:\\b"),
        ("D:/models/bert", "D:\\models\\bert"),
        ("\\models\\bert", "C:\\models\\bert"),
        ("\\\\server\\share\\bert", "\\\\server\\share\\bert"),
        ("//server/share/bert", "\\\\server\\share\\bert"),
        ("\\\\?\\D:\\models\\bert.", "\\\\?\\D:\\models\\bert."),
        ("~\\bert", "C:\\Users\\me\\bert"),
        ("~/bert", "C:\\Users\\me\\bert"),
        ("%MODELS%\\bert", "D:\\models\\bert"),
        ("%models%/bert", "D:\\models\\bert"),
        ("$MODELS/bert", "D:\\models\\bert"),
        ("bert./config.json. ", "C:\\work\\bert\\config.json"),
        ("100%\\50%", "C:\\work\\100%\\50%"),
        ("console\\nullable\\com10", "C:\\work\\console\\nullable\\com10"),
    ],
)
def test_a_path_is_absolute_with_backslashes_and_a_drive(monkeypatch, given, wanted):
    monkeypatch.setenv("models", "D:\\models")

    assert resolved(given) == wanted


def test_a_relative_path_is_below_its_base():
    assert resolved("sub/bert", base_dir="D:\\runs\\7") == "D:\\runs\\7\\sub\\bert"


@pytest.mark.parametrize("name", ["NUL", "con", "models/aux", "COM1.json", "lpt\u00b9", "bert/nul .txt", "CONOUT$"])
def test_the_name_of_a_device_is_refused(name):
    with pytest.raises(InvalidPathError, match=r"config_file has the name .*, which is a device on Windows"):
        resolved(name)


@pytest.mark.parametrize("name", ["a*.json", "model?", "config.json:stream", "a<b", 'say "hi"', "a|b"])
def test_a_character_that_names_cannot_have_is_refused(name):
    with pytest.raises(InvalidPathError, match=r"config_file contains the character .*, which Windows does not allow"):
        resolved(name)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("D:bert", r"is relative to the working directory of the drive D:\n.*\n  hint:  write .* such as D:\\bert"),
        ("\\\\.\\PhysicalDrive0", "is a path of a device"),
        ("%LOST%\\bert", "the environment variable LOST is not set"),
        ("$LOST\\bert", "the environment variable LOST is not set"),
        ("C:\\new\ncase", "contains the control character"),
    ],
)
def test_what_is_no_path_is_refused(given, wanted):
    with pytest.raises(InvalidPathError, match=wanted):
        resolved(given)


def test_a_variable_that_exists_as_it_is_written_is_a_name(here):
    (here / "C:\\work\\%LOST%").touch()

    assert resolved("%LOST%\\bert") == "C:\\work\\%LOST%\\bert"


@pytest.mark.parametrize(
    ("start", "wanted"), [("D:\\", "\\\\?\\D:\\"), ("\\\\server\\share\\", "\\\\?\\UNC\\server\\share\\")]
)
def test_a_long_path_has_the_prefix_that_every_call_takes(start, wanted):
    names = "\\".join(["x" * 60] * 5)

    assert resolved(start + names) == wanted + names
    assert resolved(wanted + names) == wanted + names
    assert windows.openable(start + "y" * (windows.MAX_PLAIN - len(start))).startswith(start)


@pytest.mark.parametrize(
    ("winerror", "code", "kind", "said", "hint"),
    [
        (32, errno.EACCES, FileSystemError, "in use by another process", "close the program"),
        (33, errno.EACCES, FileSystemError, "in use by another process", "close the program"),
        (21, errno.EACCES, FileSystemError, "what Windows says", "look whether the drive is ready"),
        (23, errno.EACCES, FileSystemError, "what Windows says", "look whether the drive is ready"),
        (5, errno.EACCES, UnreadableFileError, "no permission", "ask for read permission"),
        (53, errno.ENOENT, MissingFileError, "there is no config file", ""),
        (225, errno.EINVAL, FileSystemError, "what Windows says", ""),
    ],
)
def test_the_number_of_an_error_selects_ours(here, winerror, code, kind, said, hint):
    raised = OSError(code, "what Windows says")
    raised.winerror = winerror

    error = absent.failed(FileRef(str(here / "config.json"), "config"), raised, "open")

    assert type(error) is kind
    assert said in error.message
    assert hint in "".join(error.hints)


def test_a_file_that_cannot_be_written_since_it_is_in_use_says_so(here):
    raised = PermissionError(errno.EACCES, "what Windows says")
    raised.winerror = 32

    error = absent.failed(FileRef(str(here / "safeload.lock"), "lock"), raised, "write")

    assert type(error) is FileSystemError
    assert error.message == "the system cannot write the lock file: it is in use by another process"


@pytest.mark.parametrize("name", ["sub/vocab.txt", "sub\\vocab.txt"])
@pytest.mark.parametrize(
    ("folder", "wanted"),
    [("C:\\models", "C:\\models\\sub\\vocab.txt"), ("s3://bucket/bert", "s3://bucket/bert/sub/vocab.txt")],
)
def test_a_name_below_a_folder_has_its_separators(folder, wanted, name):
    assert FileRef(folder, "folder").inside(name).path == wanted
    assert lock.Lock(f"{folder}\\safeload.lock", "BERT", (), folder).path_of("sub/vocab.txt") == wanted


@pytest.mark.parametrize("name", ["C:/x", "c:x", "../x", "a/../../x", "//server/share/x"])
def test_what_a_lock_may_name_is_the_same_as_elsewhere(name, monkeypatch):
    monkeypatch.setattr(lock, "os", Windows())

    assert not lock.is_canonical(name)
    assert lock.is_canonical("models/bert/vocab.txt")


class Separated:
    """`os` as it is there in what it separates names with; the disk is this system's."""

    sep = "\\"

    class path:  # noqa: N801  (the name of a module)
        lexists = os.path.lexists

        @staticmethod
        def relpath(path, start):
            return os.path.relpath(path, start).replace("/", "\\")

        @staticmethod
        def dirname(path):
            return os.path.dirname(path)


def test_a_lock_is_written_with_slashes(here, monkeypatch):
    monkeypatch.undo()
    folder = testing.write_bert(here / "model", form="safetensors")
    (folder / "sub").mkdir()
    for path in [each for each in folder.iterdir() if each.is_file()]:
        path.rename(folder / "sub" / path.name)
    read = [
        files.DISK.file_read(role, str(folder / "sub" / name))
        for role, name in (("config", "config.json"), ("vocab", "vocab.txt"), ("weight", "model.safetensors"))
    ]
    monkeypatch.setattr(lock, "os", Separated())
    made = lock.make_lock(types.SimpleNamespace(model="BERT", files=tuple(read)), folder / "safeload.lock")

    assert [file.name for file in made.files] == ["sub/config.json", "sub/model.safetensors", "sub/vocab.txt"]


@pytest.mark.parametrize("winerror", [32, 33])
def test_a_model_with_a_file_that_another_program_keeps_open_is_an_error_that_says_so(here, monkeypatch, winerror):
    import safeload

    monkeypatch.undo()
    folder = testing.write_bert(here / "model", form="safetensors")
    real = files.system.open_without_waiting

    def refused(path, flags):
        if str(path).endswith("model.safetensors"):
            exc = PermissionError(errno.EACCES, "what Windows says", path)
            exc.winerror = winerror
            raise exc
        return real(path, flags)

    monkeypatch.setattr(files.system, "open_without_waiting", refused)
    with pytest.raises(FileSystemError, match="it is in use by another process") as caught:
        safeload.check_weights(folder / "model.safetensors")
    assert caught.value.hints == ("close the program that has the file open, then try again",)


def test_without_bits_of_permission_new_files_and_locks_are_written(here, monkeypatch):
    """Windows has none: `chmod` only takes away the right to write, and each file may be read."""
    import safeload

    monkeypatch.undo()
    for name in ("fchmod", "getuid", "geteuid"):
        monkeypatch.delattr(os, name, raising=False)
    monkeypatch.setattr(os, "umask", lambda _: 0)
    monkeypatch.setattr(os, "access", lambda *_, **__: True)
    folder = testing.write_bert(here / "model", form="safetensors")
    safeload.convert(folder, here / "new", form="google", activation="gelu_tanh", lock=True)

    assert safeload.check_bert(here / "new").files[-1].role == "lock"
