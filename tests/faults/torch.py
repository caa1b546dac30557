"""Hostile files of torch.save, of the catalogue."""

from __future__ import annotations

import pickle
import zipfile

from tests.faults.bert import INDEX, SHARD, Corrupt, Mismatch, Unsafe, Wrong
from tests.faults.fault import Fault, bytes_of, then
from tests.faults.hostile import MARK, Bomb, device, sparse
from tests.forms.torch import archives as t

FILE = "pytorch_model.bin"


def file_of(pickle, **storages):
    """Put a file of torch.save, with a pickle of these opcodes and these storages, in the place of the checkpoint."""

    def make(folder):
        (folder / INDEX).unlink()
        (folder / SHARD).unlink()
        t.file_of(folder / FILE, pickle, **storages)

    return make


def bytes_of_file(change):
    """Put a good file of torch.save in the place of the checkpoint, and change its bytes."""
    return then(file_of(t.state_dict(x=t.tensor())), bytes_of(FILE, change))


def bomb(pickle):
    return file_of(b"\x80\x02" + pickle)


def deflated(folder):
    file_of(b"")(folder)
    members = {"data.pkl": t.state_dict(x=t.tensor()), "data/0": bytes(400_000_000), "version": b"3"}
    (folder / FILE).write_bytes(t.zipped(members, method=zipfile.ZIP_DEFLATED))


def one_storage_of_many(folder):
    """Let 90,000 tensors be all of one storage of 1 MB, so that together they have 90 GB."""
    rows = b"".join(t.text(f"t{number}") + b"h\0" for number in range(90_000))
    whole = t.tensor(t.storage(n_values=1 << 18), shape=(1 << 18,)) + b"q\0"
    pickle = b"\x80\x02}(" + t.text("x") + whole + rows + b"u."
    file_of(pickle, _0=bytes(1 << 20))(folder)


def attack(name, what, spoil, error):
    return Fault(model="bert", name=f"torch_{name}", what=what, spoil=spoil, error=error, has_message=False)


