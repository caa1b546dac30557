"""Values on a big-endian host, and files that are big-endian themselves; see tests/machines/test_big_endian.py for a real host."""

from __future__ import annotations

import ast
import re
import sys
import zipfile

import h5py
import numpy as np
import pytest
from safetensors.numpy import save_file

import safeload
from safeload._forms import byte_order, open_weights
from safeload._forms.finding import find_weights
from safeload.errors import CorruptFileError, WrongFileKindError
from tests.checkpoints import write_checkpoint
from tests.opened import ref
from tests.test_house import MODULES, name_of


def both_ways():
    """Return values of several types that are finite and small in either byte order."""
    drawn = np.random.default_rng(0).standard_normal(1 << 18)
    floats = {}
    for name in ("float16", "float32", "float64"):
        values = drawn.astype(name)
        is_usable = np.isfinite(values.byteswap()) & (np.abs(np.nan_to_num(values.byteswap())) < 100)
        floats[name] = values[is_usable][:24].reshape(4, 6)
    return {
        **floats,
        "int64": np.arange(24).reshape(4, 6),
        "int16": np.arange(6, dtype=np.int16),
        "bool": np.eye(3, dtype=bool),
    }


TENSORS = both_ways()
COMPLEX = (TENSORS["float32"] + 1j * TENSORS["float32"][::-1]).astype(np.complex64)


def in_safetensors(folder):
    save_file(TENSORS, folder / "model.safetensors")
    return folder / "model.safetensors", TENSORS


def in_checkpoint(folder):
    tensors = {**TENSORS, "complex": COMPLEX}
    write_checkpoint(folder / "model.ckpt", tensors)
    return folder / "model.ckpt", tensors


def in_torch(folder):
    torch = pytest.importorskip("torch")
    tensors = {name: torch.from_numpy(values) for name, values in {**TENSORS, "complex": COMPLEX}.items()}
    tensors["turned"] = tensors["float32"].T
    tensors["gaps"] = tensors["float32"][:, ::2]
    torch.save(tensors, folder / "pytorch_model.bin")
    return folder / "pytorch_model.bin", {name: np.array(values) for name, values in tensors.items()}


def in_hdf5(folder):
    tensors = {name: values for name, values in TENSORS.items() if name != "bool"}
    big = {f"big {name}": values for name, values in tensors.items()}
    with h5py.File(folder / "model.h5", "w") as file:
        for name, values in tensors.items():
            file[name] = values
            file[f"big {name}"] = values.astype(values.dtype.newbyteorder(">"))
            filters = {"compression": "gzip", "shuffle": True, "fletcher32": True}
            file.create_dataset(f"chunks {name}", data=values, **filters)
            file.create_dataset(f"big chunks {name}", data=values, dtype=values.dtype.newbyteorder(">"), **filters)
    chunks = {f"chunks {name}": values for name, values in tensors.items()}
    return folder / "model.h5", {**tensors, **big, **chunks, **{f"big {name}": each for name, each in chunks.items()}}


WRITERS = (in_safetensors, in_checkpoint, in_torch, in_hdf5)


def read(path):
    """Return the values of a file, those that are turned or shown, and the checksums of all."""
    with open_weights(find_weights(ref(path), None)) as weights:
        weights.verify(weights.tensors)
        checksums = {name: each.checksum for name, each in weights.seen.items()}
        turned = weights.read(["float32"], floats=True, turned=["float32"])["float32"]
        shown = {name: weights.look(name)[0] for name in weights.tensors}
        return weights.read(weights.tensors), {**shown, "float32": turned}, checksums


@pytest.mark.parametrize("write", WRITERS)
def test_values_are_those_that_were_written(write, tmp_path):
    path, tensors = write(tmp_path)
    values, others, _ = read(path)

    assert values.keys() == others.keys() == tensors.keys()
    for name, wanted in tensors.items():
        assert values[name].dtype.isnative
        np.testing.assert_array_equal(values[name], wanted)
        np.testing.assert_array_equal(others[name], wanted)


@pytest.mark.parametrize("write", WRITERS)
def test_on_a_host_of_the_other_order_each_number_is_swapped_and_no_checksum_changes(write, tmp_path, monkeypatch):
    path, tensors = write(tmp_path)
    *_, checksums = read(path)
    monkeypatch.setattr(byte_order, "HOST_IS_BIG", not byte_order.HOST_IS_BIG)
    values, others, checksums_there = read(path)

    by_numpy = ("chunks", "big", "gaps")  # which NumPy converts, and it knows this host
    for name, wanted in tensors.items():
        if "chunks" not in name:
            np.testing.assert_array_equal(values[name], wanted.byteswap())  # which that host reads as `wanted`
            np.testing.assert_array_equal(others[name], wanted.byteswap())
        if not any(word in name for word in by_numpy):
            assert checksums_there[name] == checksums[name]


