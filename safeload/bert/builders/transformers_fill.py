"""Give the parameters of a model of transformers the values of a weight file, and prove it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from safeload._text.words import reason_of
from safeload.bert.builders.transformers_build import aliases_of, plain_torch, unfilled
from safeload.bert.builders.transformers_names import buffers, copies, is_turned, torch_name
from safeload.errors import ArgumentError, BackendError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from safeload.bert._arguments import TorchOptions


N_BLOCK = 1 << 20
"""Values that are compared at once."""


class Target(NamedTuple):
    """Where and how a model is to be.

    Attributes:
        device: The device of its tensors.
        dtype: The type of its floats; None for float32 where weights fill them, and the class's own elsewhere.
    """

    device: torch.device
    dtype: torch.dtype | None


class _Filled(NamedTuple):
    parameter: torch.nn.Parameter
    values: torch.Tensor


def target_of(options: TorchOptions) -> Target:
    """Return the device and the type that the caller asked for.

    Raises:
        ArgumentError: This machine has no such device, or the device no such type.
    """
    name = options.device or "cpu"
    _require_tensor("device", name, dtype=torch.float32, device=name)
    dtype = getattr(torch, options.dtype) if options.dtype else None
    if dtype is not None:
        _require_tensor("dtype", options.dtype, dtype=dtype, device=name)
    return Target(torch.device(name), dtype)


def _require_tensor(argument: str, given: object, **wanted: Any) -> None:  # noqa: ANN401  (torch's own)
    try:
        with plain_torch("cpu"):
            torch.zeros(1, **wanted)
    except Exception as exc:
        message = f"{argument}: torch cannot use {given!r} here: {type(exc).__name__}: {reason_of(exc)}"
        hints = ["leave it out for the processor" if argument == "device" else "leave it out for float32"]
        raise ArgumentError(message, argument=argument, given=given, hints=hints) from exc


def fill(
    model: Any,  # noqa: ANN401  (a model of transformers)
    values: dict[str, NDArray[Any]],
    prefix: str,
    target: Target,
    path: str,
    *,
    is_own: bool = False,
) -> tuple[str, ...]:
    """Give each parameter its values, in their own memory where the type and the device allow it, and prove it.

    Args:
        model: The model; what is filled need not have memory.
        values: Parameter -> verified values, those that torch transposes with the outputs first in memory. Emptied.
        prefix: The prefix of the names of the encoder.
        target: Where and how the model is to be.
        path: The path of the config file, for messages.
        is_own: Whether the model is of the caller's class, which may have more than a BERT has.

    Returns:
        The names of the parameters, and of the buffers that the model saves, that keep their initial values.

    Raises:
        ArgumentError: A value is too large for the type that the caller asked for.
        BackendError: The model lacks a parameter or has it in another shape, has one that no BERT has, does not hold
            the values in the end, or keeps initial values while the caller has switched initialisation off.
    """
    with plain_torch("cpu"), torch.no_grad():
        model.tie_weights()  # which a class leaves to its initialisation, and the caller may have switched that off
        filling = _Filling(model, target, path)
        filling.all_of(values, prefix)
        held = buffers(prefix)
        for name, buffer in list(model.named_buffers()):
            if name in held:
                _set(model, name, _held(held[name], buffer))
        model.tie_weights()
        model.to(device=target.device, dtype=target.dtype)
        model.eval()
        for module in model.modules():
            module._is_hf_initialized = True  # noqa: SLF001  (else a model around this one fills it again)
        _prove(model, filling.filled, prefix, path)
    left = [name for name in filling.left() if name not in held]
    if left and not is_own:
        raise unproven(f"the model has {left[0]}, which no BERT has", path)
    initial = set(left).intersection(filling.names)
    if initial and not _initialises():
        message = f"{min(initial)} has no values: the weights lack it, and torch's initialisation is switched off"
        hints = ["load outside of transformers' no_init_weights()"]
        raise BackendError(message, resolved=path, label="config", hints=hints)
    saved = model.state_dict()
    return tuple(name for name in left if name in saved)


def _initialises() -> bool:
    """Return whether torch's initialisation gives a tensor values; transformers' `no_init_weights` switches it off."""
    probe = torch.zeros(1, device="cpu")
    torch.nn.init.constant_(probe, 1.0)  # ones_ is left alone by transformers 4
    return bool(probe)


class _Filling:
    """The parameters of a model that are filled so far."""

    def __init__(self, model: Any, target: Target, path: str) -> None:  # noqa: ANN401
        """Find the names of each parameter."""
        self.model, self.target, self.path = model, target, path
        self.names = {name: group for group in aliases_of(model).values() for name in group}
        self.buffers = dict(model.named_buffers())
        self.filled: dict[str, _Filled] = {}
        self.done: set[str] = set()

    def all_of(self, values: dict[str, NDArray[Any]], prefix: str) -> None:
        """Fill the parameters and buffers of these values, and what is a copy of another parameter."""
        for parameter in sorted(values, key=lambda name: values[name].size):  # what frees the most at last
            value = values.pop(parameter)
            self._fill(torch_name(parameter, prefix), torch.from_numpy(value.T if is_turned(parameter) else value))
        for name, original in copies(prefix).items():  # a model that does not tie them
            if name in self.names and original in self.filled and name not in self.done:
                self._fill(name, self.filled[original].values.clone())

    def left(self) -> list[str]:
        """Return the names of the parameters and buffers that are not filled, one each."""
        firsts = (name for name, group in self.names.items() if name == group[0])
        return [*(name for name in firsts if name not in self.done), *self.buffers]

    def _fill(self, name: str, stored: torch.Tensor) -> None:
        own = self.buffers.get(name) if name in self.buffers else self._parameter(name)
        if own is None or own.shape != stored.shape:
            found = "no such tensor" if own is None else f"{tuple(own.shape)}"
            raise unproven(f"{name} is {tuple(stored.shape)} in the weights, and the model has {found}", self.path)
        if name in self.buffers:
            _set(self.model, name, stored)
            self.buffers.pop(name)
            return
        if name in self.done:
            raise unproven(f"the parameter {name} is filled twice", self.path)
        values = self._converted(name, stored)
        parameter = torch.nn.Parameter(values, requires_grad=own.requires_grad)
        for each in self.names[name]:
            _set(self.model, each, parameter)
        self.filled[name] = _Filled(parameter, values)
        self.done.update(self.names[name])

    def _parameter(self, name: str) -> torch.Tensor | None:
        return self.model.get_parameter(name) if name in self.names else None

    def _converted(self, name: str, stored: torch.Tensor) -> torch.Tensor:
        """Return values on the device and in the type that was asked for."""
        dtype = (self.target.dtype or torch.float32) if stored.is_floating_point() else stored.dtype
        values = stored.to(device=self.target.device, dtype=dtype)
        if values is stored:
            return values
        for start in range(0, stored.numel(), N_BLOCK):  # a copy of the whole would be a second one in memory
            block = stored.view(-1)[start : start + N_BLOCK]
            there = values.view(-1)[start : start + N_BLOCK].to("cpu")
            if not torch.equal(there, block.to(dtype)):
                raise unproven(f"{name} does not hold the weights' values on {self.target.device}", self.path)
            if not torch.isfinite(there).all():
                raise self._too_small(name, dtype, f"{block.abs().max().item():g}")
        return values

    def _too_small(self, name: str, dtype: torch.dtype, largest: str) -> ArgumentError:
        text = f"dtype {str(dtype).removeprefix('torch.')} is too small for {name}, of which a value is {largest}"
        hints = ["pass dtype='bfloat16', which has the range of float32, or leave it out"]
        return ArgumentError(text, argument="dtype", resolved=self.path, label="config", hints=hints)


def _held(what: str, buffer: torch.Tensor) -> torch.Tensor:
    """Return what a buffer of the encoder holds."""
    row = torch.arange(buffer.shape[-1]) if what == "positions" else torch.zeros(buffer.shape[-1], dtype=torch.long)
    return row.expand(buffer.shape).clone()


def _set(model: Any, name: str, tensor: torch.Tensor) -> None:  # noqa: ANN401
    """Put a parameter or a buffer in its place; whether a buffer is saved stays as it is."""
    module, _, leaf = name.rpartition(".")
    setattr(model.get_submodule(module), leaf, tensor)


def _prove(model: Any, filled: dict[str, _Filled], prefix: str, path: str) -> None:  # noqa: ANN401
    """Require that the model holds what was put into it.

    Raises:
        BackendError: It does not, a copy is not equal to its parameter, or a tensor has no memory.
    """
    groups = aliases_of(model)
    lost = [name for name, each in filled.items() if name not in groups.get(id(each.parameter), ())]
    if lost:
        raise unproven(f"the model exchanged the parameter {lost[0]}", path)
    for name, each in filled.items():
        if not _is_same(each.parameter, each.values):
            raise unproven(f"the parameter {name} does not hold the weights' values", path)
    empty = unfilled(model, (), prefix)
    if empty is not None:
        raise unproven(f"the model has {empty}, which no BERT has", path)
    tensors = dict(model.named_parameters(remove_duplicate=False)) | dict(model.named_buffers())
    for name, original in copies(prefix).items():
        is_copy = name in tensors and original in filled and name not in filled
        if is_copy and not _is_same(tensors[name], tensors[original]):
            raise unproven(f"{name} is not {original}", path)
    for name, what in buffers(prefix).items():
        if name in tensors and not _is_same(tensors[name].cpu(), _held(what, tensors[name])):
            raise unproven(f"the buffer {name} does not hold {what}", path)


def _is_same(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Return whether two tensors are the same memory, or equal."""
    places = [(each.data_ptr(), each.shape, each.stride(), each.dtype) for each in (one, other)]
    return places[0] == places[1] or torch.equal(one, other)


def unproven(message: str, path: str) -> BackendError:
    """Return the error for a model that is not as it must be."""
    hints = ["please report this with the output of: pip list"]
    return BackendError(message, resolved=path, label="config", hints=hints)
