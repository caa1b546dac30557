"""The directory of a zip archive: what `zipfile` writes, and what contradicts itself."""

from __future__ import annotations

import io
import struct
import zipfile

import pytest

from safeload._bytes.files import DISK, Section
from safeload._forms.zip_directory import MAX_MEMBERS, read_directory, require_checksum, require_stored
from safeload.errors import CorruptFileError, SafeLoadError, UnsafeFileError
from tests.opened import ref

MEMBERS = {"a.txt": b"first", "b/c.bin": bytes(3_000_000), "empty": b""}


def archive(members=MEMBERS, method=zipfile.ZIP_STORED, comment=b"", **options):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", method, **options) as file:
        for name, content in members.items():
            file.writestr(zipfile.ZipInfo(name), content, method)
        file.comment = comment
    return data.getvalue()


@pytest.fixture
def read(tmp_path):
    """Return a function that reads the directory of an archive with these bytes."""
    place = ref(tmp_path / "a.zip", "weight", "g")

    def run(data):
        (tmp_path / "a.zip").write_bytes(data)
        with DISK.open(place.path) as file:
            members = read_directory(file, place)
            for member in members.values():
                if member.offset is not None:
                    require_checksum(file, place, member)
            return members, {
                name: file.read(each.n_bytes, each.offset) for name, each in members.items() if each.offset is not None
            }

    run.place = place
    return run


def failure(read, data, error=CorruptFileError):
    with pytest.raises(SafeLoadError) as caught:
        read(data)
    assert type(caught.value) is error, caught.value
    assert caught.value.given == "g"
    return caught.value.message


@pytest.mark.parametrize("comment", [b"", b"said of it"])
def test_stored_members_are_read_in_place(comment, read):
    assert read(archive(comment=comment))[1] == MEMBERS


def test_a_member_whose_size_follows_it_is_read(read):
    class Stream(io.BytesIO):
        def seekable(self):
            return False

        def tell(self):
            raise OSError

        def seek(self, *_):
            raise OSError

    data = Stream()
    with zipfile.ZipFile(data, "w") as file:
        file.writestr("a", b"xyz")
    assert read(data.getvalue())[1] == {"a": b"xyz"}


def test_a_compressed_member_is_listed_and_refused(read):
    members, _ = read(archive(method=zipfile.ZIP_DEFLATED))

    assert members["b/c.bin"].offset is None
    assert members["b/c.bin"].n_bytes == 3_000_000
    with pytest.raises(UnsafeFileError):
        require_stored(members["a.txt"], read.place)


@pytest.mark.parametrize("name", ["../x", "a/../x", "/x", "..\\x", "C:/x"])
def test_a_name_that_leads_out_is_refused(name, read):
    assert "leads out" in failure(read, archive({name: b"x"}), UnsafeFileError)


@pytest.mark.parametrize("name", ["a..b/c", "a/b.", "...", "a:b/c"])
def test_a_name_with_dots_is_one(name, read):
    assert set(read(archive({name: b"x"}))[0]) == {name}


def test_one_name_twice_is_refused(read):
    data = archive({"aa": b"x", "bb": b"y"}).replace(b"bb", b"aa")

    assert "have one name" in failure(read, data, UnsafeFileError)


def test_more_members_than_any_model_has_are_refused(read):
    many = {str(number): b"" for number in range(MAX_MEMBERS + 1)}

    assert f"more than {MAX_MEMBERS:,} members" in failure(read, archive(many), UnsafeFileError)


@pytest.mark.parametrize("n_bytes", [0, 10, -1, -30])
def test_an_archive_that_was_cut_is_told(n_bytes, read):
    failure(read, archive()[:n_bytes])


def test_bytes_before_or_behind_it_are_told(read):
    failure(read, b"x" + archive())
    failure(read, archive() + b"x")


def test_a_changed_value_has_another_crc(read):
    data = bytearray(archive())
    data[data.index(b"first")] ^= 1

    assert "the CRC-32 of a.txt" in failure(read, bytes(data))


@pytest.mark.parametrize("at", [0, 8, 26])
def test_a_member_that_contradicts_the_directory_is_told(at, read):
    data = bytearray(archive())
    data[at] ^= 1

    assert "contradicts itself or its members" in failure(read, bytes(data))


def test_members_that_share_bytes_are_refused(read):
    data = bytearray(archive({"a": bytes(100), "b": bytes(100)}))
    at = data.index(b"PK\1\2")
    struct.pack_into("<2L", data, at + 20, 150, 150)

    assert "share bytes" in failure(read, bytes(data), UnsafeFileError)


def test_a_section_is_the_part_alone(tmp_path):
    (tmp_path / "a").write_bytes(b"0123456789")
    with Section(DISK.open(tmp_path / "a"), 2, 5) as part:
        assert (part.n_bytes, part.read(99), part.read(2, 3), part.read(9, 5)) == (5, b"23456", b"56", b"")
        assert part.cursor().read() == b"23456"
        assert not part.is_written_to()
        assert not part.is_replaced()
        (tmp_path / "a").write_bytes(b"x")
        assert part.is_written_to()
        assert part.is_replaced()
