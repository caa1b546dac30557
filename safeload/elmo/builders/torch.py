"""Build safeload's own ELMo in torch, with AllenNLP's names and behaviour.

Based on Peters et al., "Deep contextualized word representations" (2018), and the layout of bilm-tf's weight files.
torch is imported at the top because module classes must be importable by name to be copied and pickled; import this
module only inside a function that builds.

Source:
    allennlp/modules/elmo.py, scalar_mix.py, AllenNLP 2.10.1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from safeload.elmo import _characters
from safeload.elmo.builders import torch_fill
from safeload.elmo.builders.torch_encoder import CharacterEncoder, last_present, with_boundaries
from safeload.elmo.builders.torch_export import is_exporting, run_padded
from safeload.elmo.builders.torch_inputs import (
    indexing,
    is_cached,
    require_integers,
    require_tensor,
    words_behind_gaps,
)
from safeload.elmo.builders.torch_lstm import FLOATS, ElmoLstm
from safeload.errors import ArgumentError, BackendError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from safeload.elmo._arguments import ElmoArguments
    from safeload.elmo._options import ElmoOptions

_N_WORDS_AT_ONCE = 1024
_EPSILONS = {torch.float16: 1e-4}
_DEFAULT_EPSILON = 1e-13


def build(options: ElmoOptions, arguments: ElmoArguments, values: Mapping[str, NDArray[Any]]) -> Elmo:
    """Build and fill the module, and verify that every parameter of the biLM holds the file's values.

    Raises:
        BackendError: A parameter does not hold the file's values.
    """
    bilm = ElmoBiLm(options, requires_grad=arguments.requires_grad)
    torch_fill.fill(bilm, values, options)
    torch_fill.prove(bilm, values, options)
    if arguments.stateful is not None:
        bilm._elmo_lstm.stateful = arguments.stateful  # noqa: SLF001  (AllenNLP's name)
    if arguments.vocab_to_cache is not None:
        bilm.create_cached_cnn_embeddings(arguments.vocab_to_cache)
    return around(bilm, arguments)


def around(bilm: torch.nn.Module, arguments: ElmoArguments) -> Elmo:
    """Return an Elmo around a biLM, which needs `num_layers` and `get_output_dim` as in `ElmoBiLm`."""
    return Elmo(bilm, arguments)


class Elmo(torch.nn.Module):
    """Weighted sums of a biLM's layers."""

    def __init__(self, bilm: torch.nn.Module, arguments: ElmoArguments) -> None:
        super().__init__()
        self._elmo_lstm = bilm
        self._has_cached_vocab = arguments.vocab_to_cache is not None
        self._keep_sentence_boundaries = arguments.keep_sentence_boundaries
        self._dropout = torch.nn.Dropout(p=arguments.dropout)
        self._scalar_mixes = []
        for number in range(arguments.num_output_representations):
            mix = ScalarMix(
                bilm.num_layers,
                do_layer_norm=arguments.do_layer_norm,
                scalar_parameters=arguments.scalar_mix_parameters,
                gamma=arguments.gamma,
            )
            self.add_module(f"scalar_mix_{number}", mix)
            self._scalar_mixes.append(mix)

    def get_output_dim(self) -> int:
        """Return the size of an output vector, `2 * projection_dim`."""
        return int(self._elmo_lstm.get_output_dim())

    def reset_states(self, mask: Tensor | None = None) -> None:
        """Reset the state of the LSTMs; with a mask `(batch,)`, only in the rows where it is true."""
        self._elmo_lstm._elmo_lstm.reset_states(mask)  # noqa: SLF001  (AllenNLP's name)

    def forward(self, inputs: Tensor, word_inputs: Tensor | None = None) -> dict[str, Any]:
        """Return the representations of sentences.

        Args:
            inputs: Character ids `(batch, tokens, 50)`, 0 for absent tokens, which may stand anywhere; more dimensions may
                come first.
            word_inputs: Ids of cached words `(batch, tokens)`, 0 for absent tokens.

        Returns:
            `elmo_representations`: a list of tensors `(batch, tokens, 2 * projection_dim)`; `mask`: `(batch, tokens)`
            bool. With `keep_sentence_boundaries`, each sentence has two more tokens.

        Raises:
            ArgumentError: `inputs` is not a tensor of character ids, or `word_inputs` not one of ids.
        """
        require_tensor(inputs)
        outer = inputs.shape[:-1]
        if not self._has_cached_vocab:
            word_inputs = None
        if word_inputs is not None:
            require_tensor(word_inputs, "word_inputs")
            require_integers(word_inputs, "word_inputs")
            if word_inputs.dim() > 2:  # noqa: PLR2004  (batch and tokens)
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

    def __init__(
        self, n_layers: int, *, do_layer_norm: bool, scalar_parameters: Sequence[float] | None, gamma: float = 1.0
    ) -> None:
        super().__init__()
        self.do_layer_norm = do_layer_norm
        trainable = scalar_parameters is None
        first = [0.0] * n_layers if scalar_parameters is None else scalar_parameters
        scalars = [torch.tensor([float(value)], **FLOATS) for value in first]
        self.scalar_parameters = torch.nn.ParameterList(
            torch.nn.Parameter(scalar, requires_grad=trainable) for scalar in scalars
        )
        self.gamma = torch.nn.Parameter(torch.full((1,), gamma, **FLOATS), requires_grad=trainable)

    def forward(self, layers: Sequence[Tensor], mask: Tensor) -> Tensor:
        """Return the sum, of the shape of each layer, `(batch, tokens, units)`; `mask` is `(batch, tokens)`."""
        weights = torch.softmax(torch.cat(list(self.scalar_parameters)), dim=0)
        if self.do_layer_norm:
            layers = [_normalised(layer, mask.unsqueeze(-1)) for layer in layers]
        return self.gamma * sum(weight * layer for weight, layer in zip(weights.unbind(), layers, strict=True))


