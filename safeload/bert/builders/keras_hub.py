"""Build a BERT with KerasHub on any framework of Keras 3, fill every variable once, and verify the result."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from safeload._frameworks.keras_hub import require_keras_hub
from safeload._text.words import reason_of
from safeload.bert._runtimes import dropout_rates
from safeload.bert.builders import Made
from safeload.bert.builders.keras_engines import engine_of
from safeload.errors import BackendError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from safeload._frameworks.keras_hub import KerasHub
    from safeload._model_kind import Checked
    from safeload.bert._arguments import BuildOptions
    from safeload.bert._config import BertConfig
    from safeload.bert.builders.keras_engines import Engine

FLOAT = "float32"
_LOCK = threading.RLock()
_GENERATOR_STATE = "seed_generator_state"
"""The name of the variable that a layer with dropout has; it is no weight."""

_NORM, _DENSE = ("gamma", "beta"), ("kernel", "bias")
_TOP = (
    *((f"bert/embeddings/{ours}_embeddings", f"{theirs}_embedding/embeddings")
      for ours, theirs in (("word", "token"), ("position", "position"), ("token_type", "segment"))),
    *((f"bert/embeddings/LayerNorm/{part}", f"embeddings_layer_norm/{part}") for part in _NORM),
    *((f"bert/pooler/dense/{part}", f"pooled_dense/{part}") for part in _DENSE),
)  # fmt: skip
_IN_LAYER = (
    ("attention/self/query", "self_attention_layer/query", _DENSE),
    ("attention/self/key", "self_attention_layer/key", _DENSE),
    ("attention/self/value", "self_attention_layer/value", _DENSE),
    ("attention/output/dense", "self_attention_layer/attention_output", _DENSE),
    ("attention/output/LayerNorm", "self_attention_layer_norm", _NORM),
    ("intermediate/dense", "feedforward_intermediate_dense", _DENSE),
    ("output/dense", "feedforward_output_dense", _DENSE),
    ("output/LayerNorm", "feedforward_layer_norm", _NORM),
)
"""The paths of Keras's variables are the names of the layers that they are in."""


def make(checked: Checked[BertConfig], options: BuildOptions, vocabulary: Mapping[str, int]) -> Made:
    """Build the model of checked values, which are emptied.

    Raises:
        MissingDependencyError: KerasHub, Keras 3 or its framework is missing or does not work.
        BackendError: As `build` and `fill`.
    """
    del options, vocabulary
    with checked.clock.step("import"):
        backend = require_keras_hub()
    engine = engine_of(backend)
    with engine.scope():
        with checked.clock.step("build"):
            model = build(backend, engine, checked.config)
        with checked.clock.step("fill"):
            fill(engine, model, checked.values, checked.config)
    return Made(model, versions=backend.versions)


def build(backend: KerasHub, engine: Engine, config: BertConfig) -> Any:  # noqa: ANN401  (a keras_hub BertBackbone)
    """Build the backbone, and leave out the initialisers, whose values are all overwritten.

    Raises:
        BackendError: KerasHub failed, or a setting of Keras rules the build out.

    Source:
        keras_hub/src/models/bert/bert_backbone.py, BertBackbone.__init__, keras-hub 0.32.
    """
    _require_float32(backend.keras)
    _require_variables(backend.keras, engine)
    try:
        with _without_initialisers(backend.keras, engine):
            return backend.keras_hub.models.BertBackbone(
                vocabulary_size=config.vocab_size,
                num_layers=config.num_hidden_layers,
                num_heads=config.num_attention_heads,
                hidden_dim=config.hidden_size,
                intermediate_dim=config.intermediate_size,
                dropout=dropout_rates(config.raw)[0],
                max_sequence_length=config.max_position_embeddings,
                num_segments=config.type_vocab_size,
            )
    except Exception as exc:
        raise _failed("KerasHub could not build the model", exc, config) from exc


def fill(
    engine: Engine,
    model: Any,  # noqa: ANN401  (a keras_hub BertBackbone)
    values: dict[str, NDArray[Any]],
    config: BertConfig,
) -> None:
    """Fill every variable of a backbone exactly once, and verify the result.

    Args:
        engine: The framework that Keras uses.
        model: The backbone.
        values: Parameter -> verified values. Emptied, to free memory early.
        config: The config.

    Raises:
        BackendError: A variable is missing, unknown, has another shape or dtype, or differs from the value it was given.
    """
    filled = _pairs(model, values, config)
    for variable, parameter in filled:
        value = _arranged(values[parameter], parameter, config.num_attention_heads)
        found, wanted = (tuple(variable.shape), str(variable.dtype)), (value.shape, value.dtype.name)
        if found != wanted:
            sizes = [f"{shape} {dtype}" for shape, dtype in (found, wanted)]
            text = f"the variable {variable.path} is {sizes[0]} in the model, {sizes[1]} in the weights"
            raise _unproven(text, config)
    for variable, parameter in filled:
        value = _arranged(values.pop(parameter), parameter, config.num_attention_heads)
        if not _is_filled(engine, variable, value, config):
            raise _unproven(f"the variable {variable.path} does not hold the values of the weights", config)


def _is_filled(engine: Engine, variable: Any, value: NDArray[Any], config: BertConfig) -> bool:  # noqa: ANN401
    try:
        engine.assign(variable, value)
        return engine.holds(variable, value)
    except Exception as exc:
        raise _failed(f"Keras could not fill the variable {variable.path}", exc, config) from exc


