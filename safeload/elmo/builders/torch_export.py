"""Run a biLM's LSTMs in a form that torch can export: by torch.export, torch.jit.trace and both exporters of torch.onnx.

An exported graph cannot depend on the values that it was made with. So every step runs over all rows of the padded batch, and a
row without a token at that step keeps its state. torch is imported at the top, as in `torch.py` beside this file.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from safeload.elmo.builders.torch_lstm import gated
from safeload.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Callable

    from safeload.elmo.builders.torch_lstm import ElmoLstm, LstmCellWithProjection


def is_exporting() -> bool:
    """Return whether torch is recording a graph that will run without this code."""
    if torch.jit.is_tracing():
        return True
    is_recording = getattr(getattr(torch, "compiler", None), "is_exporting", None)  # since torch 2.7
    return is_recording is not None and bool(is_recording())


def run_padded(lstm: ElmoLstm, inputs: Tensor, mask: Tensor) -> list[Tensor]:
    """Run the LSTMs from zeros, and return each layer's outputs, forward and backward concatenated.

    Args:
        lstm: The stacked LSTMs.
        inputs: Token vectors `(batch, tokens, projection_dim)`.
        mask: `(batch, tokens)` bool; absent tokens may stand anywhere.

    Returns:
        `n_layers` tensors `(batch, tokens, 2 * projection_dim)`, zeros where the mask is false.

    Raises:
        ArgumentError: The LSTMs keep their state between calls.
    """
    if lstm.stateful:
        message = "an ELMo that keeps its state between calls cannot be exported: the graph would hold the state of now"
        raise ArgumentError(message, argument="stateful", hints=["load it with stateful=False"])
    present = mask.transpose(0, 1).unsqueeze(-1)
    sides = {"forward": inputs.transpose(0, 1), "backward": inputs.transpose(0, 1)}
    layers = []
    for layer in range(lstm.num_layers):
        for word, given in sides.items():
            output = _run_cell(getattr(lstm, f"{word}_layer_{layer}"), given, present)
            sides[word] = output + given if layer and lstm.use_skip_connections else output
        both = torch.cat(list(sides.values()), dim=2)
        layers.append(both.masked_fill(~present, 0.0).transpose(0, 1))
    return layers


def _run_cell(cell: LstmCellWithProjection, inputs: Tensor, present: Tensor) -> Tensor:
    """Run one direction over `(tokens, batch, units)`; `present` is `(tokens, batch, 1)` bool."""
    steps = cell.input_linearity(inputs), present
    if not cell.go_forward:
        steps = steps[0].flip(0), steps[1].flip(0)
    weights = cell.state_linearity.weight, cell.state_linearity.bias, cell.state_projection.weight
    zeros = inputs.new_zeros(inputs.size(1), weights[2].size(0)), inputs.new_zeros(inputs.size(1), weights[2].size(1))
    run = _scripted() if torch.jit.is_tracing() else _scan
    outputs: Tensor = run(steps, zeros, weights, (cell.cell_clip or 0.0, cell.proj_clip or 0.0))
    return outputs if cell.go_forward else outputs.flip(0)


# what TorchScript compiles; torch 1.12 does not resolve aliases of types


def _step(
    given: tuple[Tensor, Tensor],
    state: tuple[Tensor, Tensor],
    weights: tuple[Tensor, Tensor, Tensor],
    clips: tuple[float, float],
) -> tuple[Tensor, Tensor]:
    """Return the outputs and memory cells after a step, which changes them in the rows that are present."""
    gates = given[0] + torch.nn.functional.linear(state[0], weights[0], weights[1])
    found, memory = gated(gates, state[1], clips[0])
    hidden = torch.nn.functional.linear(found, weights[2])
    if clips[1]:
        hidden = hidden.clamp(-clips[1], clips[1])
    return torch.where(given[1], hidden, state[0]), torch.where(given[1], memory, state[1])


def _loop(
    steps: tuple[Tensor, Tensor],
    state: tuple[Tensor, Tensor],
    weights: tuple[Tensor, Tensor, Tensor],
    clips: tuple[float, float],
) -> Tensor:
    outputs: list[Tensor] = []
    for place in range(steps[0].size(0)):
        state = _step((steps[0][place], steps[1][place]), state, weights, clips)
        outputs.append(state[0])
    return torch.stack(outputs)


@cache
def _scripted() -> Callable[..., Tensor]:
    """Return the loop as TorchScript, since a trace would record as many steps as its example has."""
    scripted: Callable[..., Tensor] = torch.jit.script(_loop)
    return scripted


def _scan(
    steps: tuple[Tensor, Tensor],
    state: tuple[Tensor, Tensor],
    weights: tuple[Tensor, Tensor, Tensor],
    clips: tuple[float, float],
) -> Tensor:
    """Run the steps as the one operator for a loop that torch.export records, and torch.onnx translates."""
    from torch._higher_order_ops.scan import scan  # noqa: PLC0415  (the only name that it has)

    def step(before: tuple[Tensor, Tensor], given: tuple[Tensor, Tensor]) -> Any:  # noqa: ANN401
        after = _step(given, before, weights, clips)
        return after, after[0].clone()  # scan refuses an output that is also a state

    outputs: Tensor = scan(step, state, steps)[1]
    return outputs
