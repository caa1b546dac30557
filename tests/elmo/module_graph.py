"""The graph of a TF-Hub module of an ELMo, as TensorFlow 2's compat mode builds it, saved as TensorFlow 1's SavedModel.

Source:
    allenai/bilm-tf, bilm/model.py; deepmipt/DeepPavlov, deeppavlov/models/elmo/elmo2tfhub.py, elmo_model.py and
    weight_layers.py: the calls of TensorFlow, in the order that names their variables.
"""

from __future__ import annotations

import warnings

import numpy as np

from safeload.elmo._characters import word_ids
from tests.elmo.bilm_graph import characters_of, tokens_of

SENTENCES = [["A", "good", "film", "."], ["Bad", "plot"]]
_N_STATES = 3
"""The most sentences of a batch, whose states DeepPavlov's module keeps."""


def save_module(tf, folder, options, *, is_of_google=True):
    """Save a module with random values.

    Args:
        tf: TensorFlow.
        folder: The folder to write to; it must not exist.
        options: The options of an ELMo.
        is_of_google: Whether the variables are those of google/elmo, or DeepPavlov's.

    Returns:
        Name -> what the graph computes for `SENTENCES`, without the sentence marks, by the names of google/elmo's outputs; and name ->
        values of every variable.
    """
    v1 = tf.compat.v1
    with warnings.catch_warnings(), tf.Graph().as_default(), v1.Session() as session:
        warnings.simplefilter("ignore")  # these calls are deprecated
        layers = _layers(tf, options, is_of_google=is_of_google)
        with v1.variable_scope("aggregation"):
            names = ("weights", "scaling") if is_of_google else ("elmo_output_ELMo_W", "elmo_output_ELMo_gamma")
            weights = v1.get_variable(names[0], [len(layers)])
            scale = v1.get_variable(names[1], [] if is_of_google else [1])
        shares = tf.unstack(tf.nn.softmax(weights + 1.0 / len(layers)))
        elmo = scale * tf.add_n([share * layer for share, layer in zip(shares, layers, strict=True)])
        random = np.random.default_rng(5)
        values = {each: random.standard_normal(each.shape).astype("float32") / 2 for each in v1.global_variables()}
        for variable, value in values.items():
            if variable.op.name == "bilm/char_embed" and not is_of_google:
                value[0] = 0
            if "Variable" in variable.op.name:
                value[...] = 0
        session.run([variable.assign(value) for variable, value in values.items()])
        found = dict(zip(("word_emb", *(f"lstm_outputs{each}" for each in range(1, len(layers)))), layers, strict=True))
        found["word_emb"] = found["word_emb"][..., : options["lstm"]["projection_dim"]]
        lengths = tf.constant([[len(words)] for words in SENTENCES], tf.float32)
        found |= {"elmo": elmo, "default": tf.reduce_sum(elmo, axis=1) / lengths}
        found = session.run(found)
        given = v1.placeholder(tf.string, [None], name="strings")
        v1.saved_model.simple_save(session, str(folder), {"strings": given}, {"elmo": elmo})
        (folder / "tfhub_module.pb").write_bytes(b"\x08\x03")
        return found, {variable.op.name: value for variable, value in values.items()}


def _layers(tf, options, *, is_of_google):
    v1, lstm = tf.compat.v1, options["lstm"]
    size, lengths = lstm["projection_dim"], [len(words) + 2 for words in SENTENCES]
    ids = np.zeros((len(SENTENCES), max(lengths), 50), np.int64)
    for row, words in zip(ids, SENTENCES, strict=True):
        row[: len(words) + 2] = [word_ids(word) for word in ("<S>", *words, "</S>")]
    with v1.variable_scope("bilm"):
        table = characters_of(tf, options, 261 if is_of_google else 262)
        characters = tf.nn.embedding_lookup(table, np.maximum(ids - 1, 0) if is_of_google else ids)
        (tokens,) = tokens_of(tf, options, [characters])
        sides = []
        for direction, first in enumerate((tokens, tf.reverse_sequence(tokens, lengths, seq_axis=1, batch_axis=0))):
            inputs, outputs = first, []
            for layer in range(lstm["n_layers"]):
                clips = {"cell_clip": lstm["cell_clip"], "proj_clip": lstm["proj_clip"]}
                cell = v1.nn.rnn_cell.LSTMCell(lstm["dim"], num_proj=size, **clips)
                if layer:
                    cell = v1.nn.rnn_cell.ResidualWrapper(cell)
                start = [tf.zeros([len(SENTENCES), units]) for units in cell.state_size]
                if not is_of_google:
                    states = [v1.Variable(tf.zeros([_N_STATES, units]), trainable=False) for units in cell.state_size]
                    start = [state[: len(SENTENCES)] for state in states]
                with v1.variable_scope(f"RNN_{direction}/RNN/MultiRNNCell/Cell{layer}"):
                    state = v1.nn.rnn_cell.LSTMStateTuple(*start)
                    inputs, _ = v1.nn.dynamic_rnn(cell, inputs, sequence_length=lengths, initial_state=state)
                outputs.append(
                    inputs if not direction else tf.reverse_sequence(inputs, lengths, seq_axis=1, batch_axis=0)
                )
            sides.append(outputs)
    layers = [tf.concat([tokens, tokens], axis=-1), *(tf.concat(each, axis=-1) for each in zip(*sides, strict=True))]
    mask = np.arange(max(lengths))[None] < np.array(lengths)[:, None] - 1
    return [(layer * mask[..., None].astype("float32"))[:, 1:-1] for layer in layers]
