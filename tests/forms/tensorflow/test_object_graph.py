"""The names of a TensorFlow 2 checkpoint's variables, by its object graph."""

from __future__ import annotations

import numpy as np
import pytest

from safeload import errors
from safeload._forms.tensorflow import object_graph
from safeload._forms.tensorflow.index_file import GRAPH
from safeload._forms.tensorflow.object_graph import VALUE, GraphTooLargeError, names_of
from safeload.testing import write_checkpoint
from safeload.testing._object_graph import write_objects
from tests.forms.tensorflow.graph_writer import attribute, child, graph, slot
from tests.opened import opened_checkpoint


def named(full_names):
    """Return the names of variables: key without its end -> full name."""
    found = graph(*([attribute(name, key + VALUE)] for key, name in full_names.items()))
    return names_of(found, [key + VALUE for key in full_names])


def write(folder, found, **tensors):
    """Write a checkpoint with a graph, and return its prefix."""
    values = {key: np.array([number], np.float32) for number, key in enumerate(tensors.values())}
    write_checkpoint(folder / "x", {**values, GRAPH: np.array(found, object)})
    return folder / "x"


# as TensorFlow writes them


@pytest.fixture
def tf():
    return pytest.importorskip("tensorflow")


def names_in(prefix):
    """Return key without its end -> name, and that the values are the graph's."""
    with opened_checkpoint(prefix) as bundle:
        return {entry.name.removesuffix(VALUE): name for name, entry in bundle.variables.items()}


def test_a_variable_has_its_full_name(tf, tmp_path):
    module = tf.Module()
    module.kernel = tf.Variable([1.0], name="dense/kernel")
    module.again = module.kernel
    module.flag = tf.Variable(True)
    saved = tf.train.Checkpoint(model=module, alias=module.kernel, words=tf.Variable(["a"], name="words"))

    assert names_in(saved.save(str(tmp_path / "x"))) == {
        "alias": "dense/kernel",
        "model/flag": "model/flag",
        "words": "words",
        "save_counter": "save_counter",
    }


def optimizers(tf):
    keras = tf.keras.optimizers
    try:
        return [keras.legacy.Adam(), keras.Adam()]
    except (AttributeError, ImportError):  # Keras 3
        return [pytest.importorskip("tf_keras").optimizers.legacy.Adam()]


def test_a_slot_is_named_after_its_variable(tf, tmp_path):
    for optimizer in [tf.compat.v1.train.AdamOptimizer(), *optimizers(tf)]:
        kernel = tf.Variable([1.0], name="dense/kernel")
        optimizer.apply_gradients([(tf.ones_like(kernel), kernel)])
        names = names_in(tf.train.Checkpoint(kernel=kernel, optimizer=optimizer).save(str(tmp_path / "x")))

        slots = {name for name in names.values() if name.startswith("dense/kernel/")}
        assert slots in ({"dense/kernel/m", "dense/kernel/v"}, {"dense/kernel/Adam", "dense/kernel/Adam_1"})


def test_what_safeload_writes_tensorflow_restores(tf, tmp_path):
    tensors = {"a/kernel": np.ones((2, 3), np.float32), "a/bias": np.arange(3, dtype=np.float32)}
    write_objects(tmp_path / "x", tensors)
    variables = [tf.Variable(tf.zeros(values.shape)) for values in tensors.values()]
    tf.train.Checkpoint(model=variables).read(str(tmp_path / "x")).assert_consumed()

    for variable, values in zip(variables, tensors.values(), strict=True):
        np.testing.assert_array_equal(variable.numpy(), values)
    with opened_checkpoint(tmp_path / "x") as bundle:
        assert list(bundle.tensors) == list(tensors)
        np.testing.assert_array_equal(bundle.read(["a/bias"])["a/bias"], tensors["a/bias"])


# names


def test_a_variable_without_a_name_has_its_key():
    assert named({"a": "Variable", "b": "Variable", "c": "Variable_3", "d": "", "e": "Variables"}) == {
        f"{key}{VALUE}": "Variables" if key == "e" else key for key in "abcde"
    }


def test_variables_that_share_a_name_keep_their_keys():
    assert named({"a/x": "kernel", "b/x": "kernel", "c": "bias"}) == {
        f"a/x{VALUE}": f"a/x{VALUE}",
        f"b/x{VALUE}": f"b/x{VALUE}",
        f"c{VALUE}": "bias",
    }


def test_other_tensors_keep_their_keys():
    found = graph([attribute("a", f"a{VALUE}"), attribute("t", "t/.ATTRIBUTES/table-keys")])

    assert names_of(found, [f"a{VALUE}", "t/.ATTRIBUTES/table-keys", "x"]) == {
        f"a{VALUE}": "a",
        "t/.ATTRIBUTES/table-keys": "t/.ATTRIBUTES/table-keys",
        "x": "x",
    }


