"""The order in which `.h5` files list layers and weights, by which Keras loads them, agrees with their names."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

import safeload
from safeload import testing
from safeload._frameworks.tensorflow import require_keras_bert
from safeload.errors import CorruptFileError
from tests.bert.test_keras_heads import built, deep, nested

pytest.importorskip("keras_bert")
pytestmark = pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")

FORWARD = "Encoder-1-FeedForward"
ATTENTION = "Encoder-1-MultiHeadSelfAttention"
TYPES = {"variable": None, "fixed": "S"}


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Return the folder with a config and a model with heads, whole and as weights, and one that is in another."""
    folder = testing.write_bert(tmp_path_factory.mktemp("order") / "source")
    model = safeload.load_bert(folder, training=True)
    model.save(folder / "model.h5")
    model.save_weights(folder / "weights.h5")
    built(folder, deep).save(folder / "deep.h5")
    nested(folder, training=True).save_weights(folder / "nested.h5")
    return folder


def reordered(source, target, group, attribute, change, dtype=None):
    """Copy a file with another list of names."""
    target.write_bytes(source.read_bytes())
    with h5py.File(target, "r+") as file:
        place = file[group]
        names = [name.decode() if isinstance(name, bytes) else name for name in place.attrs[attribute]]
        del place.attrs[attribute]
        place.attrs.create(attribute, np.array([name.encode() for name in change(names)], dtype or h5py.string_dtype()))
    return target


def exchanged(one, two):
    return lambda names: [{one: two, two: one}.get(name, name) for name in names]


def require_told(folder, path, *texts, training=True):
    with pytest.raises(CorruptFileError) as caught:
        safeload.check_bert(folder / "bert_config.json", path, training=training)
    for text in texts:
        assert text in str(caught.value)


@pytest.mark.parametrize("dtype", TYPES.values(), ids=TYPES)
@pytest.mark.parametrize("name", ["model.h5", "weights.h5"])
@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("Encoder-1-FeedForward", "Encoder-2-FeedForward"),
        ("Encoder-1-MultiHeadSelfAttention-Norm", "Encoder-1-FeedForward-Norm"),
        ("Embedding-Norm", "MLM-Norm"),
        ("MLM-Dense", "NSP-Dense"),
    ],
)
def test_layers_that_are_listed_in_another_order_are_told(one, two, name, dtype, saved, tmp_path):
    group = "model_weights" if name == "model.h5" else "/"
    path = reordered(saved / name, tmp_path / name, group, "layer_names", exchanged(one, two), dtype)

    require_told(saved, path, "in another order than", "ORDER")


