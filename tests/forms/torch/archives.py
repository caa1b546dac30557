"""Write files as torch.save does, and spoil them."""

from __future__ import annotations

import io
import struct
import zipfile
from contextlib import contextmanager
from pathlib import Path

from safeload._forms.torch.file import TorchFile
from safeload.testing._torch import ROOT
from tests.opened import ref

END, ENTRY, LOCAL = b"PK\5\6", b"PK\1\2", b"PK\3\4"


def opened(path, role="weight"):
    """Open a file by its path alone."""
    return TorchFile(ref(path, role, "g"))


def values_of(path):
    """Return name -> values, and close the file."""
    with opened(path) as file:
        return file.read(file.tensors)


def zipped(members, root=ROOT, method=zipfile.ZIP_STORED):
    """Return an archive of these members."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(f"{root}/{name}" if root else name), data, method)
    return file.getvalue()


def changed(data, at, value, layout="<I"):
    """Return the bytes with a number at an offset."""
    packed = struct.pack(layout, value)
    at = at if at >= 0 else len(data) + at
    return data[:at] + packed + data[at + len(packed) :]


def entry_at(data, name):
    """Return the offset of the entry of a member in the directory."""
    at = data.index(ENTRY)
    while not data[at + 46 :].startswith(f"{ROOT}/{name}".encode()):
        at = data.index(ENTRY, at + 1)
    return at


def storage(key="0", kind="ctorch\nFloatStorage\n", n_values=1, location="cpu"):
    """Return the opcodes of a storage."""
    return b"(" + text("storage") + kind.encode() + text(key) + text(location) + number(n_values) + b"tQ"


def tensor(where=None, offset=0, shape=(1,), strides=(1,), call="_rebuild_tensor_v2"):
    """Return the opcodes of a tensor."""
    args = (where or storage()) + number(offset) + numbers(shape) + numbers(strides)
    return f"ctorch._utils\n{call}\n".encode() + b"(" + args + b"\x89ccollections\nOrderedDict\n)RtR"


def text(value):
    """Return the opcode of a string."""
    data = value.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def number(value):
    """Return the opcode of an integer."""
    data = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes([len(data)]) + data


def numbers(values):
    """Return the opcodes of a tuple of integers."""
    return b"(" + b"".join(map(number, values)) + b"t"


def state_dict(**rows):
    """Return a pickle of a dict of these opcodes."""
    return b"\x80\x02}(" + b"".join(text(name) + row for name, row in rows.items()) + b"u."


def file_of(path, pickle, **storages):
    """Write an archive of a pickle and storages, of which `_0` is the first."""
    members = {f"data/{name[1:]}": data for name, data in (storages or {"_0": struct.pack("<f", 1)}).items()}
    path.write_bytes(zipped({"data.pkl": pickle, **members, "version": b"3\n"}))
    return path


@contextmanager
def changed_file(path, data):
    """Let a file have other bytes for a while."""
    path, before = Path(path), Path(path).read_bytes()
    path.write_bytes(data)
    try:
        yield path
    finally:
        path.write_bytes(before)
