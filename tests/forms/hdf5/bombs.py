"""HDF5 files whose indexes lead back to themselves, or to one node many times."""

from __future__ import annotations

import struct

import h5py
import numpy as np

GROUP, CHUNKS = 0, 1
N_HEAD, MANY = 24, 64
EOF_AT = 40
UNDEFINED = b"\xff" * 8


def nodes_of(data, kind):
    """Return (address, level, number of children) of each node of a B-tree of version 1."""
    found, at = [], data.find(b"TREE")
    while at >= 0:
        if data[at + 4] == kind:
            found.append((at, data[at + 5], struct.unpack_from("<H", data, at + 6)[0]))
        at = data.find(b"TREE", at + 4)
    return found


def node(kind, level, children, *, n_places=1):
    """Return a node; its keys are those of ascending chunks, or of an empty group."""

    def key(number):
        return struct.pack("<IIQQ", 4, 0, number * n_places, 0) if kind == CHUNKS else bytes(8)

    pairs = b"".join(key(number) + struct.pack("<Q", child) for number, child in enumerate(children))
    return b"TREE" + struct.pack("<BBH", kind, level, len(children)) + UNDEFINED * 2 + pairs + key(len(children))


def chunked(path, name, n_chunks=4096):
    """Put a dataset of chunks of one value into a file, and return the file's bytes."""
    with h5py.File(path, "a") as file:
        if name in file:
            del file[name]
        file.create_dataset(name, data=np.arange(n_chunks, dtype=np.float32), chunks=(1,))
    return bytearray(path.read_bytes())


def with_root(data, root, content):
    """Replace a node, and let the file end where its bytes do."""
    data[root : root + len(content)] = content
    struct.pack_into("<Q", data, EOF_AT, len(data))
    return bytes(data)


def index_in_itself(path, name):
    """Let each child of the root of a dataset's index be the root."""
    data = chunked(path, name)
    root = max(nodes_of(data, CHUNKS), key=lambda each: each[1])[0]
    path.write_bytes(with_root(data, root, node(CHUNKS, 5, [root] * MANY, n_places=64)))


def index_of_one_node(path, name, *, depth=6):
    """Let each of 64 children be the same node, at each of so many levels."""
    data = chunked(path, name)
    nodes = nodes_of(data, CHUNKS)
    root = max(nodes, key=lambda each: each[1])[0]
    child = next(at for at, level, _ in nodes if level == 0)
    for level in range(1, depth):
        data += bytes(-len(data) % 8)
        at = len(data)
        data += node(CHUNKS, level, [child] * MANY, n_places=64)
        child = at
    path.write_bytes(with_root(data, root, node(CHUNKS, depth, [child] * MANY, n_places=64)))


def group_in_itself(path):
    """Let the one child of a group's index be the index."""
    data = bytearray(path.read_bytes())
    root = max(nodes_of(data, GROUP))[0]
    path.write_bytes(with_root(data, root, node(GROUP, 1, [root] * 8)))
