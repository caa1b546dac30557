from __future__ import annotations

import numpy as np
import pytest

from tests.forms.tensorflow.both_readers import assert_same


@pytest.fixture
def model():
    """Return a model with weights, a table of strings, an optimizer that has stepped, and a step count."""
    import tensorflow as tf

    module = tf.Module()
    module.kernel = tf.Variable(tf.random.normal([4, 3]), name="kernel")
    module.layers = [tf.Variable(tf.zeros([2, 2])), tf.Variable([1.5])]
    module.frozen = tf.Variable(["a", "b"], trainable=False)
    weights = [module.kernel, *module.layers]
    optimizer = tf.compat.v1.train.AdamOptimizer()
    optimizer.apply_gradients([(tf.ones_like(weight), weight) for weight in weights])
    return tf.train.Checkpoint(model=module, optimizer=optimizer, step=tf.Variable(7, dtype=tf.int64))


@pytest.mark.parametrize("method", ["save", "write"])
def test_an_object_based_checkpoint_with_its_optimizer_is_read(method, model, tmp_path):
    prefix = getattr(model, method)(str(tmp_path / "ckpt"))

    values = assert_same(prefix)

    assert sum("OPTIMIZER_SLOT" in name for name in values) == 6
    assert values["step/.ATTRIBUTES/VARIABLE_VALUE"] == 7


@pytest.fixture
def session():
    """Return a session with name-based variables, one of them partitioned, their Adam slots and a global step."""
    import tensorflow as tf

    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        partitioner = v1.fixed_size_partitioner(3)
        words = v1.get_variable("embeddings", [100, 4], partitioner=partitioner, use_resource=False)
        kernel = v1.get_variable("dense/kernel", [4, 2], use_resource=False)
        step = v1.train.get_or_create_global_step()
        loss = tf.reduce_sum(tf.matmul(tf.convert_to_tensor(words), kernel))
        train = v1.train.AdamOptimizer().minimize(loss, global_step=step)
        session.run(v1.global_variables_initializer())
        session.run(train)
        yield session


@pytest.mark.parametrize("sharded", [False, True])
def test_a_saver_s_checkpoint_with_slots_and_partitions_is_read(sharded, session, tmp_path):
    import tensorflow as tf

    prefix = tf.compat.v1.train.Saver(sharded=sharded).save(session, str(tmp_path / "model.ckpt"), global_step=1)

    values = assert_same(prefix)

    assert values["global_step"] == 1
    assert values["embeddings"].shape == values["embeddings/Adam_1"].shape == (100, 4)
    assert values["embeddings/Adam"].all()
    assert set(values) >= {"beta1_power", "beta2_power", "dense/kernel/Adam"}
    assert len(np.unique(values["embeddings"])) > 300
