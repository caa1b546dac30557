"""Build a BERT with keras-bert, fill every variable once, and verify the result."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from safeload._bytes.paths import close_names
from safeload._tensors import holds, tensor_of
from safeload.bert.builders.keras_tracing import trace_alike_layers_once
from safeload.errors import ArgumentError, BackendError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from safeload._frameworks.tensorflow import KerasBert
    from safeload.bert._arguments import BuildOptions
    from safeload.bert._config import BertConfig

_INITIALISED = ("Embedding-Task/embeddings",)


def build(backend: KerasBert, config: BertConfig, options: BuildOptions) -> tuple[Any, dict[str, Callable[[], Any]]]:
    """Build the model graph with keras-bert, and defer the initialisers, whose values are usually overwritten.

    Returns:
        The model, and the deferred initialiser of each variable.

    Raises:
        ArgumentError: A prefix of `trainable` matches no layer.
        BackendError: keras-bert failed.

    Source:
        keras_bert/loader.py, build_model_from_config; keras_bert/bert.py, get_model: keras-bert 0.89.0.
    """
    tf = backend.tf
    deferred: dict[str, Callable[[], Any]] = {}

    def create_unfilled(next_creator: Callable[..., Any], **kwargs: Any) -> Any:  # noqa: ANN401  (TensorFlow's own)
        shape, dtype, initial = kwargs["shape"], kwargs["dtype"], kwargs["initial_value"]
        if shape is None:  # the state of a random generator, not a weight
            return next_creator(**kwargs)
        kwargs["initial_value"] = lambda: tf.raw_ops.Empty(shape=shape, dtype=dtype)
        variable = next_creator(**kwargs)
        deferred[graph_name(variable)] = initial
        return variable

    try:
        with trace_alike_layers_once(tf), tf.variable_creator_scope(create_unfilled):
            model = tf.autograph.experimental.do_not_convert(build_graph)(backend, config, options)
    except Exception as exc:
        raise _backend_error("keras-bert could not build the model", exc, config) from exc
    _set_trainable(model, options)
    return model, deferred


def build_graph(backend: KerasBert, config: BertConfig, options: BuildOptions) -> Any:  # noqa: ANN401  (a Keras model)
    """Call keras-bert as its own loader does, but with a config that is already validated."""
    seq_len = options.seq_len
    positions = config.max_position_embeddings
    if seq_len is not None:
        seq_len = positions = min(seq_len, positions)
    layers = options.output_layer_num
    model = backend.keras_bert.get_model(
        token_num=config.vocab_size,
        pos_num=positions,
        seq_len=seq_len,
        embed_dim=config.hidden_size,
        transformer_num=config.num_hidden_layers,
        head_num=config.num_attention_heads,
        feed_forward_dim=config.intermediate_size,
        feed_forward_activation=config.hidden_act,
        training=options.training,
        trainable=options.trainable if isinstance(options.trainable, bool) else True,
        output_layer_num=list(layers) if isinstance(layers, tuple) else layers,
        **options.model_options,
    )
    if options.training:
        return model
    inputs, outputs = model
    return backend.tf.keras.models.Model(inputs=inputs, outputs=outputs)


def _set_trainable(model: Any, options: BuildOptions) -> None:  # noqa: ANN401  (a Keras model)
    """Apply a list of prefixes; keras-bert documents such a list, but Keras 2.15 rejects it in the first layer."""
    prefixes = options.trainable
    if isinstance(prefixes, bool):
        return
    names = [layer.name for layer in model.layers]
    for prefix in prefixes:
        if not any(name.startswith(prefix) for name in names):
            message = f"trainable: no layer's name starts with {prefix!r}"
            close = close_names(prefix, names)
            hints = [f"did you mean {close[0]!r}?"] if close else []
            hints.append("the layers are " + ", ".join(names[:6]) + ", ...")
            raise ArgumentError(message, argument="trainable", given=prefix, hints=hints)
    for layer in model.layers:
        if layer.name != "Encoder-Output":
            layer.trainable = layer.name.startswith(prefixes)


def initialise(model: Any, deferred: Mapping[str, Callable[[], Any]]) -> None:  # noqa: ANN401  (a Keras model)
    """Run the deferred initialisers."""
    for variable in _unique(model.weights):
        variable.assign(deferred[graph_name(variable)]())


def fill(
    backend: KerasBert,
    model: Any,  # noqa: ANN401  (a Keras model)
    values: dict[str, NDArray[Any]],
    deferred: Mapping[str, Callable[[], Any]] | None = None,
    *,
    config: BertConfig,
) -> tuple[str, ...]:
    """Fill every variable of the model graph exactly once, and verify the result.

    Args:
        backend: TensorFlow and keras-bert.
        model: The Keras model.
        values: Parameter -> verified values. Emptied, to free memory early.
        deferred: Variable -> deferred initialiser, for a graph that `build` made: every variable must then be filled or
            initialised. Without it, variables that are not BERT's keep their values.
        config: The config.

    Returns:
        The variables that no checkpoint has, which were initialised as keras-bert does.

    Raises:
        BackendError: A variable is missing, unknown, has another shape or dtype, or differs from the value it was given.
    """
    sources = {target_of(name).name: name for name in values}
    pairs = [(variable, sources.pop(graph_name(variable), None)) for variable in _unique(model.weights)]
    lost = [name for name in sources if not name.startswith("Encoder-")]
    if lost:
        raise _unproven(f"the model graph lacks the variable {lost[0]}", config)
    unknown = [variable for variable, name in pairs if name is None]
    strange = [name for variable in unknown if (name := graph_name(variable)) not in _INITIALISED]
    if strange and deferred is not None:
        raise _unproven(f"the model graph has the variable {strange[0]}, which no BERT checkpoint has", config)
    filled = [(variable, name) for variable, name in pairs if name is not None]
    for variable, name in filled:
        _require_same(variable, changed(values[name], target_of(name), variable), config)
    for variable, name in filled:
        _assign(backend, variable, changed(values.pop(name), target_of(name), variable), config)
    if deferred is None:
        return ()
    for variable in unknown:
        variable.assign(deferred[graph_name(variable)]())
    return tuple(graph_name(variable) for variable in unknown)


class Target(NamedTuple):
    """The variable that a parameter is copied to.

    Attributes:
        name: The variable's name in the model graph, without the output number.
        change: How the values are changed: "rows" keeps the first rows that fit, "transposed" transposes.
    """

    name: str
    change: Literal["", "rows", "transposed"] = ""


_TARGETS: dict[str, Target] = {
    "bert/embeddings/word_embeddings": Target("Embedding-Token/embeddings"),
    "bert/embeddings/position_embeddings": Target("Embedding-Position/embeddings", "rows"),
    "bert/embeddings/token_type_embeddings": Target("Embedding-Segment/embeddings"),
    "bert/embeddings/LayerNorm/gamma": Target("Embedding-Norm/gamma"),
    "bert/embeddings/LayerNorm/beta": Target("Embedding-Norm/beta"),
    "cls/predictions/transform/dense/kernel": Target("MLM-Dense/kernel"),
    "cls/predictions/transform/dense/bias": Target("MLM-Dense/bias"),
    "cls/predictions/transform/LayerNorm/gamma": Target("MLM-Norm/gamma"),
    "cls/predictions/transform/LayerNorm/beta": Target("MLM-Norm/beta"),
    "cls/predictions/output_bias": Target("MLM-Sim/bias"),
    "bert/pooler/dense/kernel": Target("NSP-Dense/kernel"),
    "bert/pooler/dense/bias": Target("NSP-Dense/bias"),
    "cls/seq_relationship/output_weights": Target("NSP/kernel", "transposed"),
    "cls/seq_relationship/output_bias": Target("NSP/bias"),
}
_LAYER = re.compile(r"bert/encoder/layer_(\d+)/(.+)")
_IN_LAYER = {
    "attention/self/query/kernel": "MultiHeadSelfAttention/{}_Wq",
    "attention/self/query/bias": "MultiHeadSelfAttention/{}_bq",
    "attention/self/key/kernel": "MultiHeadSelfAttention/{}_Wk",
    "attention/self/key/bias": "MultiHeadSelfAttention/{}_bk",
    "attention/self/value/kernel": "MultiHeadSelfAttention/{}_Wv",
    "attention/self/value/bias": "MultiHeadSelfAttention/{}_bv",
    "attention/output/dense/kernel": "MultiHeadSelfAttention/{}_Wo",
    "attention/output/dense/bias": "MultiHeadSelfAttention/{}_bo",
    "attention/output/LayerNorm/gamma": "MultiHeadSelfAttention-Norm/gamma",
    "attention/output/LayerNorm/beta": "MultiHeadSelfAttention-Norm/beta",
    "intermediate/dense/kernel": "FeedForward/{}_W1",
    "intermediate/dense/bias": "FeedForward/{}_b1",
    "output/dense/kernel": "FeedForward/{}_W2",
    "output/dense/bias": "FeedForward/{}_b2",
    "output/LayerNorm/gamma": "FeedForward-Norm/gamma",
    "output/LayerNorm/beta": "FeedForward-Norm/beta",
}


def target_of(parameter: str) -> Target:
    """Return the variable in which keras-bert keeps a parameter.

    Source:
        keras_bert/loader.py, load_model_weights_from_checkpoint, keras-bert 0.89.0.
    """
    inner = _LAYER.fullmatch(parameter)
    if inner is None:
        return _TARGETS[parameter]
    layer, _, part = _IN_LAYER[inner[2]].partition("/")
    layer = f"Encoder-{int(inner[1]) + 1}-{layer}"
    return Target(f"{layer}/{part.format(layer)}")


def changed(value: NDArray[Any], target: Target, variable: Any) -> NDArray[Any]:  # noqa: ANN401  (a tf.Variable)
    """Return a parameter's values in the layout of the variable."""
    if target.change == "transposed":
        return value.T
    return value[: variable.shape[0]] if target.change == "rows" else value


