"""The embedder that AllenNLP dropped: what it computed and wrote, from AllenNLP's biLM where that is installed."""

from __future__ import annotations

import errno
import io
import json
import os
import subprocess
import sys

import h5py
import numpy as np
import pytest
import torch

import safeload
from safeload.compat.allennlp import ElmoEmbedder, elmo_embedder
from safeload.errors import ArgumentError, FileSystemError, MissingFileError, VariableMismatchError
from tests.elmo.shapes import SENTENCES
from tests.elmos import OPTIONS_NAME, WEIGHTS_NAME, options, write_elmo
from tests.limits import file_size_limit

BATCHES = [SENTENCES, SENTENCES[:2], [*SENTENCES, ["Five", "rows"]], [[], ["after", "nothing"]], [[]], SENTENCES]
TEXT = "A good film .\nBad .\n  One  \nA good film .\n"
LINES = ["A good film .", "Bad .", "One", "A good film ."]


@pytest.fixture
def embedder(tiny_elmo):
    return ElmoEmbedder(str(tiny_elmo / OPTIONS_NAME), str(tiny_elmo / WEIGHTS_NAME))


class Published:
    """AllenNLP's biLM under the published algorithm.

    Source:
        allennlp/commands/elmo.py, ElmoEmbedder.embed_batch, AllenNLP 0.9.0.
    """

    def __init__(self, folder):
        upstream = pytest.importorskip("allennlp.modules.elmo", reason="AllenNLP installs on Python 3.10 only")
        self.bilm = upstream._ElmoBiLm(str(folder / OPTIONS_NAME), str(folder / WEIGHTS_NAME))
        self.to_ids = upstream.batch_to_ids

    def embed_batch(self, batch):
        from allennlp.nn.util import remove_sentence_boundaries

        if batch == [[]]:
            return [np.zeros((3, 0, 16))]
        output = self.bilm(self.to_ids(batch))
        layers = [remove_sentence_boundaries(layer, output["mask"])[0].numpy() for layer in output["activations"]]
        return [np.stack([layer[row, : len(words)] for layer in layers]) for row, words in enumerate(batch)]


def test_batch_after_batch_equals_allennlp(embedder, tiny_elmo):
    theirs = Published(tiny_elmo)
    for batch in BATCHES:
        ours, wanted = embedder.embed_batch(batch), theirs.embed_batch(batch)
        assert [each.shape for each in ours] == [each.shape for each in wanted] == [(3, len(s), 16) for s in batch]
        for a, b in zip(ours, wanted, strict=True):
            assert np.abs(a - b).max(initial=0) <= 1e-6


def test_sentences_equal_allennlps_batches_in_their_order(embedder, tiny_elmo):
    theirs = Published(tiny_elmo)
    sentences = SENTENCES * 3 + [["One", "more"]]
    ours = list(embedder.embed_sentences(iter(sentences), batch_size=5))
    wanted = [each for start in range(0, 13, 5) for each in theirs.embed_batch(sentences[start : start + 5])]

    assert len(ours) == len(wanted) == 13
    assert max(np.abs(a - b).max() for a, b in zip(ours, wanted, strict=True)) <= 1e-6


def test_another_order_would_give_other_vectors(tiny_elmo):
    """Why sentences are not sorted by length: the state belongs to a place in the batch."""
    sentences = [["A", "good", "film"], ["Bad"], ["One", "two"], ["x"]]
    in_order = list(ElmoEmbedder(tiny_elmo).embed_sentences(sentences, 2))
    order = sorted(range(4), key=lambda number: len(sentences[number]))
    embedded = ElmoEmbedder(tiny_elmo).embed_sentences([sentences[number] for number in order], 2)
    by_length = dict(zip(order, embedded, strict=True))

    assert max(np.abs(in_order[number] - by_length[number]).max() for number in range(4)) > 1e-3


