"""Write TensorFlow 2's object-based checkpoints, without TensorFlow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from safeload._forms.tensorflow.index_file import GRAPH
from safeload._forms.tensorflow.object_graph import VALUE
from safeload._forms.tensorflow.writing import sized, varint
from safeload.testing._bundle import write_bundle

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

_ROOT = "model"


def write_objects(prefix: Path, tensors: Mapping[str, NDArray[Any]]) -> None:
    """Write variables, by their full names, as `tf.train.Checkpoint(model=variables).write` does for a list of them.

    Source:
        tensorflow/python/checkpoint/graph_view.py and save_util.py, TensorFlow 2.15 and 2.21.
    """
    keys = {name: f"{_ROOT}/{number}{VALUE}" for number, name in enumerate(tensors)}
    graph = np.array(_graph(keys), object)
    write_bundle(prefix, {**{keys[name]: values for name, values in tensors.items()}, GRAPH: graph}, 1)


def _graph(keys: Mapping[str, str]) -> bytes:
    """Return the graph of a root, the list below it, and the variables in the list: full name -> key."""
    members = [_child(number + 2, str(number)) for number in range(len(keys))]
    variables = [_field(2, _text(1, "VARIABLE_VALUE") + _text(2, name) + _text(3, key)) for name, key in keys.items()]
    return b"".join(_field(1, node) for node in (_child(1, _ROOT), b"".join(members), *variables))


def _child(node: int, name: str) -> bytes:
    return _field(1, b"\x08" + varint(node) + _text(2, name))


def _text(number: int, text: str) -> bytes:
    return _field(number, text.encode())


def _field(number: int, data: bytes) -> bytes:
    return bytes([number << 3 | 2]) + sized(data)
