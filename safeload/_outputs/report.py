"""The report on outputs that were saved or compared, and the bound of the comparison."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from safeload._layers import LayerDifference, table
from safeload._text.dicts import dict_of
from safeload._text.words import counted
from safeload.report import pairs_text, rows_text, seconds_text

if TYPE_CHECKING:
    from collections.abc import Mapping

BOUND = 5e-5
"""Largest difference of two tables that count as equal, as a part of the root mean square of the expected one.

Of BERT-Base and MiniLM, keras-bert, transformers and KerasHub on three engines are apart by at most 7.4e-6, with one thread or
two and with oneDNN or without; another GELU differs from 4.0e-4 on, bfloat16 from 1.1e-2.
"""


@dataclass(frozen=True, kw_only=True)
class OutputsReport:
    """The result of `save_outputs` or `compare_outputs`.

    Attributes:
        model: "BERT" or "ELMo".
        file: The absolute path of the file.
        runtime: The library that computed the layers now.
        settings: What the model computes with.
        computed: The layers that were computed, in the order of the model.
        layers: The largest difference of each layer, as a fraction of its root mean square; empty after `save_outputs`.
        bound: The largest difference that counts as equal.
        notes: What was not compared.
        seconds: Step -> duration in seconds.
        versions: Package -> version.
    """

    model: str
    file: str
    runtime: str
    settings: Mapping[str, object]
    computed: tuple[str, ...]
    layers: tuple[LayerDifference, ...] = ()
    bound: float = BOUND
    notes: tuple[str, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)

    def headline(self) -> str:
        """Return the first line: what was saved, or how far the model is from what is expected."""
        if not self.layers:
            return f"{self.model}: the outputs of {counted(len(self.computed), 'layer')} saved"
        compared = [each for each in self.layers if each.max_abs is not None]
        far = max(compared, key=lambda each: each.max_abs or 0.0)
        return (
            f"{self.model}: {counted(len(compared), 'layer')} as expected, within {self.bound:g}; "
            f"the largest difference is {far.max_abs:.3g}, in {far.layer}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain dicts, lists, strings and numbers for `json.dumps`."""
        return dict_of(self)

    def __str__(self) -> str:
        """Return the report as text for a log."""
        rows = [("outputs", self.file), ("backend", self.runtime), ("settings", pairs_text(self.settings, "="))]
        rows += [("note", note) for note in self.notes]
        rows += [("seconds", seconds_text(self.seconds)), ("versions", pairs_text(self.versions, " "))]
        return "\n".join([rows_text(self.headline(), rows), *(f"  {row}" for row in table(self.layers, self.bound))])
