"""Hostile files, of the catalogue: each is checked in a process of its own, under a cap of memory and time."""

from __future__ import annotations

import base64
import gzip
import json
import marshal
import os
import pickle
import socket
import tarfile
import warnings
import zipfile
import zlib
from functools import partial
from pathlib import Path

import h5py
import numpy as np

from safeload import errors, testing
from safeload._bytes.tfhub import name_of
from safeload._forms.tensorflow.index_file import GRAPH
from safeload._forms.tensorflow.object_graph import VALUE
from safeload._forms.tensorflow.sstable import SNAPPY
from safeload.lock import LOCK_NAME
from safeload.testing._editing import edit_tensors
from safeload.testing._forms import FORMS, renamed, write_form
from tests.checkpoints import BERT_CONFIG, PREFIX, SHARD, bert_tensors
from tests.elmos import OPTIONS_NAME, WEIGHTS_NAME
from tests.faults import archives as a
from tests.faults.bert import (
    CONFIG_NAME,
    INDEX,
    VOCAB,
    Config,
    Corrupt,
    Mismatch,
    NotFound,
    Unsafe,
    Vocab,
    Wrong,
)
from tests.faults.elmo import BIAS, hdf5, link, module, replaced, training
from tests.faults.fault import Fault, bytes_of, fifo, then, write
from tests.forms.hdf5 import bombs
from tests.forms.tensorflow import graph_writer as g
from tests.forms.tensorflow import index_writer as w
from tests.opened import opened_checkpoint

Lock = errors.LockError
SEGMENTS = "Embedding-Segment/Embedding-Segment/embeddings:0"
MARK = "/tmp/safeload-attack-ran-code"


def index(folder, entries, **options):
    """Put an index file with these entries in the place of the good one, beside the good shard."""
    shard = (folder / SHARD).read_bytes()
    w.write_index(folder / PREFIX, entries, shards=[shard], **options)


def descriptor_fifo(folder):
    """Make the folder TF-Hub's cache, with a FIFO in the place of the module's descriptor."""
    name = name_of("https://example.org/elmo/1")
    for path in folder.iterdir():
        path.unlink()
    testing.write_elmo(folder / name, form="tensorflow/tf-hub")
    fifo(f"{name}.descriptor.txt")(folder)


def many_scopes(folder):
    """Add variables whose names have many scopes to a training checkpoint of bilm-tf."""
    training(folder)
    more = {f"{number}/" + "lm/" * 1000 + "CNN": np.ones(1, np.float32) for number in range(1000)}
    edit_tensors(folder, lambda tensors: tensors.update(more))


def raw_index(folder, data):
    (folder / INDEX).write_bytes(data)


def blocks(handles):
    """Let the table's index lie about where its blocks are."""

    def make(folder):
        groups = [[(b"", w.header())], [(b"a", w.entry((1,)))], [(b"b", w.entry((1,), offset=4))]]
        raw_index(folder, w.table_of([(group[-1][0], w.block(group)) for group in groups], handles=handles))

    return make


def shape(*sizes, **options):
    return lambda folder: index(folder, {"bert/embeddings/word_embeddings": w.entry(sizes, **options)})


def million_entries(folder):
    value = w.entry(())
    rows = [(b"", w.header()), *((f"v{number:07d}".encode(), value) for number in range(1_000_000))]
    raw_index(folder, w.table(rows))


def shared_key_bomb(folder):
    rows, previous = [b"\0\0" + w.varint(len(w.header())) + w.header()], b""
    for number in range(3000):
        key = b"k" * 16_000 + f"{number:06d}".encode()
        n_shared = 16_000 if previous else 0
        value = w.entry(())
        rows.append(w.varint(n_shared) + w.varint(len(key) - n_shared) + w.varint(len(value)) + key[n_shared:] + value)
        previous = key
    content = b"".join(rows) + bytes(4) + (1).to_bytes(4, "little")
    raw_index(folder, w.table_of([(previous, content)]))


def compressed_block(folder):
    """Put in a block in Snappy's format: 60 letters, and the last 64 bytes once more a million times."""
    stream = w.varint(60 + 64_000_000) + bytes([59 << 2]) + b"a" * 60 + bytes([63 << 2 | 2, 1, 0]) * 1_000_000
    raw_index(folder, w.table_of([(b"a", stream)], compression=SNAPPY))


def device(name):
    def make(folder):
        (folder / name).unlink()
        (folder / name).symlink_to("/dev/zero")

    return make


def unix_socket(folder):
    (folder / VOCAB).unlink()
    here = Path.cwd()
    os.chdir(folder)
    socket.socket(socket.AF_UNIX).bind(VOCAB)
    os.chdir(here)


def sparse(name, n_bytes):
    def make(folder):
        with (folder / name).open("r+b") as file:
            file.truncate(n_bytes)

    return make


class Bomb:
    """Runs code where it is unpickled."""

    def __reduce__(self):
        return os.system, (f"touch {MARK}",)


def pickled(*names):
    return lambda folder: [(folder / name).write_bytes(pickle.dumps(Bomb(), protocol=2)) for name in names]


def numpy_pickle(folder):
    with (folder / WEIGHTS_NAME).open("wb") as file:
        np.save(file, np.array([Bomb()], object), allow_pickle=True)


