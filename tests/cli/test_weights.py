"""Weights of any form, opened to be looked at."""

from __future__ import annotations

import time
from contextlib import closing

import h5py
import numpy as np
import pytest

from safeload.cli._weights import layer_of, open_given
from safeload.errors import AmbiguousCheckpointError, CheckpointNotFoundError
from tests.checkpoints import PREFIX, SHARD, bert_tensors, write_checkpoint


@pytest.mark.parametrize(
    ("name", "place"),
    [
        (PREFIX, "a checkpoint prefix"),
        (f"{PREFIX}.index", "an index file"),
        (SHARD, "a data shard"),
        ("", "a folder with one checkpoint"),
    ],
)
def test_a_checkpoint_is_opened_in_every_form(name, place, tiny_bert):
    with closing(open_given(str(tiny_bert / name))) as weights:
        assert weights.what == f"a TensorFlow checkpoint of 1 shard, given as {place}"
        assert weights.file.ref.path == str(tiny_bert / PREFIX)
        assert {name: tensor.spec.shape for name, tensor in weights.tensors.items()} == {
            name: value.shape for name, value in bert_tensors().items()
        }
        assert all(tensor.n_bytes == 4 * np.prod(tensor.spec.shape) for tensor in weights.tensors.values())


@pytest.mark.parametrize("name", ["", "weights.hdf5"])
def test_an_hdf5_file_is_opened_alone_and_in_its_folder(name, tiny_elmo):
    with closing(open_given(str(tiny_elmo / name))) as weights:
        assert weights.what == "an HDF5 file"
        assert len(weights.tensors) == 29
        assert weights.file.look("char_embed")[0].shape == weights.tensors["char_embed"].spec.shape


def test_an_hdf5_file_of_any_name_and_no_model_is_opened(tmp_path):
    with h5py.File(tmp_path / "a.bin", "w") as file:
        file["x/y"] = np.ones((2, 3), np.float32)
    with closing(open_given(str(tmp_path / "a.bin"))) as weights:
        assert {name: tensor.spec.shape for name, tensor in weights.tensors.items()} == {"x/y": (2, 3)}


def test_layers_are_in_the_order_of_their_numbers(tmp_path):
    names = [f"bert/encoder/layer_{number}/{part}" for number in (10, 2, 1) for part in ("b", "a")]
    write_checkpoint(tmp_path / "m", {name: np.ones(1, np.float32) for name in ["cls/x", *names, "bert/a/b"]})
    layers = [f"bert/encoder/layer_{number}/{part}" for number in (1, 2, 10) for part in ("a", "b")]

    with closing(open_given(str(tmp_path / "m"))) as weights:
        assert list(weights.tensors) == ["bert/a/b", *layers, "cls/x"]


def test_a_folder_of_several_weights_is_ambiguous(elmo):
    (elmo / "weights.hdf5").rename(elmo / "a.hdf5")
    (elmo / "b.hdf5").write_bytes((elmo / "a.hdf5").read_bytes())
    with pytest.raises(AmbiguousCheckpointError) as caught:
        open_given(str(elmo))
    assert sorted(caught.value.candidates) == [str(elmo / "a.hdf5"), str(elmo / "b.hdf5")]


def test_a_folder_without_weights_is_told(tmp_path):
    with pytest.raises(CheckpointNotFoundError) as caught:
        open_given(str(tmp_path))
    assert (caught.value.resolved, caught.value.given) == (str(tmp_path), str(tmp_path))


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("bert/encoder/layer_10/attention/self/key/bias", "bert/encoder/layer_10"),
        ("bert/embeddings/LayerNorm/beta", "bert/embeddings"),
        ("cls/predictions/output_bias", "cls/predictions"),
        ("RNN_0/RNN/MultiRNNCell/Cell1/LSTMCell/W_0", "RNN_0/RNN/MultiRNNCell/Cell1"),
        ("CNN/W_cnn_3", "CNN"),
        ("CNN_high_0/W_carry", "CNN_high_0"),
        ("char_embed", "char_embed"),
        ("layer_²/kernel/a", "layer_²/kernel"),
        ("a1/²/b", "a1"),
        (f"layer_{'9' * 5000}/x/y", f"layer_{'9' * 5000}"),
    ],
)
def test_a_tensor_belongs_to_the_layer_that_its_name_says(name, layer):
    assert layer_of(name) == layer


def test_numbers_of_any_length_and_script_are_sorted(tmp_path):
    names = ["a_²/w", f"a_{'9' * 5000}/w", "a_10/w", "a_9/w", "a_09/w", "²/w", "a_٣/w", f"a_{'9' * 4999}/w"]
    write_checkpoint(tmp_path / "m", {name: np.ones(1, np.float32) for name in names})
    with closing(open_given(str(tmp_path / "m"))) as weights:
        order = list(weights.tensors)
    numbered = [name for name in order if name[:3].isascii() and name.startswith("a_")]
    assert [len(name) for name in numbered] == [6, 5, 6, 5003, 5004] or [len(name) for name in numbered] == [
        5,
        6,
        6,
        5003,
        5004,
    ]
    assert sorted(order) == sorted(names)


def test_a_layer_of_a_long_name_is_found_in_linear_time():
    start = time.perf_counter()
    layer_of(f"a{'1' * 200_000}x/b")
    assert time.perf_counter() - start < 0.5
