"""Validate the arguments of `load_bert` that are not paths, before any file is opened."""

from __future__ import annotations

import os
import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from safeload._arguments import as_python, bad_argument, is_int, listed
from safeload._bytes.mistyped import close_names
from safeload.bert._runtimes import ACTIVATIONS, GELU_ERF, GELU_TANH, KERAS_BERT, RUNTIMES, TRANSFORMERS, Runtime
from safeload.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Mapping

FULL_LENGTH = int(1e9)
"""Default of `seq_len`, the same as keras-bert's: as long as the config allows."""

MODEL_OPTIONS = ("dropout_rate", "attention_activation", "use_task_embed", "task_num")
_FROM_CONFIG = {
    "token_num": "vocab_size",
    "pos_num": "max_position_embeddings",
    "embed_dim": "hidden_size",
    "transformer_num": "num_hidden_layers",
    "head_num": "num_attention_heads",
    "feed_forward_dim": "intermediate_size",
    "feed_forward_activation": "hidden_act",
}


FLOATS = ("float32", "float16", "bfloat16", "float64")
"""torch's types of floats that a model can have."""

_ABSENT = object()


class TorchOptions(NamedTuple):
    """What only a model in torch has; see `load_bert`.

    Attributes:
        model_class: The class to build, of transformers or the caller's own; None for the usual one.
        dtype: torch's name of the type of its parameters; None for float32.
        device: torch's name of its device; None for the processor.
    """

    model_class: Any = None
    dtype: str | None = None
    device: str | None = None


class BuildOptions(NamedTuple):
    """Validated build options; see `load_bert` for their meaning.

    With `clipped`, a `seq_len` or `output_layer_num` above what the config allows is clipped, as keras-bert does.
    """

    training: bool
    trainable: bool | tuple[str, ...]
    output_layer_num: int | tuple[int, ...]
    seq_len: int | None
    model_options: Mapping[str, Any]
    activation: str | None = None
    clipped: bool = False
    runtime: Runtime = KERAS_BERT
    torch: TorchOptions = TorchOptions()


def build_options(  # noqa: PLR0913  (those of `load_bert`)
    *,
    training: object,
    seq_len: object,
    trainable: object = None,
    output_layer_num: object = 1,
    model_options: Mapping[str, Any] = MappingProxyType({}),
    activation: object = None,
    backend: object = KERAS_BERT.id,
    torch_options: Mapping[str, object] = MappingProxyType({}),
) -> BuildOptions:
    """Validate the options as far as possible without the config.

    Raises:
        ArgumentError: An option has a wrong type or value, is one that `keras_bert.get_model` does not have, or that the
            backend does not have.
    """
    runtime = _runtime(as_python(backend))
    model_options = {name: as_python(value) for name, value in model_options.items()}
    flag = _training(as_python(training))
    if runtime is KERAS_BERT:
        _require_model_options(model_options)
    else:
        _require_known(model_options)
        of_keras_bert = {"trainable": (trainable, None), "output_layer_num": (output_layer_num, 1)}
        _require_usual(runtime, {**of_keras_bert, **{name: (value, _ABSENT) for name, value in model_options.items()}})
        if seq_len is not None:
            _require_usual(runtime, {"seq_len": (seq_len, FULL_LENGTH)})
    if runtime is not TRANSFORMERS:
        _require_usual(runtime, {name: (value, None) for name, value in torch_options.items()}, TRANSFORMERS)
    if flag and not runtime.has_heads:
        hints = [f"leave training out, or pass backend={TRANSFORMERS.id!r}"]
        raise bad_argument("training", training, f"False for {runtime.id}, which builds no MLM and NSP heads", hints)
    return BuildOptions(
        training=flag,
        trainable=flag if trainable is None else _trainable(as_python(trainable)),
        output_layer_num=_output_layers(as_python(output_layer_num)),
        seq_len=_seq_len(as_python(seq_len)),
        model_options=model_options,
        activation=_activation(as_python(activation)),
        runtime=runtime,
        torch=_torch_options(flag, **torch_options),
    )


def _runtime(backend: object) -> Runtime:
    if isinstance(backend, str) and backend in RUNTIMES:
        return RUNTIMES[backend]
    close = close_names(backend, tuple(RUNTIMES)) if isinstance(backend, str) else []
    hints = [f"did you mean {each!r}?" for each in close] or ["keras-bert is the default"]
    raise bad_argument("backend", backend, f"one of {', '.join(map(repr, RUNTIMES))}", hints)


def _require_usual(runtime: Runtime, given: Mapping[str, tuple[object, object]], owner: Runtime = KERAS_BERT) -> None:
    """Require the default of each argument that another runtime alone has: name -> (value, default)."""
    for name, (value, default) in given.items():
        if value is not default and value != default:
            message = f"{name} is for backend={owner.id!r}, and the backend is {runtime.id!r}"
            raise ArgumentError(message, argument=name, hints=[f"leave out {name}, or pass backend={owner.id!r}"])


def _require_known(options: Mapping[str, Any]) -> None:
    """Require names of options that some backend has; `from_pretrained` has others, which are keys of the config here."""
    for name in options:
        if name not in MODEL_OPTIONS:
            close = close_names(name, (*MODEL_OPTIONS, "training", "model_class", "dtype", "device", "activation"))
            hints = [f"did you mean {other}?" for other in close] or [
                "settings of the model belong into its config file"
            ]
            raise ArgumentError(f"load_bert has no argument {name!r}", argument=name, hints=hints)


