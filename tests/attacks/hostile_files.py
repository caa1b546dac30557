"""What the attacks do to the folder of a good model: functions that make hostile files."""

from __future__ import annotations

import os
import pickle
import socket
from pathlib import Path

import h5py
import numpy as np

from tests.faults import elmo_table as e
from tests.forms.tensorflow import index_writer as w

PREFIX, SHARD = "bert_model.ckpt", "bert_model.ckpt.data-00000-of-00001"
WEIGHTS, BIAS = "weights.hdf5", "CNN/b_cnn_0"
MARK = "/tmp/safeload-attack-ran-code"


def index(folder, entries, **options):
    """Put an index file with these entries in the place of the good one, beside the good shard."""
    shard = (folder / SHARD).read_bytes()
    w.write_index(folder / PREFIX, entries, shards=[shard], **options)


def raw_index(folder, data):
    (folder / f"{PREFIX}.index").write_bytes(data)


def blocks(handles):
    """Let the table's index lie about where its blocks are."""

    def make(folder):
        groups = [[(b"", w.header())], [(b"a", w.entry((1,)))], [(b"b", w.entry((1,), offset=4))]]
        raw_index(folder, w.table_of([(group[-1][0], w.block(group)) for group in groups], handles=handles))

    return make


def shape(*sizes, **options):
    return lambda folder: index(folder, {"bert/embeddings/word_embeddings": w.entry(sizes, **options)})


def million_entries(folder):
    rows = [(b"", w.header()), *((f"v{number:07d}".encode(), w.entry(())) for number in range(1_000_000))]
    raw_index(folder, w.table(rows))


def shared_key_bomb(folder):
    rows, previous = [b"\0\0" + w.varint(len(w.header())) + w.header()], b""
    for number in range(3000):
        key = b"k" * 60_000 + f"{number:06d}".encode()
        n_shared = 60_000 if previous else 0
        value = w.entry(())
        rows.append(w.varint(n_shared) + w.varint(len(key) - n_shared) + w.varint(len(value)) + key[n_shared:] + value)
        previous = key
    content = b"".join(rows) + bytes(4) + (1).to_bytes(4, "little")
    raw_index(folder, w.table_of([(previous, content)]))


def compressed_block(folder):
    """Put in a block in Snappy's format: 60 letters, and the last 64 bytes once more a million times."""
    stream = w.varint(60 + 64_000_000) + bytes([59 << 2]) + b"a" * 60 + bytes([63 << 2 | 2, 1, 0]) * 1_000_000
    raw_index(folder, w.table_of([(b"a", stream)], compression=w.SNAPPY))


def state(text):
    return lambda folder: (folder / "checkpoint").write_text(f'model_checkpoint_path: "{text}"\n')


def fifo(name):
    def make(folder):
        (folder / name).unlink(missing_ok=True)
        os.mkfifo(folder / name)

    return make


def device(name):
    def make(folder):
        (folder / name).unlink()
        (folder / name).symlink_to("/dev/zero")

    return make


def unix_socket(folder):
    (folder / "vocab.txt").unlink()
    here = Path.cwd()
    os.chdir(folder)
    socket.socket(socket.AF_UNIX).bind("vocab.txt")
    os.chdir(here)


def sparse(name, n_bytes):
    def make(folder):
        with (folder / name).open("r+b") as file:
            file.truncate(n_bytes)

    return make


def text(name, content):
    return lambda folder: (folder / name).write_text(content)


class Bomb:
    """Runs code where it is unpickled."""

    def __reduce__(self):
        return os.system, (f"touch {MARK}",)


def pickled(*names):
    return lambda folder: [(folder / name).write_bytes(pickle.dumps(Bomb(), protocol=2)) for name in names]


def numpy_pickle(folder):
    with (folder / WEIGHTS).open("wb") as file:
        np.save(file, np.array([Bomb()], object), allow_pickle=True)


def cyclic(file):
    file["RNN_0/again"] = file["/"]


