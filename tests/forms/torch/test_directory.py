"""Archives whose directory and members disagree, which different readers of zip files would read differently."""

from __future__ import annotations

import struct
import zipfile

import pytest

from safeload._forms.torch.directory import MAX_MEMBERS
from safeload.errors import CorruptFileError, SafeLoadError, UnsafeFileError, WrongFileKindError
from tests.forms.torch.archives import (
    END,
    ENTRY,
    LOCAL,
    ROOT,
    changed,
    entry_at,
    file_of,
    opened,
    state_dict,
    tensor,
    values_of,
    zipped,
)

ONE = struct.pack("<f", 1)
MEMBERS = {"data.pkl": state_dict(x=tensor()), "data/0": ONE, "version": b"3\n"}
GOOD = zipped(MEMBERS)
END_AT = len(GOOD) - 22
START = struct.unpack_from("<I", GOOD, END_AT + 16)[0]
OF_DATA = entry_at(GOOD, "data/0")


def failure(path, error=CorruptFileError):
    with pytest.raises(SafeLoadError) as caught:
        opened(path)
    assert type(caught.value) is error, caught.value
    assert caught.value.resolved == str(path)
    return caught.value


def with_zip64(data=GOOD, at=None, count=3, n_more=44):
    """Return the archive with the ends that torch writes."""
    start, end = START, len(data) - 22
    large = struct.pack("<4sQ2H2I4Q", b"PK\6\6", n_more, 45, 45, 0, 0, count, count, end - start, start)
    located = struct.pack("<4sIQI", b"PK\6\7", 0, end if at is None else at, 1)
    return data[:end] + large + located + data[end:]


def with_large_fields():
    """Return the archive with a member whose sizes and offset are in an extra field of zip64."""
    name_at = OF_DATA + 46 + len("archive/data/0")
    header = struct.unpack_from("<I", GOOD, OF_DATA + 42)[0]
    extra = struct.pack("<2H2H3Q", 7, 0, 1, 24, 4, 4, header)
    data = GOOD[:name_at] + extra + GOOD[name_at:]
    for at in (20, 24, 42):
        data = changed(data, OF_DATA + at, 0xFFFFFFFF)
    data = changed(data, OF_DATA + 30, len(extra), "<H")
    return changed(data, len(data) - 22 + 12, END_AT - START + len(extra))


def doubled():
    """Return the archive with the same member twice."""
    return zipped({**MEMBERS, "data/1": ONE}).replace(b"archive/data/1", b"archive/data/0")


def of_two_cases():
    """Return the archive with two members whose names differ in case alone, of which torch may read either."""
    return zipped({**MEMBERS, "DATA/0": ONE})


def in_front(more):
    """Return the archive with bytes in front of the directory."""
    return changed(GOOD[:START] + more + GOOD[START:], END_AT + len(more) + 16, START + len(more))


@pytest.mark.parametrize("make", [lambda: GOOD, with_zip64, with_large_fields])
def test_a_good_archive_is_read(tmp_path, make):
    (tmp_path / "a.pt").write_bytes(make())
    assert values_of(tmp_path / "a.pt")["x"].tolist() == [1]


DAMAGED = {
    "no end": (lambda: GOOD[:-1], "is truncated"),
    "a comment": (lambda: changed(GOOD, -2, 1, "<H") + b"x", "is truncated"),
    "a comment's length alone": (lambda: changed(GOOD, -2, 1, "<H"), "what ends the archive contradicts"),
    "a second disk": (lambda: changed(GOOD, END_AT + 4, 1, "<H"), "what ends the archive contradicts"),
    "a directory elsewhere": (lambda: changed(GOOD, END_AT + 16, START - 1), "what ends the archive contradicts"),
    "a member more": (lambda: changed(changed(GOOD, END_AT + 8, 4, "<H"), END_AT + 10, 4, "<H"), "ends before its last member"),
    "a member less": (lambda: changed(changed(GOOD, END_AT + 8, 2, "<H"), END_AT + 10, 2, "<H"), "bytes behind its last member"),
    "members on this disk": (lambda: changed(GOOD, END_AT + 8, 2, "<H"), "what ends the archive contradicts"),
    "a long name": (lambda: changed(GOOD, OF_DATA + 28, 60000, "<H"), "ends within a member's name"),
    "no entry": (lambda: changed(GOOD, OF_DATA, 0), "ends before its last member"),
    "two sizes": (lambda: changed(GOOD, OF_DATA + 24, 5), "contradicts itself about archive/data/0"),
    "another disk": (lambda: changed(GOOD, OF_DATA + 34, 1, "<H"), "contradicts itself about archive/data/0"),
    "a large size without zip64": (lambda: changed(GOOD, OF_DATA + 24, 0xFFFFFFFF), "lacks the size of a large member"),
    "a name that is not UTF-8": (lambda: GOOD.replace(b"archive/data/0", b"archive/data/\xff"), "not UTF-8"),
    "a name of its own": (lambda: GOOD.replace(b"archive/data/0", b"archive/data/1", 1), "says something else than the directory"),
    "a size of its own": (lambda: changed(GOOD, GOOD.index(b"archive/data/0") - 8, 1), "says something else than the directory"),
    "a checksum of its own": (lambda: changed(GOOD, GOOD.index(b"archive/data/0") - 16, 1), "says something else than the directory"),
    "no header of its own": (lambda: changed(GOOD, GOOD.rindex(LOCAL), 0), "says something else than the directory"),
    "a member twice": (doubled, "its directory has archive/data/0 twice"),
    "a member in two cases": (of_two_cases, "its directory has archive/DATA/0 twice"),
    "a member over another": (lambda: changed(GOOD, OF_DATA + 42, 0), "overlaps the member before it"),
    "a member beyond the file": (lambda: changed(GOOD, OF_DATA + 42, 1 << 31), "overlaps the member before it, or bytes"),
    "bytes between members": (lambda: in_front(bytes(25)), "bytes before its directory belong to no member"),
    "an offset into the directory": (lambda: changed(GOOD, entry_at(GOOD, "version") + 42, START - 9), "overlaps the member before"),
    "a zip64 end elsewhere": (lambda: with_zip64(at=0), "a zip64 end that is not before it"),
    "a zip64 end of another count": (lambda: with_zip64(count=2), "contradict each other"),
    "a zip64 end with more": (lambda: with_zip64(n_more=45), "contradict each other"),
}  # fmt: skip