def test_what_is_said_of_an_order_is_true_of_keras(saved, tmp_path):
    change = exchanged("Encoder-1-FeedForward", "Encoder-2-FeedForward")
    path = reordered(saved / "weights.h5", tmp_path / "w.h5", "/", "layer_names", change)
    require_keras_bert().tf.keras.backend.clear_session()
    model = safeload.load_bert(saved, training=True)
    before = [layer.get_weights()[0] for layer in model.layers if layer.name.endswith("FeedForward")]
    model.load_weights(path)
    after = [layer.get_weights()[0] for layer in model.layers if layer.name.endswith("FeedForward")]

    for one, two in zip(before, reversed(after), strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("dtype", TYPES.values(), ids=TYPES)
@pytest.mark.parametrize(
    ("layer", "one", "two"),
    [
        (ATTENTION, f"{ATTENTION}/{ATTENTION}_Wq:0", f"{ATTENTION}/{ATTENTION}_Wk:0"),
        (FORWARD, f"{FORWARD}/{FORWARD}_W1:0", f"{FORWARD}/{FORWARD}_b1:0"),
        ("Embedding-Norm", "Embedding-Norm/gamma:0", "Embedding-Norm/beta:0"),
        ("NSP", "NSP/kernel:0", "NSP/bias:0"),
    ],
)
def test_weights_that_are_listed_in_another_order_are_told(layer, one, two, dtype, saved, tmp_path):
    path = reordered(saved / "weights.h5", tmp_path / "w.h5", layer, "weight_names", exchanged(one, two), dtype)

    require_told(saved, path, f"ORDER      {layer}", "its weight_names should be")


def test_a_layer_or_weight_that_is_not_listed_or_twice_is_told(saved, tmp_path):
    def without(names):
        return [name for name in names if name != FORWARD]

    path = reordered(saved / "weights.h5", tmp_path / "a.h5", "/", "layer_names", without)
    require_told(saved, path, f"ORDER      {FORWARD}", "is not in layer_names, so that Keras would not load it")
    path = reordered(saved / "weights.h5", tmp_path / "b.h5", "/", "layer_names", lambda names: [*names, FORWARD])
    require_told(saved, path, f"ORDER      {FORWARD}", "is 2 times in layer_names")
    path = reordered(saved / "weights.h5", tmp_path / "c.h5", FORWARD, "weight_names", lambda names: names[1:])
    require_told(saved, path, f"ORDER      {FORWARD}", "its weight_names should be")
    path = reordered(
        saved / "nested.h5",
        tmp_path / "d.h5",
        "/",
        "layer_names",
        lambda names: [name for name in names if name != "bert_0"],
    )
    require_told(saved, path, "is not in layer_names, so that Keras would not load it")


def test_only_layers_that_are_read_count(saved, tmp_path):
    path = reordered(saved / "weights.h5", tmp_path / "a.h5", "/", "layer_names", exchanged("MLM-Dense", "NSP-Dense"))
    safeload.check_bert(saved / "bert_config.json", path)


def test_the_config_of_a_whole_model_has_its_order(saved, tmp_path):
    """NSP-Dense comes first in this model, so that the lines of the model alone allow both orders."""
    change = exchanged("MLM-Dense", "NSP-Dense")
    path = reordered(saved / "deep.h5", tmp_path / "a.h5", "model_weights", "layer_names", change)
    safeload.check_bert(saved / "bert_config.json", saved / "deep.h5", training=True)

    require_told(saved, path, "than the config that is saved in it", "is listed in the place of NSP-Dense")


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (f"{ATTENTION}/{ATTENTION}_Wq:0", f"{ATTENTION}/{ATTENTION}_Wk:0"),
        ("Embedding-Norm/gamma:0", "Embedding-Norm/beta:0"),
        (f"{FORWARD}/{FORWARD}_W1:0", "Encoder-2-FeedForward/Encoder-2-FeedForward_W1:0"),
    ],
)
def test_weights_of_a_nested_model_in_another_order_are_told(one, two, saved, tmp_path):
    path = reordered(saved / "nested.h5", tmp_path / "a.h5", "bert_0", "weight_names", exchanged(one, two))

    require_told(saved, path, "ORDER", "weight_names")


def test_layers_of_a_nested_model_in_three_runs_are_told(saved, tmp_path):
    def change(names):
        firsts = {f"Encoder-{at}-FeedForward": at for at in (1, 2)}
        parts = {layer: [name for name in names if name.startswith(f"{layer}/")] for layer in firsts}
        norms = [name for name in names if name.startswith("Encoder-1-FeedForward-Norm/")]
        rest = [name for name in names if name not in (*parts[FORWARD], *parts["Encoder-2-FeedForward"], *norms)]
        return [*rest, *norms, *parts["Encoder-2-FeedForward"], *parts[FORWARD]]

    path = reordered(saved / "nested.h5", tmp_path / "a.h5", "bert_0", "weight_names", change)
    require_told(saved, path, "ORDER", "is listed before", "in weight_names")


@pytest.mark.parametrize("name", ["weights.h5", "nested.h5"])
def test_long_lists_in_pieces_are_read(name, saved, tmp_path):
    """Keras cuts a list that does not fit into 64 kB."""
    (tmp_path / "w.h5").write_bytes((saved / name).read_bytes())
    group, attribute = ("/", "layer_names") if name == "weights.h5" else ("bert_0", "weight_names")
    with h5py.File(tmp_path / "w.h5", "r+") as file:
        names = list(file[group].attrs[attribute])
        del file[group].attrs[attribute]
        file[group].attrs[f"{attribute}0"], file[group].attrs[f"{attribute}1"] = names[:9], names[9:]
    safeload.check_bert(saved / "bert_config.json", tmp_path / "w.h5", training=True)

    with h5py.File(tmp_path / "w.h5", "r+") as file:
        del file[group].attrs[f"{attribute}1"]
    require_told(saved, tmp_path / "w.h5", "ORDER")


@pytest.mark.parametrize("name", ["weights.h5", "nested.h5"])
def test_names_without_a_list_are_read_by_name(name, saved, tmp_path):
    (tmp_path / "w.h5").write_bytes((saved / name).read_bytes())
    with h5py.File(tmp_path / "w.h5", "r+") as file:
        groups = [file]
        file.visititems(lambda _, each: groups.append(each) if isinstance(each, h5py.Group) else None)
        for group in groups:
            for attribute in ("layer_names", "weight_names"):
                group.attrs.pop(attribute, None)

    safeload.check_bert(saved / "bert_config.json", tmp_path / "w.h5", training=True)