def graph_name(variable: Any) -> str:  # noqa: ANN401  (a tf.Variable)
    """Return a variable's name without the output number."""
    return str(variable.name).partition(":")[0]


def _unique(weights: list[Any]) -> list[Any]:
    return list({id(variable): variable for variable in weights}.values())


def _require_same(variable: Any, value: NDArray[Any], config: BertConfig) -> None:  # noqa: ANN401  (a tf.Variable)
    shape, dtype = tuple(variable.shape), variable.dtype.base_dtype.name
    if shape != value.shape or dtype != value.dtype.name:
        name = graph_name(variable)
        wanted = f"{shape} {dtype} in the model graph, {value.shape} {value.dtype.name} in the checkpoint"
        raise _unproven(f"the variable {name} is {wanted}", config)


def _assign(backend: KerasBert, variable: Any, value: NDArray[Any], config: BertConfig) -> None:  # noqa: ANN401
    variable.assign(tensor_of(backend.tf, value))
    if not holds(backend.tf, variable, value):
        raise _unproven(f"the variable {graph_name(variable)} does not hold the checkpoint's values", config)


def _unproven(message: str, config: BertConfig) -> BackendError:
    hints = ["please report this with the output of: pip list"]
    return BackendError(message, resolved=config.path, label="config", hints=hints)


def _backend_error(message: str, cause: Exception, config: BertConfig) -> BackendError:
    text = f"{message}: {type(cause).__name__}: {str(cause).strip().partition(chr(10))[0][:200]}"
    return BackendError(text, resolved=config.path, label="config", hints=["the exception above is the cause"])
