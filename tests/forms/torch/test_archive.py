"""Archives whose directory and members disagree, which different readers of zip files would read differently."""

from __future__ import annotations

import struct
import zipfile
import zlib

import pytest

from safeload._bytes.kinds import BY_ID, MAX_ZIPPED
from safeload.errors import CorruptFileError, SafeLoadError, UnsafeFileError, WrongFileKindError
from tests.forms.torch.archives import (
    END,
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


@pytest.mark.parametrize(
    "make",
    [
        lambda: GOOD,
        with_zip64,
        with_large_fields,
        lambda: changed(GOOD, -2, 1, "<H") + b"x",
        lambda: in_front(bytes(25)),
    ],
    ids=["as written", "zip64", "large fields", "comment", "bytes between members"],
)
def test_a_good_archive_is_read(tmp_path, make):
    (tmp_path / "a.pt").write_bytes(make())
    assert values_of(tmp_path / "a.pt")["x"].tolist() == [1]


DAMAGED = {
    "no end": (lambda: GOOD[:-1], "is truncated"),
    "a comment's length alone": (lambda: changed(GOOD, -2, 1, "<H"), "is truncated"),
    "a directory elsewhere": (lambda: changed(GOOD, END_AT + 16, START - 1), "a member is not where the central directory says"),
    "a member more": (lambda: changed(changed(GOOD, END_AT + 8, 4, "<H"), END_AT + 10, 4, "<H"), "does not have the 4 entries"),
    "a member less": (lambda: changed(changed(GOOD, END_AT + 8, 2, "<H"), END_AT + 10, 2, "<H"), "does not have the 2 entries"),
    "a long name": (lambda: changed(GOOD, OF_DATA + 28, 60000, "<H"), "does not have the 3 entries"),
    "no entry": (lambda: changed(GOOD, OF_DATA, 0), "entry 2 of its central directory is none"),
    "two sizes": (lambda: changed(GOOD, OF_DATA + 24, 5), "a stored member has two sizes"),
    "a large size without zip64": (lambda: changed(GOOD, OF_DATA + 24, 0xFFFFFFFF), "a zip64 size is missing"),
    "a name that is not UTF-8": (lambda: GOOD.replace(b"archive/data/0", b"archive/data/\xff"), "no storage 0"),
    "a name of its own": (lambda: GOOD.replace(b"archive/data/0", b"archive/data/1", 1), "own header disagrees"),
    "a size of its own": (lambda: changed(GOOD, GOOD.index(b"archive/data/0") - 8, 1), "own header disagrees"),
    "a checksum of its own": (lambda: changed(GOOD, GOOD.index(b"archive/data/0") - 16, 1), "own header disagrees"),
    "no header of its own": (lambda: changed(GOOD, GOOD.rindex(LOCAL), 0), "not where the central directory says"),
    "a member twice": (doubled, "its directory has archive/data/0 twice"),
    "a member in two cases": (of_two_cases, "its directory has archive/DATA/0 twice"),
    "a member over another": (lambda: changed(GOOD, OF_DATA + 42, 0), "own header disagrees"),
    "a member beyond the file": (lambda: changed(GOOD, OF_DATA + 42, 1 << 31), "not where the central directory says"),
    "an offset into the directory": (lambda: changed(GOOD, entry_at(GOOD, "version") + 42, START - 9), "not where the central directory says"),
    "a zip64 end elsewhere": (lambda: with_zip64(at=0), "not where its locator says"),
    "a zip64 end of another count": (lambda: with_zip64(count=2), "contradict each other"),
    "a zip64 end with more": (lambda: with_zip64(n_more=45), "does not end where its locator begins"),
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
    assert "a member is longer than the archive has room for" in failure(tmp_path / "a.pt").message


@pytest.mark.parametrize("at", [END_AT + 4, END_AT + 8, OF_DATA + 34])
def test_a_part_of_several_is_refused(tmp_path, at):
    (tmp_path / "a.pt").write_bytes(changed(GOOD, at, 1, "<H"))
    assert "is one of several parts" in failure(tmp_path / "a.pt", UnsafeFileError).message


def test_an_encrypted_member_is_refused(tmp_path):
    (tmp_path / "a.pt").write_bytes(changed(GOOD, OF_DATA + 8, 1, "<H"))
    assert "has an encrypted or patched member" in failure(tmp_path / "a.pt", UnsafeFileError).message


def test_a_directory_of_too_many_members_is_refused(tmp_path):
    count = MAX_ZIPPED + 1
    large = struct.pack("<4sQ2H2I4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, END_AT - START, START)
    located = struct.pack("<4sIQI", b"PK\6\7", 0, END_AT, 1)
    end = struct.pack("<4s4H2IH", END, 0, 0, 0xFFFF, 0xFFFF, END_AT - START, START, 0)
    (tmp_path / "a.pt").write_bytes(GOOD[:END_AT] + large + located + end)
    assert f"has {count:,} members or more" in failure(tmp_path / "a.pt", UnsafeFileError).message


def repacked(path, method=zipfile.ZIP_STORED, *, with_folders=False):
    """Unpack an archive, and pack it again as zip programs do: its members in the order of their names."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    root = next(iter(members)).partition("/")[0]
    folders = {f"{root}/": b"", f"{root}/data/": b""} if with_folders else {}
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in sorted((folders | members).items()):
            archive.writestr(name, data)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("with_folders", [False, True])
def test_what_was_unpacked_and_packed_again_is_read_as_torch_does(tmp_path, method, with_folders):
    torch = pytest.importorskip("torch")
    path = tmp_path / "a.bin"
    base = torch.arange(3_000_000.0).reshape(3000, 1000)
    content = {"whole": base, "turned": base.t(), "part": base[5:9, 1:7], "tied": base, "other": torch.ones(3)}
    torch.save(content, path)
    repacked(path, method, with_folders=with_folders)

    wanted, found = torch.load(path), values_of(path)
    assert found.keys() == wanted.keys()
    for name, values in found.items():
        assert (values == wanted[name].numpy()).all()
    with opened(path) as file:
        assert file.is_equal("whole", "tied")
        assert not file.is_equal("whole", "other")
        assert file.look("part")[1] == ""


def test_a_changed_byte_of_a_compressed_storage_is_found(tmp_path):
    path = tmp_path / "a.pt"
    path.write_bytes(zipped(MEMBERS, method=zipfile.ZIP_DEFLATED))
    assert values_of(path)["x"].tolist() == [1]
    data = path.read_bytes()
    crc = zlib.crc32(ONE)
    path.write_bytes(data.replace(struct.pack("<I", crc), struct.pack("<I", crc ^ 1)))
    with opened(path) as file, pytest.raises(CorruptFileError) as caught:
        file.read(["x"])
    assert "CHECKSUM" in str(caught.value)


@pytest.mark.parametrize(
    "members",
    [
        {"x": b"", "b/data.pkl": b"", "b/version": b""},
        {"data.pkl": b"", "version": b""},
        {"a/data.pkl": b"", "b/version": b""},
    ],
    ids=" ".join,
)
def test_an_archive_of_something_else_is_refused(tmp_path, members):
    (tmp_path / "a.pt").write_bytes(zipped(dict(reversed(members.items())), root=""))
    assert failure(tmp_path / "a.pt", WrongFileKindError).found == BY_ID["zip"].name


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
