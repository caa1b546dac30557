"""Read the object graph of a TensorFlow 2 checkpoint, which gives the full name of the variable under each key.

Only the names are read: no object is made, and the references between the objects are not followed, so that cycles are
harmless.

Source:
    tensorflow/core/protobuf/trackable_object_graph.proto; tensorflow/python/checkpoint/graph_view.py and
    save_util.py, TensorFlow 2.15 and 2.21.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from safeload._forms.tensorflow import protobuf
from safeload._forms.tensorflow.index_file import MAX_KEY_BYTES

if TYPE_CHECKING:
    from collections.abc import Collection

MAX_GRAPH_BYTES = 1 << 25
MAX_NODES = 200_000
MAX_FIELDS = 1_000_000
"""Messages in a graph, of all kinds; that of BERT-Large with its optimizer has about 20,000."""

VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"
"""The end of the key of a variable's value."""

_UNNAMED = re.compile(r"Variable(_\d+)?")
_OPTIMIZER = re.compile(r"_variables/\d+$")
_NODE, _ATTRIBUTE, _SLOT = 1, 2, 3
_FULL_NAME, _KEY = 2, 3
_ORIGINAL, _SLOT_NAME, _SLOT_NODE = 1, 2, 3


class GraphTooLargeError(Exception):
    """The graph exceeds a limit."""


class Slot(NamedTuple):
    """An optimizer's variable for another one.

    Attributes:
        original: The number of the other's node.
        name: The slot's name, such as "m".
        node: The number of its own node.
    """

    original: int
    name: str
    node: int


class _Budget:
    """The rest of `MAX_FIELDS` that may still be read."""

    def __init__(self) -> None:
        self.n_fields = MAX_FIELDS

    def fields(self, data: bytes) -> list[tuple[int, int | bytes]]:
        listed = []
        for field in protobuf.read_fields(data):
            self.n_fields -= 1
            if self.n_fields < 0:
                message = f"it has more than {MAX_FIELDS:,} fields"
                raise GraphTooLargeError(message)
            listed.append(field)
        return listed


def names_of(graph: bytes, keys: Collection[str]) -> dict[str, str]:
    """Return key -> name of each tensor of a checkpoint.

    A variable has its full name; an optimizer's slot that of its variable and the slot's, as in TensorFlow 1:
    `pooler_transform/kernel/m`. A variable that was never named, which TensorFlow calls `Variable`, has its key without
    `/.ATTRIBUTES/VARIABLE_VALUE`. Variables that share their full name, and tensors that are no variables, keep their keys.

    Raises:
        ValueError: The graph is damaged, does not name a variable's key, or names one that the checkpoint does not have.
        GraphTooLargeError: It exceeds a limit.
    """
    attributes, slots = _read(graph)
    owners: dict[int, str] = {}
    names: dict[str, str] = {}
    for node, full_name, key in attributes:
        if key in names and names[key] != full_name:
            message = f"the object graph gives two names to {key}"
            raise ValueError(message)
        names[key] = full_name
        owners.setdefault(node, key)
    _require_same_keys(names, keys)
    of_slots = {}
    for slot in slots:
        own, original = owners.get(slot.node), owners.get(slot.original)
        if own is not None and original is not None:
            of_slots[own] = (names[original], slot.name)
    if sum(len(part) for parts in of_slots.values() for part in parts) > MAX_GRAPH_BYTES:
        message = f"the names of its slots have more than {MAX_GRAPH_BYTES:,} bytes"
        raise GraphTooLargeError(message)
    names |= {key: "/".join(parts) for key, parts in of_slots.items()}
    return _unique({key: names[key] if key.endswith(VALUE) else key for key in keys})


def _require_same_keys(names: Collection[str], keys: Collection[str]) -> None:
    unnamed = sorted(key for key in keys if key.endswith(VALUE) and key not in names)
    if unnamed:
        message = f"the object graph does not name {unnamed[0]}"
        raise ValueError(message)
    lost = sorted(key for key in names if key.endswith(VALUE) and key not in keys)
    if lost:
        message = f"the object graph names {lost[0]}, which the checkpoint does not have"
        raise ValueError(message)


def _unique(names: dict[str, str]) -> dict[str, str]:
    """Return key -> name that no other key has; `Adam/m/NAME`, as Keras's newer optimizers call a slot, becomes `NAME/m`."""
    full_names = set(names.values())
    found = {}
    for key, name in names.items():
        plain = key.removesuffix(VALUE)
        found[key] = plain if _UNNAMED.fullmatch(name) or not name else name
        if _OPTIMIZER.search(plain):
            slot, _, original = name.partition("/")[2].partition("/")
            found[key] = f"{original}/{slot}" if original in full_names else found[key]
    counts = Counter(found.values())
    return {key: name if counts[name] == 1 else key for key, name in found.items()}


def _read(graph: bytes) -> tuple[list[tuple[int, str, str]], list[Slot]]:
    """Return (node, full name, key) of each attribute, and the slots."""
    budget = _Budget()
    nodes = [protobuf.message_bytes(field) for number, field in budget.fields(graph) if number == _NODE]
    if len(nodes) > MAX_NODES:
        message = f"it has more than {MAX_NODES:,} objects"
        raise GraphTooLargeError(message)
    attributes, slots = [], []
    for node, data in enumerate(nodes):
        for number, field in budget.fields(data):
            if number == _ATTRIBUTE:
                found = dict(budget.fields(protobuf.message_bytes(field)))
                attributes.append((node, _text(found.get(_FULL_NAME, b"")), _text(found.get(_KEY, b""))))
            elif number == _SLOT:
                found = dict(budget.fields(protobuf.message_bytes(field)))
                original, own = (protobuf.signed(found.get(each, 0)) for each in (_ORIGINAL, _SLOT_NODE))
                if not (0 <= original < len(nodes) and 0 <= own < len(nodes)):
                    message = f"object {node} refers to one that the object graph does not have"
                    raise ValueError(message)
                slots.append(Slot(original, _text(found.get(_SLOT_NAME, b"")), own))
    return attributes, slots


def _text(field: int | bytes) -> str:
    data = protobuf.message_bytes(field)
    if len(data) > MAX_KEY_BYTES:
        message = f"it has a name of {len(data):,} bytes; at most {MAX_KEY_BYTES:,} are read"
        raise GraphTooLargeError(message)
    return data.decode("utf-8", "backslashreplace")
