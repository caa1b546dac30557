"""Type the keyword arguments of `load_elmo`, but for the backend."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypedDict

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from safeload._bytes.paths import StrPath


class OfKeras(TypedDict, total=False):
    """Those of every backend."""

    requires_grad: bool
    do_layer_norm: bool
    dropout: float
    keep_sentence_boundaries: bool
    scalar_mix_parameters: Sequence[float] | Literal["stored"] | None
    stateful: bool | None
    base_dir: StrPath | None
    ignore_unused: Collection[str]
    lock_file: StrPath | None
    signature: StrPath | None
    signed_by: StrPath | None
    cache_dir: StrPath | None
    scope: str | None
    expected_outputs: StrPath | None


class OfTorch(OfKeras, total=False):
    """Those of torch and AllenNLP."""

    vocab_to_cache: Iterable[str] | None