def _torch_options(
    training: bool,  # noqa: FBT001
    *,
    model_class: object = None,
    dtype: object = None,
    device: object = None,
) -> TorchOptions:
    if model_class is not None:
        _require_class(model_class)
        if training:
            hints = ["leave out training: the class says which heads it has"]
            raise bad_argument("training", training, "False with model_class", hints)
    return TorchOptions(model_class, _dtype(dtype), None if device is None else _device(device))


def _require_class(model_class: object) -> None:
    """Require a class of transformers for a BERT; its caller has imported transformers."""
    parents = model_class.__mro__ if isinstance(model_class, type) else ()
    if not any(each.__name__ == "PreTrainedModel" and each.__module__.startswith("transformers.") for each in parents):
        hints = ["pass the class itself, such as transformers.BertForTokenClassification"]
        raise bad_argument("model_class", model_class, "a subclass of transformers.PreTrainedModel", hints)
    config = getattr(model_class, "config_class", None)
    if getattr(config, "model_type", None) != "bert":
        found = getattr(config, "model_type", None) or "unknown"
        hints = [f"the model_type of its config_class is {found}"]
        raise bad_argument("model_class", model_class, "a class for a BERT", hints)


def _dtype(dtype: object) -> str | None:
    """Return torch's name of a type of floats, given as its name or as torch's own object."""
    if dtype is None:
        return None
    name = str(dtype).removeprefix("torch.") if type(dtype).__module__ in ("builtins", "torch") else ""
    if name in FLOATS:
        return name
    raise bad_argument("dtype", dtype, f"one of torch's {', '.join(FLOATS)}", ["leave it out for float32"])


def _device(device: object) -> str:
    """Return the name of a device, given as its name or as torch's own object."""
    name = str(device) if isinstance(device, str) or type(device).__module__ == "torch" else ""
    if re.fullmatch(r"[a-z]+(:[0-9]{1,4})?", name) and name != "meta":
        return name
    hints = ["leave it out for the processor's memory"]
    raise bad_argument("device", device, "a device of torch, such as 'cpu' or 'cuda:0'", hints)


def _training(training: object) -> bool:
    """Require a bool; a path is probably a vocabulary that was passed as the third argument."""
    if isinstance(training, bool):
        return training
    hints = ["pass training=True or training=False"]
    if isinstance(training, (str, bytes, os.PathLike)):
        hints = [
            "a vocabulary goes to vocab_file=... of safeload.load_bert; keras-bert's loader has no argument for it"
        ]
    raise bad_argument("training", training, "a bool", hints)


def _trainable(trainable: object) -> bool | tuple[str, ...]:
    if isinstance(trainable, bool):
        return trainable
    hints = ["pass True, False, or a list of prefixes of layer names such as ['Encoder-12', 'NSP']"]
    prefixes = listed(trainable)
    if prefixes is not None and all(isinstance(prefix, str) for prefix in prefixes):
        return tuple(sorted(map(str, prefixes)))
    raise bad_argument("trainable", trainable, "a bool or a list of prefixes", hints)


def _output_layers(number: object) -> int | tuple[int, ...]:
    hints = ["pass how many of the last layers to concatenate, or a list of layer numbers"]
    if is_int(number) and number >= 1:
        return number
    numbers = listed(number)
    if numbers and all(map(is_int, numbers)):
        return tuple(filter(is_int, numbers))
    raise bad_argument("output_layer_num", number, "a positive int or a list of layer numbers", hints)


def _seq_len(seq_len: object) -> int | None:
    if seq_len is None or (is_int(seq_len) and seq_len >= 1):
        return seq_len
    hints = ["pass a length in tokens, None for any length, or leave it out for the full length"]
    raise bad_argument("seq_len", seq_len, "a positive int or None", hints)


def _activation(activation: object) -> str | None:
    if activation is None or (isinstance(activation, str) and activation in (GELU_ERF, GELU_TANH)):
        return activation
    hints = ["leave it out for what the library computes that owns the form of the files"]
    raise bad_argument("activation", activation, f"None, {GELU_ERF!r} or {GELU_TANH!r}", hints)


def _require_model_options(options: Mapping[str, Any]) -> None:
    for name in options:
        if name in _FROM_CONFIG:
            message = f"{name} cannot be passed: it is {_FROM_CONFIG[name]} of the config"
            raise ArgumentError(message, argument=name, hints=["change the config file, or leave the argument out"])
        if name not in MODEL_OPTIONS:
            close = close_names(name, (*MODEL_OPTIONS, "training", "trainable", "output_layer_num", "seq_len"))
            message = f"keras-bert has no option {name!r}"
            hints = [f"did you mean {other}?" for other in close] or [f"the options are {', '.join(MODEL_OPTIONS)}"]
            raise ArgumentError(message, argument=name, hints=hints)
    rate = options.get("dropout_rate", 0.1)
    if isinstance(rate, bool) or not isinstance(rate, (int, float)) or not 0 <= rate < 1:
        raise bad_argument(
            "dropout_rate", rate, "a number of at least 0 and less than 1", ["BERT was trained with 0.1"]
        )
    activation = options.get("attention_activation")
    if not (activation is None or callable(activation) or (isinstance(activation, str) and activation in ACTIVATIONS)):
        hints = ["keras-bert's default is None: no activation"]
        raise bad_argument(
            "attention_activation", activation, f"None, a callable or one of {', '.join(ACTIVATIONS)}", hints
        )
    if not isinstance(options.get("use_task_embed", False), bool):
        raise bad_argument("use_task_embed", options["use_task_embed"], "a bool", ["pass True or False"])
    task_num = options.get("task_num", 1)
    if not is_int(task_num) or task_num < 1:
        raise bad_argument("task_num", task_num, "a positive int", ["pass the number of tasks"])