def test_one_variable_may_be_reached_by_several_nodes():
    assert names_of(graph([attribute("a", f"k{VALUE}")], [attribute("a", f"k{VALUE}")]), [f"k{VALUE}"]) == {
        f"k{VALUE}": "a"
    }


def test_the_slots_of_new_optimizers_are_known_by_their_place():
    key = "optimizer/_variables/1"

    assert named({"a": "kernel", key: "Adam/m/kernel", "b": "Adam/v/kernel"}) == {
        f"a{VALUE}": "kernel",
        f"{key}{VALUE}": "kernel/m",
        f"b{VALUE}": "Adam/v/kernel",
    }
    assert named({"a": "kernel", key: "Adam/m/x"})[f"{key}{VALUE}"] == "Adam/m/x"


def test_references_between_objects_are_not_followed():
    cycle = graph([child(1, "a"), child(9, "b")], [child(0, "a"), attribute("x", f"a{VALUE}")])

    assert names_of(cycle, [f"a{VALUE}"]) == {f"a{VALUE}": "x"}


# damage


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (graph([]), f"the object graph does not name a{VALUE}"),
        (graph([attribute("a", f"a{VALUE}"), attribute("b", f"b{VALUE}")]),
         f"the object graph names b{VALUE}, which the checkpoint does not have"),
        (graph([attribute("a", f"a{VALUE}")], [attribute("b", f"a{VALUE}")]), f"the object graph gives two names to a{VALUE}"),
        (graph([attribute("a", f"a{VALUE}"), slot(0, "m", 9)]), "object 0 refers to one that the object graph does not have"),
        (graph([attribute("a", f"a{VALUE}"), slot(-1, "m", 0)]), "object 0 refers to one that the object graph does not have"),
        (b"\x0a\x7f", "a field runs past the end"),
        (b"\x08\x01", "expected a message"),
    ],
)  # fmt: skip
def test_a_damaged_graph_is_an_error(found, text, tmp_path):
    prefix = write(tmp_path, found, a=f"a{VALUE}")
    with pytest.raises(errors.CorruptFileError) as caught:
        opened_checkpoint(prefix)

    assert caught.value.message == f"the checkpoint's object graph is damaged: {text}"
    assert caught.value.resolved == f"{prefix}.data-00000-of-00001"


def test_a_graph_that_is_no_string_is_an_error(tmp_path):
    write_checkpoint(tmp_path / "x", {GRAPH: np.zeros(2, np.float32)})
    with pytest.raises(errors.CorruptFileError, match="the object graph is not one string"):
        opened_checkpoint(tmp_path / "x")


def test_a_byte_of_the_graph_that_changed_is_an_error(tmp_path):
    write_objects(tmp_path / "x", {"a": np.ones(3, np.float32)})
    shard = tmp_path / "x.data-00000-of-00001"
    data = bytearray(shard.read_bytes())
    data[-5] ^= 1
    shard.write_bytes(data)
    with pytest.raises(errors.CorruptFileError, match="damaged in the checkpoint") as caught:
        opened_checkpoint(tmp_path / "x")

    assert caught.value.variables == (GRAPH,)


@pytest.mark.parametrize(
    ("limit", "text"),
    [
        ("MAX_NODES", "it has more than 1 objects"),
        ("MAX_FIELDS", "it has more than 1 fields"),
        ("MAX_GRAPH_BYTES", "the names of its slots have more than 1 bytes"),
        ("MAX_KEY_BYTES", "it has a name of 6 bytes; at most 1 are read"),
    ],
)
def test_limits(limit, text, monkeypatch):
    monkeypatch.setattr(object_graph, limit, 1)
    keys = [f"a{VALUE}", f"b{VALUE}"]
    found = graph([attribute("kernel", keys[0])], [attribute("m", keys[1])], [slot(0, "m", 1)])
    with pytest.raises(GraphTooLargeError) as caught:
        names_of(found, keys)

    assert str(caught.value) == text


def test_a_slot_of_a_slot_is_named_after_that_slot_s_own_name():
    """Names must not grow with the length of a chain of slots."""
    keys = [f"{key}{VALUE}" for key in "abc"]
    nodes = [[attribute(name, key)] for name, key in zip("abc", keys, strict=True)]
    found = graph(*nodes, [slot(0, "m", 1), slot(1, "m", 2)])

    assert names_of(found, keys) == dict(zip(keys, ["a", "a/m", "b/m"], strict=True))
