"""What is fuzzed: each reader, given bytes, returns or raises a SafeLoadError, and nothing else."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from contextlib import suppress
from pathlib import Path

import crc32c
import numpy as np

from safeload._bytes.archives.names import names_in_archive
from safeload._bytes.archives.source import ArchiveSource
from safeload._bytes.files import DISK
from safeload._bytes.small import read_small
from safeload._forms.hdf5.chunks import FLETCHER32, GZIP, LZF, SHUFFLE, Chunk, Chunks, read_chunks
from safeload._forms.safetensors.file import Safetensors
from safeload._forms.shards import read_index
from safeload._forms.tensorflow.prefixes import find_checkpoint
from safeload._forms.tensorflow.sstable import MAGIC, mask
from safeload._forms.tensorflow.writing import table_of, varint
from safeload._forms.torch.file import TorchFile
from safeload._signatures.verifying import verified
from safeload.bert._config import read_config
from safeload.bert._vocabulary import read_vocabulary
from safeload.elmo._options import read_options
from safeload.errors import SafeLoadError
from safeload.lock import read_lock
from safeload.settings._sections import read_section
from safeload.weights import check_weights, load_state_dict
from tests.opened import opened_checkpoint, opened_hdf5, ref
from tests.signatures import bundles
from tests.signatures.keys import derived, sign_payload, write_key

FOLDER = Path(tempfile.mkdtemp(prefix="safeload-fuzz-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None))
SHARD = bytes(range(256)) * 4
KEY = derived(7)
STATEMENT = (
    b'{"_type": "https://in-toto.io/Statement/v1", "predicateType": "https://model_signing/signature/v1.0", '
    b'"subject": [{"name": "m", "digest": {"sha256": "%s"}}], "predicate": %s}'
)
STREAM = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.\x80\x02}."
PIPELINES = ((GZIP,), (LZF,), (SHUFFLE, GZIP), (SHUFFLE, LZF, FLETCHER32), (FLETCHER32, LZF), (SHUFFLE,))


def written(name, data):
    path = FOLDER / name
    path.write_bytes(data)
    return str(path)


def config(data):
    with suppress(SafeLoadError):
        read_config(ref(written("bert_config.json", data)))


def options(data):
    with suppress(SafeLoadError):
        read_options(ref(written("options.json", data), "options"))


def vocabulary(data):
    with suppress(SafeLoadError):
        read_vocabulary(ref(written("vocab.txt", data), "vocab"))


def lock(data):
    with suppress(SafeLoadError):
        read_lock(written("safeload.lock", data))


def settings(data):
    ending = (".ini", ".toml", ".json", ".yaml")[data[0] % 4] if data else ".ini"
    with suppress(SafeLoadError):
        read_section(ref(written(f"config{ending}", data[1:]), "settings"), "A")


def state_file(data):
    written("model.index", b"")
    with suppress(SafeLoadError):
        find_checkpoint(ref(written("checkpoint", data), "checkpoint"))


def index(data):
    """Read an index file of these bytes, and the values of what it lists."""
    prefix = written("m.index", data).removesuffix(".index")
    with suppress(SafeLoadError), opened_checkpoint(prefix) as bundle:
        bundle.verify(bundle.variables)


def block(data):
    """Read a table whose one block has these bytes, and a checksum that fits."""
    whole = data + b"\0"
    whole += mask(crc32c.crc32c(whole)).to_bytes(4, "little")
    handle = varint(0) + varint(len(data))
    rows = varint(0) + varint(1) + varint(len(handle)) + b"\xff" + handle + bytes(4) + b"\1\0\0\0"
    start = len(whole)
    whole += rows + b"\0" + mask(crc32c.crc32c(rows + b"\0")).to_bytes(4, "little")
    footer = varint(0) + varint(0) + varint(start) + varint(len(rows))
    index(whole + footer.ljust(40, b"\0") + MAGIC)


def entries(data):
    """Read a table with these values under short keys: the header first, then one for each part between 0xFF bytes."""
    header, *values = data.split(b"\xff\xff")
    keys = [f"v{number}".encode() for number in range(len(values))]
    written("m.data-00000-of-00001", SHARD)
    index(table_of({b"": header, **dict(zip(keys, values, strict=True))}))


def chunk(data):
    """Unpack a chunk of 16 values: the first byte names the filters, the second those that were left out."""
    filters, mask, packed = PIPELINES[data[0] % len(PIPELINES)] if data else (), data[1] if data[1:] else 0, data[2:]
    chunks = Chunks((16,), (16,), 4, filters, (Chunk((0,), mask, 0, len(packed)),))
    with suppress(ValueError), DISK.open(written("chunk", packed)) as file:
        read_chunks(file, chunks, np.empty(16, np.float32), is_big=False)


def hdf5(data):
    """Read an HDF5 file of these bytes: its headers, B-trees and heaps, and the values of what it lists."""
    with suppress(SafeLoadError), opened_hdf5(written("w.hdf5", data)) as file:
        for name in file.tensors:
            with suppress(SafeLoadError):
                file.verify([name])


def safetensors(data):
    """Read a safetensors file of these bytes, and the values of what it lists."""
    with suppress(SafeLoadError), Safetensors(ref(written("model.safetensors", data), "weight")) as file:
        file.verify(file.tensors)


def weights(data):
    """Check and load a file of these bytes, of any form, as the weights of any model."""
    path = written("weights", data)
    with suppress(SafeLoadError):
        check_weights(path)
    with suppress(SafeLoadError):
        load_state_dict(path)


def torch(data):
    """Read a PyTorch file of these bytes, and the values of what it lists."""
    with suppress(SafeLoadError), TorchFile(ref(written("pytorch_model.bin", data), "weight")) as file:
        file.verify(file.tensors)


def opcodes(data):
    """Interpret a pickle of these bytes, in a stream of which they are the fourth."""
    torch(STREAM + data)


def shards(data):
    """Read an index of shards of these bytes."""
    with suppress(SafeLoadError):
        read_index(ref(written("model.safetensors.index.json", data), "index"))


def archive(data):
    """List an archive of these bytes, and read each member and compare its checksum."""
    path = written("archive", data)
    with suppress(SafeLoadError):
        names_in_archive(ref(path))
    with suppress(SafeLoadError):
        source = ArchiveSource(ref(path))
        left = [path]
        while left:
            folder = left.pop()
            for inner in (f"{folder}/{name}" for name in source.names_in(folder)):
                if source.is_dir(inner):
                    left.append(inner)
                    continue
                with suppress(SafeLoadError):
                    read_small(ref(inner, source=source), max_bytes=1 << 20)


def signature(data):
    """Verify a signature file of these bytes with the key of the corpus."""
    path = written("model.sig", data)
    with suppress(SafeLoadError):
        verified(path, written("key.pub", bundles.PUBLIC_KEY.encode()))


def statement_of(data):
    """Return what is signed, with the digest of the listed digests, without which no list is read."""
    total = hashlib.sha256()
    with suppress(ValueError, TypeError, LookupError, RecursionError):
        for each in json.loads(data)["resources"]:
            total.update(bytes.fromhex(each["digest"]))
    return STATEMENT % (total.hexdigest().encode(), data)


def signed_list(data):
    """Sign the list of files that these bytes are, as a publisher with a strange tool would, and look up names in it."""
    path = written("model.sig", sign_payload(statement_of(data), KEY))
    with suppress(SafeLoadError):
        found = verified(path, str(write_key(FOLDER / "keys", key=KEY)[1]))
        for each in (FOLDER, FOLDER / "vocab.txt"):
            rooted = found.rooted(str(each))
            assert rooted.names_in(str(FOLDER)) or not rooted.covers(str(FOLDER / "vocab.txt"))
            rooted.notes()


TARGETS = {
    target.__name__: target
    for target in (
        config, options, vocabulary, lock, settings, state_file, index, block, entries, chunk, hdf5,
        safetensors, torch, opcodes, shards, archive, weights, signature, signed_list,
    )
}  # fmt: skip
