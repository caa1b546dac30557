"""Words as vectors, in torch: a CNN over each word's characters, highways, a projection; and the marks around sentences.

Written after Peters et al., "Deep contextualized word representations" (2018), and the layout of bilm-tf's weight files.
torch is imported here at the top, as in `_lstm`.

Source:
    allennlp/modules/elmo.py, _ElmoCharacterEncoder; allennlp/modules/highway.py, AllenNLP 2.10.1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from safeload.elmo import _characters
from safeload.elmo._lstm import FLOATS, empty_conv, empty_linear
from safeload.errors import ArgumentError

if TYPE_CHECKING:
    from safeload.elmo._options import ElmoOptions


class CharacterEncoder(torch.nn.Module):
    """Words as vectors, from their characters alone."""

    def __init__(self, options: ElmoOptions) -> None:
        super().__init__()
        self._activation = {"relu": torch.relu, "tanh": torch.tanh}[options.activation]
        self._n_convolutions = len(options.filters)
        self._output_dim = options.projection_dim
        self._char_embedding_weights = torch.nn.Parameter(
            torch.empty(_characters.N_CHARACTERS, options.char_dim, **FLOATS)
        )
        for index, (width, number) in enumerate(options.filters):
            conv = empty_conv(options.char_dim, number, width)
            self.add_module(f"char_conv_{index}", conv)
        self._highways = Highway(options.n_filters, options.n_highway)
        self._projection = empty_linear(options.n_filters, options.projection_dim, bias=True)
        for name, word in (("_begin", "<S>"), ("_end", "</S>")):
            self.register_buffer(name, torch.tensor(_characters.word_ids(word), device="cpu"), persistent=False)

    def get_output_dim(self) -> int:
        """Return the units of a word's vector."""
        return self._output_dim

    def forward(self, inputs: Tensor) -> dict[str, Tensor]:
        """Return the vectors of sentences with a mark before and after each.

        Args:
            inputs: Character ids `(batch, tokens, 50)`.

        Returns:
            `token_embedding`: `(batch, tokens + 2, projection_dim)`; `mask`: `(batch, tokens + 2)` bool.

        Raises:
            ArgumentError: Another shape.
        """
        if inputs.dim() != 3 or inputs.size(-1) != _characters.MAX_CHARACTERS_PER_TOKEN:  # noqa: PLR2004
            message = f"inputs must be character ids (batch, tokens, 50), not of the shape {tuple(inputs.shape)}"
            raise ArgumentError(message, argument="inputs", hints=["make them with safeload.character_ids(sentences)"])
        ids, mask = with_boundaries(inputs, (inputs > 0).any(dim=-1), self._begin, self._end)
        vectors = self.embed(ids.view(-1, ids.size(-1)))
        return {"mask": mask, "token_embedding": vectors.view(*mask.shape, -1)}

    def embed(self, ids: Tensor) -> Tensor:
        """Return the vectors `(words, projection_dim)` of character ids `(words, 50)`."""
        characters = torch.nn.functional.embedding(ids, self._char_embedding_weights).transpose(1, 2)
        found = []
        for index in range(self._n_convolutions):
            strongest, _ = getattr(self, f"char_conv_{index}")(characters).max(dim=-1)
            found.append(self._activation(strongest))
        vectors: Tensor = self._projection(self._highways(torch.cat(found, dim=1)))
        return vectors


class Highway(torch.nn.Module):
    """Layers that each carry a part of their input past a transformation."""

    def __init__(self, n_units: int, n_layers: int) -> None:
        super().__init__()
        self._layers = torch.nn.ModuleList(empty_linear(n_units, 2 * n_units, bias=True) for _ in range(n_layers))

    def forward(self, inputs: Tensor) -> Tensor:
        """Return `(words, units)`, shaped as the input."""
        for layer in self._layers:
            new, gate = layer(inputs).chunk(2, dim=1)
            gate = torch.sigmoid(gate)
            inputs = gate * inputs + (1 - gate) * torch.relu(new)
        return inputs


def with_boundaries(tokens: Tensor, mask: Tensor, begin: Tensor, end: Tensor) -> tuple[Tensor, Tensor]:
    """Put a mark before and after each sentence of `(batch, tokens, units)`; what has a unit above zero is a token."""
    n_rows, _, n_units = tokens.shape
    begin, end = begin.detach().to(tokens), end.detach().to(tokens)
    rows = torch.cat([begin.expand(n_rows, 1, n_units), tokens, tokens.new_zeros(n_rows, 1, n_units)], dim=1)
    rows[torch.arange(n_rows, device=tokens.device), mask.sum(dim=1) + 1] = end
    return rows, (rows > 0).any(dim=-1)
