"""A BERT in transformers computes what the same files compute in keras-bert."""

from __future__ import annotations

import numpy as np
import pytest

import safeload
from safeload import testing
from tests.bert.torch_berts import IDS, MASK, SEGMENTS, inputs, required, write_loud

pytest.importorskip("keras_bert")
torch, transformers = required()

WORDS = np.array(MASK, bool)
ACTIVATIONS = ["gelu_erf", "gelu_tanh"]
FORMS = ["tensorflow", "safetensors"]


def in_torch(folder, **given):
    """Return the outputs of a model of transformers, with all hidden layers."""
    model = safeload.load_bert(folder, backend="transformers", **given)
    with torch.no_grad():
        return model(**inputs(torch), output_hidden_states=True)


def in_keras(folder, *more, **given):
    model = safeload.load_bert(folder, seq_len=len(IDS[0]), **given)
    return model.predict([np.array(IDS), np.array(SEGMENTS), *more], verbose=0)


def require_close(ours, theirs, atol):
    np.testing.assert_allclose(ours.numpy(), theirs, rtol=0, atol=atol)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("loud")
    return {form: write_loud(root / form, form) for form in FORMS}


@pytest.mark.filterwarnings("ignore::safeload.SafeLoadWarning")
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("form", FORMS)
def test_the_hidden_layers_are_equal(folders, form, activation):
    ours = in_torch(folders[form], activation=activation)

    for number in (0, 1):
        theirs = in_keras(folders[form], activation=activation, output_layer_num=[number])
        require_close(ours.hidden_states[number + 1][WORDS], theirs[WORDS], 1e-5)
    require_close(ours.last_hidden_state[WORDS], in_keras(folders[form], activation=activation)[WORDS], 1e-5)
    other = in_torch(folders[form], activation=ACTIVATIONS[activation == ACTIVATIONS[0]])
    assert (other.last_hidden_state - ours.last_hidden_state).abs().max() > 1e-5, (
        "the values tell one GELU from the other"
    )


@pytest.mark.filterwarnings("ignore::safeload.SafeLoadWarning")
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("form", FORMS)
def test_the_pooler_and_the_heads_are_equal(folders, form, activation):
    ours = in_torch(folders[form], activation=activation, training=True)
    model = safeload.load_bert(folders[form], seq_len=len(IDS[0]), activation=activation, training=True)
    keras = type(model)
    pooled = keras(model.inputs, model.get_layer("NSP-Dense").output)
    given = [np.array(IDS), np.array(SEGMENTS), np.ones_like(IDS)]
    tokens, following = model.predict(given, verbose=0)

    require_close(torch.softmax(ours.prediction_logits, -1)[WORDS], tokens[WORDS], 1e-5)
    require_close(torch.softmax(ours.seq_relationship_logits, -1), following, 1e-5)
    alone = in_torch(folders[form], activation=activation)
    require_close(alone.pooler_output, pooled.predict(given, verbose=0), 1e-5)


def test_a_bert_of_base_s_shapes_is_equal(tmp_path):
    folder = testing.write_bert(
        tmp_path, layers=12, hidden=768, attention_heads=12, intermediate=3072, vocab=30_522, positions=512
    )
    ours = in_torch(folder)
    model = safeload.load_bert(folder, seq_len=len(IDS[0]), output_layer_num=[0, 5, 11])
    theirs = np.split(model.predict([np.array(IDS), np.array(SEGMENTS)], verbose=0), 3, axis=-1)

    for number, layer in zip((11, 5, 0), theirs, strict=True):  # keras-bert puts the last one first
        require_close(ours.hidden_states[number + 1][WORDS], layer[WORDS], 1e-4)
