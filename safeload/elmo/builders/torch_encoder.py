"""Encode words in torch: a CNN over each word's characters, highway layers, a projection; and add sentence marks.

Based on Peters et al., "Deep contextualized word representations" (2018), and the layout of bilm-tf's weight files. torch
is imported at the top, as in `torch.py` beside this file.

Source:
    allennlp/modules/elmo.py, _ElmoCharacterEncoder; allennlp/modules/highway.py, AllenNLP 2.10.1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from safeload.elmo import _characters
from safeload.elmo.builders.torch_inputs import checked_ids
from safeload.elmo.builders.torch_lstm import FLOATS, empty_conv, empty_linear

if TYPE_CHECKING:
    from safeload.elmo._options import ElmoOptions


class CharacterEncoder(torch.nn.Module):
    """An encoder of words from their characters."""

    def __init__(self, options: ElmoOptions) -> None:
        super().__init__()
        self._activation = {"relu": torch.relu, "tanh": torch.tanh}[options.activation]
        self._n_convolutions = len(options.filters)
        self._output_dim = options.projection_dim
        self._char_embedding_weights = torch.nn.Parameter(
            torch.empty(_characters.N_CHARACTERS, options.char_dim, **FLOATS)
        )
        for index, (width, number) in enumerate(options.filters):
            self.add_module(f"char_conv_{index}", empty_conv(options.char_dim, number, width))
        self._highways = Highway(options.n_filters, options.n_highway)
        self._projection = empty_linear(options.n_filters, options.projection_dim, bias=True)
        for name, word in (("_begin", "<S>"), ("_end", "</S>")):
            self.register_buffer(name, torch.tensor(_characters.word_ids(word), device="cpu"), persistent=False)

    def get_output_dim(self) -> int:
        """Return the size of a word's vector."""
        return self._output_dim

    def forward(self, inputs: Tensor) -> dict[str, Tensor]:
        """Encode sentences, with a mark before and after each.

        Args:
            inputs: Character ids `(batch, tokens, 50)`.

        Returns:
            `token_embedding`: `(batch, tokens + 2, projection_dim)`; `mask`: `(batch, tokens + 2)` bool.

        Raises:
            ArgumentError: `inputs` is not a tensor of character ids.
        """
        inputs = checked_ids(inputs)
        ids, mask = with_boundaries(inputs, (inputs > 0).any(dim=-1), self._begin, self._end)
        vectors = self.embed(ids.view(-1, ids.size(-1)))
        return {"mask": mask, "token_embedding": vectors.view(*mask.shape, -1)}

    def embed(self, ids: Tensor) -> Tensor:
        """Encode words: character ids `(words, 50)` to vectors `(words, projection_dim)`."""
        characters = torch.nn.functional.embedding(ids, self._char_embedding_weights).transpose(1, 2)
        found = []
        for index in range(self._n_convolutions):
            strongest, _ = getattr(self, f"char_conv_{index}")(characters).max(dim=-1)
            found.append(self._activation(strongest))
        vectors: Tensor = self._projection(self._highways(torch.cat(found, dim=1)))
        return vectors


class Highway(torch.nn.Module):
    """Highway layers: each mixes its input with a transformation of it."""

    def __init__(self, n_units: int, n_layers: int) -> None:
        super().__init__()
        self._layers = torch.nn.ModuleList(empty_linear(n_units, 2 * n_units, bias=True) for _ in range(n_layers))

    def forward(self, inputs: Tensor) -> Tensor:
        """Return `(words, units)`, the shape of `inputs`."""
        for layer in self._layers:
            new, gate = layer(inputs).chunk(2, dim=1)
            gate = torch.sigmoid(gate)
            inputs = gate * inputs + (1 - gate) * torch.relu(new)
        return inputs


def with_boundaries(tokens: Tensor, mask: Tensor, begin: Tensor, end: Tensor) -> tuple[Tensor, Tensor]:
    """Add a mark before each sentence of `(batch, tokens, units)`, and one behind its last token.

    Args:
        tokens: The tokens.
        mask: Which of them are there, `(batch, tokens)` bool; absent ones may stand anywhere.
        begin: The mark before a sentence, `(units,)`.
        end: The mark behind it.

    Returns:
        The rows `(batch, tokens + 2, units)`, and their mask.
    """
    n_rows, _, n_units = tokens.shape
    begin, end = begin.detach().to(tokens), end.detach().to(tokens)
    rows = torch.cat([begin.expand(n_rows, 1, n_units), tokens, tokens.new_zeros(n_rows, 1, n_units)], dim=1)
    present = torch.cat([mask.new_ones(n_rows, 1), mask, mask.new_zeros(n_rows, 1)], dim=1)
    is_end = torch.arange(present.size(1), device=tokens.device) == last_present(present).unsqueeze(1) + 1
    return torch.where(is_end.unsqueeze(-1), end, rows), present | is_end


def last_present(mask: Tensor) -> Tensor:
    """Return the place of the last true value in each row of `(batch, tokens)`; 0 if there is none."""
    return (torch.arange(mask.size(1), device=mask.device) * mask).amax(dim=1)
