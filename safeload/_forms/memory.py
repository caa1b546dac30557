"""Give the tensors of a model in memory as those of a weight file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from safeload._forms.seen import Seen
from safeload._forms.weight_file import StoredTensor, WeightFile
from safeload.errors import ArgumentError
from safeload.report import TensorSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from numpy.typing import NDArray

    from safeload._bytes.files import FileRef
    from safeload._forms.arrays import DamagedError

    Array = NDArray[Any]
    Held = Mapping[str, tuple[tuple[int, ...], str, Callable[[], Array]]]

_FLOATS = ("float16", "float32", "float64", "bfloat16")


class MemoryWeights(WeightFile):
    """The tensors of a model in memory; each is copied when it is read."""

    noun = "variable"
    title = "model"
    summary = "a model in memory"

    def __init__(self, ref: FileRef, held: Held) -> None:
        """Take name -> shape, dtype, and what returns the values: in float32 where they are of a smaller type of floats."""
        self.ref, self._held = ref, held
        self.tensors = {
            name: StoredTensor(TensorSpec(name=name, shape=shape, dtype=_as_read(dtype)), 4 * int(np.prod(shape)))
            for name, (shape, dtype, _) in held.items()
        }

    def verify(self, names: Iterable[str]) -> None:
        """Verify the tensors without keeping their values.

        Raises:
            ArgumentError: As `read`.
        """
        for name in names:
            self.read([name])

    def read(self, names: Iterable[str], *, floats: bool = False, turned: Collection[str] = ()) -> dict[str, Array]:
        """Return name -> values, in float32 where they are floats.

        Raises:
            ArgumentError: A value is NaN or infinite, is a float64 that float32 cannot hold, or cannot be read.
        """
        del floats, turned
        found = {name: self._values(name) for name in names}
        self.seen.update(dict.fromkeys(found, Seen()))
        return found

    def is_equal(self, name: str, other: str) -> bool:
        """Return whether two tensors are the same.

        Raises:
            ArgumentError: As `read`.
        """
        values = self.read([name, other])
        return bool(np.array_equal(values[name], values[other]))

    def look(self, name: str) -> tuple[Array | None, str]:
        """Return the values."""
        return self._values(name), ""

    def files(self) -> list[tuple[str, str]]:
        """Return none."""
        return []

    def checksums(self, n_read: int) -> str:
        """Return nothing: memory has none."""
        del n_read
        return ""

    def require_unchanged(self) -> None:
        """Require nothing: each value is compared with what was written."""

    def close(self) -> None:
        """Keep the model."""

    def position(self, name: str) -> tuple[int, int]:
        """Return the place of a tensor among the others."""
        return 0, list(self._held).index(name)

    def _values(self, name: str) -> Array:
        shape, dtype, get = self._held[name]
        try:
            values = get()
        except (AttributeError, TypeError, ValueError, NotImplementedError, RuntimeError) as exc:
            message = f"the model has no values for {name}: {type(exc).__name__}"
            hints = ["move it to the CPU or a GPU first, if it is on the meta device"]
            raise ArgumentError(message, argument="model", hints=hints) from exc
        if dtype not in _FLOATS:
            return np.array(values, copy=True, order="C").reshape(shape)
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            found = np.array(values, np.float32, order="C").reshape(shape)
        if not np.isfinite(found).all():
            hints = ["the training diverged: save an earlier state", "or the weights were never loaded"]
            raise ArgumentError(f"the model holds NaN or infinite values in {name}", argument="model", hints=hints)
        if dtype == "float64" and not np.array_equal(found, values):
            hints = ["convert the model to float32 first, such as by model.float()"]
            raise ArgumentError(
                f"the model holds values in {name} that are not exactly float32", argument="model", hints=hints
            )
        return found

    def _check(self, name: str) -> Seen:
        raise NotImplementedError(name)

    def _read(self, name: str) -> tuple[Array, Seen]:
        return self._values(name), Seen()

    def _faults_facts(self, faults: list[tuple[str, DamagedError]], n_read: int) -> dict[str, Any]:
        raise NotImplementedError

    def _place_text(self, name: str, fault: DamagedError) -> str:
        raise NotImplementedError


def _as_read(dtype: str) -> str:
    return "float32" if dtype in _FLOATS else dtype
