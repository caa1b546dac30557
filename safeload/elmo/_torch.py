"""safeload's own biLM in torch: character CNN, highways, LSTMs, weighted sums; with AllenNLP's names and behaviour.

Written after Peters et al., "Deep contextualized word representations" (2018), and the layout of bilm-tf's weight files.
torch is imported here at the top, since classes of modules must be found by name to be copied and pickled; nothing
imports this room but a function that builds a module.

Source:
    allennlp/modules/elmo.py, highway.py, scalar_mix.py, AllenNLP 2.10.1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from safeload.elmo import _characters, _fill
from safeload.elmo._lstm import ElmoLstm, empty_linear
from safeload.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from safeload.elmo._arguments import ElmoArguments
    from safeload.elmo._options import ElmoOptions

_N_WORDS_AT_ONCE = 1024
_TINY = {torch.float16: 1e-4}
_TINY_DEFAULT = 1e-13


def build(options: ElmoOptions, arguments: ElmoArguments, values: Mapping[str, NDArray[Any]]) -> Elmo:
    """Build the module, fill it, and prove that every parameter of the biLM holds the file's values.

    Raises:
        BackendError: A parameter does not hold the file's values.
    """
    bilm = ElmoBiLm(options, requires_grad=arguments.requires_grad)
    _fill.fill(bilm, values, options)
    _fill.prove(bilm, values, options)
    if arguments.vocab_to_cache is not None:
        bilm.create_cached_cnn_embeddings(arguments.vocab_to_cache)
    return around(bilm, arguments)


def around(bilm: torch.nn.Module, arguments: ElmoArguments) -> Elmo:
    """Return the weighted sums over a biLM: a module with `num_layers` and `get_output_dim`, as `ElmoBiLm` is."""
    return Elmo(
        bilm,
        arguments.num_output_representations,
        do_layer_norm=arguments.do_layer_norm,
        dropout=arguments.dropout,
        has_cached_vocab=arguments.vocab_to_cache is not None,
        keep_sentence_boundaries=arguments.keep_sentence_boundaries,
        scalar_mix_parameters=arguments.scalar_mix_parameters,
    )


class Elmo(torch.nn.Module):
    """Weighted sums of a biLM's layers."""

    def __init__(
        self,
        bilm: torch.nn.Module,
        num_output_representations: int,
        *,
        do_layer_norm: bool,
        dropout: float,
        has_cached_vocab: bool,
        keep_sentence_boundaries: bool,
        scalar_mix_parameters: Sequence[float] | None,
    ) -> None:
        super().__init__()
        self._elmo_lstm = bilm
        self._has_cached_vocab = has_cached_vocab
        self._keep_sentence_boundaries = keep_sentence_boundaries
        self._dropout = torch.nn.Dropout(p=dropout)
        self._scalar_mixes = []
        for number in range(num_output_representations):
            mix = ScalarMix(bilm.num_layers, do_layer_norm=do_layer_norm, scalar_parameters=scalar_mix_parameters)
            self.add_module(f"scalar_mix_{number}", mix)
            self._scalar_mixes.append(mix)

    def get_output_dim(self) -> int:
        """Return the units of a returned vector, `2 * projection_dim`."""
        return int(self._elmo_lstm.get_output_dim())

    def reset_states(self, mask: Tensor | None = None) -> None:
        """Forget what the LSTMs carry from earlier calls; with a mask `(batch,)`, in the rows where it is true."""
        self._elmo_lstm._elmo_lstm.reset_states(mask)  # noqa: SLF001  (AllenNLP's name of it)

    def forward(self, inputs: Tensor, word_inputs: Tensor | None = None) -> dict[str, Any]:
        """Return the representations of sentences.

        Args:
            inputs: Character ids `(batch, tokens, 50)`, 0 for tokens that are not there; more dimensions may come first.
            word_inputs: Ids of cached words `(batch, tokens)`, 0 for tokens that are not there.

        Returns:
            `elmo_representations`: a list of tensors `(batch, tokens, 2 * projection_dim)`; `mask`: `(batch, tokens)`
            bool. With `keep_sentence_boundaries` there are two tokens more.

        Raises:
            ArgumentError: `inputs` is not of character ids.
        """
        outer = inputs.shape[:-1]
        if word_inputs is not None and not self._has_cached_vocab:
            word_inputs = None
        elif word_inputs is not None and word_inputs.dim() > 2:  # noqa: PLR2004  (batch and tokens)
            outer = word_inputs.shape
            word_inputs = word_inputs.reshape(-1, outer[-1])
        if inputs.dim() > 3:  # noqa: PLR2004  (batch, tokens and characters)
            inputs = inputs.reshape(-1, *inputs.shape[-2:])
        output = self._elmo_lstm(inputs, word_inputs)
        representations = []
        mask = with_boundaries = output["mask"]
        for number in range(len(self._scalar_mixes)):
            mixed = getattr(self, f"scalar_mix_{number}")(output["activations"], with_boundaries)
            if not self._keep_sentence_boundaries:
                mixed, mask = _without_boundaries(mixed, with_boundaries)
            representations.append(self._dropout(mixed))
        if len(outer) > 2:  # noqa: PLR2004
            mask = mask.view(outer)
            representations = [each.view(*outer, -1) for each in representations]
        return {"elmo_representations": representations, "mask": mask}


