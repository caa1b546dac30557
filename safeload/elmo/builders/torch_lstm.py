"""Define the LSTMs of a biLM in torch: with projection and clipping, stacked, bidirectional, stateful.

Based on Peters et al., "Deep contextualized word representations" (2018), and the layout of bilm-tf's weight files. Names
and behaviour are AllenNLP's, so that its `state_dict` fits.

torch is imported at the top, as in `torch.py` beside this file.

Source:
    allennlp/modules/lstm_cell_with_projection.py, elmo_lstm.py, encoder_base.py, AllenNLP 2.10.1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from safeload.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Sequence

FLOATS: dict[str, Any] = {"dtype": torch.float32, "device": "cpu"}
"""The dtype and device of every parameter, whatever torch's defaults are."""

State = tuple[Tensor, Tensor]
"""Outputs `(batch, projection_dim)` and memory cells `(batch, dim)`."""


class _UnfilledLinear(torch.nn.Linear):
    def reset_parameters(self) -> None:
        pass


class _UnfilledConv1d(torch.nn.Conv1d):
    def reset_parameters(self) -> None:
        pass


def _plain(layer: torch.nn.Module, kind: type[torch.nn.Module]) -> torch.nn.Module:
    """Return the layer as torch's own class, which quantisation and pruning look for.

    `torch.nn.utils.skip_init` does the same through the meta device, which takes torch 2.13 0.3 s on first use.
    """
    layer.__class__ = kind
    return layer


def empty_conv(n_inputs: int, n_outputs: int, width: int) -> torch.nn.Conv1d:
    """Return a convolution with uninitialised memory, to be filled from a file."""
    return _plain(_UnfilledConv1d(n_inputs, n_outputs, width, **FLOATS), torch.nn.Conv1d)


def empty_linear(n_inputs: int, n_outputs: int, *, bias: bool) -> torch.nn.Linear:
    """Return a linear layer with uninitialised memory, to be filled from a file."""
    return _plain(_UnfilledLinear(n_inputs, n_outputs, bias=bias, **FLOATS), torch.nn.Linear)


def gated(gates: Tensor, memory: Tensor, clip: float) -> tuple[Tensor, Tensor]:
    """Return a step's outputs before their projection, and its memory cells; a `clip` of 0 is none."""
    into, forget, new, out = gates.chunk(4, dim=1)
    memory = torch.sigmoid(into) * torch.tanh(new) + torch.sigmoid(forget) * memory
    if clip:
        memory = memory.clamp(-clip, clip)
    return torch.sigmoid(out) * torch.tanh(memory), memory


class LstmCellWithProjection(torch.nn.Module):
    """An LSTM of one direction over packed sequences."""

    def __init__(
        self, *, n_inputs: int, dim: int, go_forward: bool, cell_clip: float | None, proj_clip: float | None
    ) -> None:
        super().__init__()
        self.go_forward = go_forward
        self.cell_clip = cell_clip
        self.proj_clip = proj_clip
        self.input_linearity = empty_linear(n_inputs, 4 * dim, bias=False)
        self.state_linearity = empty_linear(n_inputs, 4 * dim, bias=True)
        self.state_projection = empty_linear(dim, n_inputs, bias=False)

    def forward(self, inputs: Tensor, batch_sizes: Sequence[int], initial: State) -> tuple[Tensor, State]:
        """Run over all time steps.

        Args:
            inputs: Packed vectors `(sum of lengths, projection_dim)`, by time step, longest sequence first.
            batch_sizes: Number of sequences at each time step.
            initial: State of each sequence before the step that runs first.

        Returns:
            Packed outputs of the shape of `inputs`, and the state of each sequence after the step that runs last.
        """
        steps = self.input_linearity(inputs).split(batch_sizes)
        return self._run_forward(steps, initial) if self.go_forward else self._run_backward(steps, initial)

    def _run_forward(self, steps: Sequence[Tensor], state: State) -> tuple[Tensor, State]:
        outputs, ended = [], []
        for step in steps:
            n_rows = len(step)
            if n_rows < len(state[0]):
                ended.append((state[0][n_rows:], state[1][n_rows:]))
                state = state[0][:n_rows], state[1][:n_rows]
            state = self._step(step, state)
            outputs.append(state[0])
        ended.append(state)
        hidden, memory = zip(*reversed(ended), strict=True)
        return torch.cat(outputs), (torch.cat(hidden), torch.cat(memory))

    def _run_backward(self, steps: Sequence[Tensor], initial: State) -> tuple[Tensor, State]:
        outputs = []
        state = initial[0][:0], initial[1][:0]
        for step in reversed(steps):
            n_rows, n_running = len(step), len(state[0])
            if n_rows > n_running:
                state = (
                    torch.cat([state[0], initial[0][n_running:n_rows]]),
                    torch.cat([state[1], initial[1][n_running:n_rows]]),
                )
            state = self._step(step, state)
            outputs.append(state[0])
        return torch.cat(outputs[::-1]), state

    def _step(self, projected_input: Tensor, state: State) -> State:
        hidden, memory = state
        found, memory = gated(projected_input + self.state_linearity(hidden), memory, self.cell_clip or 0.0)
        hidden = self.state_projection(found)
        if self.proj_clip:
            hidden = hidden.clamp(-self.proj_clip, self.proj_clip)
        return hidden, memory


