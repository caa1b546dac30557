"""Dataclasses become what `dataclasses.asdict` makes of them."""

from __future__ import annotations

import dataclasses
from types import MappingProxyType
from typing import Any

from safeload._text.dicts import dict_of


@dataclasses.dataclass(frozen=True)
class Inner:
    size: int
    names: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Outer:
    value: Any
    rows: list[Inner]


def test_a_dataclass_becomes_what_dataclasses_makes_of_it():
    values = (None, True, 1.5, "a", [Inner(1)], (Inner(2, ("b",)),), {"k": Inner(3)}, Inner)
    for value in values:
        found = Outer(value, [Inner(4, ("c", "d"))])

        assert dict_of(found) == dataclasses.asdict(found)


def test_a_mapping_that_nobody_changes_becomes_a_dict():
    assert type(dict_of(Outer(MappingProxyType({"k": Inner(3)}), []))["value"]) is dict