class ScalarMix(torch.nn.Module):
    """A weighted sum of layers: `gamma * sum(softmax(w) * layers)`."""

    def __init__(self, n_layers: int, *, do_layer_norm: bool, scalar_parameters: Sequence[float] | None) -> None:
        super().__init__()
        self.do_layer_norm = do_layer_norm
        trainable = scalar_parameters is None
        first = [0.0] * n_layers if scalar_parameters is None else scalar_parameters
        scalars = [torch.nn.Parameter(torch.tensor([float(value)]), requires_grad=trainable) for value in first]
        self.scalar_parameters = torch.nn.ParameterList(scalars)
        self.gamma = torch.nn.Parameter(torch.ones(1), requires_grad=trainable)

    def forward(self, layers: Sequence[Tensor], mask: Tensor) -> Tensor:
        """Return the sum, shaped as each of the layers `(batch, tokens, units)`; `mask` is `(batch, tokens)`."""
        weights = torch.softmax(torch.cat(list(self.scalar_parameters)), dim=0)
        if self.do_layer_norm:
            layers = [_normalised(layer, mask.unsqueeze(-1)) for layer in layers]
        return self.gamma * sum(weight * layer for weight, layer in zip(weights, layers, strict=True))


def _normalised(layer: Tensor, mask: Tensor) -> Tensor:
    """Normalise over all units of all tokens of the batch, as AllenNLP does."""
    count = mask.sum() * layer.size(-1)
    mean = (layer * mask).sum() / count
    variance = (((layer * mask - mean) * mask) ** 2).sum() / count
    return (layer - mean) / torch.sqrt(variance + _TINY.get(variance.dtype, _TINY_DEFAULT))


class ElmoBiLm(torch.nn.Module):
    """A bidirectional language model of characters, without its softmax."""

    def __init__(self, options: ElmoOptions, *, requires_grad: bool) -> None:
        super().__init__()
        self._requires_grad = requires_grad
        self._token_embedder = CharacterEncoder(options)
        self._word_embedding: torch.nn.Embedding | None
        self.register_module("_word_embedding", None)  # its place among the parameters, which optimisers count
        self.register_buffer("_bos_embedding", None, persistent=False)
        self.register_buffer("_eos_embedding", None, persistent=False)
        self._elmo_lstm = ElmoLstm(
            projection_dim=options.projection_dim,
            dim=options.dim,
            n_layers=options.n_layers,
            cell_clip=options.cell_clip,
            proj_clip=options.proj_clip,
            use_skip_connections=options.use_skip_connections,
        )
        self.num_layers = options.n_layers + 1
        self.requires_grad_(requires_grad)

    def get_output_dim(self) -> int:
        """Return the units of a layer's vector, both directions together."""
        return 2 * self._token_embedder.get_output_dim()

    def forward(self, inputs: Tensor, word_inputs: Tensor | None = None) -> dict[str, Any]:
        """Return every layer's vectors, the marks around each sentence among them.

        Args:
            inputs: Character ids `(batch, tokens, 50)`.
            word_inputs: Ids of cached words `(batch, tokens)`; a batch with an id that is not cached takes the characters.

        Returns:
            `activations`: `n_layers + 1` tensors `(batch, tokens + 2, 2 * projection_dim)`; `mask`: `(batch, tokens + 2)`.
        """
        if word_inputs is not None and self._is_cached(word_inputs):
            vectors = self._word_embedding(word_inputs)  # type: ignore[misc]
            tokens, mask = _with_boundaries(vectors, word_inputs > 0, self._bos_embedding, self._eos_embedding)
        else:
            encoded = self._token_embedder(inputs)
            tokens, mask = encoded["token_embedding"], encoded["mask"]
        layers = self._elmo_lstm(tokens, mask)
        first = torch.cat([tokens, tokens], dim=-1) * mask.unsqueeze(-1)
        return {"activations": [first, *layers.unbind(0)], "mask": mask}

    def create_cached_cnn_embeddings(self, tokens: Sequence[str]) -> None:
        """Compute the vectors of words before the LSTMs, and keep them for `word_inputs`; the first is for padding."""
        words = ["<S>", "</S>", *tokens]
        device = self._token_embedder._char_embedding_weights.device  # noqa: SLF001  (one room)
        vectors = []
        for start in range(0, len(words), _N_WORDS_AT_ONCE):
            ids = [_characters.word_ids(word) for word in words[start : start + _N_WORDS_AT_ONCE]]
            vectors.append(self._token_embedder.embed(torch.tensor(ids, device=device)).detach())
        table = torch.cat(vectors)
        self._bos_embedding, self._eos_embedding = table[0], table[1]
        vectors_by_id = table[2:].clone()
        vectors_by_id[0] = 0  # so that padding is no token: see _with_boundaries
        self._word_embedding = torch.nn.Embedding.from_pretrained(
            vectors_by_id, freeze=not self._requires_grad, padding_idx=0
        )

    def _is_cached(self, ids: Tensor) -> bool:
        words = self._word_embedding
        return words is not None and (
            ids.numel() == 0 or (int(ids.min()) >= 0 and int(ids.max()) < words.num_embeddings)
        )