def test_vectors_of_a_batch_are_tensors_with_a_mask(embedder):
    vectors, mask = embedder.batch_to_embeddings([["a", "b", "c"], ["d"]])

    assert (vectors.shape, mask.dtype, mask.tolist()) == ((2, 3, 3, 16), torch.int64, [[1, 1, 1], [1, 0, 0]])
    assert not vectors[1, :, 1:].any()
    assert vectors[1, :, :1].all()


def test_the_same_sentence_gives_other_vectors_the_second_time(embedder, tiny_elmo):
    first, second = (embedder.embed_sentence(["A", "film"]) for _ in range(2))
    fresh = ElmoEmbedder(tiny_elmo).embed_sentence(["A", "film"])

    assert (first.shape, first.dtype) == ((3, 2, 16), np.float32)
    assert np.array_equal(first[0], second[0])
    assert np.abs(first[1:] - second[1:]).max() > 1e-3
    assert np.array_equal(first, fresh)


def test_a_sentence_without_words_changes_no_state(embedder, tiny_elmo):
    empty = embedder.embed_sentence([])

    assert (empty.shape, empty.dtype) == ((3, 0, 16), np.float64)
    assert np.array_equal(embedder.embed_sentence(["A"]), ElmoEmbedder(tiny_elmo).embed_sentence(["A"]))


def test_other_numbers_of_layers(tmp_path):
    write_elmo(tmp_path, options(lstm={"n_layers": 1}))
    embedder = ElmoEmbedder(tmp_path)

    assert embedder.embed_sentence([]).shape == (2, 0, 16)
    assert embedder.embed_sentence(["a"]).shape == (2, 1, 16)


def written(path):
    with h5py.File(path) as file:
        return {name: file[name][...] for name in file}


def embed(embedder, path, text=TEXT, **arguments):
    embedder.embed_file(io.StringIO(text), str(path), **arguments)
    return written(path)


def test_a_file_has_a_dataset_for_each_line(embedder, tiny_elmo, tmp_path):
    found = embed(embedder, tmp_path / "out.hdf5", batch_size=3)
    wanted = list(ElmoEmbedder(tiny_elmo).embed_sentences([line.split() for line in LINES], 3))

    assert found.keys() == {"0", "1", "2", "3", "sentence_to_index"}
    for number, vectors in enumerate(wanted):
        assert found[str(number)].dtype == np.float32
        assert np.array_equal(found[str(number)], vectors)
    assert found["sentence_to_index"].shape == (1,)
    assert json.loads(found["sentence_to_index"][0]) == {"A good film .": "3", "Bad .": "1", "One": "2"}
    assert os.listdir(tmp_path) == ["out.hdf5"]


@pytest.mark.parametrize(
    ("output_format", "of"), [("top", lambda v: v[-1]), ("average", lambda v: np.average(v, axis=0))]
)
def test_a_file_has_the_layers_that_are_asked_for(output_format, of, tiny_elmo, tmp_path):
    found = embed(ElmoEmbedder(tiny_elmo), tmp_path / "one", output_format=output_format, forget_sentences=True)
    whole = embed(ElmoEmbedder(tiny_elmo), tmp_path / "all", forget_sentences=True)

    assert found.keys() == whole.keys() == {"0", "1", "2", "3"}
    assert all(np.array_equal(found[name], of(whole[name])) for name in whole)


def test_sentences_may_be_the_names(embedder, tmp_path):
    found = embed(embedder, tmp_path / "out", "A good film .\nBad .\n", use_sentence_keys=True)

    assert {name: value.shape for name, value in found.items()} == {"A good film .": (3, 4, 16), "Bad .": (3, 2, 16)}


def test_a_file_without_lines_has_no_vectors(embedder, tmp_path):
    assert json.loads(embed(embedder, tmp_path / "out", "")["sentence_to_index"][0]) == {}


BAD_FILES = {
    "twice": (TEXT, {"use_sentence_keys": True}, "use_sentence_keys", "1 occur again"),
    "a dot": (".\n", {"use_sentence_keys": True}, "use_sentence_keys", "cannot be the name of a dataset"),
    "below another": ("a\na/b\n", {"use_sentence_keys": True}, "use_sentence_keys", "cannot be the name of a dataset"),
    "empty lines": ("a\n\nb\n  \n", {}, "input_file", "has 2 empty lines"),
    "format": (TEXT, {"output_format": "ALL"}, "output_format", "one of all, top, average"),
    "no batch": (TEXT, {"batch_size": 0}, "batch_size", "an int from 1"),
}