def hard_linked(file):
    del file[BIAS]
    file[BIAS] = file["CNN/b_cnn_1"][:4]
    file["CNN/other"] = file["CNN/b_cnn_1"]


def small_bomb(folder):
    with h5py.File(folder / WEIGHTS_NAME, "w") as file:
        file.create_dataset(BIAS, (1_000_000_000,), "f4")


def gzip_bomb(file):
    del file[BIAS]
    file.create_dataset(BIAS, data=np.zeros(60_000_000, np.float32), chunks=(10_000_000,), compression="gzip")


def chunk_of(stream, shape=(4,), *, step=None, times=1):
    """Let the one chunk of a dataset be what `stream` returns, whatever the filters make of it."""

    def change(file):
        del file[BIAS]
        plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plan.set_chunk(step or shape)
        for _ in range(times):
            plan.set_deflate(9)
        space = h5py.h5s.create_simple(shape, (h5py.h5s.UNLIMITED,))
        dataset = h5py.h5d.create(file.id, BIAS.encode(), h5py.h5t.IEEE_F32LE, space, plan)
        dataset.write_direct_chunk((0,), stream())

    return hdf5(change)


def two_chunks_in_one_place(folder):
    """Let the index of chunks lead to the first one twice."""
    replaced(BIAS, chunks=(2,))(folder)
    with h5py.File(folder / WEIGHTS_NAME) as file:
        first, second = (file[BIAS].id.get_chunk_info(number).byte_offset for number in range(2))
    data = (folder / WEIGHTS_NAME).read_bytes()
    (folder / WEIGHTS_NAME).write_bytes(data.replace(second.to_bytes(8, "little"), first.to_bytes(8, "little")))


def million_keys(folder):
    keys = ",".join(f'"{number}":0' for number in range(1_300_000))
    (folder / CONFIG_NAME).write_text(f'{{{keys},"0":1}}')


def name_with_a_slash(folder):
    with h5py.File(folder / WEIGHTS_NAME, "a") as file:
        file.create_group("zz")["x"] = h5py.ExternalLink("/etc/hostname", "/")
        file["QzzQxQdata"] = 1
    data = (folder / WEIGHTS_NAME).read_bytes()
    (folder / WEIGHTS_NAME).write_bytes(data.replace(b"QzzQxQdata", b"/zz/x/data"))


def parts_of_a_long_key(folder):
    key, parts = b"k" * 4_000_000, b"\x3a\x00" * 190_000
    value = w.message((1, 1), (2, w.shape_of(4)), (5, 0)) + parts
    raw_index(folder, w.table_of([(key, w.block([(b"", w.header()), (key, value)]))]))