def test_a_checksum_is_of_the_bytes_in_the_file_on_a_host_of_the_other_order_too(tmp_path, monkeypatch):
    path, _ = in_checkpoint(tmp_path)
    shard = path.with_name("model.ckpt.data-00000-of-00001")
    data = bytearray(shard.read_bytes())
    data[-1] ^= 1
    shard.write_bytes(data)
    monkeypatch.setattr(byte_order, "HOST_IS_BIG", not byte_order.HOST_IS_BIG)
    with pytest.raises(CorruptFileError, match="CHECKSUM"):
        safeload.check_weights(path)


def test_what_is_written_is_little_endian():
    values = TENSORS["float32"].astype(">f4")

    assert byte_order.little(values).tobytes() == TENSORS["float32"].astype("<f4").tobytes()
    assert (sys.byteorder == "big") == byte_order.HOST_IS_BIG
    assert byte_order.is_big_endian(values.dtype)
    assert not byte_order.is_big_endian(np.dtype("<f4"))
    assert byte_order.is_big_endian(np.dtype("=f4")) == byte_order.HOST_IS_BIG
    assert not byte_order.is_big_endian(np.dtype("u1"))


def test_a_pytorch_file_that_says_that_it_is_big_endian_is_refused(tmp_path):
    path, _ = in_torch(tmp_path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    root = next(iter(members)).partition("/")[0]
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in {**members, f"{root}/byteorder": b"big"}.items():
            archive.writestr(name, data)
    with pytest.raises(WrongFileKindError, match="a PyTorch file in big-endian byte order"):
        safeload.check_weights(path)


def test_a_numpy_file_is_refused_in_either_order(tmp_path):
    np.save(tmp_path / "weights.npy", np.ones(3, ">f4"))
    with pytest.raises(WrongFileKindError, match="NumPy array file"):
        safeload.check_weights(tmp_path / "weights.npy")


def is_in_order(text):
    """Return whether the source of an argument names bytes, or a byte order."""
    return text in ("np.uint8", "torch.uint8", "'little'", "'big'", "'B'") or text[1:2] in "<>" or "stored_as" in text


READERS = {
    **dict.fromkeys(("unpack", "unpack_from", "pack", "pack_into", "iter_unpack", "calcsize", "Struct"), 0),
    **dict.fromkeys(("frombuffer", "fromfile", "fromstring", "from_bytes", "to_bytes"), 1),
}
"""The name of a call that reads or writes numbers -> the first of its arguments that may name their order."""

OF_STRUCT = re.compile(r"'[0-9a-zA-Z]+'")


def is_native(call):
    """Return whether a call reads or writes numbers in the byte order of the host."""
    name = ast.unparse(call.func).rpartition(".")[2]
    texts = [ast.unparse(each) for each in (*call.args, *(keyword.value for keyword in call.keywords))]
    if name == "cast":
        return bool(texts and re.fullmatch("'[HILQfdehilq]'", texts[0]))
    if name not in READERS or not texts:
        return False
    if READERS[name] == 0:
        return bool(OF_STRUCT.fullmatch(texts[0]))
    return not any(map(is_in_order, texts[1:]))


def native_reads(tree):
    """Yield what in a module depends on the byte order of the host."""
    for node in ast.walk(tree):
        if (
            (isinstance(node, ast.Attribute) and ast.unparse(node) == "sys.byteorder")
            or (isinstance(node, ast.Import) and {"array", "ctypes"} & {alias.name for alias in node.names})
            or (isinstance(node, ast.ImportFrom) and node.module in ("array", "ctypes"))
            or (isinstance(node, ast.Call) and is_native(node))
        ):
            yield node


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_no_module_reads_numbers_in_the_order_of_the_host(path):
    found = [ast.unparse(node) for node in native_reads(ast.parse(path.read_text(encoding="utf-8")))]

    assert found == {
        "_forms/byte_order.py": ["sys.byteorder"],
        "_bytes/system.py": ["sys.byteorder"],
    }.get(name_of(path), [])


@pytest.mark.parametrize(
    "code",
    [
        "np.frombuffer(data, np.float32)", "np.frombuffer(data, dtype)", "np.fromfile(file)", "struct.unpack('I', data)",
        "struct.Struct('4s2H')", "int.from_bytes(data, sys.byteorder)", "x.to_bytes(4)", "view.cast('I')", "import array",
        "import ctypes", "from array import array", "torch.frombuffer(data, dtype=torch.float32)",
    ],
)  # fmt: skip
def test_such_a_read_is_found(code):
    assert list(native_reads(ast.parse(code)))
