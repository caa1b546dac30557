"""The readers of archives, by themselves: zip, tar, deflate and checksums."""

from __future__ import annotations

import io
import random
import subprocess
import sys
import tarfile
import zipfile
import zlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from safeload import errors, testing
from safeload._bytes.archives import inflating, kept
from safeload._bytes.archives.checksums import PartsCrc
from safeload._bytes.archives.members import checked_name, is_of_the_system
from safeload._bytes.archives.source import ArchiveSource
from safeload._bytes.files import DISK
from safeload._bytes.open_file import DamagedDataError
from safeload._model_kind import Request
from safeload._steps import check
from safeload.bert._arguments import build_options
from safeload.bert._model import bert
from tests.archives import write_archive
from tests.faults import archives as made
from tests.opened import ref


@given(st.binary(min_size=1), st.lists(st.tuples(st.integers(0, 99), st.integers(1, 50))))
def test_parts_in_any_order_have_the_crc_of_the_whole(data, parts):
    def read_into(block, offset):
        found = data[offset : offset + len(block)]
        block[: len(found)] = found
        return len(found)

    crc = PartsCrc()
    for start, size in parts:
        part = data[start : start + size]
        if part:
            crc.add(start, memoryview(part))

    assert crc.whole(len(data), read_into) == zlib.crc32(data)
    assert not crc.is_contradictory


def test_a_part_that_reaches_into_a_larger_one_is_what_is_read_again():
    data, again = bytes(range(200)), []

    def read_into(block, offset):
        block[:] = data[offset : offset + len(block)]
        again.append((offset, len(block)))
        return len(block)

    crc = PartsCrc()
    for start, size in ((0, 16), (10, 12), (100, 100), (20, 80)):
        crc.add(start, memoryview(data[start : start + size]))

    assert crc.whole(len(data), read_into) == zlib.crc32(data)
    assert again == [(16, 4)]


def test_a_part_that_reads_differently_again_contradicts():
    crc = PartsCrc()
    crc.add(0, memoryview(b"ab"))
    crc.add(0, memoryview(b"ac"))

    assert crc.is_contradictory


@pytest.mark.parametrize(("name", "wanted"), [("./a/b", "a/b"), ("a/", "a"), ("./", ""), ("a..b/c", "a..b/c")])
def test_a_good_name_is_kept(name, wanted):
    assert checked_name(name, ref("/x.zip")) == wanted


@pytest.mark.parametrize(
    "name", ["..", "../a", "a/../b", "/a", ".//../a", "a\\b", "C:/a", "a//b", "a/./b", "a\0b", "/", "a" * 5000]
)
def test_a_name_that_leads_out_is_refused(name):
    with pytest.raises(errors.UnsafeFileError, match="name"):
        checked_name(name, ref("/x.zip"))


def test_the_members_of_macos_are_known():
    assert [is_of_the_system(name) for name in ("__MACOSX/a", "a/.DS_Store", "a/._b", "a/b", ".a")] == [True] * 3 + [
        False
    ] * 2


@pytest.mark.parametrize("is_kept", [False, True])
@pytest.mark.parametrize("is_gzip", [False, True])
def test_inflated_data_is_read_at_any_offset(tmp_path, monkeypatch, is_gzip, is_kept):
    monkeypatch.setattr(kept, "_N_BLOCK_BYTES", 7000)
    monkeypatch.setattr(inflating, "N_BETWEEN_STATES", 10_000)
    monkeypatch.setattr(inflating, "N_INPUT_BYTES", 3000)
    source = random.Random(3)
    data = bytes(source.choices(b"abcdefgh", k=200_000))
    packer = zlib.compressobj(6, zlib.DEFLATED, inflating.GZIP if is_gzip else inflating.RAW)
    packed = packer.compress(data) + packer.flush()
    (tmp_path / "x").write_bytes(b"before" + packed + b"after" * (not is_gzip))
    known = {} if is_gzip else {"n_bytes": len(data), "crc": zlib.crc32(data)}
    inflated = inflating.Inflated(
        inflating.Stored(6, len(packed), inflating.GZIP if is_gzip else inflating.RAW), **known
    )

    with DISK.open(str(tmp_path / "x")) as file:
        for _ in range(200):
            offset, size = source.randrange(len(data)), source.choice([1, 100, 30_000])
            block = bytearray(min(size, len(data) - offset))
            assert inflated.read_into(file, memoryview(block), offset) == len(block)
            assert block == data[offset : offset + len(block)]
            if is_kept:
                inflated.keep()
                inflated.forget(source.randrange(len(data)), source.choice([1, 20_000]))
        inflated.advance(file)

    assert inflated.is_complete
    assert inflated.n_bytes == len(data)


