"""Layers of a user beside keras-bert's in the files of Keras: nothing is read from a layer that may be another."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest

import safeload
from safeload import testing
from safeload._frameworks.tensorflow import require_keras_bert
from safeload.errors import AmbiguousCheckpointError, CorruptFileError, VariableMismatchError
from safeload.testing._bert import bert_tensors
from tests.bert.test_keras_files import checked, edited, save
from tests.command_line import safeload_cli

pytest.importorskip("keras_bert")
pytestmark = pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")

WITH_NAMES = ["weights.h5", "model.h5", "model.keras"]
OF_ENCODER = {"all.weights.h5": "keras-bert-numbered", "model.keras": "keras-bert-numbered"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return testing.write_bert(tmp_path_factory.mktemp("heads") / "source")


def built(folder, add):
    """Return a model with keras-bert's heads, and the outputs that `add` makes of them."""
    keras = require_keras_bert().tf.keras
    keras.backend.clear_session()
    model = safeload.load_bert(folder, training=True)
    return keras.Model(model.inputs, [*model.outputs, *add(keras.layers, model)])


def deep(layers, model):
    """Add a head so deep that NSP-Dense comes before MLM-Dense."""
    units = model.get_layer("NSP-Dense").units
    x = model.get_layer("NSP-Dense").output
    for name, size in (("a", units), ("b", 4), ("c", 4), ("d", 2)):
        x = layers.Dense(size, name=name)(x)
    return [x]


def require_values(found, n_values):
    wanted = bert_tensors()
    assert len(found.values) == n_values
    for parameter, values in found.values.items():
        np.testing.assert_array_equal(values, wanted[parameter], err_msg=parameter)
    assert not found.report.problems


def with_attention(layers, model):
    """Add a head with Keras's own layer of the name that keras-bert's has."""
    x = model.get_layer("Encoder-2-FeedForward-Norm").output
    return [layers.MultiHeadAttention(num_heads=3, key_dim=5, name="mine")(x, x)]


@pytest.mark.parametrize("name", WITH_NAMES)
def test_keras_s_own_attention_has_other_heads(name, folder, tmp_path):
    save(built(folder, with_attention), tmp_path / name)

    require_values(checked(folder / "bert_config.json", tmp_path / name, training=True), 46)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", WITH_NAMES)
def test_names_say_which_layers_are_the_model_s(name, training, folder, tmp_path):
    model = built(folder, deep)
    names = [layer.name for layer in model.layers]
    assert names.index("NSP-Dense") < names.index("MLM-Dense")
    save(model, tmp_path / name)

    found = checked(folder / "bert_config.json", tmp_path / name, training=training)
    require_values(found, 46 if training else 37)
    assert len(found.report.unused["task heads"]) == 8


def test_numbers_without_names_do_not(folder, tmp_path):
    save(built(folder, deep), tmp_path / "all.weights.h5")

    with pytest.raises(AmbiguousCheckpointError) as caught:
        safeload.check_bert(folder / "bert_config.json", tmp_path / "all.weights.h5", training=True)
    assert "make 3 layers ambiguous" in caught.value.message
    assert "MLM-Dense\n               may be layers/dense or layers/dense_1 or layers/dense_2 or absent" in str(
        caught.value
    )
    assert caught.value.candidates == ("layers/dense", "layers/dense_1", "layers/dense_2", "layers/dense_5")
    require_values(checked(folder / "bert_config.json", tmp_path / "all.weights.h5", training=False), 37)


def test_layers_without_weights_may_change_the_order_too(folder, tmp_path):
    def add(layers, model):
        x = model.get_layer("NSP").output
        for _ in range(4):
            x = layers.Activation("relu")(x)
        return [x]

    model = built(folder, add)
    names = [layer.name for layer in model.layers]
    assert names.index("NSP-Dense") < names.index("MLM-Dense")
    save(model, tmp_path / "all.weights.h5")

    with pytest.raises(AmbiguousCheckpointError):
        safeload.check_bert(folder / "bert_config.json", tmp_path / "all.weights.h5", training=True)


def parallel(layers, model):
    """Add a branch with the classes of the encoder's layers and other shapes, which comes before and after them."""
    x = layers.Embedding(5, 6, name="a")(model.inputs[0])
    x = layers.LayerNormalization(name="b")(x)
    for at in range(20):
        x = layers.Activation("relu", name=f"relu_{at}")(x)
    return [layers.LayerNormalization(name="c")(x)]


@pytest.mark.parametrize("name", OF_ENCODER)
def test_layers_of_other_shapes_are_no_layers_of_the_encoder(name, folder, tmp_path):
    save(built(folder, parallel), tmp_path / name)

    found = checked(folder / "bert_config.json", tmp_path / name, training=False)
    require_values(found, 37)
    assert found.report.naming == OF_ENCODER[name]


def same_shapes(kind):
    def add(layers, model):
        units = model.get_layer("NSP-Dense").units
        x = layers.Embedding(2, units, name="mine")(model.inputs[1])
        if kind == "norm":
            x = layers.LayerNormalization(name="my_norm")(layers.Embedding(3, units, name="other")(model.inputs[1]))
        return [layers.Activation("relu")(x)]

    return add


