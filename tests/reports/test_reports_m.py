"""Reports on ELMo in other forms, in Keras, and back to files."""

from __future__ import annotations

import numpy as np
import pytest

import safeload
from safeload import testing
from safeload._frameworks.tensorflow import require_keras_bert

SENTENCES = ["A good film", "Bad"]


@pytest.fixture
def elmo_text(tmp_path):
    """Return a function that makes the layer of a TF-Hub module for an output."""
    pytest.importorskip("keras_bert")
    require_keras_bert()  # a process has one Keras: that of the other tests
    from safeload.keras import ElmoText

    module = testing.write_elmo(tmp_path / "module", form="tensorflow/tf-hub")
    return lambda output: ElmoText(module, output=output)


def text_of(sentences):
    import tensorflow as tf

    return tf.constant(sentences)


def test_M1_a_variable_of_the_module_in_keras(elmo_text, said):
    import tensorflow as tf

    name = "module/bilm/CNN_high_0/b_carry"
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        carry = tf.compat.v1.get_variable(name, [8], use_resource=True)
        with pytest.raises(tf.errors.FailedPreconditionError, match=name):
            session.run(tf.sigmoid(carry))
    assert np.asarray(elmo_text("default")(text_of(SENTENCES))).all()
    said.handled(
        "`safeload.keras.ElmoText(folder)` reads the variables of the module, and fills each one before it returns"
    )


def test_M2_a_vector_for_each_word_of_a_module(elmo_text, said):
    assert elmo_text("elmo")(text_of(SENTENCES)).shape == (2, 3, 16)
    assert elmo_text("lstm_outputs2")(text_of([["A", "film"], ["Bad", ""]])).shape == (2, 2, 16)
    said.handled(
        '`safeload.keras.ElmoText(folder, output="elmo")` takes sentences or words, and returns any of the module\'s outputs'
    )


def test_M3_a_graph_of_tensorflow_1(elmo_text, said):
    import tensorflow as tf

    assert tf.executing_eagerly()
    assert safeload.report_of(elmo_text("default")).place == "SavedModel"
    said.handled(
        "only the module's variables are read, with eager execution or without TensorFlow; its graph is never imported"
    )


def test_M4_a_fine_tuned_elmo_as_hdf5(tiny_elmo, tmp_path, said):
    torch = pytest.importorskip("torch")
    elmo = safeload.load_elmo(tiny_elmo, backend="torch", requires_grad=True, dropout=0.0)
    ids = safeload.character_ids([["A", "good", "film"]])
    elmo(ids)["elmo_representations"][0].sum().backward()
    torch.optim.SGD(elmo.parameters(), 0.1).step()
    safeload.save_elmo(elmo, tmp_path / "tuned")
    again = safeload.load_elmo(tmp_path / "tuned", backend="torch", dropout=0.0)
    for parameters in (elmo, again):
        parameters.scalar_mix_0.gamma.data.fill_(1.0)
        for scalar in parameters.scalar_mix_0.scalar_parameters:
            scalar.data.fill_(0.0)
        parameters.eval().reset_states()
    found, wanted = (each(ids)["elmo_representations"][0].detach() for each in (again, elmo))
    assert torch.allclose(found, wanted, atol=1e-6)
    said.handled("`safeload.save_elmo(module, folder)` writes `options.json` and `weights.hdf5`, and verifies both")


def test_M5_the_elmo_embedder_of_allennlp_0(tiny_elmo, said):
    pytest.importorskip("torch")
    from safeload.compat.allennlp import ElmoEmbedder

    embedder = ElmoEmbedder(str(tiny_elmo / "options.json"), str(tiny_elmo / "weights.hdf5"))
    assert embedder.embed_sentence(["A", "good", "film"]).shape == (3, 3, 16)
    said.handled(
        "`from safeload.compat.allennlp import ElmoEmbedder` gives the class of AllenNLP 0.9, without AllenNLP"
    )


def test_M6_a_bilm_of_one_layer(tmp_path, said):
    folder = testing.write_elmo(tmp_path / "elmo", form="hdf5/one-layer")
    assert safeload.check_elmo(folder).naming == "one-layer"
    said.handled("bilm-tf's other names for a biLM of one layer, without MultiRNNCell, are known")
