"""Each kind of file is recognised by an example of it."""

from __future__ import annotations

import bz2
import gzip
import importlib
import io
import json
import lzma
import os
import pickle
import tarfile
import zipfile

import h5py
import numpy as np
import pytest

from safeload._bytes.kinds import BY_ID, KINDS, MAX_USER_BLOCK_BYTES, kind_of_data, kinds_of, sniff, wrong_kind
from safeload.testing._elmo_forms import ELMO_FORMS
from safeload.testing._forms import FORMS
from tests.forms.tensorflow.index_writer import header, table
from tests.opened import ref


def made(write):
    file = io.BytesIO()
    write(file)
    return file.getvalue()


def hdf5(file):
    with h5py.File(file, "w") as content:
        content["x"] = np.ones(3)


def zipped(file):
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("x", "text")


def zipped_by_torch(file):
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({}))
        archive.writestr("archive/version", "3")


def zipped_by_keras(file):
    with zipfile.ZipFile(file, "w") as archive:
        for name in ("metadata.json", "config.json", "model.weights.h5"):
            archive.writestr(name, "{}")


def tarred(file):
    with tarfile.open(fileobj=file, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("x"))


JSON_HEAD = json.dumps({"x": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
EXAMPLES = {
    "empty": b"",
    "lfs": b"version https://git-lfs.github.com/spec/v1\noid sha256:12ab\nsize 77\n",
    "appledouble": b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X        \x00\x02",
    "safetensors": len(JSON_HEAD).to_bytes(8, "little") + JSON_HEAD + bytes(4),
    "torch": made(zipped_by_torch),
    "keras": made(zipped_by_keras),
    "gzip": gzip.compress(b"text"),
    "7z": b"7z\xbc\xaf\x27\x1c\0\4" + bytes(24),
    "zstd": b"\x28\xb5\x2f\xfd\x04\x00\x01\x00\x00",
    "xz": lzma.compress(b"text"),
    "bzip2": bz2.compress(b"text"),
    "hdf5": made(hdf5),
    "pickle": pickle.dumps({"x": 1}, protocol=2),
    "npy": made(lambda file: np.save(file, np.ones(3))),
    "pdf": b"%PDF-1.4\n",
    "utf32": "text".encode("utf-32"),
    "utf16": "text".encode("utf-16"),
    "sstable": table([(b"", header())]),
    "html": b"\n<!DOCTYPE html>\n<html></html>",
    "xml": b'<?xml version="1.0"?><Error/>',
    "tar": made(tarred),
    "zip": made(zipped),
    "sentencepiece": b"\n\x0e\n\x05<unk>\x15\0\0\0\0\x18\2",
    "json": b'\xef\xbb\xbf {"a": 1}',
    "binary": b"\x01\0\x02",
}


def test_every_row_has_an_example():
    assert [kind.id for kind, _ in KINDS] == list(EXAMPLES), (
        "EXAMPLES has an example of each row of KINDS, in the same order"
    )
    assert len(BY_ID) == len(KINDS)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_of_its_kind(name, tmp_path):
    (tmp_path / "f").write_bytes(EXAMPLES[name])

    assert kind_of_data(EXAMPLES[name]).id == name
    assert sniff(ref(tmp_path / "f")).id == name


@pytest.mark.parametrize("n_bytes", [512, 1024, 4096, MAX_USER_BLOCK_BYTES])
@pytest.mark.parametrize("block", [b"", b"MATLAB 7.3 MAT-file, ", b'{"a": 1}', b"<html>"])
def test_an_hdf5_file_may_begin_after_the_block_of_another_program(block, n_bytes, tmp_path):
    with h5py.File(tmp_path / "f", "w", userblock_size=n_bytes) as file:
        file["x"] = np.ones(3)
    with (tmp_path / "f").open("r+b") as file:
        file.write(block)

    assert sniff(ref(tmp_path / "f")).id == "hdf5"


@pytest.mark.parametrize("at", [511, 768, 2 * MAX_USER_BLOCK_BYTES])
def test_an_hdf5_file_begins_at_no_other_place(at, tmp_path):
    (tmp_path / "f").write_bytes(bytes(at) + EXAMPLES["hdf5"])

    assert sniff(ref(tmp_path / "f")).id == "binary"


def zip_of(names, first=b"{}"):
    def write(file):
        with zipfile.ZipFile(file, "w") as archive:
            for number, name in enumerate(names):
                archive.writestr(name, b"" if number else first)

    return made(write)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (zip_of(["hf/version", "hf/config.json", "hf/pytorch_model.bin"]), "zip"),
        (zip_of(["hf/data.pkl", "hf/config.json"]), "zip"),
        (zip_of(["a/data.pkl", "b/version"]), "zip"),
        (zip_of(["data.pkl", "version"]), "zip"),
        (zip_of(["m/.data/serialization_id", "m/data.pkl", "m/version"]), "torch"),
        (zip_of(["m/", "m/data/", "m/data/0", "m/data.pkl", "m/version"]), "torch"),
        (zip_of(["m/data.pkl", "m/.data/version"]), "torch"),
        (zip_of(["m/data.pkl", "m/version", "__MACOSX/m/._data.pkl"]), "torch"),
        (zip_of(["m/data.pkl", "m/data/0", "m/version"])[:-30], "torch"),
        (zip_of(["metadata.json", "config.json", "model.weights.h5"]), "keras"),
        (zip_of(["metadata.json", "config.json", "model.weights.h5"], b'{"keras_hub_version": "0.32"}'), "zip"),
        (zip_of(["metadata.json", "config.json", "vocab.txt"]), "zip"),
        (b"#!/bin/sh\nexit\n" + zip_of(["bert_config.json"]), "zip"),
        (b"MZ" + bytes(600) + zip_of(["bert_config.json"]), "zip"),
    ],
)
def test_a_zip_is_known_by_all_its_members(content, kind, tmp_path):
    (tmp_path / "f").write_bytes(content)

    assert sniff(ref(tmp_path / "f")).id == kind