def _normalised(layer: Tensor, mask: Tensor) -> Tensor:
    """Normalise over all tokens and units of the batch, as AllenNLP does."""
    count = mask.sum() * layer.size(-1)
    mean = (layer * mask).sum() / count
    variance = (((layer * mask - mean) * mask) ** 2).sum() / count
    return (layer - mean) / torch.sqrt(variance + _EPSILONS.get(variance.dtype, _DEFAULT_EPSILON))


class ElmoBiLm(torch.nn.Module):
    """A character-based bidirectional language model without its softmax."""

    def __init__(self, options: ElmoOptions, *, requires_grad: bool) -> None:
        super().__init__()
        self._requires_grad = requires_grad
        self._token_embedder = CharacterEncoder(options)
        self.register_module("_word_embedding", None)  # reserves its position, since optimisers number the parameters
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
        """Return the size of a layer's vector, both directions together."""
        return 2 * self._token_embedder.get_output_dim()

    def forward(self, inputs: Tensor, word_inputs: Tensor | None = None) -> dict[str, Any]:
        """Return the vectors of every layer, with the sentence marks.

        Args:
            inputs: Character ids `(batch, tokens, 50)`.
            word_inputs: Ids of cached words `(batch, tokens)`. If any id is not cached, `inputs` is used instead.

        Returns:
            `activations`: `n_layers + 1` tensors `(batch, tokens + 2, 2 * projection_dim)`; `mask`: `(batch, tokens + 2)`.
        """
        table: Any = self._word_embedding
        if word_inputs is not None and table is not None and is_exporting():
            message = "word_inputs cannot be exported: whether all words are cached is known only when the graph runs"
            raise ArgumentError(message, argument="word_inputs", hints=["leave out word_inputs"])
        if word_inputs is not None and is_cached(table, word_inputs):
            vectors = table(indexing(word_inputs))
            tokens, mask = with_boundaries(vectors, word_inputs > 0, self._bos_embedding, self._eos_embedding)
        else:
            encoded = self._token_embedder(inputs)
            tokens, mask = encoded["token_embedding"], encoded["mask"]
        layers = run_padded(self._elmo_lstm, tokens, mask) if is_exporting() else self._run_without_gaps(tokens, mask)
        first = torch.cat([tokens, tokens], dim=-1) * mask.unsqueeze(-1)
        return {"activations": [first, *layers], "mask": mask}

    def _run_without_gaps(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Run the LSTMs over the tokens that are there, wherever they stand in `(batch, tokens + 2, units)`."""
        if not words_behind_gaps(mask).any():
            return self._elmo_lstm(tokens, mask)  # type: ignore[no-any-return]
        order = torch.sort(mask.to(torch.int8), dim=1, descending=True, stable=True).indices
        layers = self._elmo_lstm(_in_order(tokens, order), mask.gather(1, order))
        back = order.argsort(dim=1)
        return torch.stack([_in_order(layer, back) for layer in layers])

    def __prepare_scriptable__(self) -> None:
        """Refuse `torch.jit.script`, which asks this of each module.

        Raises:
            BackendError: Always.
        """
        message = "torch.jit.script cannot compile an ELMo, whose code is not TorchScript"
        raise BackendError(message, hints=["trace it: torch.jit.trace(model, ids)"])

    def create_cached_cnn_embeddings(self, tokens: Sequence[str]) -> None:
        """Compute and cache the vectors of words before the LSTMs, for `word_inputs`; the first word is padding."""
        words = ["<S>", "</S>", *tokens]
        device = self._token_embedder._char_embedding_weights.device  # noqa: SLF001
        vectors = []
        for start in range(0, len(words), _N_WORDS_AT_ONCE):
            ids = [_characters.word_ids(word) for word in words[start : start + _N_WORDS_AT_ONCE]]
            vectors.append(self._token_embedder.embed(torch.tensor(ids, device=device)).detach())
        table = torch.cat(vectors)
        self._bos_embedding, self._eos_embedding = table[0], table[1]
        vectors_by_id = table[2:].clone()
        vectors_by_id[0] = 0  # with_boundaries takes a zero vector for padding
        self._word_embedding = torch.nn.Embedding.from_pretrained(
            vectors_by_id, freeze=not self._requires_grad, padding_idx=0
        )


def _in_order(tokens: Tensor, order: Tensor) -> Tensor:
    """Return the tokens of each row of `(batch, tokens, units)` in the order `(batch, tokens)`."""
    return tokens.gather(1, order.unsqueeze(-1).expand_as(tokens))


def _without_boundaries(tokens: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Remove the sentence marks from `(batch, tokens + 2, units)`; absent tokens become zeros."""
    places = torch.arange(mask.size(1), device=mask.device)
    inner = (mask & (places != last_present(mask).unsqueeze(1)))[:, 1:-1]
    return tokens[:, 1:-1].masked_fill(~inner.unsqueeze(-1), 0.0), inner
