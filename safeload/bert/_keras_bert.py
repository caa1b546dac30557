"""Step 5 for BERT: keras-bert builds the model graph, every variable of it is filled once, and that is proven."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from safeload import _paths
from safeload._tensors import holds, tensor_of
from safeload.bert._keras_tracing import trace_alike_layers_once
from safeload.errors import ArgumentError, BackendError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from safeload.bert._arguments import BuildOptions
    from safeload.bert._backend import Backend
    from safeload.bert._config import BertConfig
    from safeload.bert._variables import BertVariable

_INITIALISED = ("Embedding-Task/embeddings",)


def build(backend: Backend, config: BertConfig, options: BuildOptions) -> tuple[Any, dict[str, Callable[[], Any]]]:
    """Let keras-bert build the model graph, without running initialisers whose values would be thrown away.

    Returns:
        The model, and for each variable of its graph the initialiser that was put off.

    Raises:
        ArgumentError: A prefix of `trainable` fits no layer.
        BackendError: keras-bert failed.

    Source:
        keras_bert/loader.py, build_model_from_config; keras_bert/bert.py, get_model: keras-bert 0.89.0.
    """
    tf = backend.tf
    put_off: dict[str, Callable[[], Any]] = {}

    def create_unfilled(next_creator: Callable[..., Any], **kwargs: Any) -> Any:  # noqa: ANN401  (TensorFlow's own)
        shape, dtype, initial = kwargs["shape"], kwargs["dtype"], kwargs["initial_value"]
        if shape is None:  # no weight of a layer: the state of a random generator, which is not put off
            return next_creator(**kwargs)
        kwargs["initial_value"] = lambda: tf.raw_ops.Empty(shape=shape, dtype=dtype)
        variable = next_creator(**kwargs)
        put_off[_graph_name(variable)] = initial
        return variable

    try:
        with trace_alike_layers_once(tf), tf.variable_creator_scope(create_unfilled):
            model = tf.autograph.experimental.do_not_convert(build_graph)(backend, config, options)
    except Exception as exc:
        raise _backend_error("keras-bert could not build the model", exc, config) from exc
    _set_trainable(model, options)
    return model, put_off


def build_graph(backend: Backend, config: BertConfig, options: BuildOptions) -> Any:  # noqa: ANN401  (a Keras model)
    """Call keras-bert as its own loader does, with a config that is already read."""
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
    """Apply a list of prefixes, which keras-bert documents and Keras 2.15 refuses inside its first layer."""
    prefixes = options.trainable
    if isinstance(prefixes, bool):
        return
    names = [layer.name for layer in model.layers]
    for prefix in prefixes:
        if not any(name.startswith(prefix) for name in names):
            message = f"trainable: no layer's name starts with {prefix!r}"
            close = _paths.close_names(prefix, names)
            hints = [f"did you mean {close[0]!r} ?"] if close else []
            hints.append("the layers are " + ", ".join(names[:6]) + ", ...")
            raise ArgumentError(message, argument="trainable", given=prefix, hints=hints)
    for layer in model.layers:
        if layer.name != "Encoder-Output":
            layer.trainable = layer.name.startswith(prefixes)


def initialise(model: Any, put_off: Mapping[str, Callable[[], Any]]) -> None:  # noqa: ANN401  (a Keras model)
    """Run the initialisers that were put off."""
    for variable in _unique(model.weights):
        variable.assign(put_off[_graph_name(variable)]())


def fill(
    backend: Backend,
    model: Any,  # noqa: ANN401  (a Keras model)
    variables: Mapping[str, BertVariable],
    values: dict[str, NDArray[Any]],
    put_off: Mapping[str, Callable[[], Any]] | None = None,
    *,
    config: BertConfig,
) -> tuple[str, ...]:
    """Fill every variable of the model graph exactly once, and prove it; `values` is used up.

    With `put_off`, the initialisers of a graph that safeload built, no variable may be left over. Without it the graph
    may have variables of the caller's own, which keep their values.

    Returns:
        The variables that no checkpoint has, now initialised as upstream does.

    Raises:
        BackendError: A variable of the graph has no value, another shape or dtype, or does not hold what was filled.
    """
    sources = {row.graph_name: row for row in variables.values()}
    pairs = [(variable, sources.pop(_graph_name(variable), None)) for variable in _unique(model.weights)]
    lost = [name for name in sources if not name.startswith("Encoder-")]
    if lost:
        raise _unproven(f"the model graph lacks the variable {lost[0]}", config)
    unknown = [variable for variable, row in pairs if row is None]
    strange = [name for variable in unknown if (name := _graph_name(variable)) not in _INITIALISED]
    if strange and put_off is not None:
        raise _unproven(f"the model graph has the variable {strange[0]}, which no BERT checkpoint has", config)
    for variable, row in pairs:
        if row is not None:
            _require_same(variable, _changed(values[row.spec.name], row, variable), config)
    for variable, row in pairs:
        if row is not None:
            _assign(backend, variable, _changed(values.pop(row.spec.name), row, variable), config)
    if put_off is None:
        return ()
    for variable in unknown:
        variable.assign(put_off[_graph_name(variable)]())
    return tuple(_graph_name(variable) for variable in unknown)


def _unique(weights: list[Any]) -> list[Any]:
    return list({id(variable): variable for variable in weights}.values())


def _graph_name(variable: Any) -> str:  # noqa: ANN401  (a tf.Variable)
    return str(variable.name).partition(":")[0]


def _changed(value: NDArray[Any], row: BertVariable, variable: Any) -> NDArray[Any]:  # noqa: ANN401  (a tf.Variable)
    if row.change == "transposed":
        value = value.T
    elif row.change == "rows":
        value = value[: variable.shape[0]]
    return value


def _require_same(variable: Any, value: NDArray[Any], config: BertConfig) -> None:  # noqa: ANN401  (a tf.Variable)
    shape, dtype = tuple(variable.shape), variable.dtype.base_dtype.name
    if shape != value.shape or dtype != value.dtype.name:
        name = _graph_name(variable)
        wanted = f"{shape} {dtype} in the model graph, {value.shape} {value.dtype.name} in the checkpoint"
        raise _unproven(f"the variable {name} is {wanted}", config)


def _assign(backend: Backend, variable: Any, value: NDArray[Any], config: BertConfig) -> None:  # noqa: ANN401
    variable.assign(tensor_of(backend.tf, value))
    if not holds(backend.tf, variable, value):
        raise _unproven(f"the variable {_graph_name(variable)} does not hold the checkpoint's values", config)


def _unproven(message: str, config: BertConfig) -> BackendError:
    hints = ["please report this with the output of: pip list"]
    return BackendError(message, resolved=config.path, label="config", hints=hints)


def _backend_error(message: str, cause: Exception, config: BertConfig) -> BackendError:
    reason = str(cause).strip().partition("\n")[0][:200]
    text = f"{message}: {type(cause).__name__}: {reason}"
    return BackendError(text, resolved=config.path, label="config", hints=["the error above this one is the cause"])
