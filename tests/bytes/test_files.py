"""Open files, their cursors, and references to files."""

from __future__ import annotations

import os
import shutil
import threading

import pytest

from safeload._bytes.files import DISK, FileRef, Source
from safeload.lock._copies import CopiedFile

DATA = bytes(range(256)) * 40


@pytest.fixture
def path(tmp_path):
    (tmp_path / "f").write_bytes(DATA)
    return tmp_path / "f"


@pytest.fixture
def file(path):
    with DISK.open(str(path)) as file:
        yield file


PLACES = [(0, 10), (0, 0), (250, 20), (len(DATA) - 1, 1), (0, len(DATA)), (len(DATA) - 5, 10), (len(DATA), 3), (len(DATA) + 9, 3)]  # fmt: skip


@pytest.mark.parametrize(("offset", "n_bytes"), PLACES)
def test_bytes_are_read_at_an_offset_up_to_the_end(offset, n_bytes, file):
    wanted = DATA[offset : offset + n_bytes]
    block = bytearray(b"-" * n_bytes)

    assert file.read(n_bytes, offset) == wanted
    assert file.read_into(memoryview(block), offset) == len(wanted)
    assert bytes(block) == wanted + b"-" * (n_bytes - len(wanted))


def test_a_file_says_its_size_and_path(file, path):
    assert (file.n_bytes, file.path) == (len(DATA), str(path))


def test_more_bytes_than_any_memory_has_may_be_asked_for(file):
    assert file.read(1 << 60) == DATA
    assert file.read(1 << 60, 100) == DATA[100:]


def test_a_file_that_grows_yields_one_byte_more_than_its_size(file, path):
    with path.open("ab") as more:
        more.write(b"more")

    assert file.read(1 << 30) == DATA + b"m"


def test_several_threads_read_one_file(file):
    wrong = []

    def read(start):
        wrong.extend(at for at in range(start, len(DATA), 37) if file.read(100, at) != DATA[at : at + 100])

    threads = [threading.Thread(target=read, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert wrong == []


def grow(path):
    with path.open("ab") as more:
        more.write(b"1")


def rewrite(path):
    with path.open("r+b") as same:
        same.write(b"x")
    os.utime(path, ns=(1, 1))


def replace(path):
    other = path.with_name("other")
    shutil.copy2(path, other)
    other.replace(path)


CHANGES = {
    "nothing": (lambda _: None, False, False),
    "grown": (grow, True, True),
    "rewritten": (rewrite, True, True),
    "cut": (lambda path: os.truncate(path, 5), True, True),
    "replaced by its copy": (replace, False, True),
    "removed": (os.unlink, False, True),
}


@pytest.mark.parametrize(("change", "is_written_to", "is_replaced"), CHANGES.values(), ids=CHANGES)
def test_a_change_is_noticed(change, is_written_to, is_replaced, file, path):
    change(path)

    assert (file.is_written_to(), file.is_replaced()) == (is_written_to, is_replaced)


def test_a_copy_is_a_part_of_a_file_that_stays_open(path):
    with path.open("rb", buffering=0) as copies:
        with CopiedFile(copies, "/a/b", 3, 10) as file:
            path.unlink()

            assert (file.path, file.n_bytes) == ("/a/b", 10)
            assert not file.is_replaced()
            assert not file.is_written_to()
            assert (file.read(5), file.read(100), file.read(100, 8)) == (DATA[3:8], DATA[3:13], DATA[11:13])
            assert (file.read(5, 10), file.read(5, 11)) == (b"", b"")
            assert file.cursor().read() == DATA[3:13]
        assert not copies.closed


def test_a_closed_file_is_not_read(path):
    with DISK.open(str(path)) as file:
        cursor = file.cursor()
    for use in (lambda: file.read(1), lambda: file.read_into(memoryview(bytearray(1)), 0), lambda: cursor.read(1)):
        with pytest.raises(ValueError, match="closed file"):
            use()
    file.close()


@pytest.mark.parametrize(
    ("offset", "whence", "at"),
    [(7, os.SEEK_SET, 7), (7, os.SEEK_CUR, 107), (-7, os.SEEK_CUR, 93), (-7, os.SEEK_END, len(DATA) - 7),
     (0, os.SEEK_END, len(DATA)), (9, os.SEEK_END, len(DATA) + 9)],
)  # fmt: skip
def test_a_cursor_moves_and_reads_from_there(offset, whence, at, file):
    cursor = file.cursor()
    cursor.seek(100)

    assert cursor.seek(offset, whence) == cursor.tell() == at
    assert cursor.read(20) == DATA[at : at + 20]
    assert cursor.tell() == max(at, min(at + 20, len(DATA)))
    assert cursor.readable()
    assert cursor.seekable()
    assert not cursor.writable()


def test_cursors_have_places_of_their_own(file):
    first, second = file.cursor(), file.cursor()
    first.read(10)

    assert (first.tell(), second.tell()) == (10, 0)
    assert second.read() == DATA
    assert first.read(2) == DATA[10:12]


def test_a_reference_keeps_what_an_error_says():
    ref = FileRef(path="/a/b", role="config", given="b")

    assert ref.facts == {"resolved": "/a/b", "given": "b", "label": "config"}


def test_a_reference_to_another_file_is_of_the_same_argument():
    source = Source()
    ref = FileRef(path="/a/b", role="config", given="b", source=source)

    assert ref.at("/a/c") == FileRef(path="/a/c", role="config", given="b", source=source)
    assert ref.at("/a/c", "shard") == FileRef(path="/a/c", role="shard", given="b", source=source)
    assert ref.path == "/a/b"


def test_a_report_names_where_a_link_leads(path):
    path.with_name("link").symlink_to(path)

    found = DISK.file_read("config", str(path.with_name("link")))
    assert (found.role, found.n_bytes, found.real_path) == ("config", len(DATA), str(path.resolve()))
    assert DISK.file_read("config", str(path.resolve())).real_path is None
