"""Validate the inputs of ELMo's torch modules, AllenNLP's and safeload's.

torch is imported at the top, as in `torch.py` beside this file.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from safeload._reports import warn_caller
from safeload._text.words import counted
from safeload.elmo._characters import MAX_CHARACTERS_PER_TOKEN, N_CHARACTERS
from safeload.elmo.builders.torch_export import is_exporting
from safeload.errors import ArgumentError

_INTEGERS = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8)
_MAKE_IDS = "make them with safeload.character_ids(sentences)"


def require_tensor(inputs: Any, name: str = "inputs") -> None:  # noqa: ANN401  (validated here)
    """Require a torch tensor.

    Raises:
        ArgumentError: `inputs` is of another type.
    """
    if not isinstance(inputs, Tensor):
        hints = [_MAKE_IDS, "or convert an array: torch.from_numpy(ids)"]
        message = f"{name} must be a torch tensor of ids, not of type {type(inputs).__name__}"
        raise ArgumentError(message, argument=name, hints=hints)


def require_integers(inputs: Tensor, name: str) -> None:
    """Require a tensor of an integer dtype.

    Raises:
        ArgumentError: Its dtype is another.
    """
    if inputs.dtype not in _INTEGERS:
        message = f"{name} must be ids of an integer dtype, not {str(inputs.dtype).removeprefix('torch.')}"
        raise ArgumentError(message, argument=name, hints=[f"{_MAKE_IDS}, or cast them: ids.long()"])


def checked_ids(inputs: Any) -> Tensor:  # noqa: ANN401  (validated here)
    """Return character ids `(batch, tokens, 50)`; `(batch, 0)`, as `character_ids` makes of sentences without words, too.

    Raises:
        ArgumentError: `inputs` is not a tensor of character ids.
    """
    require_tensor(inputs)
    require_integers(inputs, "inputs")
    if inputs.dim() == 2 and inputs.size(1) == 0:  # noqa: PLR2004  (batch and no tokens)
        inputs = inputs.unsqueeze(-1).expand(-1, -1, MAX_CHARACTERS_PER_TOKEN)
    if is_exporting() and inputs.dim() == 3:  # noqa: PLR2004  (batch, tokens, characters)
        return indexing(inputs).masked_fill(inputs < 0, N_CHARACTERS)  # ONNX would count from the end
    if inputs.dim() != 3 or inputs.size(-1) != MAX_CHARACTERS_PER_TOKEN:  # noqa: PLR2004
        message = f"inputs must be character ids (batch, tokens, 50), not of the shape {tuple(inputs.shape)}"
        raise ArgumentError(message, argument="inputs", hints=[_MAKE_IDS])
    if not inputs.size(0):
        message = "inputs is a batch without sentences"
        raise ArgumentError(message, argument="inputs", hints=["pass at least one sentence"])
    if inputs.numel() and not (int(inputs.min()) >= 0 and int(inputs.max()) < N_CHARACTERS):
        place = ((inputs < 0) | (inputs >= N_CHARACTERS)).nonzero()[0].tolist()
        message = f"inputs{place} is {int(inputs[tuple(place)])}, but character ids are 0 to {N_CHARACTERS - 1}"
        raise ArgumentError(message, argument="inputs", hints=[_MAKE_IDS])
    return indexing(inputs)


def indexing(ids: Tensor) -> Tensor:
    """Return ids in a dtype that indexes an embedding."""
    return ids if ids.dtype in (torch.int64, torch.int32) else ids.long()


def is_cached(table: Any, word_ids: Tensor) -> bool:  # noqa: ANN401  (an embedding, or None)
    """Return whether an embedding has all of the word ids."""
    if table is None:
        return False
    return not word_ids.numel() or (int(word_ids.min()) >= 0 and int(word_ids.max()) < table.num_embeddings)


def words_behind_gaps(present: Tensor) -> Tensor:
    """Return which sentences of a mask `(batch, tokens)` have a word behind an absent one, `(batch,)` bool."""
    return (present[:, 1:] & ~present[:, :-1]).any(dim=1)


def check_call(bilm: Any, inputs: tuple[Any, ...]) -> tuple[Any, ...]:  # noqa: ANN401  (AllenNLP's biLM)
    """Check the inputs of AllenNLP's biLM before its forward, as a hook; return them.

    AllenNLP computes as many tokens of a sentence as it has words, so that words behind a gap become zeros.

    Raises:
        ArgumentError: The inputs are not ids.
    """
    ids, words = (*inputs, None)[:2]
    table = bilm._word_embedding  # noqa: SLF001  (AllenNLP's name)
    if words is not None and table is not None:
        require_integers(words, "word_inputs")
        words = indexing(words)
    if words is not None and is_cached(table, words):
        present = words > 0
    else:
        ids = checked_ids(ids)
        present = (ids > 0).any(dim=-1)
    behind = words_behind_gaps(present)
    if behind.any():
        where = f"{int(behind.sum())} of {counted(len(behind), 'sentence')}"
        warn_caller(
            f"padding is before or between words in {where}: AllenNLP's module returns zeros for words behind it; "
            "put all padding behind the last word, as safeload.character_ids does, or load with backend='torch', which "
            "computes such sentences"
        )
    return ids, words


def check_tensor(_module: Any, inputs: tuple[Any, ...]) -> None:  # noqa: ANN401  (AllenNLP's Elmo)
    """Require tensors before the forward of AllenNLP's Elmo, as a hook, which sees positional arguments alone.

    Raises:
        ArgumentError: An argument is of another type.
    """
    for name, value in zip(("inputs", "word_inputs"), inputs):  # noqa: B905  (word_inputs may be left out)
        if value is not None:
            require_tensor(value, name)