def test_what_is_kept_is_inflated_once_until_it_is_forgotten(tmp_path, monkeypatch):
    data = bytes(random.Random(1).choices(b"abcdefgh", k=4 << 20))
    packed = zlib.compress(data)[2:-4]
    (tmp_path / "x").write_bytes(packed)
    inflated = inflating.Inflated(
        inflating.Stored(0, len(packed), inflating.RAW), n_bytes=len(data), crc=zlib.crc32(data)
    )
    inflated.keep()
    block = bytearray(100_000)
    with DISK.open(str(tmp_path / "x")) as file:
        inflated.read_into(file, memoryview(block), len(data) - len(block))
        inflate = inflating.Position.inflate
        again = []
        monkeypatch.setattr(inflating.Position, "inflate", lambda *given: again.append(given) or inflate(*given))
        for offset in (3_000_000, 0, 1_000_000):
            inflated.read_into(file, memoryview(block), offset)
            assert block == data[offset : offset + len(block)]
        assert not again
        inflated.forget(0, 2 << 20)
        inflated.read_into(file, memoryview(block), 0)
        assert block == data[: len(block)]
        assert again


@pytest.mark.parametrize("facts", [{}, {"n_bytes": kept.MAX_KEPT_BYTES + 1}])
def test_data_of_no_known_size_or_a_huge_one_is_not_kept(tmp_path, monkeypatch, facts):
    packed = zlib.compress(bytes(1000))[2:-4]
    (tmp_path / "x").write_bytes(packed)
    monkeypatch.setattr(kept.Kept, "add", lambda *_: pytest.fail("it is kept"))
    inflated = inflating.Inflated(inflating.Stored(0, len(packed), inflating.RAW), **facts)
    inflated.keep()
    with DISK.open(str(tmp_path / "x")) as file:
        inflated.read_into(file, memoryview(bytearray(10)), 900)


@pytest.mark.parametrize(
    ("wrong", "text"),
    [({"crc": 1}, "CRC-32"), ({"n_bytes": 900}, "more than the 900"), ({"n_bytes": 1100}, "1,000 bytes, not 1,100")],
)
def test_inflated_data_of_another_size_or_crc_is_damaged(tmp_path, wrong, text):
    data = bytes(1000)
    packed = zlib.compress(data)[2:-4]
    (tmp_path / "x").write_bytes(packed)
    facts = {"n_bytes": 1000, "crc": zlib.crc32(data), **wrong}
    inflated = inflating.Inflated(inflating.Stored(0, len(packed), inflating.RAW), **facts)

    with DISK.open(str(tmp_path / "x")) as file, pytest.raises(DamagedDataError, match=text):
        inflated.advance(file)


def test_the_crc_of_gzip_is_compared(tmp_path):
    folder = tmp_path / "f"
    folder.mkdir()
    (folder / "x").write_bytes(bytes(1000))
    archive = write_archive(folder, tmp_path / "ustar.tar.gz")
    data = bytearray(archive.read_bytes())
    data[-8] ^= 1
    archive.write_bytes(data)

    with pytest.raises(errors.CorruptFileError, match="incorrect data check"):
        ArchiveSource(ref(archive))


def test_folders_and_names_in_other_letters_are_listed(tmp_path):
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("größe", b"x")
        archive.writestr("empty/", b"")
    source = ArchiveSource(ref(path))

    assert sorted(source.names_in(str(path))) == ["empty", "größe"]
    assert source.is_dir(f"{path}/empty")
    assert source.is_file(f"{path}/größe")


def test_a_name_in_the_letters_of_dos_is_read(tmp_path):
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("gr_sse", b"x")
    path.write_bytes(path.read_bytes().replace(b"gr_sse", b"gr\x94sse"))

    assert ArchiveSource(ref(path)).names_in(str(path)) == ["grösse"]


def test_a_comment_at_the_end_of_a_zip_is_skipped(tmp_path):
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a", b"x")
        archive.comment = b"PK\5\6" + bytes(40)

    assert ArchiveSource(ref(path)).names_in(str(path)) == ["a"]


def test_a_tar_with_a_size_in_bytes_is_read(tmp_path):
    info = tarfile.TarInfo("a")
    info.size = 3
    header = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    header[124:136] = b"\x80" + (3).to_bytes(11, "big")
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    path = tmp_path / "x.tar"
    path.write_bytes(bytes(header) + b"abc".ljust(512, b"\0") + bytes(1024))
    source = ArchiveSource(ref(path))

    with source.open(f"{path}/a") as file:
        assert file.read(10) == b"abc"


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda data: data[:148] + b"0000000\0" + data[156:], "does not have its checksum"),
        (lambda data: data[:600], "ends within a header"),
        (lambda data: data[:700], "ends within a member"),
    ],
)
def test_a_damaged_tar_says_what_is_wrong(tmp_path, change, text):
    path = tmp_path / "x.tar"
    with tarfile.open(path, "w") as archive:
        info = tarfile.TarInfo("a")
        info.size = 600 if "member" in text else 0
        archive.addfile(info, io.BytesIO(bytes(600)))
    path.write_bytes(change(path.read_bytes()))

    with pytest.raises(errors.CorruptFileError, match=text):
        ArchiveSource(ref(path))