@pytest.mark.parametrize(("text", "arguments", "argument", "message"), BAD_FILES.values(), ids=BAD_FILES)
def test_what_cannot_be_embedded_leaves_the_older_file(text, arguments, argument, message, embedder, tmp_path):
    (tmp_path / "out").write_text("old")
    with pytest.raises(ArgumentError, match=message) as caught:
        embed(embedder, tmp_path / "out", text, **arguments)

    assert caught.value.argument == argument
    assert (tmp_path / "out").read_text() == "old"
    assert os.listdir(tmp_path) == ["out"]


@pytest.mark.parametrize("given", ["lines.txt", io.BytesIO(b"A film\n"), 3], ids=["path", "binary", "number"])
def test_what_is_no_text_file_is_told(given, embedder, tmp_path):
    with pytest.raises(ArgumentError, match="input_file") as caught:
        embedder.embed_file(given, tmp_path / "out")

    assert caught.value.argument == "input_file"
    assert os.listdir(tmp_path) == []


def test_where_nothing_can_be_written_is_told(embedder, tmp_path):
    with pytest.raises(MissingFileError, match="output"):
        embed(embedder, tmp_path / "none" / "out")
    with pytest.raises(FileSystemError, match="File too large") as caught, file_size_limit(1000):
        embed(embedder, tmp_path / "out")

    assert caught.value.errno == errno.EFBIG
    assert os.listdir(tmp_path) == []


BATCHES_THAT_ARE_NONE = [None, 3, "a b", [], ["a"], [["a"], None], [None], [""], [["a", b"b"]]]


@pytest.mark.parametrize("batch", BATCHES_THAT_ARE_NONE, ids=repr)
def test_a_bad_batch_is_told(batch, embedder):
    with pytest.raises(ArgumentError, match="batch"):
        embedder.embed_batch(batch)
    if batch not in ([], [[]]):
        with pytest.raises(ArgumentError):
            list(embedder.embed_sentences(batch))


@pytest.mark.parametrize(("device", "wanted"), [(99, "below"), ("cuda", "an int"), (True, "an int")])
def test_a_gpu_that_is_not_there_is_told(device, wanted, tiny_elmo):
    with pytest.raises(ArgumentError, match=f"cuda_device must be {wanted}"):
        ElmoEmbedder(tiny_elmo, None, device)


def test_the_files_are_checked(elmo):
    lstm = {**options()["lstm"], "n_layers": 1}
    (elmo / OPTIONS_NAME).write_text(json.dumps({**options(), "lstm": lstm}))
    with pytest.raises(VariableMismatchError):
        ElmoEmbedder(elmo / OPTIONS_NAME, elmo / WEIGHTS_NAME)


def test_it_has_a_report_and_can_be_saved(embedder, tmp_path):
    assert safeload.report_of(embedder).backend == "torch"
    assert safeload.save_elmo(embedder, tmp_path / "saved").n_inexact == 0


def test_without_files_it_is_the_original_elmo():
    assert elmo_embedder.DEFAULT_OPTIONS_FILE.endswith(
        "/2x4096_512_2048cnn_2xhighway/elmo_2x4096_512_2048cnn_2xhighway_options.json"
    )
    assert (
        elmo_embedder.DEFAULT_OPTIONS_FILE.replace("options.json", "weights.hdf5") == elmo_embedder.DEFAULT_WEIGHT_FILE
    )


def test_old_imports_work_in_place():
    pytest.importorskip("allennlp", reason="AllenNLP installs on Python 3.10 only")
    code = (
        "import safeload.compat.allennlp_in_place; from allennlp.commands.elmo import ElmoEmbedder; "
        "from safeload.compat import allennlp; print(ElmoEmbedder is allennlp.ElmoEmbedder)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.stdout == "True\n", done.stderr