class CharacterEncoder(torch.nn.Module):
    """Words as vectors, from their characters alone."""

    def __init__(self, options: ElmoOptions) -> None:
        super().__init__()
        self._activation = {"relu": torch.relu, "tanh": torch.tanh}[options.activation]
        self._n_convolutions = len(options.filters)
        self._output_dim = options.projection_dim
        self._char_embedding_weights = torch.nn.Parameter(torch.empty(_characters.N_CHARACTERS, options.char_dim))
        for index, (width, number) in enumerate(options.filters):
            conv = torch.nn.utils.skip_init(torch.nn.Conv1d, options.char_dim, number, width, bias=True)
            self.add_module(f"char_conv_{index}", conv)
        self._highways = Highway(options.n_filters, options.n_highway)
        self._projection = empty_linear(options.n_filters, options.projection_dim, bias=True)
        for name, word in (("_begin", "<S>"), ("_end", "</S>")):
            self.register_buffer(name, torch.tensor(_characters.word_ids(word)), persistent=False)

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
        ids, mask = _with_boundaries(inputs, (inputs > 0).any(dim=-1), self._begin, self._end)
        vectors = self.embed(ids.view(-1, ids.size(-1)))
        return {"mask": mask, "token_embedding": vectors.view(*mask.shape, -1)}

    def embed(self, ids: Tensor) -> Tensor:
        """Return the vectors `(words, projection_dim)` of character ids `(words, 50)`."""
        characters = torch.nn.functional.embedding(ids, self._char_embedding_weights).transpose(1, 2)
        found = []
        for index in range(self._n_convolutions):
            strongest, _ = getattr(self, f"char_conv_{index}")(characters).max(dim=-1)
            found.append(self._activation(strongest))
        vectors: Tensor = self._projection(self._highways(torch.cat(found, dim=-1)))
        return vectors


class Highway(torch.nn.Module):
    """Layers that each carry a part of their input past a transformation."""

    def __init__(self, n_units: int, n_layers: int) -> None:
        super().__init__()
        self._layers = torch.nn.ModuleList(empty_linear(n_units, 2 * n_units, bias=True) for _ in range(n_layers))

    def forward(self, inputs: Tensor) -> Tensor:
        """Return `(words, units)`, shaped as the input."""
        for layer in self._layers:
            new, gate = layer(inputs).chunk(2, dim=-1)
            gate = torch.sigmoid(gate)
            inputs = gate * inputs + (1 - gate) * torch.relu(new)
        return inputs


def _with_boundaries(tokens: Tensor, mask: Tensor, begin: Tensor, end: Tensor) -> tuple[Tensor, Tensor]:
    """Put a mark before and after each sentence of `(batch, tokens, units)`; what has a unit above zero is a token."""
    n_rows, _, n_units = tokens.shape
    begin, end = begin.detach().to(tokens), end.detach().to(tokens)
    rows = torch.cat([begin.expand(n_rows, 1, n_units), tokens, tokens.new_zeros(n_rows, 1, n_units)], dim=1)
    rows[torch.arange(n_rows, device=tokens.device), mask.sum(dim=1) + 1] = end
    return rows, (rows > 0).any(dim=-1)


def _without_boundaries(tokens: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Take the marks off `(batch, tokens + 2, units)`; zeros where a sentence has no token."""
    places = torch.arange(mask.size(1) - 2, device=mask.device)
    inner = places < (mask.sum(dim=1, keepdim=True) - 2)
    return tokens[:, 1:-1].masked_fill(~inner.unsqueeze(-1), 0.0), inner
