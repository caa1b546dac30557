"""Say what of a BERT is to be written: its config, parameters, task heads and vocabulary."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from safeload.bert._parameters import POOLER, list_parameters
from safeload.bert._runtimes import ACTIVATIONS, ALIASES, TRANSFORMERS, Runtime

if TYPE_CHECKING:
    from collections.abc import Mapping

    from safeload._model_kind import Stored
    from safeload._naming import Naming
    from safeload.bert._config import BertConfig
    from safeload.report import TensorSpec

PAD = "[PAD]"
POOLER_PART, MLM, NSP = "pooler", "mlm", "nsp"
_STARTS = {f"{POOLER}/": POOLER_PART, "cls/predictions/": MLM, "cls/seq_relationship/": NSP}

ANY = Runtime(
    id="convert",
    cannot="convert does not write",
    words=tuple(dict.fromkeys((*ACTIVATIONS, *TRANSFORMERS.words, *ALIASES))),
    pooler="if stored",
    settings=TRANSFORMERS.settings,
)
"""What is used in place of the runtime while the source is read: whatever some form can express."""


@dataclass(frozen=True, kw_only=True)
class Content:
    """A BERT that is to be written.

    Attributes:
        config: Its config, with the activation of the weights.
        parameters: Its parameters.
        heads: Its task heads, by the names that their library gives them.
        naming: The id of the naming of these names.
        vocabulary: The bytes of the vocabulary; None without one.
        tokens: Token -> id; empty without a vocabulary.
        lowercase: Whether the tokenizer makes words lower-case; None if nothing says it.
    """

    config: BertConfig
    parameters: Mapping[str, TensorSpec]
    heads: Mapping[str, TensorSpec] = field(default_factory=dict)
    naming: str = "google"
    vocabulary: bytes | None = None
    tokens: Mapping[str, int] = field(default_factory=dict)
    lowercase: bool | None = None

    @property
    def parts(self) -> frozenset[str]:
        """The parts that the model has besides the encoder."""
        return frozenset(part for name in self.parameters if (part := part_of(name)))

    def is_lowercase(self) -> bool:
        """Return whether the tokenizer makes words lower-case: a vocabulary with other words would never use them."""
        if self.lowercase is not None:
            return self.lowercase
        return all(
            token == token.lower() for token in self.tokens if not (token.startswith("[") and token.endswith("]"))
        )

    def without_words(self) -> Content:
        """Return the same without the tokens, of which only the padding matters once the case of the words is known."""
        kept = {token: number for token, number in self.tokens.items() if token == PAD}
        return replace(self, lowercase=self.is_lowercase(), tokens=kept)


def part_of(parameter: str) -> str:
    """Return the part that a parameter belongs to; "" for the encoder."""
    return next((part for start, part in _STARTS.items() if parameter.startswith(start)), "")


def stored_parameters(config: BertConfig, naming: Naming, stored: Stored) -> dict[str, TensorSpec]:
    """List the parameters of the encoder, and of each other part that a file has, if only in part."""
    del naming
    specs = list_parameters(config, training=True)
    there = {part_of(name) for name in specs if stored(name) is not None} | {""}
    return {name: spec for name, spec in specs.items() if part_of(name) in there}
