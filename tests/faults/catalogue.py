"""The catalogue of faults: what the testing kit, the hostile files and the failures that were reported have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.faults import allennlp, bert, elmo, hostile, outputs, safetensors, shards, torch

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.faults.fault import Fault


def unique(pairs: Iterable[tuple[str, Fault]]) -> dict[str, Fault]:
    """Return the faults by a name that no two of them may have."""
    found: dict[str, Fault] = {}
    for name, fault in pairs:
        if name in found:
            message = f"{name} is {found[name].key} and {fault.key}"
            raise ValueError(message)
        found[name] = fault
    return found


CATALOGUE = unique(
    (fault.key, fault)
    for module in (bert, elmo, hostile, safetensors, shards, torch, allennlp, outputs)
    for fault in module.FAULTS
)
HOSTILE = unique((fault.name, fault) for fault in CATALOGUE.values() if fault.is_hostile)
BY_REPORT = unique((number, fault) for fault in CATALOGUE.values() for number in fault.reports)
