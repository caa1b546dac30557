"""Compute one value that is equal for equal weights: the digest of a report."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from safeload._forms.weight_file import WeightFile

VERSION = 1
"""Changes with what goes into a digest."""


class Row(NamedTuple):
    """A tensor in a digest.

    Attributes:
        name: The parameter, or where no model is known the stored name.
        stored: Its stored name.
        change: How the stored values become the parameter.
    """

    name: str
    stored: str
    change: str = "same"


def digest_of(weights: WeightFile, rows: Iterable[Row], settings: Mapping[str, object]) -> str:
    """Return the SHA-256 of names, types, shapes and checksums of tensors that were read, and of settings, in hex.

    Args:
        weights: The weight file; it has read or verified the tensors.
        rows: The tensors; their order and where they lie in the file do not matter.
        settings: What else makes the model, as JSON has it.
    """
    listed = [
        [row.name, row.change, spec.dtype, list(spec.shape), weights.seen[row.stored].checksum]
        for row in rows
        for spec in [weights.tensors[row.stored].spec]
    ]
    text = json.dumps([VERSION, sorted(listed), settings], sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def digest_of_tensors(weights: WeightFile, names: Iterable[str]) -> str:
    """Return the digest of tensors of any model, under their stored names.

    Args:
        weights: As `digest_of` takes it.
        names: The tensors, in any order.
    """
    return digest_of(weights, (Row(name, name) for name in names), {})