def test_a_tar_of_unix_version_7_is_known_by_its_checksum(tmp_path):
    info = tarfile.TarInfo("bert_config.json")
    header = bytearray(info.tobuf(tarfile.USTAR_FORMAT))
    header[148:156], header[257:265] = b" " * 8, bytes(8)
    header[148:156] = b"%06o\0 " % sum(header)
    (tmp_path / "f").write_bytes(header + bytes(1024))
    assert sniff(ref(tmp_path / "f")).id == "tar"

    header[0] ^= 1
    (tmp_path / "f").write_bytes(header + bytes(1024))
    assert sniff(ref(tmp_path / "f")).id == "binary"


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_of_each_protocol_is_known(protocol):
    assert kind_of_data(pickle.dumps([1], protocol=protocol)).id == "pickle"


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_a_byte_order_mark_tells_the_encoding(encoding):
    assert kind_of_data("\ufefftext".encode(encoding)).id == encoding[:6].replace("-", "")


@pytest.mark.parametrize(
    "data", [b"[PAD]\n[UNK]\n", b"plain text", "Gr\u00fc\u00dfe".encode(), b" ", b"a {", b"# <html>"]
)
def test_plain_text_is_of_no_kind(data, tmp_path):
    (tmp_path / "f").write_bytes(data)

    assert kind_of_data(data) is None
    assert sniff(ref(tmp_path / "f")) is None


@pytest.mark.parametrize("n_bytes", [0x280, 0x380, 0x480, 0x580])
def test_a_safetensors_file_whose_length_begins_as_a_pickle_is_none(n_bytes):
    assert kind_of_data(n_bytes.to_bytes(8, "little") + JSON_HEAD.ljust(n_bytes) + bytes(4)).id == "safetensors"


def test_an_lfs_pointer_says_what_it_points_to():
    assert kind_of_data(EXAMPLES["lfs"]).name == "Git LFS pointer to sha256:12ab, 77 bytes"
    assert kind_of_data(EXAMPLES["lfs"].replace(b"\n", b"\r\n")).name == "Git LFS pointer to sha256:12ab, 77 bytes"
    assert kind_of_data(EXAMPLES["lfs"].split(b"\n")[0]).name == "Git LFS pointer to ?, ? bytes"


@pytest.mark.parametrize("kind", [kind for kind, _ in KINDS if kind.form], ids=lambda kind: kind.id)
def test_a_form_is_a_module_that_opens_weights(kind):
    assert callable(importlib.import_module(f"safeload._forms.{kind.form}").open_weights)
    assert kind.models
    assert all(ending.startswith(".") for ending in kind.endings)


@pytest.mark.parametrize(("model", "forms"), [("BERT", FORMS), ("ELMo", ELMO_FORMS)], ids=["BERT", "ELMo"])
def test_a_model_has_the_forms_that_the_testing_kit_writes(model, forms):
    assert {kind.form for kind in kinds_of(model)} == {form.partition("/")[0] for form in forms}, (
        "each form has a row in FORMS of safeload/testing/_forms.py, an ELMo's one in ELMO_FORMS of _elmo_forms.py"
    )


def test_a_bert_has_every_form():
    assert kinds_of(None) == kinds_of("BERT")


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_the_older_files_of_torch_are_known_in_each_protocol(protocol):
    assert kind_of_data(pickle.dumps(0x1950A86A20F9469CFC6C, protocol=protocol)).id == "torch"


def test_what_is_no_regular_file_is_of_no_kind(tmp_path):
    os.mkfifo(tmp_path / "fifo")

    assert [sniff(ref(tmp_path / name)) for name in ("fifo", "none", "")] == [None] * 3


@pytest.mark.parametrize("name", ["zip", "npy"])
def test_another_kind_than_expected_is_told_with_its_hint(name):
    error = wrong_kind(ref("/a/b", given="b"), BY_ID[name], wanted="JSON text")

    assert error.message == f"the config file is not JSON text: {BY_ID[name].name}"
    assert (error.wanted, error.found, error.resolved, error.given) == ("JSON text", BY_ID[name].name, "/a/b", "b")
    assert error.hints == ((BY_ID[name].hint,) if BY_ID[name].hint else ())
