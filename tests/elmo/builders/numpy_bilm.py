"""A biLM in NumPy and float64, one word and one step at a time: slow, plain, and independent of torch."""

from __future__ import annotations

import numpy as np

from tests.elmos import random_datasets


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def word_vector(values, options, ids):
    """Return the vector of one word from its 50 character ids, 1 to 261."""
    cnn = options["char_cnn"]
    characters = values["char_embed"].astype(float)[np.array(ids) - 1]
    activation = {"relu": lambda x: np.maximum(x, 0), "tanh": np.tanh}[cnn["activation"]]
    found = []
    for index, (width, _) in enumerate(cnn["filters"]):
        kernel, bias = values[f"CNN/W_cnn_{index}"][0].astype(float), values[f"CNN/b_cnn_{index}"]
        places = [
            np.tensordot(characters[at : at + width], kernel, 2) + bias for at in range(len(characters) - width + 1)
        ]
        found.append(activation(np.max(places, axis=0)))
    vector = np.concatenate(found)
    for layer in range(cnn["n_highway"]):
        group = {
            name: values[f"CNN_high_{layer}/{name}"] for name in ("W_carry", "b_carry", "W_transform", "b_transform")
        }
        gate = sigmoid(vector @ group["W_carry"] + group["b_carry"])
        vector = gate * np.maximum(vector @ group["W_transform"] + group["b_transform"], 0) + (1 - gate) * vector
    return vector @ values["CNN_proj/W_proj"] + values["CNN_proj/b_proj"]


def clipped(x, limit):
    return np.clip(x, -limit, limit) if limit else x


def run_cell(values, options, direction, layer, inputs, state):
    """Return the outputs of one LSTM over one sentence, and its last state."""
    lstm = options["lstm"]
    cell = {
        name: values[f"RNN_{direction}/RNN/MultiRNNCell/Cell{layer}/LSTMCell/{name}"] for name in ("W_0", "B", "W_P_0")
    }
    hidden, memory = state
    outputs = []
    for vector in inputs:
        into, new, forget, out = np.split(np.concatenate([vector, hidden]) @ cell["W_0"] + cell["B"], 4)
        memory = clipped(sigmoid(into) * np.tanh(new) + sigmoid(forget + 1) * memory, lstm["cell_clip"])
        hidden = clipped((sigmoid(out) * np.tanh(memory)) @ cell["W_P_0"], lstm["proj_clip"])
        outputs.append(hidden)
    return np.array(outputs), (hidden, memory)


class NumpyBiLm:
    """Layers of one sentence at a time; the state is kept from call to call."""

    def __init__(self, options, values=None):
        self.options = options
        self.values = values or random_datasets(options)
        lstm = options["lstm"]
        zeros = np.zeros(lstm["projection_dim"]), np.zeros(lstm["dim"])
        self.states = {(side, layer): zeros for side in (0, 1) for layer in range(lstm["n_layers"])}

    def layers(self, ids):
        """Return `(n_layers + 1, tokens, 2 * projection_dim)` for the character ids of a sentence with its marks."""
        vectors = np.array([word_vector(self.values, self.options, word) for word in ids])
        layers = [np.concatenate([vectors, vectors], axis=1)]
        sides = [vectors, vectors[::-1]]
        for layer in range(self.options["lstm"]["n_layers"]):
            for side in (0, 1):
                outputs, self.states[side, layer] = run_cell(
                    self.values, self.options, side, layer, sides[side], self.states[side, layer]
                )
                skip = layer and self.options["lstm"]["use_skip_connections"]
                sides[side] = outputs + sides[side] if skip else outputs
            layers.append(np.concatenate([sides[0], sides[1][::-1]], axis=1))
        return np.array(layers)