FAULTS = [
    attack("pickle_runs_code", "a state dict in a PyTorch file whose pickle calls os.system", file_of(pickle.dumps(Bomb(), protocol=2)), Unsafe),
    attack("pickle_runs_code_by_name", "the same by protocol 4, which names the callable by strings", file_of(pickle.dumps({"x": Bomb()}, protocol=4)), Unsafe),
    attack("pickle_chains_getattr", "a pickle that asks for builtins.getattr, to find os.system through it", file_of(b"\x80\x02c__builtin__\ngetattr\n(cos\nsystem\ntR."), Unsafe),
    attack("pickle_of_a_nested_name", "a pickle that asks for an attribute of a function that state dicts need", file_of(b"\x80\x04\x8c\x0ctorch._utils\x8c\x1e_rebuild_tensor_v2.__globals__\x93."), Unsafe),
    attack("pickle_makes_an_instance", "a pickle of protocol 0 that runs code by its opcode INST", file_of(b"(" + t.text(f"touch {MARK}") + b"ios\nsystem\n."), Unsafe),
    attack("stream_runs_code", "a PyTorch file of the older format whose pickle calls os.system", then(file_of(b""), lambda f: (f / FILE).write_bytes(b"".join(pickle.dumps(each, protocol=2) for each in (0x1950A86A20F9469CFC6C, 1001, {}, Bomb(), [])))), Unsafe),
    attack("pickle_of_nested_tuples", "three million nested tuples", bomb(b"N" + b"\x85" * 3_000_000 + b"."), Wrong),
    attack("pickle_of_lists", "three million lists", bomb(b"(" + b"]" * 3_000_000 + b"t."), Wrong),
    attack("pickle_of_marks", "two thousand tuples that are opened but not closed", bomb(b"(" * 2000), Unsafe),
    attack("pickle_of_16_million_opcodes", "a pickle of 16 million opcodes", bomb(b"N" * 16_000_000), Unsafe),
    attack("pickle_that_doubles", "200,000 dicts, each containing the previous one twice", bomb(b"}q\0" + b"}(K\1h\0K\2h\0uq\0" * 200_000 + b"."), Unsafe),
    attack("pickle_that_holds_itself", "a dict that contains itself", bomb(b"}q\0(K\1h\0u."), Unsafe),
    attack("pickle_of_a_huge_string", "a string of 2 GB, of which one byte exists", bomb(b"X\0\0\0\x80a"), Unsafe),
    attack("pickle_of_64_megabytes", "a data.pkl of 64 MB of zeros", file_of(bytes(64 << 20)), Unsafe),
    attack("name_of_a_megabyte", "a tensor whose name has a million letters", file_of(t.state_dict(**{"x" * 1_000_000: t.tensor()})), Unsafe),
    attack("name_that_forges_a_line", "a callable whose name has a newline, a colour code and a text direction mark", file_of("ca\r  hint:   run this\x1b[31m\u202e\nb\n.".encode()), Unsafe),
    attack("storage_beyond_the_file", "a storage of 2**40 values, of which one exists", file_of(t.state_dict(x=t.tensor(t.storage(n_values=1 << 40)))), Corrupt),
    attack("tensor_beyond_its_storage", "a tensor that begins 2**62 values after its storage", file_of(t.state_dict(x=t.tensor(offset=1 << 62))), Corrupt),
    attack("part_beyond_its_storage", "a part of 2**62 values of a storage of one", file_of(t.state_dict(x=t.tensor(t.storage()[:-2] + b"(" + t.text("p") + t.number(0) + t.number(1 << 62) + b"ttQ"))), Corrupt),
    attack("tensor_beyond_its_part", "a tensor that begins after the part of its storage", file_of(t.state_dict(x=t.tensor(t.storage(n_values=4)[:-2] + b"(" + t.text("p") + t.number(1) + t.number(1) + b"ttQ", offset=2)), _0=bytes(16)), Corrupt),
    attack("offset_negative", "a tensor that begins at -8", file_of(t.state_dict(x=t.tensor(offset=-8))), Corrupt),
    attack("stride_negative", "a tensor of 4 values whose stride is -1", file_of(t.state_dict(x=t.tensor(shape=(4,), strides=(-1,)))), Corrupt),
    attack("shape_overflows", "a shape whose product is 0 in 64 bits, of one value", file_of(t.state_dict(x=t.tensor(shape=(1 << 32, 1 << 32), strides=(0, 0)))), Unsafe),
    attack("shape_of_300_dimensions", "a shape of 300 dimensions", file_of(t.state_dict(x=t.tensor(shape=(1,) * 300, strides=(1,) * 300))), Corrupt),
    attack("tensor_without_values", "a tensor of 2**120 values on the meta device, which stores none", file_of(b"\x80\x02}(" + t.text("x") + b"ctorch._utils\n_rebuild_meta_tensor_no_storage\n(ctorch\nfloat32\n" + t.numbers((1 << 60, 1 << 60)) + b"tRu."), Mismatch),
    attack("sparse_tensor_runs_code", "a sparse tensor whose layout is os.system", file_of(b"\x80\x02ctorch._utils\n_rebuild_sparse_tensor\n(cos\nsystem\n)tR."), Unsafe),
    attack("one_storage_of_many", "90,000 tensors that share one storage of 1 MB", one_storage_of_many, Unsafe),
    attack("storage_leads_up", "a storage whose name points out of the archive", file_of(t.state_dict(x=t.tensor(t.storage("../../../etc/passwd")))), Corrupt),
    attack("zip_bomb", "a compressed storage that would unpack to 400 MB", deflated, Unsafe),
    attack("zip_members_twice", "a directory that lists a member twice", then(file_of(b""), lambda f: (f / FILE).write_bytes(t.zipped({"data.pkl": t.state_dict(x=t.tensor()), "data/0": bytes(4), "data/1": bytes(4), "version": b"3"}).replace(b"data/1", b"data/0"))), Corrupt),
    attack("zip_members_overlap", "two members at the same place", bytes_of_file(lambda data: t.changed(data, t.entry_at(data, "data/0") + 42, 0)), Corrupt),
    attack("zip_of_two_names", "a member with another name in its own header than in the directory", bytes_of_file(lambda data: data.replace(b"archive/data/0", b"archive/data/1", 1)), Corrupt),
    attack("zip64_elsewhere", "an end record of zip64 that points to byte 2**63", bytes_of_file(lambda data: data[:-22] + b"PK\6\7" + bytes(11) + b"\x80\1\0\0\0" + data[-22:]), Corrupt),
    attack("zip_of_a_terabyte", "a sparse PyTorch file of 1 TB", then(file_of(t.state_dict(x=t.tensor())), sparse(FILE, 1 << 40)), Corrupt),
    attack("zip_cut", "a PyTorch file without its last byte", bytes_of_file(lambda data: data[:-1]), Corrupt),
    attack("is_a_device", "the weights are /dev/zero", then(file_of(b""), device(FILE)), Unsafe),
]  # fmt: skip
