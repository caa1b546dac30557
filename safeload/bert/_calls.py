"""Type the keyword arguments of `load_bert`, by the backends that take them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from safeload._bytes.paths import StrPath


class OfEach(TypedDict, total=False):
    """Those of every backend."""

    base_dir: StrPath | None
    ignore_unused: Collection[str]
    lock_file: StrPath | None
    signature: StrPath | None
    signed_by: StrPath | None
    cache_dir: StrPath | None
    scope: str | None
    activation: str | None
    expected_outputs: StrPath | None


class OfKerasBert(OfEach, total=False):
    """Those of keras-bert."""

    training: bool
    trainable: bool | Collection[str] | None
    output_layer_num: int | Sequence[int]
    seq_len: int | None
    dropout_rate: float
    attention_activation: Any
    use_task_embed: bool
    task_num: int


class OfTransformers(OfEach, total=False):
    """Those of transformers, but for those that decide on the class."""

    seq_len: None
    dtype: Any
    device: Any


class OfKerasHub(OfEach, total=False):
    """Those of KerasHub."""

    seq_len: None
