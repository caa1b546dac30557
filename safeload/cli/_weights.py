"""A weight file of either kind, opened to be looked at: its tensors, and their values as they are."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from safeload import _files
from safeload._formats.hdf5 import Hdf5File
from safeload._formats.tensor_bundle import TensorBundle
from safeload._formats.tensor_values import read_as_it_is
from safeload._paths import resolve_path
from safeload.bert._checkpoint import find_checkpoint, list_prefixes
from safeload.cli._models import ELMO, kind_of_folder
from safeload.elmo._places import find_weights
from safeload.errors import CorruptFileError
from safeload.report import TensorSpec, with_article

if TYPE_CHECKING:
    from numpy.typing import NDArray

TOO_LARGE = "TOO LARGE: it does not fit into the memory"
_NUMBERED = re.compile(r"\D.*?\d+$")
_IN_HDF5 = ("float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")


@dataclass(frozen=True, kw_only=True)
class Tensor:
    """One tensor of a weight file.

    Attributes:
        spec: Name, shape and dtype.
        layer: The layer that it belongs to, by its name alone.
        n_bytes: Its size in the file.
    """

    spec: TensorSpec
    layer: str
    n_bytes: int


class Weights(Protocol):
    """An open weight file.

    Attributes:
        path: The checkpoint prefix or the HDF5 file, absolute.
        what: What it is, in words.
        files: (role, path) of each file.
        tensors: Name -> tensor, in the order of the layers.
    """

    path: str
    what: str
    files: list[tuple[str, str]]
    tensors: dict[str, Tensor]

    def values(self, name: str) -> tuple[NDArray[Any] | None, str]:
        """Return a tensor's values, None where they cannot be read, and what is wrong with them, "" for nothing.

        Types that NumPy has not are integers of their bits; strings are objects.
        """

    def close(self) -> None:
        """Close the files."""


def open_weights(given: str) -> Weights:
    """Open what a path means: a checkpoint in any form, an HDF5 file, or the folder of either.

    Raises:
        SafeLoadError: As `find_checkpoint`, `TensorBundle`, `find_weights` and `Hdf5File`.
    """
    path = resolve_path(given, argument="path")
    if os.path.isdir(path):
        if kind_of_folder(path) == ELMO and not list_prefixes(path):
            return _Hdf5(find_weights(path, given), given)
    else:
        kind = _files.sniff(path)
        if kind is not None and kind.name == "HDF5 file":
            return _Hdf5(path, given)
    return _Checkpoint(path, given)


class _Checkpoint:
    def __init__(self, path: str, given: str) -> None:
        place = find_checkpoint(path, given=given)
        self._bundle = TensorBundle(place.prefix, given=given)
        self.path = place.prefix
        shards = self._bundle.n_shards
        self.what = (
            f"a TensorFlow checkpoint of {shards} shard{'s' * (shards != 1)}, given as {with_article(place.form)}"
        )
        self.files = self._bundle.paths()
        self.tensors = _in_order(
            (TensorSpec(name=name, shape=entry.shape, dtype=entry.dtype), entry.n_bytes)
            for name, entry in self._bundle.variables.items()
        )

    def values(self, name: str) -> tuple[NDArray[Any] | None, str]:
        try:
            return read_as_it_is(self._bundle, name)
        except MemoryError:
            return None, TOO_LARGE

    def close(self) -> None:
        self._bundle.close()


class _Hdf5:
    def __init__(self, path: str, given: str) -> None:
        self._file = Hdf5File(path, given=given)
        self.path = path
        self.what = "an HDF5 file"
        self.files = [("weight", path)]
        self.tensors = _in_order((dataset.spec, dataset.n_bytes) for dataset in self._file.datasets.values())

    def values(self, name: str) -> tuple[NDArray[Any] | None, str]:
        dataset = self._file.datasets[name]
        if dataset.lacks:
            return None, f"UNWRITTEN: {dataset.lacks}"
        if dataset.spec.dtype not in _IN_HDF5:
            return None, ""
        try:
            values = np.empty(dataset.spec.shape, dataset.spec.dtype)
            self._file.read_gathered(name, values)
        except CorruptFileError as exc:
            return None, f"UNREADABLE: {exc.message}"
        except (MemoryError, ValueError):  # NumPy, of a shape that no array has
            return None, TOO_LARGE
        return values, ""

    def close(self) -> None:
        self._file.close()


def _in_order(rows: Any) -> dict[str, Tensor]:  # noqa: ANN401  (pairs of a spec and a size)
    tensors = [Tensor(spec=spec, layer=layer_of(spec.name), n_bytes=n_bytes) for spec, n_bytes in rows]
    tensors.sort(key=lambda tensor: (_natural(tensor.layer), _natural(tensor.spec.name)))
    return {tensor.spec.name: tensor for tensor in tensors}


def layer_of(name: str) -> str:
    """Return the layer that a tensor belongs to: up to the last numbered part of its path, or its first two parts."""
    parts = name.split("/")
    numbered = [at for at, part in enumerate(parts[:-1]) if _NUMBERED.fullmatch(part)]
    if numbered:
        return "/".join(parts[: numbered[-1] + 1])
    return "/".join(parts[: min(2, max(1, len(parts) - 1))])


def _natural(name: str) -> list[tuple[int, str]]:
    """Sort `layer_2` before `layer_10`."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]