@pytest.mark.parametrize(
    ("kind", "layer"), [("embedding", "Embedding-Segment"), ("norm", "Encoder-1-FeedForward-Norm")]
)
def test_layers_of_the_same_shapes_may_be_the_encoder_s(kind, layer, folder, tmp_path):
    model = built(folder, same_shapes(kind))
    save(model, tmp_path / "all.weights.h5")
    save(model, tmp_path / "model.keras")

    with pytest.raises(AmbiguousCheckpointError, match=f"AMBIGUOUS  {layer}"):
        safeload.check_bert(folder / "bert_config.json", tmp_path / "all.weights.h5")
    for training in (True, False):
        found = checked(folder / "bert_config.json", tmp_path / "model.keras", training=training)
        require_values(found, 46 if training else 37)


def test_norms_whose_names_are_in_another_order_are_told(folder, tmp_path):
    save(built(folder, same_shapes("norm")), tmp_path / "model.keras")
    one, two = b"Encoder-1-FeedForward-Norm", b"Encoder-2-FeedForward-Norm"

    def exchange(data):
        return data.replace(one, b"between").replace(two, one).replace(b"between", two)

    path = edited(tmp_path / "model.keras", tmp_path / "exchanged.keras", exchange)
    with pytest.raises(CorruptFileError, match="renamed or exchanged"):
        safeload.check_bert(folder / "bert_config.json", path)


NESTED = {"weights.h5": ("keras-bert-nested", "bert_0/"), "model.h5": ("keras-bert-nested", "model_weights/bert_0/"),
          "all.weights.h5": ("keras-bert-numbered", "layers/functional/layers/"),
          "model.keras": ("keras-bert-numbered", "layers/functional/layers/")}  # fmt: skip


def nested(folder, *, training, n_encoders=1, frozen=()):
    keras = require_keras_bert().tf.keras
    keras.backend.clear_session()
    inner = [safeload.load_bert(folder, training=training) for _ in range(n_encoders)]
    for at, model in enumerate(inner):
        model._name = f"bert_{at}"
        for layer in model.layers:
            layer.trainable = not layer.name.startswith(frozen or "none")
    inputs = [keras.Input(each.shape[1:]) for each in inner[0].inputs]
    outputs = [model(inputs) for model in inner]
    firsts = [each[1] if training else each for each in outputs]
    return keras.Model(inputs, [keras.layers.Dense(3, name=f"mine_{at}")(x) for at, x in enumerate(firsts)])


@pytest.mark.parametrize(
    "frozen", ["", "Encoder-1-", "Embedding-", ("Encoder-1-FeedForward", "Encoder-2-Multi")], ids=str
)
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", NESTED)
def test_a_model_that_is_a_layer_of_another_loads(name, training, frozen, folder, tmp_path):
    save(nested(folder, training=training, frozen=frozen), tmp_path / name)

    found = checked(folder / "bert_config.json", tmp_path / name, training=training)
    require_values(found, 46 if training else 37)
    assert (found.report.naming, found.report.scope) == NESTED[name]


@pytest.mark.parametrize("name", NESTED)
def test_of_two_models_in_another_one_is_chosen_by_its_scope(name, folder, tmp_path):
    save(nested(folder, training=False, n_encoders=2), tmp_path / name)
    first = NESTED[name][1]
    second = first.replace("bert_0/", "bert_1/").replace("functional/", "functional_1/")

    with pytest.raises(AmbiguousCheckpointError) as caught:
        safeload.check_bert(folder / "bert_config.json", tmp_path / name)
    assert caught.value.candidates == tuple(sorted((first, second)))
    assert "pass scope, one of: " in str(caught.value)
    for scope in (first, second):
        report = safeload.check_bert(folder / "bert_config.json", tmp_path / name, scope=scope)
        assert report.scope == scope


def test_what_a_nested_model_lacks_is_told(folder, tmp_path):
    save(nested(folder, training=False), tmp_path / "weights.h5")
    with h5py.File(tmp_path / "weights.h5", "r+") as file:
        del file["bert_0/Encoder-1-FeedForward/Encoder-1-FeedForward_W1:0"]

    with pytest.raises(VariableMismatchError) as caught:
        safeload.check_bert(folder / "bert_config.json", tmp_path / "weights.h5")
    (problem,) = caught.value.report.problems
    assert (problem.kind, problem.name) == ("missing", "bert_0/Encoder-1-FeedForward/Encoder-1-FeedForward_W1:0")


def test_diff_pairs_the_layers_that_a_load_would_read(folder, tmp_path):
    model = built(folder, deep)
    save(model, tmp_path / "model.keras")
    save(model, tmp_path / "all.weights.h5")

    found = json.loads(safeload_cli("diff", folder, tmp_path / "model.keras", "--json", code=1).stdout)
    assert found["verdict"].partition(": ")[2].startswith("46 tensors equal; 8 tensors in one file only")
    found = json.loads(safeload_cli("diff", folder, tmp_path / "all.weights.h5", "--json", code=1).stdout)
    assert found["verdict"].partition(": ")[2].startswith("40 tensors equal; 20 tensors in one file only")
