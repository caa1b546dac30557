"""Say which parameter of a torch model each parameter of a BERT is, and list those of a class of the caller's."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from safeload._arguments import bad_argument
from safeload.bert._parameters import list_parameters
from safeload.bert.namings._heads import GOOGLE_HEADS
from safeload.bert.namings.hugging_face import HuggingFace
from safeload.report import TensorSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from safeload._model_kind import Stored
    from safeload._naming import Naming
    from safeload.bert._config import BertConfig

_NAMING = HuggingFace()
_OF_LABELS = ("classifier", "qa_outputs")


class Own(NamedTuple):
    """A parameter or a buffer of a class.

    Attributes:
        shape: The size of each dimension.
        dtype: NumPy's name of its type; "float32" for every type of floats.
        is_buffer: Whether it is a buffer.
    """

    shape: tuple[int, ...]
    dtype: str = "float32"
    is_buffer: bool = False


class Described(NamedTuple):
    """A class, as the checks see it.

    Attributes:
        name: Its name.
        prefix: The prefix of the names of its encoder.
        tensors: Name -> parameter, or buffer that it saves.
        n_labels: The number of labels of its config.
    """

    name: str
    prefix: str
    tensors: Mapping[str, Own]
    n_labels: int


def torch_name(parameter: str, prefix: str) -> str:
    """Return the name of a parameter in a torch model whose encoder is under `prefix`."""
    return GOOGLE_HEADS.get(parameter) or _NAMING.stored_as(parameter, prefix)[0]


def is_turned(parameter: str) -> bool:
    """Return whether torch has the transpose of a parameter."""
    return _NAMING.stored_as(parameter, "")[1] == "transposed"


def is_of_a_bert(name: str, prefix: str) -> bool:
    """Return whether a name is that of a parameter of a BERT, and not of a copy of one."""
    return _NAMING.canonical(name, prefix) != name


def copies(prefix: str) -> dict[str, str]:
    """Return the names that a model has for parameters with another name: name -> name of the parameter."""
    return {name: torch_name(parameter, prefix) for name, parameter in _NAMING.copies.items()}


def buffers(prefix: str) -> dict[str, str]:
    """Return the buffers of the encoder: name -> what it holds, "positions" or "zeros"."""
    found = {f"{prefix}{name}": _NAMING.buffer_of(name) for name in _NAMING.buffers}
    return {name: buffer.holds for name, buffer in found.items() if buffer is not None}


def parameters_of(described: Described, config: BertConfig, naming: Naming, stored: Stored) -> dict[str, TensorSpec]:
    """List the parameters of a class that a load reads: those of the encoder, and of the heads that the weights have.

    Of a head that they have in part, all are listed, so that the others are missing.

    Raises:
        ArgumentError: The class has no BERT of these sizes.
    """
    prefix, tensors = described.prefix, described.tensors
    encoder = list_parameters(config, training=False)
    _require_encoder(described, encoder, config)
    known = {
        name: _of_class(spec, tensors[torch_name(name, prefix)])
        for name, spec in list_parameters(config, training=True).items()
        if name not in encoder and torch_name(name, prefix) in tensors
    }
    explained = {torch_name(name, prefix) for name in (*encoder, *known)}
    others = _other_heads(described, config, naming, explained, stored)
    return {**encoder, **_heads_stored(known, _head_of, stored), **_heads_stored(others, _module_of, stored)}


def _require_encoder(described: Described, encoder: Mapping[str, TensorSpec], config: BertConfig) -> None:
    for parameter, spec in encoder.items():
        name = torch_name(parameter, described.prefix)
        own = described.tensors.get(name)
        wanted = spec.shape[::-1] if is_turned(parameter) else spec.shape
        if own is None or own.shape != wanted:
            found = "no such parameter" if own is None else f"{own.shape}"
            hints = [f"{name} of a BERT with this config is {wanted}, and {described.name} has {found}"]
            wanted_class = f"a class with a BERT under {described.prefix.rstrip('.') or 'its own names'!r}"
            raise bad_argument("model_class", described.name, wanted_class, hints, label="config", resolved=config.path)


def _of_class(spec: TensorSpec, own: Own) -> TensorSpec:
    """Return the spec of a parameter as the class has it."""
    shape = own.shape[::-1] if is_turned(spec.name) else own.shape
    return spec if shape == spec.shape else TensorSpec(name=spec.name, shape=shape, dtype=spec.dtype)


def _other_heads(
    described: Described, config: BertConfig, naming: Naming, explained: Iterable[str], stored: Stored
) -> dict[str, TensorSpec]:
    """Return the other tensors of a class that weights with this naming may have; a buffer only where they do."""
    prefix, tensors = described.prefix, described.tensors
    copied = {name for name, own in tensors.items() if name in copies(prefix) and not own.is_buffer}
    ours = {name: name for name in tensors if name not in explained}
    if naming.id == "google":
        ours = {google: name for google, name in GOOGLE_HEADS.items() if name in tensors}
    elif not naming.has_torch_heads:
        return {}
    found = {}
    for parameter, name in ours.items():
        own = tensors[name]
        if (own.is_buffer or name in copied) and stored(parameter) is None:
            continue
        sizes = [("", size) for size in own.shape]
        if name.partition(".")[0] in _OF_LABELS and own.shape[:1] == (described.n_labels,):
            sizes[0] = ("num_labels", own.shape[0])
            sizes[1:] = [("hidden_size" if size == config.hidden_size else "", size) for _, size in sizes[1:]]
        spec = (
            TensorSpec.of_sizes(parameter, *sizes) if sizes else TensorSpec(name=parameter, shape=(), dtype="float32")
        )
        found[parameter] = replace(spec, dtype=own.dtype)
    return found


def _heads_stored(
    heads: Mapping[str, TensorSpec], head_of: Callable[[str], str], stored: Stored
) -> dict[str, TensorSpec]:
    there = {head_of(name) for name in heads if stored(name) is not None}
    return {name: spec for name, spec in heads.items() if head_of(name) in there}


def _head_of(parameter: str) -> str:
    return "/".join(parameter.split("/")[:2])


def _module_of(name: str) -> str:
    return name.rpartition("/" if name in GOOGLE_HEADS else ".")[0]