@pytest.mark.parametrize(
    ("spoil", "text"),
    [
        (made.zip_with("../x"), "leads out of it"),
        (made.zip_with("/x"), "absolute name"),
        (made.zip_with("vocab.txt"), "two members of the same name"),
        (made.zip_with("a/b", "a"), "a file and a folder of the same name"),
        (made.zip_with(made.linked()), "symbolic link"),
        (made.zip_with("x", method=zipfile.ZIP_LZMA), "compressed by LZMA"),
        (made.overlapping, "overlap"),
        (made.many_members, "no model needs more than"),
        (made.edited_zip(made.in_both(8, 1)), "encrypted"),
        (made.edited_zip(made.in_entry(16, 5, 4)), "disagrees with the central directory"),
        (made.edited_zip(made.in_entry(34, 7)), "several parts"),
        (made.edited_zip(made.in_entry(28, 9)), "central directory|none"),
        (made.edited_zip(lambda data: data[:-22] + bytes(8) + data[-22:]), "entry 1 of its central directory is none"),
        (made.edited_zip(lambda data: data[:-6] + (1 << 30).to_bytes(4, "little") + data[-2:]), "ends at byte"),
    ],
)
def test_a_zip_that_is_refused_says_why(tmp_path, spoil, text):
    folder = testing.write_bert(tmp_path / "f")
    spoil(folder)

    with pytest.raises((errors.UnsafeFileError, errors.CorruptFileError), match=text) as caught:
        ArchiveSource(ref(folder / made.ZIP))
    assert caught.value.label == "archive"
    assert caught.value.hints


KINDS = {"stored.zip": "safetensors", "deflated.zip": "safetensors", "gnu.tar": "tensorflow", "pax.tgz": "safetensors"}


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Return name -> the bytes of an archive of a BERT, and the values of its parameters."""
    root = tmp_path_factory.mktemp("small")
    folders = {form: testing.write_bert(root / form, form=form) for form in set(KINDS.values())}
    archives = {name: write_archive(folders[form], root / name).read_bytes() for name, form in KINDS.items()}
    return archives, values_of(folders["safetensors"])


def values_of(path):
    return check(bert(build_options(training=False, seq_len=None)), Request(path), keep_values=True).values


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), name=st.sampled_from(sorted(KINDS)))
def test_a_changed_byte_loads_the_same_values_or_is_told(data, name, small, tmp_path):
    archives, wanted = small
    at = data.draw(st.integers(0, len(archives[name]) - 1))
    changed = bytearray(archives[name])
    changed[at] = data.draw(st.integers(0, 255))
    path = tmp_path / name
    path.write_bytes(changed[: data.draw(st.sampled_from([at, None]))])
    try:
        found = values_of(path)
    except errors.SafeLoadError:
        return
    assert found.keys() == wanted.keys()
    assert all(np.array_equal(found[key], values) for key, values in wanted.items())


MEASURED = """
import resource, sys
from safeload._bytes.archives.locating import located
from safeload._bytes.files import FileRef
from safeload._forms import open_weights
from safeload._forms.finding import find_weights
ref = located(FileRef(path=sys.argv[1], role="weight"))
with open_weights(find_weights(ref, None)) as weights:
    start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    values = weights.read(weights.tensors)
    weights.prove()
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - start) * 1024 / sum(each.nbytes for each in values.values()))
"""


@pytest.mark.parametrize("name", ["stored.zip", "deflated.zip", "gnu.tar", "pax.tgz"])
def test_a_load_takes_little_more_memory_than_the_weights(tmp_path, name):
    pytest.importorskip("resource")
    from safeload.testing._safetensors import write_safetensors

    folder = tmp_path / "f"
    folder.mkdir()
    random_values = np.random.default_rng(0).standard_normal((8, 2_000_000), np.float32)
    write_safetensors(folder / "model.safetensors", {f"w{at}": row for at, row in enumerate(random_values)}, {})
    archive = write_archive(folder, tmp_path / name)

    done = subprocess.run([sys.executable, "-c", MEASURED, archive], capture_output=True, text=True, check=True)

    assert float(done.stdout) < 1.3