class ElmoLstm(torch.nn.Module):
    """Stacked bidirectional LSTMs, which keep their state between calls.

    Attributes:
        stateful: Set it to False to start every call from zeros.
    """

    def __init__(
        self,
        *,
        projection_dim: int,
        dim: int,
        n_layers: int,
        cell_clip: float | None,
        proj_clip: float | None,
        use_skip_connections: bool,
    ) -> None:
        super().__init__()
        self.stateful = True
        self.hidden_size = projection_dim
        self.cell_size = dim
        self.num_layers = n_layers
        self.use_skip_connections = use_skip_connections
        self._states: State | None = None
        for layer in range(n_layers):
            for word in ("forward", "backward"):
                cell = LstmCellWithProjection(
                    n_inputs=projection_dim,
                    dim=dim,
                    go_forward=word == "forward",
                    cell_clip=cell_clip,
                    proj_clip=proj_clip,
                )
                self.add_module(f"{word}_layer_{layer}", cell)

    def forward(self, inputs: Tensor, mask: Tensor) -> Tensor:
        """Return each layer's outputs, forward and backward concatenated.

        Args:
            inputs: Token vectors `(batch, tokens, projection_dim)`.
            mask: `(batch, tokens)` bool; each row's true tokens come first.

        Returns:
            `(n_layers, batch, tokens, 2 * projection_dim)`, zeros where the mask is false.
        """
        n_rows, n_tokens = mask.shape
        lengths, order = mask.sum(dim=1).sort(descending=True)
        order = order[: int((lengths > 0).sum())]  # a row without tokens is not run and keeps its state
        packed = pack_padded_sequence(inputs.index_select(0, order), lengths[: len(order)].cpu(), batch_first=True)
        layers, states = self._run(packed, self._initial(inputs, n_rows, order))
        self._keep(states, n_rows, order)
        padded = [
            pad_packed_sequence(PackedSequence(layer, packed.batch_sizes), batch_first=True, total_length=n_tokens)[0]
            for layer in layers
        ]
        sorted_rows = torch.stack(padded)
        if len(order) == n_rows:
            return sorted_rows.index_select(1, order.argsort())
        every_row = sorted_rows.new_zeros(self.num_layers, n_rows, n_tokens, 2 * self.hidden_size)
        return every_row.index_copy(1, order, sorted_rows)

    def reset_states(self, mask: Tensor | None = None) -> None:
        """Reset the state to zeros.

        Args:
            mask: `(batch,)` bool, true for the rows to reset. Defaults to all rows.

        Raises:
            ArgumentError: The mask and the state differ in their number of rows.
        """
        if mask is None or self._states is None:
            self._states = None
            return
        n_rows = self._states[0].size(1)
        if tuple(mask.shape) != (n_rows,):
            message = f"mask must have the shape ({n_rows},) of the state's rows, not {tuple(mask.shape)}"
            raise ArgumentError(message, argument="mask", hints=["leave it out to reset every row"])
        kept = ~mask.view(1, n_rows, 1)
        self._states = self._states[0] * kept, self._states[1] * kept

    def _run(self, packed: PackedSequence, initial: State) -> tuple[list[Tensor], State]:
        sizes = packed.batch_sizes.tolist()
        forward = backward = packed.data
        layers, hidden, memory = [], [], []
        for layer in range(self.num_layers):
            ends, outputs = [], []
            for side, (word, inputs) in enumerate((("forward", forward), ("backward", backward))):
                start = (initial[0][layer].chunk(2, dim=1)[side], initial[1][layer].chunk(2, dim=1)[side])
                output, end = getattr(self, f"{word}_layer_{layer}")(inputs, sizes, start)
                outputs.append(output + inputs if layer and self.use_skip_connections else output)
                ends.append(end)
            forward, backward = outputs
            layers.append(torch.cat(outputs, dim=1))
            hidden.append(torch.cat([end[0] for end in ends], dim=1))
            memory.append(torch.cat([end[1] for end in ends], dim=1))
        return layers, (torch.stack(hidden), torch.stack(memory))

    def _initial(self, like: Tensor, n_rows: int, order: Tensor) -> State:
        hidden, memory = self._held(like, n_rows) if self.stateful else self._zeros(like, n_rows)
        return hidden.index_select(1, order), memory.index_select(1, order)

    def _keep(self, new: State, n_rows: int, order: Tensor) -> None:
        hidden, memory = self._held(new[0], n_rows)
        self._states = hidden.index_copy(1, order, new[0].detach()), memory.index_copy(1, order, new[1].detach())

    def _held(self, like: Tensor, n_rows: int) -> State:
        """Return the stored state, extended with zeros for a larger batch."""
        if self._states is None:
            return self._zeros(like, n_rows)
        hidden, memory = self._states[0].to(like), self._states[1].to(like)
        more = self._zeros(like, max(0, n_rows - hidden.size(1)))
        return torch.cat([hidden, more[0]], dim=1), torch.cat([memory, more[1]], dim=1)

    def _zeros(self, like: Tensor, n_rows: int) -> State:
        return (
            like.new_zeros(self.num_layers, n_rows, 2 * self.hidden_size),
            like.new_zeros(self.num_layers, n_rows, 2 * self.cell_size),
        )