def _pairs(
    model: Any,  # noqa: ANN401  (a keras_hub BertBackbone)
    values: Mapping[str, NDArray[Any]],
    config: BertConfig,
) -> list[tuple[Any, str]]:
    """Return each variable of a model with the parameter that it holds."""
    pairs, strange = variables_of(model, config.num_hidden_layers)
    unknown = [*strange, *(variable for variable, parameter in pairs if parameter not in values)]
    if unknown:
        raise _unproven(f"the model has the variable {unknown[0].path}, which no weights have", config)
    found = {parameter for _, parameter in pairs}
    lost = [parameter for _, parameter in _paths(config.num_hidden_layers) if parameter not in found]
    lost += [name for name in values if name not in found]
    if lost:
        raise _unproven(f"the model lacks a variable for {lost[0]}", config)
    return pairs


def variables_of(model: Any, n_layers: int) -> tuple[list[tuple[Any, str]], list[Any]]:  # noqa: ANN401  (a backbone)
    """Return each variable of a backbone with the parameter that it holds, and those of no parameter."""
    sources = dict(_paths(n_layers))
    pairs, strange = [], []
    for variable in {id(each): each for each in model.variables}.values():
        if variable.name == _GENERATOR_STATE:
            continue
        parameter = sources.pop(_below_scope(variable.path, sources), None)
        if parameter is None:
            strange.append(variable)
        else:
            pairs.append((variable, parameter))
    return pairs, strange


def _paths(n_layers: int) -> Iterator[tuple[str, str]]:
    """Yield the path of each variable, and its parameter."""
    for parameter, path in _TOP:
        yield path, parameter
    for number in range(n_layers):
        for ours, theirs, parts in _IN_LAYER:
            for part in parts:
                yield f"transformer_layer_{number}/{theirs}/{part}", f"bert/encoder/layer_{number}/{ours}/{part}"


def _below_scope(path: str, known: Mapping[str, str]) -> str:
    """Return a variable's path without the `keras.name_scope` that the caller is in."""
    while path not in known and "/" in path:
        path = path.partition("/")[2]
    return path


def _arranged(value: NDArray[Any], parameter: str, n_heads: int) -> NDArray[Any]:
    """Return a view of values with an axis of the heads where KerasHub has one.

    Source:
        keras/src/layers/attention/multi_head_attention.py, MultiHeadAttention.build, Keras 3.15.
    """
    if "/attention/self/" in parameter:
        return value.reshape(*value.shape[:-1], n_heads, -1)
    if parameter.endswith("/attention/output/dense/kernel"):
        return value.reshape(n_heads, -1, *value.shape[1:])
    return value


@contextmanager
def _without_initialisers(keras: Any, engine: Engine) -> Iterator[None]:  # noqa: ANN401  (a module)
    """Let the variables of layers that this thread makes begin with memory as it is; one load at a time.

    Where the caller distributes the variables of JAX, Keras compiles the initialisers, which then stay.
    """
    layer, owner = keras.layers.Layer, threading.get_ident()

    def add_unfilled(self: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  (Keras's own)
        if threading.get_ident() == owner and "initializer" in kwargs:
            kwargs["initializer"] = engine.empty
        return original(self, *args, **kwargs)

    if keras.distribution.distribution() is not None:
        yield
        return
    with _LOCK:
        original = layer.add_weight
        layer.add_weight = add_unfilled
        try:
            yield
        finally:
            layer.add_weight = original


def _require_float32(keras: Any) -> None:  # noqa: ANN401  (a module)
    """Require that Keras keeps variables in float32, whatever it computes in.

    Raises:
        BackendError: The default dtype or the dtype policy is another, or quantises the layers.
    """
    policy, floatx = keras.config.dtype_policy(), keras.config.floatx()
    if policy.variable_dtype == FLOAT and policy.quantization_mode is None:
        return
    setting = f"keras.config.dtype_policy() is {policy.name!r}, and keras.config.floatx() {floatx!r}"
    hints = [
        f"call keras.config.set_dtype_policy({FLOAT!r}) before the load, or 'mixed_bfloat16' to compute in bfloat16"
    ]
    kept = policy.variable_dtype if policy.quantization_mode is None else policy.quantization_mode
    message = f"Keras would keep the variables in {kept}, but the weights are {FLOAT}"
    raise BackendError(message, context=[("setting", setting)], hints=hints)


def _require_variables(keras: Any, engine: Engine) -> None:  # noqa: ANN401  (a module)
    """Require that a variable can be made here and has its value at once.

    Raises:
        BackendError: The call is inside a function that a framework traces, or inside a `keras.StatelessScope`.
    """
    try:
        engine.holds(keras.Variable(1.0, dtype=FLOAT, name="probe"), np.ones((), FLOAT))
    except Exception as exc:
        message = f"Keras cannot make variables here: {type(exc).__name__}: {reason_of(exc)}"
        hints = ["load the model outside of keras.StatelessScope, jax.jit and other functions that are traced"]
        raise BackendError(message, hints=hints) from exc


def _unproven(message: str, config: BertConfig) -> BackendError:
    hints = ["please report this with the output of: pip list"]
    return BackendError(message, resolved=config.path, label="config", hints=hints)


def _failed(message: str, cause: Exception, config: BertConfig) -> BackendError:
    text = f"{message}: {type(cause).__name__}: {reason_of(cause)}"
    return BackendError(text, resolved=config.path, label="config", hints=["the exception above is the cause"])
