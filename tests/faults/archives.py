"""Archives that somebody made to do harm, in the place of a good model."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
import warnings
import zipfile
import zlib
from typing import TYPE_CHECKING, Any

from tests.checkpoints import PREFIX, SHARD

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Spoil = Callable[[Path], object]

ZIP, TAR, TGZ = "model.zip", "model.tar", "model.tar.gz"
NAMES = ("bert_config.json", "vocab.txt", f"{PREFIX}.index", SHARD)


def zip_with(*members: zipfile.ZipInfo | str, data: bytes = b"x", method: int = zipfile.ZIP_STORED) -> Spoil:
    """Pack the model, and further members with the same contents."""

    def spoil(folder: Path) -> None:
        with warnings.catch_warnings(), zipfile.ZipFile(folder / ZIP, "w") as archive:
            warnings.simplefilter("ignore")
            for name in NAMES:
                archive.write(folder / name, name)
            for member in members:
                archive.writestr(member, data, method)

    return spoil


def edited_zip(edit: Callable[[bytes], bytes], method: int = zipfile.ZIP_STORED) -> Spoil:
    """Pack the model, and change the archive."""

    def spoil(folder: Path) -> None:
        with zipfile.ZipFile(folder / ZIP, "w", method) as archive:
            for name in NAMES:
                archive.write(folder / name, name)
        (folder / ZIP).write_bytes(edit(bytearray((folder / ZIP).read_bytes())))

    return spoil


def in_entry(offset: int, value: int, size: int = 2, number: int = 0) -> Callable[[bytes], bytes]:
    """Change a field of an entry of the central directory."""

    def edit(data: bytes) -> bytes:
        at = -1
        for _ in range(number + 1):
            at = data.index(b"PK\1\2", at + 1)
        return data[: at + offset] + value.to_bytes(size, "little") + data[at + offset + size :]

    return edit


def in_both(offset: int, value: int, size: int = 2) -> Callable[[bytes], bytes]:
    """Change a field of the first member, in its own header and in the central directory."""

    def edit(data: bytes) -> bytes:
        local = offset - 2
        data = data[:local] + value.to_bytes(size, "little") + data[local + size :]
        return in_entry(offset, value, size)(data)

    return edit


def linked(name: str = "link") -> zipfile.ZipInfo:
    """Return a symbolic link."""
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, 0o120777 << 16
    return info


def zip_bomb(folder: Path) -> None:
    """Pack a vocabulary of 2 GB of zeros into 2 MB."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block, crc, parts = bytes(1 << 24), 0, []
    for _ in range(128):
        parts.append(packer.compress(block))
        crc = zlib.crc32(block, crc)
    packed = b"".join([*parts, packer.flush()])
    name, n_bytes = b"vocab.txt", 128 << 24
    head = struct.pack("<5H3L2H", 20, 0, 8, 0, 0, crc, len(packed), n_bytes, len(name), 0)
    local = b"PK\3\4" + head + name + packed
    entry = b"PK\1\2" + struct.pack("<H", 20) + head + struct.pack("<3H2L", 0, 0, 0, 0, 0) + name
    end = b"PK\5\6" + struct.pack("<4H2LH", 0, 0, 1, 1, len(entry), len(local), 0)
    (folder / ZIP).write_bytes(local + entry + end)


def overlapping(folder: Path) -> None:
    """Let 200 entries share the bytes of one member."""
    with zipfile.ZipFile(folder / ZIP, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a000", bytes(1000))
    data = (folder / ZIP).read_bytes()
    at = data.index(b"PK\1\2")
    entry = data[at : data.index(b"PK\5\6")]
    end = b"PK\5\6" + struct.pack("<4H2LH", 0, 0, 200, 200, 200 * len(entry), at, 0)
    (folder / ZIP).write_bytes(data[:at] + entry * 200 + end)


def many_members(folder: Path) -> None:
    """Pack 65,000 empty members."""
    with zipfile.ZipFile(folder / ZIP, "w") as archive:
        for number in range(65_000):
            archive.writestr(f"{number}", b"")


def endless_directory(data: bytes) -> bytes:
    """Say in zip64 that the central directory has 2**60 entries."""
    end = data.index(b"PK\5\6")
    record = b"PK\6\6" + struct.pack("<Q2H2L4Q", 44, 45, 45, 0, 0, 1 << 60, 1 << 60, 1 << 60, 0)
    locator = b"PK\6\7" + struct.pack("<LQL", 0, end, 1)
    return data[:end] + record + locator + b"PK\5\6" + b"\0" * 4 + b"\xff" * 12 + b"\0\0"


def tar_with(*members: tuple[str, dict[str, Any]]) -> Spoil:
    """Pack the model, and further members with these attributes."""

    def spoil(folder: Path) -> None:
        with tarfile.open(folder / TAR, "w") as archive:
            for name in NAMES:
                archive.add(folder / name, name)
            for name, attributes in members:
                info = tarfile.TarInfo(name)
                for key, value in attributes.items():
                    setattr(info, key, value)
                archive.addfile(info, io.BytesIO(bytes(info.size)))

    return spoil


def tar_of_type(kind: bytes, name: str = "x") -> Spoil:
    """Pack the model, and a member of this type that leads to /etc/passwd."""
    return tar_with((name, {"type": kind, "linkname": "/etc/passwd"}))


def huge_header(folder: Path) -> None:
    """Begin with a name of 8 GB."""
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, (1 << 33) - 1
    (folder / TAR).write_bytes(info.tobuf(tarfile.GNU_FORMAT) + bytes(10_240))


def gzip_bomb(folder: Path) -> None:
    """Pack a tar with a member of 4 GB of zeros into 4 MB."""
    info = tarfile.TarInfo("vocab.txt")
    info.size = 4 << 30
    with gzip.open(folder / TGZ, "wb", 9) as file:
        file.write(info.tobuf(tarfile.GNU_FORMAT))
    head = (folder / TGZ).read_bytes()
    zeros = gzip.compress(bytes(1 << 24), 9)
    (folder / TGZ).write_bytes(head + zeros * 256)


def cut(spoil: Spoil, name: str, n_bytes: int) -> Spoil:
    """Cut bytes off the end of an archive."""

    def both(folder: Path) -> None:
        spoil(folder)
        (folder / name).write_bytes((folder / name).read_bytes()[:-n_bytes])

    return both
