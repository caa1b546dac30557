"""The graph that bilm-tf trains, as TensorFlow 2's compat mode builds it, saved by TensorFlow 1's Saver.

Source:
    allenai/bilm-tf, bilm/training.py, LanguageModel and train: the calls of TensorFlow, in the order that names their variables.
"""

from __future__ import annotations

import json
import warnings

import numpy as np

N_STEPS, BATCH = 1, 2
VOCABULARY = 9


def of_training(options):
    """Return the options that bilm-tf writes beside its checkpoints."""
    characters = {**options["char_cnn"], "n_characters": 261}
    training = {
        "n_tokens_vocab": VOCABULARY,
        "batch_size": BATCH,
        "unroll_steps": N_STEPS,
        "n_epochs": 1,
        "dropout": 0.1,
    }
    return {**options, "char_cnn": characters, "bidirectional": True, "all_clip_norm_val": 10.0, **training}


def save_training(tf, folder, options, *, words=False, step=12):
    """Save a biLM as bilm-tf does, with random values in place of trained ones.

    Args:
        tf: TensorFlow.
        folder: The folder to write to.
        options: The options of an ELMo.
        words: Whether the biLM reads words, and no characters.
        step: The number of the checkpoint.

    Returns:
        Name -> values of every variable of the graph.
    """
    v1 = tf.compat.v1
    folder.mkdir(exist_ok=True)
    (folder / "options.json").write_text(json.dumps(of_training(options)))
    with warnings.catch_warnings(), tf.Graph().as_default(), v1.Session() as session:
        warnings.simplefilter("ignore")  # these calls are deprecated
        global_step = v1.get_variable("global_step", [], initializer=v1.constant_initializer(0), trainable=False)
        v1.get_variable("train_perplexity", [], initializer=v1.constant_initializer(0.0), trainable=False)
        optimizer = v1.train.AdagradOptimizer(0.2, initial_accumulator_value=1.0)
        with v1.variable_scope("lm"):
            _build(tf, options, words=words)
        gradients = [
            (tf.zeros_like(variable), variable) for variable in v1.trainable_variables()
        ]  # those of the loss are slow
        optimizer.apply_gradients(gradients, global_step=global_step)
        saver = v1.train.Saver(v1.global_variables(), max_to_keep=2)
        random = np.random.default_rng(2)
        values = {each: random.standard_normal(each.shape).astype("float32") / 4 for each in v1.global_variables()}
        session.run([variable.assign(value) for variable, value in values.items()])
        saver.save(session, str(folder / "model.ckpt"), global_step=step)
        return {variable.op.name: value for variable, value in values.items()}


def _build(tf, options, *, words):
    v1, lstm = tf.compat.v1, options["lstm"]
    size = lstm["projection_dim"]
    if words:
        table = v1.get_variable("embedding", [VOCABULARY, size], dtype="float32")
        ids = np.arange(BATCH * N_STEPS, dtype=np.int64).reshape(BATCH, N_STEPS) % VOCABULARY
        tokens = [tf.nn.embedding_lookup(table, each) for each in (ids, ids[:, ::-1])]
    else:
        table = characters_of(tf, options, 261)
        ids = np.random.default_rng(1).integers(0, 261, (BATCH, N_STEPS, 50))
        tokens = tokens_of(tf, options, [tf.nn.embedding_lookup(table, each) for each in (ids, ids[:, ::-1])])
    for direction, inputs in enumerate(tokens):
        cells = []
        for layer in range(lstm["n_layers"]):
            clips = {"cell_clip": lstm["cell_clip"], "proj_clip": lstm["proj_clip"]}
            cell = v1.nn.rnn_cell.LSTMCell(lstm["dim"], num_proj=size, **clips)
            if layer and lstm["use_skip_connections"]:
                cell = v1.nn.rnn_cell.ResidualWrapper(cell)
            cells.append(v1.nn.rnn_cell.DropoutWrapper(cell, input_keep_prob=0.9))
        cell = v1.nn.rnn_cell.MultiRNNCell(cells) if len(cells) > 1 else cells[0]
        with v1.variable_scope(f"RNN_{direction}"):
            states = cell.zero_state(BATCH, "float32")
            v1.nn.static_rnn(cell, tf.unstack(inputs, axis=1), initial_state=states)
    with v1.variable_scope("softmax"):
        v1.get_variable("W", [VOCABULARY, size], initializer=v1.random_normal_initializer(0.0, size**-0.5))
        v1.get_variable("b", [VOCABULARY], initializer=v1.constant_initializer(0.0))


def characters_of(tf, options, n_characters):
    """Return the table of the characters' vectors."""
    v1, dim = tf.compat.v1, options["char_cnn"]["embedding"]["dim"]
    return v1.get_variable("char_embed", [n_characters, dim], initializer=v1.random_uniform_initializer(-1.0, 1.0))


def tokens_of(tf, options, characters):
    """Return the vectors of tokens, `(batch, tokens, units)`, for each tensor of their characters' vectors."""
    v1, cnn = tf.compat.v1, options["char_cnn"]
    size = options["lstm"]["projection_dim"]
    found = []
    for number, each in enumerate(characters):
        with v1.variable_scope("CNN", reuse=number > 0):
            found.append(_convolutions(tf, each, cnn))
    n_filters = sum(number for _, number in cnn["filters"])
    with v1.variable_scope("CNN_proj"):
        project = v1.get_variable(
            "W_proj", [n_filters, size], initializer=v1.random_normal_initializer(0.0, n_filters**-0.5)
        )
        shift = v1.get_variable("b_proj", [size], initializer=v1.constant_initializer(0.0))
    for layer in range(cnn["n_highway"]):
        with v1.variable_scope(f"CNN_high_{layer}"):
            noise = v1.random_normal_initializer(0.0, n_filters**-0.5)
            carry = v1.get_variable("W_carry", [n_filters] * 2, initializer=noise)
            b_carry = v1.get_variable("b_carry", [n_filters], initializer=v1.constant_initializer(-2.0))
            transform = v1.get_variable("W_transform", [n_filters] * 2, initializer=noise)
            b_transform = v1.get_variable("b_transform", [n_filters], initializer=v1.constant_initializer(0.0))
        for number, each in enumerate(found):
            gate = tf.nn.sigmoid(tf.matmul(each, carry) + b_carry)
            found[number] = gate * tf.nn.relu(tf.matmul(each, transform) + b_transform) + (1.0 - gate) * each
    shape = [*characters[0].shape[:2], size]
    return [tf.reshape(tf.matmul(each, project) + shift, shape) for each in found]


def _convolutions(tf, characters, cnn):
    v1 = tf.compat.v1
    found = []
    for index, (width, number) in enumerate(cnn["filters"]):
        noise = v1.random_uniform_initializer(-0.05, 0.05)
        kernel = v1.get_variable(f"W_cnn_{index}", [1, width, cnn["embedding"]["dim"], number], initializer=noise)
        bias = v1.get_variable(f"b_cnn_{index}", [number], initializer=v1.constant_initializer(0.0))
        found.append(tf.nn.relu(tf.reduce_max(tf.nn.conv2d(characters, kernel, [1, 1, 1, 1], "VALID") + bias, axis=2)))
    return tf.reshape(tf.concat(found, 2), [-1, sum(number for _, number in cnn["filters"])])