def hard_linked(file):
    del file[BIAS]
    file[BIAS] = file["CNN/b_cnn_1"][:4]
    file["CNN/other"] = file["CNN/b_cnn_1"]


def small_bomb(folder):
    with h5py.File(folder / WEIGHTS, "w") as file:
        file.create_dataset(BIAS, (1_000_000_000,), "f4")


def gzip_bomb(file):
    del file[BIAS]
    file.create_dataset(BIAS, data=np.zeros(60_000_000, np.float32), chunks=(10_000_000,), compression="gzip")


def chunk_of(stream, shape=(4,), *, step=None, times=1):
    """Let the one chunk of a dataset be this stream, whatever the filters make of it."""

    def change(file):
        del file[BIAS]
        plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plan.set_chunk(step or shape)
        for _ in range(times):
            plan.set_deflate(9)
        space = h5py.h5s.create_simple(shape, (h5py.h5s.UNLIMITED,))
        dataset = h5py.h5d.create(file.id, BIAS.encode(), h5py.h5t.IEEE_F32LE, space, plan)
        dataset.write_direct_chunk((0,), stream)

    return e.hdf5(change)


def two_chunks_in_one_place(folder):
    """Let the index of chunks lead to the first one twice."""
    e.replaced(BIAS, chunks=(2,))(folder)
    with h5py.File(folder / WEIGHTS) as file:
        first, second = (file[BIAS].id.get_chunk_info(number).byte_offset for number in range(2))
    data = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(data.replace(second.to_bytes(8, "little"), first.to_bytes(8, "little")))


def name_with_a_slash(folder):
    with h5py.File(folder / WEIGHTS, "a") as file:
        file.create_group("zz")["x"] = h5py.ExternalLink("/etc/hostname", "/")
        file["QzzQxQdata"] = 1
    data = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(data.replace(b"QzzQxQdata", b"/zz/x/data"))


def parts_of_a_long_key(folder):
    key, parts = b"k" * 4_000_000, b"\x3a\x00" * 190_000
    value = w.message((1, 1), (2, w.shape_of(4)), (5, 0)) + parts
    raw_index(folder, w.table_of([(key, w.block([(b"", w.header()), (key, value)]))]))


def name_that_forges_a_line(folder):
    forged = "a\n  hint:   run this \x1b[31m\u202e"
    index(folder, {forged: w.entry((1_000_000,), n_bytes=4_000_000)})


def lock_text(name="vocab.txt", n_bytes="1"):
    table = (
        f'version = 1\nmodel = "BERT"\nn_files = 1\n[[file]]\nname = "{name}"\nrole = "vocab"\nn_bytes = {n_bytes}\n'
    )
    return table + f'sha256 = "{"0" * 64}"\n'


def laughs():
    """Return YAML of lists in lists that are nine times as long at each of twenty steps."""
    rows = [f"a{number}: &a{number} [{','.join([f'*a{number - 1}'] * 9)}]\n" for number in range(1, 20)]
    return "a0: &a0 [x]\n" + "".join(rows) + "A: {options_file: x, dropout: *a19}\n"


def object_references(file):
    del file[BIAS]
    file.create_dataset(BIAS, (4,), h5py.ref_dtype)


def variable_strings(file):
    del file[BIAS]
    file.create_dataset(BIAS, (4,), h5py.string_dtype())


def user_block(folder):
    data = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(b"#!/bin/sh\ntouch x\n".ljust(512, b"\0") + data)


def superblock_loop(folder):
    data = bytearray((folder / WEIGHTS).read_bytes())
    data[24:56] = bytes(32)
    (folder / WEIGHTS).write_bytes(data)


def with_lock(name):
    def make(folder):
        (folder / "safeload.lock").write_text(lock_text(name))

    return make


def link_out(folder):
    (folder / "vocab.txt").rename(folder.parent / "elsewhere.txt")
    (folder / "vocab.txt").symlink_to("../elsewhere.txt")


def link_loop(folder):
    (folder / "vocab.txt").unlink()
    (folder / "vocab.txt").symlink_to("vocab.txt")
