"""Build a BERT with keras-bert, fill every variable once, and verify the result."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from safeload._bytes.mistyped import close_names
from safeload._frameworks.state import checks_numerics, require_eager, require_whole_floats
from safeload._frameworks.tensorflow import require_keras_bert
from safeload._tensors import holds, tensor_of
from safeload._text.words import counted, first_few
from safeload.bert.builders import Made
from safeload.bert.builders.keras_gelu import activation_for
from safeload.bert.builders.keras_targets import changed, target_of
from safeload.bert.builders.keras_tracing import trace_alike_layers_once
from safeload.errors import ArgumentError, BackendError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from safeload._frameworks.tensorflow import KerasBert
    from safeload._model_kind import Checked
    from safeload.bert._arguments import BuildOptions
    from safeload.bert._config import BertConfig

_INITIALISED = ("Embedding-Task/embeddings",)
_ENCODER_VARIABLE = re.compile(r"Encoder-\d+-(MultiHeadSelfAttention|FeedForward)(-Norm)?/")
_HEADS = ("MLM-", "NSP")


def make(checked: Checked[BertConfig], options: BuildOptions, vocabulary: Mapping[str, int]) -> Made:
    """Build the model of checked values, which are emptied.

    Raises:
        MissingDependencyError: TensorFlow, tf-keras or keras-bert is missing or does not work.
        ArgumentError: A prefix of `trainable` matches no layer.
        BackendError: As `build` and `fill`.
    """
    del vocabulary
    with checked.clock.step("import"):
        backend = require_keras_bert()
    with checked.clock.step("build"):
        model, deferred = build(backend, checked.config, options)
    with checked.clock.step("fill"):
        initialised = fill(backend, model, checked.values, deferred, config=checked.config)
    return Made(model, initialised, backend.versions)


def build(backend: KerasBert, config: BertConfig, options: BuildOptions) -> tuple[Any, dict[str, Callable[[], Any]]]:
    """Build the model graph with keras-bert, and defer the initialisers, whose values are usually overwritten.

    Returns:
        The model, and the deferred initialiser of each variable.

    Raises:
        ArgumentError: A prefix of `trainable` matches no layer.
        BackendError: keras-bert failed, or a setting of TensorFlow or Keras rules the build out.

    Source:
        keras_bert/loader.py, build_model_from_config; keras_bert/bert.py, get_model: keras-bert 0.89.0.
    """
    tf = backend.tf
    require_eager(tf)
    require_whole_floats(tf)
    zeros_only = checks_numerics(tf)  # memory that nobody wrote to may hold NaN
    deferred: dict[str, Callable[[], Any]] = {}

    def create_unfilled(next_creator: Callable[..., Any], **kwargs: Any) -> Any:  # noqa: ANN401  (TensorFlow's own)
        shape, dtype, initial = kwargs["shape"], kwargs["dtype"], kwargs["initial_value"]
        if shape is None:  # the state of a random generator, not a weight
            return next_creator(**kwargs)
        kwargs["initial_value"] = lambda: (tf.zeros if zeros_only else tf.raw_ops.Empty)(shape=shape, dtype=dtype)
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
        feed_forward_activation=activation_for(backend.tf, config.activation),
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
            initialised. Without it, the model is the caller's: variables that are not BERT's keep their values.
        config: The config.

    Returns:
        The variables that no checkpoint has, which were initialised as keras-bert does.

    Raises:
        ArgumentError: The caller's model is of other sizes, or lacks or adds layers of a BERT.
        BackendError: A variable is missing, unknown, has another shape or dtype, or differs from the value it was given;
            or TensorFlow is in graph mode.
    """
    require_eager(backend.tf)
    sources = {target_of(name).name: name for name in values}
    pairs = [(variable, sources.pop(graph_name(variable), None)) for variable in _unique(model.weights)]
    lost = [name for name in sources if not name.startswith("Encoder-")]
    unknown = [variable for variable, name in pairs if name is None]
    strange = [name for variable in unknown if (name := graph_name(variable)) not in _INITIALISED]
    filled = [(variable, name) for variable, name in pairs if name is not None]
    differing = [
        text
        for variable, name in filled
        if (text := _difference(variable, changed(values[name], target_of(name), variable)))
    ]
    if deferred is None:
        _require_same_model(filled, lost, strange, differing, config)
    elif lost:
        raise _unproven(f"the model graph lacks the variable {lost[0]}", config)
    elif strange:
        raise _unproven(f"the model graph has the variable {strange[0]}, which no BERT checkpoint has", config)
    elif differing:
        raise _unproven(f"the variable {differing[0]}", config)
    for variable, name in filled:
        _assign(backend, variable, changed(values.pop(name), target_of(name), variable), config)
    if deferred is None:
        return ()
    for variable in unknown:
        variable.assign(deferred[graph_name(variable)]())
    return tuple(graph_name(variable) for variable in unknown)


def graph_name(variable: Any) -> str:  # noqa: ANN401  (a tf.Variable)
    """Return a variable's name without the output number."""
    return str(variable.name).partition(":")[0]


def _unique(weights: list[Any]) -> list[Any]:
    return list({id(variable): variable for variable in weights}.values())


def _difference(variable: Any, value: NDArray[Any]) -> str:  # noqa: ANN401  (a tf.Variable)
    """Return what differs between a variable and the values for it, or "" if they fit."""
    shape, dtype = tuple(variable.shape), variable.dtype.base_dtype.name
    if (shape, dtype) == (value.shape, value.dtype.name):
        return ""
    found = f"{shape} {dtype} in the model graph, {value.shape} {value.dtype.name} in the checkpoint"
    return f"{graph_name(variable)} is {found}"


def _require_same_model(
    filled: list[tuple[Any, str]], lost: list[str], strange: list[str], differing: list[str], config: BertConfig
) -> None:
    """Require that a model of the caller's is the one that the config describes, but for layers of the caller's own."""
    extra = [name for name in strange if _ENCODER_VARIABLE.match(name)]
    rows = [f"{name} is not in the model" for name in lost]
    rows += [f"{name} is in no layer of the config" for name in extra]
    rows += differing
    if not rows:
        return
    hints = ["pass both values that build_model_from_config returns"]
    if lost and all(name.startswith(_HEADS) for name in lost):
        hints = ["build the model with training=True too, or leave training=True out"]
    elif extra:
        hints = [
            f"pass the config of this model; in the one that was passed, num_hidden_layers is {config.num_hidden_layers}"
        ]
    elif any(variable.dtype.base_dtype.size < 4 for variable, _ in filled):  # noqa: PLR2004  (the bytes of a float32)
        hints = ["call tf.keras.backend.set_floatx('float32') before the model is built"]
    raise ArgumentError(
        f"the model is not the one that the config describes: {counted(len(rows), 'variable')} cannot be filled",
        argument="model",
        resolved=config.path,
        label="config",
        details=first_few(rows, "the model"),
        hints=hints,
    )


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