def variables(*names):
    """List variables of these names, which share the shard among them."""

    def make(folder):
        n_values = (folder / SHARD).stat().st_size // 4 // len(names)
        rest = (folder / SHARD).stat().st_size - 4 * n_values * (len(names) - 1)
        sizes = [4 * n_values] * (len(names) - 1) + [rest]
        places = zip(sorted(names), sizes, strict=True)
        index(
            folder,
            {
                name: w.entry((size // 4,), n_bytes=size, offset=4 * n_values * number)
                for number, (name, size) in enumerate(places)
            },
        )

    return make


def index_of_many_levels(folder):
    """Say of the root of an index of chunks that it is on the 200th level."""
    data = bombs.chunked(folder / WEIGHTS_NAME, BIAS)
    root = max(bombs.nodes_of(data, bombs.CHUNKS), key=lambda each: each[1])[0]
    data[root + 5] = 200
    (folder / WEIGHTS_NAME).write_bytes(data)


def number_in_json(digits):
    """Put a number into a config that Python's own reader would take long for, or not take."""
    return lambda folder: (folder / CONFIG_NAME).write_text(f'{{"vocab_size": {digits}}}')


def name_that_forges_a_line(folder):
    forged = "a\n  hint:   run this \x1b[31m\u202e"
    index(folder, {forged: w.entry((1_000_000,), n_bytes=4_000_000)})


def with_graph(*nodes, left_out=0, **options):
    """Save the model by keys, with an object graph of its variables, but some, and of more objects."""

    def make(folder):
        with opened_checkpoint(folder / PREFIX) as bundle:
            tensors = renamed(bundle.read(bundle.tensors), FORMS["tensorflow/tf-models"], 4)
        tensors |= options.get("more", {})
        keys = {name: f"model/{number}{VALUE}" for number, name in enumerate(tensors)}
        objects = [[g.attribute(name, key)] for name, key in list(keys.items())[left_out:]]
        found = np.array(g.graph(*objects, *nodes), object)
        testing.write_checkpoint(folder / PREFIX, {**{keys[n]: v for n, v in tensors.items()}, GRAPH: found})

    return make


def slots_of_a_long_name():
    """Return the graph of a variable with a long name and many slots."""
    more = {"n" * 16_000: np.zeros(1, np.float32), **{f"s{at}": np.zeros(1, np.float32) for at in range(3000)}}
    return with_graph([g.slot(46, "m", 47 + at) for at in range(3000)], more=more)


def lock_text(name=VOCAB, n_bytes="1"):
    table = (
        f'version = 1\nmodel = "BERT"\nn_files = 1\n[[file]]\nname = "{name}"\nrole = "vocab"\nn_bytes = {n_bytes}\n'
    )
    return table + f'sha256 = "{"0" * 64}"\n'


def of_keras(change):
    """Write the good model as keras-bert saves it, and change the file through h5py."""

    def make(folder):
        write_form(folder, "hdf5/keras-bert", BERT_CONFIG, bert_tensors())
        with h5py.File(folder / "model.h5", "a") as file:
            change(file)

    return make


def in_keras(name, **create):
    """Put a dataset into the place of a good one of keras-bert."""

    def change(file):
        del file[name]
        file.create_dataset(name, **create)

    return of_keras(change)


def keras_link(file):
    del file[SEGMENTS]
    file[SEGMENTS] = h5py.ExternalLink("/etc/hostname", "/x")


def with_lambda(file):
    """Store the config of a model with a Lambda, whose code would leave a mark."""
    code = compile(f"lambda x: open({MARK!r}, 'w')", "x", "eval")
    text = base64.b64encode(marshal.dumps(code)).decode()
    inner = {"name": "f", "function": [text, None, None], "function_type": "lambda"}
    config = {"class_name": "Functional", "config": {"layers": [{"class_name": "Lambda", "config": inner}]}}
    file.attrs["model_config"] = json.dumps(config)


def many_texts(file):
    """List four thousand texts for each layer."""
    for name in file:
        del file[name].attrs["weight_names"]
        file[name].attrs["weight_names"] = ["x"] * 4_000


def text_of_4_gigabytes(folder):
    """Say of the config's text in the file that it has 2**32 - 1 bytes."""
    of_keras(lambda file: file.attrs.__setitem__("model_config", "{}"))(folder)
    path = folder / "model.h5"
    data = path.read_bytes()
    at = data.index(b"model_config\0")
    length = data.index(b"\2\0\0\0", at + 40)
    path.write_bytes(data[:length] + b"\xff" * 4 + data[length + 4 :])


def keras_zip(*names, change=lambda data: data):
    """Write a `.keras` file with members of these names, after the good ones."""

    def make(folder):
        write_form(folder, "keras", BERT_CONFIG, bert_tensors())
        with warnings.catch_warnings(), zipfile.ZipFile(folder / "model.keras", "a") as archive:
            warnings.simplefilter("ignore")
            for name in names:
                archive.writestr(zipfile.ZipInfo(name), b"{}")
        path = folder / "model.keras"
        path.write_bytes(change(path.read_bytes()))

    return make


def deflated(folder):
    """Write a `.keras` file whose weights are 64 MB of zeros in 64 kB."""
    with zipfile.ZipFile(folder / "model.keras", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("metadata.json", "{}")
        archive.writestr("model.weights.h5", bytes(64 << 20))


def size_of_the_first(n_bytes):
    """Say of the first member in the directory that it has this many bytes."""

    def change(data):
        at = data.index(b"PK\1\2") + 20
        return data[:at] + 2 * n_bytes.to_bytes(4, "little") + data[at + 8 :]

    return change


def laughs():
    """Return YAML of lists in lists that are nine times as long at each of twenty steps."""
    rows = [f"a{number}: &a{number} [{','.join([f'*a{number - 1}'] * 9)}]\n" for number in range(1, 20)]
    return "a0: &a0 [x]\n" + "".join(rows) + "A: {options_file: x, dropout: *a19}\n"


def merges():
    """Return YAML of mappings that each merge nine others, twenty levels deep."""
    rows = [f"a{number}: &a{number} {{<<: [{','.join([f'*a{number - 1}'] * 9)}]}}\n" for number in range(1, 20)]
    return "a0: &a0 {x: 1}\n" + "".join(rows) + "A: {options_file: x, <<: *a19}\n"


def link_out(folder):
    (folder / VOCAB).rename(folder.parent / "elsewhere.txt")
    (folder / VOCAB).symlink_to("../elsewhere.txt")


def link_loop(folder):
    (folder / VOCAB).unlink()
    (folder / VOCAB).symlink_to(VOCAB)


def hostile(model, name, what, spoil, error, **more):
    """Return a row."""
    return Fault(model=model, name=name, what=what, spoil=spoil, error=error, has_message=False, **more)


def settings(name, what, content, ending, **more):
    """Return the row of a settings file."""
    file = f"settings.{ending}"
    return hostile("settings", name, what, write(file, content), Config, call={"file": f"{{}}/{file}"}, **more)


def archive(name, what, spoil, error, file=a.ZIP):
    """Return the row of an archive of a BERT."""
    return hostile("bert", name, what, spoil, error, call={"config_file": f"{{}}/{file}"})


bert, elmo = partial(hostile, "bert"), partial(hostile, "elmo")
keras = partial(hostile, "bert", call={"checkpoint_file": "{}/model.h5"})
zip_ = partial(hostile, "bert", call={"checkpoint_file": "{}/model.keras"})
FAULTS = [
    # the index file
    bert("blocks_overlap", "the table's index names the same block three times", blocks(lambda h: [h[0]] * 3), Corrupt),
    bert("blocks_go_back", "a block begins before the one that precedes it", blocks(lambda h: [h[0], h[2], h[1]]), Corrupt),
    bert("block_negative", "a block at an offset of 2**64 - 1", blocks(lambda h: [(-1, h[0][1]), *h[1:]]), Corrupt),
    bert("block_huge", "a block of 2**62 bytes", blocks(lambda h: [(h[0][0], 1 << 62), *h[1:]]), Corrupt),
    bert("block_is_the_index", "the table's index names itself as a block", blocks(lambda h: [(h[-1][0] + h[-1][1] + 18, 30)]), Corrupt),
    bert("footer_names_itself", "the footer's handle leads to the footer", lambda f: raw_index(f, bytes(100) + (w.varint(0) + w.varint(0) + w.varint(100) + w.varint(48)).ljust(40, b"\0") + w.MAGIC), Corrupt),
    bert("varint_without_end", "a varint of a thousand bytes", lambda f: raw_index(f, w.table_of([(b"a", b"\xff" * 1000)])), Corrupt),
    bert("header_of_a_billion_shards", "the header says 2**40 shards", lambda f: index(f, {}, head=w.header(1 << 40)), Corrupt),
    bert("header_of_many_shards", "the header says 99,999 shards", lambda f: index(f, {}, head=w.header(99_999)), NotFound),
    bert("extent_beyond_the_shard", "a variable ends beyond the shard", shape(4, offset=1 << 40, n_bytes=16), Corrupt),
    bert("extent_negative", "a variable begins at -8", shape(4, offset=-8, n_bytes=16), Corrupt),
    bert("extents_overlap", "two variables share their bytes", lambda f: index(f, {"bert/a": w.entry((4,), n_bytes=16), "bert/b": w.entry((4,), n_bytes=16, offset=4)}), Corrupt),
    bert("shape_overflows", "a shape whose product is 0 in 64 bits", shape(1 << 32, 1 << 32, n_bytes=0), Corrupt),
    bert("shape_of_a_terabyte", "a shape of 2**40 values, with a size that agrees", shape(1 << 40, n_bytes=1 << 42), Corrupt),
    bert("shape_negative", "a dimension of -1", shape(-1, n_bytes=4), Corrupt),
    bert("shape_of_300_dimensions", "a shape of 300 dimensions", shape(*[1] * 300), Corrupt),
    bert("million_entries", "a million variables", million_entries, Unsafe),
    bert("keys_that_share_their_beginnings", "3,000 keys that unpack to 48 MB", shared_key_bomb, Unsafe),
    bert("compressed_block_bomb", "a compressed block that unpacks to 64 MB, and is not unpacked", compressed_block, Wrong),
    bert("index_of_40_megabytes", "an index file of 40 MB of zeros", lambda f: raw_index(f, bytes(40 << 20)), Unsafe),
    bert("index_of_a_terabyte", "a sparse index file of 1 TB", sparse(INDEX, 1 << 40), Unsafe),
    # the object graph
    bert("graph_with_cycles", "objects that contain themselves, each other and objects that do not exist; no reference is followed", with_graph([g.child(0, "a"), g.child(46, "a"), g.child(1 << 30, "b"), g.child(-1, "c")]), None),
    bert("graph_of_a_million_objects", "an object graph of a million objects", with_graph(*[[]] * 1_000_000), Unsafe),
    bert("graph_of_a_million_references", "an object that contains two million others", with_graph([(1, b"")] * 2_000_000), Unsafe),
    bert("graph_of_40_megabytes", "an object graph of 40 MB", with_graph([(1, bytes(40 << 20))]), Unsafe),
    bert("graph_with_a_name_of_a_megabyte", "a variable whose full name has 1 MB", with_graph([g.attribute("n" * (1 << 20), "x")]), Unsafe),
    bert("graph_without_a_key", "an object graph that does not name one of the keys", with_graph(left_out=1), Corrupt),
    bert("graph_with_a_key_too_many", "an object graph that names a key that is not there", with_graph([g.attribute("x", f"x{VALUE}")]), Corrupt),
    bert("graph_with_two_names_for_a_key", "an object graph that gives two names to a key", with_graph([g.attribute("x", f"model/0{VALUE}")]), Corrupt),
    bert("graph_of_slots_outside", "a slot of an object that does not exist", with_graph([g.slot(1 << 30, "m", 0)]), Corrupt),
    bert("graph_of_slots_of_a_long_name", "3,000 slots of a variable whose name has 16,000 letters; their names would take 48 MB", slots_of_a_long_name(), Unsafe),
    # Keras's files
    keras("keras_external_storage", "a keras-bert dataset whose values are stored in /etc/hostname", in_keras(SEGMENTS, shape=(2, 16), dtype="f4", external=[("/etc/hostname", 0, 128)]), Unsafe),
    keras("keras_external_link", "a keras-bert dataset is a link to another file", of_keras(keras_link), Unsafe),
    keras("keras_size_bomb", "a chunked keras-bert dataset of 1 TB that was never written", in_keras(SEGMENTS, shape=(1 << 38,), dtype="f4", chunks=(1 << 20,)), Unsafe),
    keras("keras_shape_overflows", "a keras-bert dataset with a shape whose product is 0 in 64 bits", in_keras(SEGMENTS, shape=(1 << 32, 1 << 32), dtype="f4", chunks=(1 << 10, 1 << 10)), Unsafe),
    keras("keras_lambda", "the config of a saved model has a Lambda with code", of_keras(with_lambda), None),
    keras("keras_config_of_a_list", "the config of a saved model is nested 50,000 deep", of_keras(lambda file: file.attrs.__setitem__("model_config", '{"a":' + "[" * 50_000)), Config),
    keras("keras_config_of_4_gigabytes", "the config of a saved model claims a size of 4 GB", text_of_4_gigabytes, Unsafe),
    hostile("bert", "keras_texts_by_the_thousand", "each layer of a saved model lists 4,000 weights", of_keras(many_texts), Unsafe, call={"checkpoint_file": "{}/model.h5", "training": True}),
    zip_("keras_zip_twice", "a .keras file with two members of one name", keras_zip("model.weights.h5"), Unsafe),
    zip_("keras_zip_leads_up", "a .keras file with the member ../../x", keras_zip("../../x"), Unsafe),
    zip_("keras_zip_is_absolute", "a .keras file with the member /etc/x", keras_zip("/etc/x"), Unsafe),
    zip_("keras_zip_in_zip64", "a .keras file whose sizes are in zip64's fields", keras_zip(change=size_of_the_first((1 << 32) - 1)), Corrupt),
    zip_("keras_zip_shares_bytes", "two members of a .keras file share bytes", keras_zip(change=size_of_the_first(200)), Corrupt),
    zip_("keras_zip_bomb", "the weights in a .keras file would unpack to 64 MB", deflated, Unsafe),
    # the state file
    bert("state_leads_up", "the state file names ../x", write("checkpoint", 'model_checkpoint_path: "../x"\n'), Unsafe),
    bert("state_leads_up_inside", "the state file names a/../../x", write("checkpoint", 'model_checkpoint_path: "a/../../x"\n'), Unsafe),
    bert("state_leads_up_escaped", "the state file names ../x in octal escapes", write("checkpoint", 'model_checkpoint_path: "\\056\\056/x"\n'), Unsafe),
    bert("state_is_absolute", "the state file names /etc/passwd", write("checkpoint", 'model_checkpoint_path: "/etc/passwd"\n'), NotFound),
    bert("state_is_a_fifo", "the state file is a FIFO; it is ignored, and the folder's only checkpoint is used", fifo("checkpoint"), None),
    bert("state_of_a_megabyte_of_spaces", "a state file of a million spaces", write("checkpoint", " " * 1_000_000), Corrupt),
    # JSON and text
    bert("config_of_4_gigabytes", "a sparse config of 4 GB", sparse(CONFIG_NAME, 4 << 30), Unsafe),
    bert("config_of_10000_levels", "JSON of 10,000 levels", write(CONFIG_NAME, '{"a":' * 10_000), Config, reports=("J4",)),
    bert("config_of_lists", "JSON of 100,000 nested lists", write(CONFIG_NAME, '{"a":' + "[" * 100_000), Config),
    bert("config_with_keys_twice", "JSON with a key twice", write(CONFIG_NAME, '{"hidden_size": 16, "hidden_size": 32}'), Config),
    bert("config_with_a_huge_integer", "an integer of a million digits", write(CONFIG_NAME, '{"hidden_size": ' + "9" * 1_000_000 + "}"), Config, reports=("J6",)),
    bert("config_with_a_fraction_of_a_million_digits", "a number with a million digits after the decimal point", number_in_json("1." + "1" * 1_000_000), Config),
    bert("config_with_an_exponent_of_a_million_digits", "an exponent of a million digits", number_in_json("1e" + "9" * 1_000_000), Config),
    bert("config_with_a_huge_exponent", "a size of 1e999", write(CONFIG_NAME, '{"hidden_size": 1e999}'), Config),
    bert("config_with_huge_sizes", "a hidden_size of 2**62", lambda f: testing.edit_config(f, hidden_size=1 << 62), Config),
    bert("config_of_16_million_units", "the largest sizes that a config may have", lambda f: (testing.edit_config(f, hidden_size=1 << 24, vocab_size=1 << 24, intermediate_size=1 << 24), testing.remove_file(f, VOCAB)), Mismatch),
    bert("config_of_a_thousand_layers", "a thousand layers", lambda f: testing.edit_config(f, num_hidden_layers=1000), Mismatch),
    bert("vocab_is_a_fifo", "the vocabulary is a FIFO", fifo(VOCAB), Unsafe),
    bert("vocab_is_a_device", "the vocabulary is /dev/zero", device(VOCAB), Unsafe),
    bert("vocab_is_a_socket", "the vocabulary is a socket", unix_socket, Unsafe),
    bert("vocab_of_a_gigabyte", "a sparse vocabulary of 1 GB", sparse(VOCAB, 1 << 30), Unsafe),
    bert("vocab_of_a_million_lines", "a vocabulary of four million empty lines", write(VOCAB, "\n" * 4_000_000), Vocab),
    bert("vocab_is_a_loop_of_links", "a symbolic link to itself", link_loop, errors.FileSystemError),
    bert("vocab_is_a_link_out", "a symbolic link out of the folder; it is the user's own, so it is followed and reported", link_out, None),
    bert("shard_is_a_device", "the data shard is /dev/zero", device(SHARD), Unsafe),
    bert("shard_of_a_terabyte", "a sparse data shard of 1 TB", sparse(SHARD, 1 << 40), Corrupt),
    bert("parts_of_a_long_key", "190,000 parts of a variable whose name has 4 MB; their keys would take 760 GB", parts_of_a_long_key, Unsafe),
    bert("parts_without_end", "a variable in ten million parts", lambda f: index(f, {"a": w.entry() + b"\x3a\x00" * 10_000_000}), Corrupt),
    bert("name_that_forges_a_line", "a variable name with a newline, a colour code and a text direction mark", name_that_forges_a_line, Corrupt, reports=("J2",)),
    bert("layer_of_4000_digits", "a variable of a layer whose number has 4,000 digits", variables(f"bert/encoder/layer_{'9' * 4000}/output/dense/bias"), Mismatch),
    bert("layer_of_5000_digits", "a variable of a layer whose number has 5,000 digits, more than Python's int accepts", variables(f"bert/encoder/layer_{'9' * 5000}/output/dense/bias"), Mismatch),
    bert("layer_of_a_raised_digit", "variables of layers whose numbers are written in digits of other scripts", variables("bert/encoder/layer_\u00b2/output/dense/bias", "bert/encoder/layer_\u0663/output/dense/bias"), Mismatch),
    bert("variable_without_a_scope", "a variable without a scope beside one with a scope", variables("embeddings/word_embeddings", "bert/embeddings/word_embeddings", "word_embeddings"), Mismatch),
    bert("scopes_without_end", "fifty encoders, and one whose scope has a thousand parts", variables(*(f"b{number}/embeddings/word_embeddings" for number in range(50)), "a/" * 1000 + "embeddings/word_embeddings"), errors.AmbiguousCheckpointError),
    bert("name_of_a_megabyte", "a variable whose name has a million letters", lambda f: index(f, {"v" * 1_000_000: w.entry()}), Unsafe),
    bert("state_of_a_megabyte_of_lines", "a state file of a million empty lines", write("checkpoint", "\n" * (1 << 20)), Corrupt),
    bert("config_with_a_million_keys", "JSON with 1.3 million keys, one of them twice", million_keys, Config),
    bert("config_of_a_model_with_a_long_name", "a model_type of ten million letters; the message shows the first ones", lambda f: testing.edit_config(f, model_type="x" * 10_000_000), Config),
    bert("vocab_of_60_million_lines", "60 MB of empty lines", lambda f: (f / VOCAB).write_bytes(b"\n" * 60_000_000), Unsafe),
    # locks
    bert("lock_leads_up", "a lock that names ../x", write(LOCK_NAME, lock_text("../x")), Unsafe),
    bert("lock_is_absolute", "a lock that names /etc/passwd", write(LOCK_NAME, lock_text("/etc/passwd")), Unsafe),
    bert("lock_names_a_fifo", "a lock that names a FIFO", then(fifo("x"), write(LOCK_NAME, lock_text("x"))), Lock),
    bert("lock_of_a_gigabyte", "a sparse lock of 1 GB", then(write(LOCK_NAME, lock_text("x")), sparse(LOCK_NAME, 1 << 30)), Unsafe),
    bert("lock_with_a_huge_integer", "a size of 5,000 hexadecimal digits, which Python does not print", write(LOCK_NAME, lock_text(n_bytes="0x" + "f" * 5000)), Lock),
    bert("lock_with_a_key_of_many_parts", "a key of half a million parts", write(LOCK_NAME, "a." * 500_000 + "a = 1\n"), Lock),
    # settings
    settings("settings_of_laughs", "nested lists that would expand to 9**19 words", laughs(), "yaml"),
    settings("settings_run_python", "a YAML tag that runs code", f"A: !!python/object/apply:os.system ['touch {MARK}']\n", "yaml"),
    settings("settings_with_a_tag_that_does_not_fit", "`!!bool maybe`", "A: {options_file: x, requires_grad: !!bool maybe}\n", "yaml"),
    settings("settings_of_a_megabyte_of_spaces", "a million spaces inside a line", "[A]\na" + " " * 1_000_000 + "b\n", "ini"),
    settings("settings_of_nested_lists", "a value of 100,000 nested lists", "[A]\noptions_file = x\nvocab_to_cache = " + "[" * 100_000, "ini"),
    settings("settings_of_nested_arrays", "a TOML array of 100,000 levels", "[A]\nx = " + "[" * 100_000, "toml"),
    settings("settings_of_nested_flow", "YAML of 100,000 nested lists", "A: " + "[" * 100_000, "yaml"),
    settings("settings_of_nested_objects", "JSON of 100,000 nested objects", '{"A": ' * 100_000, "json"),
    settings("settings_that_hold_themselves", "a YAML list that contains itself", "A: {options_file: x, vocab_to_cache: &a [*a]}\n", "yaml"),
    settings("settings_of_a_number_with_colons", "a base 60 number with 200,000 digits", "A: {options_file: x, dropout: 1" + ":1" * 200_000 + "}\n", "yaml"),
    settings("settings_of_merges", "mappings that each merge nine others, twenty levels deep", merges(), "yaml"),
    settings("settings_of_many_keys", "a section of 100,000 keys", "[A]\n" + "".join(f"a{number}=1\n" for number in range(100_000)), "toml"),
    settings("settings_of_dotted_keys", "400 keys of a thousand parts", "".join("b" * at + "." + "a." * 990 + "a = 1\n" for at in range(1, 400)), "toml", reports=("J5",)),
    settings("settings_with_a_huge_integer", "a number of 6,000 hexadecimal digits", "[A]\noptions_file='x'\ndropout=0x" + "f" * 6000, "toml"),
    # HDF5
    elmo("hdf5_chunk_that_unpacks_to_less", "a compressed chunk of one byte instead of 16; libhdf5 copies the memory after it", chunk_of(lambda: zlib.compress(b"x")), Corrupt),
    elmo("hdf5_chunk_that_unpacks_to_more", "a compressed chunk of 16 bytes that unpacks to 50 MB", chunk_of(lambda: zlib.compress(bytes(50_000_000))), Corrupt),
    elmo("hdf5_chunk_of_a_few_bytes", "a compressed chunk of 100 bytes for 4 MB of values, more than deflate can expand to", chunk_of(lambda: bytes(100), (1_000_000,)), Unsafe),
    elmo("hdf5_compressed_twice", "the same filter twice: 2 kB that unpack to 400 MB", chunk_of(lambda: zlib.compress(zlib.compress(bytes(400_000_000))), times=2), Unsafe, reports=("J8",)),
    elmo("hdf5_chunk_of_a_gigabyte", "four values in a chunk of 2**28", chunk_of(lambda: zlib.compress(bytes(16)), step=(1 << 28,)), Unsafe),
    elmo("hdf5_chunks_in_one_place", "an index of chunks that points to one chunk twice", two_chunks_in_one_place, Corrupt),
    elmo("hdf5_name_of_60000_letters", "a group whose name has 60,000 letters", hdf5(lambda file: file.create_group("g" * 60_000)), Unsafe),
    elmo("hdf5_name_with_a_slash", "a name that leads through an external link", name_with_a_slash, Unsafe),
    elmo("hdf5_external_link", "a dataset is a link to another file", link(lambda: h5py.ExternalLink("/etc/passwd", "x")), Unsafe),
    elmo("hdf5_billion_values", "a dataset of a billion values in a file of 2 kB", small_bomb, Mismatch | Corrupt),
    elmo("hdf5_gzip_bomb", "240 MB of zeros in 240 kB; rejected by its shape, and never unpacked", hdf5(gzip_bomb), Mismatch),
    elmo("hdf5_cyclic_groups", "a group that contains the root", hdf5(lambda file: file.__setitem__("RNN_0/again", file["/"])), Unsafe),
    elmo("hdf5_two_names_for_one_dataset", "two names for the same bytes", hdf5(hard_linked), Corrupt),
    elmo("hdf5_object_references", "a dataset of references", replaced(BIAS, shape=(4,), dtype=h5py.ref_dtype), Mismatch | Corrupt),
    elmo("hdf5_variable_strings", "a dataset of strings on the heap", replaced(BIAS, shape=(4,), dtype=h5py.string_dtype()), Mismatch | Corrupt),
    elmo("hdf5_root_at_zero", "the superblock's addresses are 0", bytes_of(WEIGHTS_NAME, lambda data: data[:24] + bytes(32) + data[56:]), Corrupt),
    elmo("hdf5_of_a_terabyte", "a sparse file of 1 TB", sparse(WEIGHTS_NAME, 1 << 40), None),
    elmo("hdf5_script_in_front", "a shell script in the file's user block; it is not read", bytes_of(WEIGHTS_NAME, lambda data: b"#!/bin/sh\ntouch x\n".ljust(512, b"\0") + data), None),
    elmo("hdf5_is_a_device", "the weights are /dev/zero", device(WEIGHTS_NAME), Unsafe),
    elmo("vocabulary_gzip_bomb", "400 MB of zeros in a vocab.txt.gz of 400 kB", lambda f: (f / "vocab.txt.gz").write_bytes(gzip.compress(bytes(400_000_000))), Unsafe),
    elmo("tf_hub_descriptor_is_a_fifo", "a descriptor beside the module in TF-Hub's cache that is a FIFO", descriptor_fifo, None),
    elmo("tf_hub_graph_is_a_pickle", "a saved_model.pb of code; it is not read", then(module, pickled("saved_model.pb")), None),
    elmo("bilm_tf_names_of_many_scopes", "a thousand variables with lm/ a thousand times in their names", many_scopes, Mismatch | errors.AmbiguousCheckpointError),
    elmo("options_of_huge_filters", "a convolution of 2**40 filters", lambda f: testing.edit_config(f, char_cnn={"filters": [[1, 1 << 40]]}), Config),
    elmo("options_of_a_million_filters", "a million convolutions", lambda f: testing.edit_config(f, char_cnn={"filters": [[1, 1]] * 1_000_000}), Config | Unsafe | Mismatch),
    elmo("options_of_a_thousand_layers", "a thousand layers", lambda f: testing.edit_config(f, lstm={"n_layers": 1000}), Config | Mismatch),
    elmo("index_in_itself", "an index of chunks that lists itself as each of its children", lambda f: bombs.index_in_itself(f / WEIGHTS_NAME, BIAS), Corrupt),
    elmo("index_of_one_node", "an index of chunks with six levels, and the same node 64 times on each level", lambda f: bombs.index_of_one_node(f / WEIGHTS_NAME, BIAS), Corrupt, reports=("J3",)),
    elmo("index_of_many_levels", "an index of chunks that claims 200 levels", index_of_many_levels, Corrupt),
    elmo("group_in_itself", "the index of a group lists itself as its child", lambda f: bombs.group_in_itself(f / WEIGHTS_NAME), Corrupt),
    elmo("chunks_of_one_value", "a dataset of 100 million chunks, in a few kB", hdf5(lambda file: file.create_dataset("x", (100_000_000,), "u1", chunks=(1,))), Unsafe | Corrupt),
    # archives
    archive("zip_name_leads_up", "a member ../x", a.zip_with("../x"), Unsafe),
    archive("zip_name_is_absolute", "a member /etc/x", a.zip_with("/etc/x"), Unsafe),
    archive("zip_name_has_backslashes", "a name with backslashes, as on Windows", a.zip_with("..\\x"), Unsafe),
    archive("zip_two_members_of_one_name", "two configs in a zip; readers differ in which one they use", a.zip_with(CONFIG_NAME), Unsafe),
    archive("zip_file_and_folder", "a file with the name of a folder", a.zip_with("a/b", "a"), Unsafe),
    archive("zip_link", "a symbolic link in a zip", a.zip_with(a.linked(), data=b"/etc/passwd"), Unsafe),
    archive("zip_of_bzip2", "a member compressed by bzip2", a.zip_with("x", method=zipfile.ZIP_BZIP2), Unsafe),
    archive("zip_is_encrypted", "a member that is marked as encrypted", a.edited_zip(a.in_both(8, 1)), Unsafe),
    archive("zip_bomb", "2 GB of zeros in 2 MB", a.zip_bomb, Unsafe),
    archive("zip_members_overlap", "200 members that share the same bytes", a.overlapping, Unsafe),
    archive("zip_of_65000_members", "65,000 empty members", a.many_members, Unsafe),
    archive("zip64_of_an_endless_directory", "a zip64 directory of 2**60 entries", a.edited_zip(a.endless_directory), Unsafe),
    archive("zip_headers_disagree", "a member whose own header has another size", a.edited_zip(a.in_entry(20, 9, 4)), Corrupt),
    archive("zip_offset_beyond_the_end", "a member at an offset of 4 GB", a.edited_zip(a.in_entry(42, 0xFFFFFFF0, 4)), Corrupt),
    archive("zip_without_an_end", "a truncated zip", a.cut(a.zip_with(), a.ZIP, 30), Corrupt),
    archive("tar_name_leads_up", "a member ../x of a tar", a.tar_with(("../x", {})), Unsafe, a.TAR),
    archive("tar_name_is_absolute", "a member /etc/x of a tar", a.tar_with(("/etc/x", {})), Unsafe, a.TAR),
    archive("tar_two_members_of_one_name", "two configs in a tar", a.tar_with((CONFIG_NAME, {})), Unsafe, a.TAR),
    archive("tar_symbolic_link", "a symbolic link to /etc/passwd", a.tar_of_type(tarfile.SYMTYPE), Unsafe, a.TAR),
    archive("tar_hard_link", "a hard link to /etc/passwd", a.tar_of_type(tarfile.LNKTYPE), Unsafe, a.TAR),
    archive("tar_device", "a device in a tar", a.tar_of_type(tarfile.CHRTYPE), Unsafe, a.TAR),
    archive("tar_fifo", "a FIFO in a tar", a.tar_of_type(tarfile.FIFOTYPE), Unsafe, a.TAR),
    archive("tar_sparse", "a sparse member of GNU tar", a.tar_of_type(tarfile.GNUTYPE_SPARSE), Unsafe, a.TAR),
    archive("tar_sparse_in_pax", "a sparse member in pax headers", a.tar_with(("x", {"pax_headers": {"GNU.sparse.major": "1"}})), Unsafe, a.TAR),
    archive("tar_name_of_8_gigabytes", "a name of 8 GB", a.huge_header, Unsafe, a.TAR),
    archive("tar_is_truncated", "a truncated tar", a.cut(a.tar_with(), a.TAR, 10_000), Corrupt, a.TAR),
    archive("tar_gz_bomb", "4 GB of zeros in a .tar.gz of 4 MB", a.gzip_bomb, Unsafe, a.TGZ),
    # code
    elmo("options_of_an_endless_clip", "a cell_clip of 1e999, which is infinite", lambda f: (f / OPTIONS_NAME).write_text((f / OPTIONS_NAME).read_text().replace('"cell_clip": 3', '"cell_clip": 1e999')), Config),
    elmo("pickle_as_weights", "a pickle that runs code, named weights.hdf5", pickled(WEIGHTS_NAME), Wrong, reports=("J1",)),
    bert("pickle_as_everything", "pickles that run code instead of every file", pickled(CONFIG_NAME, VOCAB, SHARD, INDEX), Wrong),
    elmo("numpy_pickle_as_weights", "a NumPy file of objects that runs code", numpy_pickle, Wrong),
]  # fmt: skip