@pytest.mark.parametrize("what", DAMAGED)
def test_a_contradiction_is_found(tmp_path, what):
    make, said = DAMAGED[what]
    (tmp_path / "a.pt").write_bytes(make())
    assert said in failure(tmp_path / "a.pt").message


def test_the_last_member_ends_before_the_directory(tmp_path):
    at = entry_at(GOOD, "version")
    header = struct.unpack_from("<I", GOOD, at + 42)[0]
    data = GOOD
    for field in (at + 20, at + 24, header + 18, header + 22):
        data = changed(data, field, 500)
    (tmp_path / "a.pt").write_bytes(data)
    assert "archive/version ends beyond the directory" in failure(tmp_path / "a.pt").message


def test_members_that_torch_never_writes_are_refused(tmp_path):
    path = tmp_path / "a.pt"
    path.write_bytes(zipped(MEMBERS, method=zipfile.ZIP_DEFLATED))
    assert "has a compressed member, data.pkl, which torch never writes" in failure(path, UnsafeFileError).message

    path.write_bytes(
        zipped({"data.pkl": state_dict(x=tensor()), "data/0": bytes(50_000_000)}, method=zipfile.ZIP_DEFLATED)
    )
    assert "compressed member" in failure(path, UnsafeFileError).message

    path.write_bytes(changed(GOOD, OF_DATA + 8, 1, "<H"))
    assert "has an encrypted member, archive/data/0" in failure(path, UnsafeFileError).message


def test_a_directory_of_too_many_members_is_refused(tmp_path):
    path = tmp_path / "a.pt"
    n_bytes = (MAX_MEMBERS + 1) * 46
    end = struct.pack("<4s4H2IH", END, 0, 0, 0xFFFF, 0xFFFF, n_bytes, START, 0)
    large = struct.pack("<4sQ2H2I4Q", b"PK\6\6", 44, 45, 45, 0, 0, MAX_MEMBERS + 1, MAX_MEMBERS + 1, n_bytes, START)
    located = struct.pack("<4sIQI", b"PK\6\7", 0, START + n_bytes, 1)
    path.write_bytes(GOOD[:START] + ENTRY + bytes(n_bytes - 4) + large + located + end)
    assert f"a directory of {MAX_MEMBERS + 1:,} members" in failure(path, UnsafeFileError).message


@pytest.mark.parametrize(
    "members",
    [{"x": b"", "b/data.pkl": MEMBERS["data.pkl"]}, {"data.pkl": b""}, {"a/data.pkl": b"", "b/data.pkl": b""}],
    ids=str,
)
def test_an_archive_of_something_else_is_refused(tmp_path, members):
    (tmp_path / "a.pt").write_bytes(zipped(dict(reversed(members.items())), root=""))
    assert "without exactly one data.pkl in a folder" in failure(tmp_path / "a.pt", WrongFileKindError).found


def test_members_are_verified_by_their_crc_when_the_file_is_opened(tmp_path):
    (tmp_path / "a.pt").write_bytes(GOOD.replace(b"X\1\0\0\0x", b"X\1\0\0\0y", 1))
    assert "the CRC-32 of data.pkl is " in failure(tmp_path / "a.pt").message


def test_one_checksum_that_is_not_0_makes_them_all_count(tmp_path):
    without = GOOD
    for name in MEMBERS:
        without = changed(without, entry_at(without, name) + 16, 0)
        without = changed(without, without.index(f"{ROOT}/{name}".encode()) - 16, 0)
    (tmp_path / "a.pt").write_bytes(without)
    assert values_of(tmp_path / "a.pt").keys() == {"x"}
    at = entry_at(without, "data/0") + 16, without.index(f"{ROOT}/data/0".encode()) - 16
    (tmp_path / "a.pt").write_bytes(changed(changed(without, at[0], 1), at[1], 1))
    assert "the CRC-32 of data.pkl is " in failure(tmp_path / "a.pt").message


@pytest.mark.parametrize(
    ("order", "error", "said"),
    [
        (b"big", WrongFileKindError, "big-endian"),
        (b"middle", CorruptFileError, "neither little nor big but middle"),
        (b"little, and more", UnsafeFileError, "has byteorder of 16 bytes"),
    ],
)
def test_another_byte_order_is_refused(tmp_path, order, error, said):
    (tmp_path / "a.pt").write_bytes(zipped({**MEMBERS, "byteorder": order}))
    assert said in failure(tmp_path / "a.pt", error).message


def test_a_storage_of_another_size_is_found(tmp_path):
    error = failure(file_of(tmp_path / "a.pt", state_dict(x=tensor()), _0=bytes(8)))
    assert "storage 0 has 8 bytes, but its tensors say 4" in error.message
