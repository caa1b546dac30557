"""Hostile safetensors files, of the catalogue."""

from __future__ import annotations

import json

from safeload import testing
from tests.faults.bert import Corrupt, Mismatch, Unsafe
from tests.faults.fault import Fault

FILE, INDEX = "model.safetensors", "model.safetensors.index.json"
WORDS = "bert.embeddings.word_embeddings.weight"


def in_its_form(folder):
    """Write the same BERT as a Hugging Face folder in place of Google's files."""
    for path in folder.iterdir():
        path.unlink()
    testing.write_bert(folder, form="safetensors")


def header(change):
    """Let the header say something else."""

    def spoil(folder):
        in_its_form(folder)
        data = (folder / FILE).read_bytes()
        end = 8 + int.from_bytes(data[:8], "little")
        table = json.loads(data[8:end])
        new = change(table)
        text = new if isinstance(new, bytes) else json.dumps(table).encode()
        (folder / FILE).write_bytes(len(text).to_bytes(8, "little") + text + data[end:])

    return spoil


def says(**facts):
    return header(lambda table: table[WORDS].update(facts))


def added(name, shape=(0,)):
    return header(lambda table: table.update({name: {"dtype": "F32", "shape": list(shape), "data_offsets": [0, 0]}}))


def length(n_bytes, size=None):
    """Let the file declare a header of another length, and be sparse up to a size."""

    def spoil(folder):
        in_its_form(folder)
        with (folder / FILE).open("r+b") as file:
            file.write(n_bytes.to_bytes(8, "little"))
            if size:
                file.truncate(size)

    return spoil


def empty_tensors(count, key=b"data_offsets"):
    row = b'{"dtype":"F32","shape":[0],"%b":[0,0]}' % key
    return header(lambda _: b"{" + b",".join(b'"%d":%b' % (number, row) for number in range(count)) + b"}")


def index(weight_map):
    def spoil(folder):
        in_its_form(folder)
        (folder / FILE).rename(folder / "model-00001-of-00001.safetensors")
        (folder / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))

    return spoil


def attack(name, what, spoil, error):
    return Fault(model="bert", name=f"safetensors_{name}", what=what, spoil=spoil, error=error, has_message=False)


FAULTS = [
    attack("header_of_100_mb", "a header of 100 MB", length(100 << 20, 101 << 20), Unsafe),
    attack("header_of_an_exabyte", "a header of 2**62 bytes", length(1 << 62), Unsafe),
    attack("header_behind_the_end", "a header longer than the file", length(1 << 20), Corrupt),
    attack("300000_empty_tensors", "300,000 tensors without values", empty_tensors(300_000), Unsafe),
    attack("200000_escaped_tensors", "200,000 tensors without values, in keys with escapes", empty_tensors(200_000, b"data_offset\\u0073"), Unsafe),
    attack("nested_deep", "JSON nested a million deep", header(lambda _: b'{"x":' + b"[" * 1_000_000), Corrupt),
    attack("keys_twice", "the same tensor twice", header(lambda table: json.dumps(table).replace(WORDS, "bert.pooler.dense.bias").encode()), Corrupt),
    attack("name_of_a_megabyte", "a name of 1 MB", added("x" * 1_000_000), None),
    attack("name_in_the_encoder_of_a_megabyte", "a name of 1 MB in the encoder", added("bert." + "x" * 1_000_000), Mismatch),
    attack("layer_of_5000_digits", "a layer's number of 5,000 digits", added(f"bert.encoder.layer.{'9' * 5000}.output.dense.bias"), Mismatch),
    attack("name_with_escapes", "a name with a terminal colour code", added("bert.\x1b[31m\u202e"), Mismatch),
    attack("offset_negative", "a tensor at -8", says(data_offsets=[-8, 1912]), Corrupt),
    attack("offset_beyond_the_file", "a tensor after the end of the file", says(data_offsets=[1 << 40, (1 << 40) + 1920]), Corrupt),
    attack("offsets_backwards", "a tensor that ends before it begins", says(data_offsets=[1920, 0]), Corrupt),
    attack("overlap", "two tensors share their bytes", says(data_offsets=[4, 1924]), Corrupt),
    attack("shape_overflows", "a shape whose product is 0 in 64 bits", says(shape=[1 << 32, 1 << 32]), Corrupt),
    attack("shape_of_a_million_axes", "a shape of a million axes", says(shape=[1] * 1_000_000), Corrupt),
    attack("number_of_5000_digits", "a size of 5,000 digits", header(lambda table: json.dumps(table).replace("[30, 16]", f"[{'9' * 5000}]").encode()), Corrupt),
    attack("index_leads_up", "the index names a file a level up", index({WORDS: "../model.safetensors"}), Unsafe),
    attack("index_is_absolute", "the index names /etc/passwd", index({WORDS: "/etc/passwd"}), Unsafe),
    attack("index_of_many_files", "the index names 100,000 files", index({str(number): str(number) for number in range(100_000)}), Unsafe),
    attack("index_of_another_shard", "the index expects tensors that no shard has", index({WORDS: "model-00001-of-00001.safetensors", "x": "model-00001-of-00001.safetensors"}), Corrupt),
]  # fmt: skip
