"""Compute a biLM with TensorFlow operations, directly on the datasets of the weight file.

Based on Peters et al., "Deep contextualized word representations" (2018), and the layout of bilm-tf's weight files.
TensorFlow is imported at the top; only `keras.py` beside this file imports this module.

Source:
    allennlp/modules/elmo.py, elmo_lstm.py, lstm_cell_with_projection.py, scalar_mix.py, AllenNLP 2.10.1;
    allenai/bilm-tf, bilm/model.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tensorflow as tf

from safeload.elmo import _characters
from safeload.elmo._parameters import CHAR_EMBED, DIRECTIONS, cell_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from safeload.elmo._options import ElmoOptions

State = tuple[Any, Any]
"""Outputs `(n_layers, batch, 2 * projection_dim)` and memory cells `(n_layers, batch, 2 * dim)`; forward, then backward."""

Values = Any
"""Dataset -> tensor, as a function, so that each is converted only where it is used."""

_EPSILON = 1e-13


def as_int32(ids: Any) -> Any:  # noqa: ANN401  (tensors)
    """Return character ids `(batch, tokens, 50)` as int32; a ragged batch is padded with 0.

    An id that does not fit int32 becomes -1, which is invalid; truncated to 32 bits it could be another character's id.
    """
    if isinstance(ids, tf.RaggedTensor):
        ids = ids.to_tensor(shape=[None, None, _characters.MAX_CHARACTERS_PER_TOKEN])
    found = tf.cast(ids, tf.int32)
    return found if ids.dtype == tf.int32 else tf.where(tf.equal(tf.cast(found, ids.dtype), ids), found, -1)


def with_boundaries(ids: Any) -> tuple[Any, Any]:  # noqa: ANN401  (tensors)
    """Add a mark before each sentence, and one behind its last token.

    Args:
        ids: Character ids `(batch, tokens, 50)` int32, 0 for absent tokens, which may stand anywhere.

    Returns:
        Ids `(batch, tokens + 2, 50)`, and the mask `(batch, tokens + 2)` bool of tokens and sentence marks.
    """
    begin, end = (tf.constant(_characters.word_ids(word), tf.int32) for word in ("<S>", "</S>"))
    shape = tf.shape(ids)
    first = tf.broadcast_to(begin, [shape[0], 1, shape[2]])
    rows = tf.concat([first, ids, tf.zeros_like(first)], axis=1)
    is_end = tf.range(shape[1] + 2)[tf.newaxis] == last_of(tokens_of(rows))[:, tf.newaxis] + 1
    rows = tf.where(is_end[..., tf.newaxis], end, rows)
    return rows, tokens_of(rows)


def tokens_of(ids: Any) -> Any:  # noqa: ANN401
    """Return the mask of tokens `(batch, tokens)` bool of character ids `(batch, tokens, 50)`."""
    return tf.reduce_any(ids > 0, axis=-1)


def last_of(mask: Any) -> Any:  # noqa: ANN401
    """Return the place of the last true value in each row of `(batch, tokens)`; there is one."""
    return tf.reduce_max(tf.range(tf.shape(mask)[1]) * tf.cast(mask, tf.int32), axis=1)


def bad_ids(ids: Any) -> Any:  # noqa: ANN401
    """Return which sentences have an invalid character id, `(batch,)` bool.

    For such an id XLA silently uses the nearest character and a GPU uses zeros; the caller makes those sentences NaN.
    """
    return tf.reduce_any((ids < 0) | (ids >= _characters.N_CHARACTERS), axis=[1, 2])


def inner_mask(mask: Any) -> Any:  # noqa: ANN401
    """Return the mask `(batch, tokens)` bool without the sentence marks."""
    is_end = tf.range(tf.shape(mask)[1])[tf.newaxis] == last_of(mask)[:, tf.newaxis]
    return (mask & ~is_end)[:, 1:-1]


def order_of(mask: Any) -> tuple[Any, Any]:  # noqa: ANN401
    """Return the order `(batch, tokens)` that puts the absent tokens of each row last, and the order that undoes it."""
    places = tf.range(tf.shape(mask)[1])[tf.newaxis]
    order = tf.argsort(tf.where(mask, places, places + tf.shape(mask)[1]), axis=1)
    return order, tf.argsort(order, axis=1)


def in_order(tokens: Any, order: Any) -> Any:  # noqa: ANN401
    """Return the tokens of each row of `(batch, tokens, units)` in the order `(batch, tokens)`.

    The gradient of `tf.gather` with `batch_dims` fails where a replica gets no row; this one does not.
    """
    rows = tf.range(tf.shape(order)[0])[:, tf.newaxis] + tf.zeros_like(order)
    return tf.ensure_shape(tf.gather_nd(tokens, tf.stack([rows, order], axis=-1)), tokens.shape)


def embed(ids: Any, value_of: Values, options: ElmoOptions) -> Any:  # noqa: ANN401
    """Encode words: character ids `(words, 50)` to vectors `(words, projection_dim)`.

    An invalid id is an error on a CPU, but not under XLA or on a GPU: see `bad_ids`.
    """
    n_words = tf.shape(ids)[0]
    ids = tf.pad(ids, [[0, tf.maximum(1 - n_words, 0)], [0, 0]])  # a convolution over no words has the wrong shape
    table = value_of(CHAR_EMBED)
    characters = tf.gather(tf.concat([tf.zeros_like(table[:1]), table], axis=0), ids)
    activation = {"relu": tf.nn.relu, "tanh": tf.tanh}[options.activation]
    found = []
    for index in range(len(options.filters)):
        kernel, bias = value_of(f"CNN/W_cnn_{index}"), value_of(f"CNN/b_cnn_{index}")
        strongest = tf.reduce_max(tf.nn.conv1d(characters, kernel[0], stride=1, padding="VALID"), axis=1)
        found.append(activation(strongest + bias))
    vectors = tf.concat(found, axis=-1)
    for layer in range(options.n_highway):
        group = f"CNN_high_{layer}"
        gate = tf.sigmoid(tf.matmul(vectors, value_of(f"{group}/W_carry")) + value_of(f"{group}/b_carry"))
        new = tf.nn.relu(tf.matmul(vectors, value_of(f"{group}/W_transform")) + value_of(f"{group}/b_transform"))
        vectors = gate * new + (1 - gate) * vectors
    return (tf.matmul(vectors, value_of("CNN_proj/W_proj")) + value_of("CNN_proj/b_proj"))[:n_words]


def run_lstms(
    tokens: Any,  # noqa: ANN401
    lengths: Any,  # noqa: ANN401
    value_of: Values,
    options: ElmoOptions,
    state: State,
) -> tuple[list[Any], State]:
    """Run the LSTMs of both directions.

    Args:
        tokens: Vectors `(batch, tokens, projection_dim)`.
        lengths: Number of tokens in each row, `(batch,)` int32; padding follows them.
        value_of: The datasets.
        options: The options.
        state: State of each row before its first step.

    Returns:
        Each layer's outputs `(batch, tokens, 2 * projection_dim)`, zeros after the end of each row; and the final state.
    """
    sides = [tf.transpose(tokens, [1, 0, 2])] * len(DIRECTIONS)
    layers, hidden, memory = [], [], []
    for layer in range(options.n_layers):
        starts = zip(tf.split(state[0][layer], 2, axis=-1), tf.split(state[1][layer], 2, axis=-1), strict=True)
        ends = []
        for direction, start in enumerate(starts):
            outputs, end = _run_cell(sides[direction], lengths, value_of, options, (direction, layer), start)
            sides[direction] = outputs + sides[direction] if layer and options.use_skip_connections else outputs
            ends.append(end)
        layers.append(tf.transpose(tf.concat(sides, axis=-1), [1, 0, 2]))
        hidden.append(tf.concat([end[0] for end in ends], axis=-1))
        memory.append(tf.concat([end[1] for end in ends], axis=-1))
    return layers, (tf.stack(hidden), tf.stack(memory))


def no_state(like: Any, n_rows: Any, options: ElmoOptions) -> State:  # noqa: ANN401
    """Return a state of zeros, in the dtype of `like`."""
    return (
        tf.zeros([options.n_layers, n_rows, 2 * options.projection_dim], like.dtype),
        tf.zeros([options.n_layers, n_rows, 2 * options.dim], like.dtype),
    )


def mix(layers: Sequence[Any], mask: Any, scalars: Any, gamma: Any, *, do_layer_norm: bool) -> Any:  # noqa: ANN401
    """Return `gamma * sum(softmax(scalars) * layers)`, of the shape of each layer, `(batch, tokens, units)`."""
    if do_layer_norm:
        layers = [_normalised(layer, tf.cast(mask, layer.dtype)[..., tf.newaxis]) for layer in layers]
    weights = tf.unstack(tf.nn.softmax(scalars), num=len(layers))
    return gamma * tf.add_n([weight * layer for weight, layer in zip(weights, layers, strict=True)])


def _normalised(layer: Any, mask: Any) -> Any:  # noqa: ANN401
    """Normalise over all tokens and units of the batch, as AllenNLP does.

    Half precision cannot count them: the largest float16 is 65504.
    """
    dtype = layer.dtype
    if dtype.size < tf.float32.size:
        layer, mask = tf.cast(layer, tf.float32), tf.cast(mask, tf.float32)
    count = tf.reduce_sum(mask) * layer.shape[-1]
    mean = tf.reduce_sum(layer * mask) / count
    variance = tf.reduce_sum(((layer * mask - mean) * mask) ** 2) / count
    return tf.cast((layer - mean) / tf.sqrt(variance + _EPSILON), dtype)


def _run_cell(
    inputs: Any,  # noqa: ANN401
    lengths: Any,  # noqa: ANN401
    value_of: Values,
    options: ElmoOptions,
    place: tuple[int, int],
    start: Sequence[Any],
) -> tuple[Any, State]:
    """Run one LSTM over `(tokens, batch, projection_dim)`; one product before the loop computes the gates' input part."""
    direction, _ = place
    cell, n_inputs = cell_of(*place), options.projection_dim
    kernel, bias, projection = (value_of(f"{cell}/{part}") for part in ("W_0", "B", "W_P_0"))
    n_steps, n_rows = tf.unstack(tf.shape(inputs)[:2])
    gates = tf.matmul(tf.reshape(inputs, [-1, n_inputs]), kernel[:n_inputs]) + bias
    gates = tf.TensorArray(inputs.dtype, n_steps).unstack(tf.reshape(gates, [n_steps, n_rows, 4 * options.dim]))
    recurrent = kernel[n_inputs:]

    def step(number: Any, hidden: Any, memory: Any, outputs: Any) -> tuple[Any, ...]:  # noqa: ANN401
        at = n_steps - 1 - number if direction else number
        into, new, forget, out = tf.split(gates.read(at) + tf.matmul(hidden, recurrent), 4, axis=1)
        new_memory = tf.sigmoid(into) * tf.tanh(new) + tf.sigmoid(forget + 1) * memory
        new_memory = _clipped(new_memory, options.cell_clip)
        output = _clipped(tf.matmul(tf.sigmoid(out) * tf.tanh(new_memory), projection), options.proj_clip)
        runs = (at < lengths)[:, tf.newaxis]
        outputs = outputs.write(at, tf.where(runs, output, tf.zeros_like(output)))
        hidden, memory = (  # whose shapes are kept: with a static batch of one, that of `runs` would make it unknown
            tf.ensure_shape(tf.where(runs, new, old), old.shape)
            for new, old in ((output, hidden), (new_memory, memory))
        )
        return number + 1, hidden, memory, outputs

    outputs = tf.TensorArray(inputs.dtype, n_steps, element_shape=[None, n_inputs])
    running: Callable[..., Any] = lambda number, *_: number < n_steps  # noqa: E731
    _, hidden, memory, outputs = tf.while_loop(
        running, step, (tf.constant(0), *start, outputs), maximum_iterations=n_steps
    )
    return tf.ensure_shape(outputs.stack(), inputs.shape), (hidden, memory)


def _clipped(values: Any, limit: float | None) -> Any:  # noqa: ANN401
    return tf.clip_by_value(values, -limit, limit) if limit else values


def stored_state(states: Mapping[str, Any], like: Any, n_rows: Any, options: ElmoOptions) -> State:  # noqa: ANN401
    """Return the stored state of the first `n_rows` rows, extended with zeros for a larger batch."""
    zeros = no_state(like, n_rows, options)
    kept = (tf.cast(states[name], like.dtype)[:, :n_rows] for name in ("hidden", "memory"))
    return tuple(tf.concat([old, zero[:, tf.shape(old)[1] :]], axis=1) for old, zero in zip(kept, zeros, strict=True))


def store_state(states: Mapping[str, Any], new: State) -> None:
    """Store the states for the next call; rows beyond this batch are unchanged."""
    for name, state in zip(("hidden", "memory"), new, strict=True):
        rest = states[name][:, tf.shape(state)[1] :]
        states[name].assign(tf.concat([tf.stop_gradient(tf.cast(state, rest.dtype)), rest], axis=1))
