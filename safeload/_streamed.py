"""Give the values of a model's parameters a few at a time, and say how new files have them."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from safeload._values import read_parameters

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from numpy.typing import NDArray

    from safeload._fit import Matched
    from safeload._naming import Change
    from safeload._values import Fault
    from safeload.report import TensorSpec

    Array = NDArray[Any]


N_READERS = 2
"""How many threads read a few tensors each, while a third one writes."""


class Values(Protocol):
    """What gives the values of a model's parameters.

    Attributes:
        n_readers: How many threads may read at once.
    """

    n_readers: int

    def read(self, names: Sequence[str], turned: Collection[str]) -> dict[str, Array]:
        """Return the values of parameters; matrices are in C order, those in `turned` in Fortran order."""

    def finish(self) -> None:
        """Prove what was read, once all was."""


class Row(NamedTuple):
    """A parameter in the new files.

    Attributes:
        parameter: Its name in the model.
        name: Its name in the file.
        change: How the stored values become the parameter.
        spec: Its shape and dtype in the model.
    """

    parameter: str
    name: str
    change: Change
    spec: TensorSpec

    @property
    def n_bytes(self) -> int:
        """Its size in bytes, at most 8 a value."""
        return prod(self.spec.shape) * (8 if self.spec.dtype.endswith("64") else 4)

    def stored(self, n_heads: int) -> tuple[tuple[int, ...], str]:
        """Return the shape and dtype in the file."""
        shape = self.spec.shape
        if self.change == "transposed":
            shape = shape[::-1]
        elif self.change == "heads first":
            shape = (n_heads, shape[0] // n_heads, *shape[1:])
        elif self.change == "heads last":
            shape = (*shape[:-1], n_heads, shape[-1] // n_heads)
        return shape, self.spec.dtype


class FileValues:
    """The values in a weight file that is open.

    Attributes:
        n_readers: One where a file is read in order.
    """

    def __init__(self, found: Matched[Any], others: Mapping[str, str]) -> None:
        """Take an open file, and what is read besides the parameters of the model: parameter -> stored name."""
        self.n_readers = N_READERS if found.weights.access() == "random" else 1
        match = found.match
        changes: dict[str, Change] = dict.fromkeys(others, "same")
        self._found, self._faults = found, dict[str, "Fault"]()
        self._match = match._replace(stored={**match.stored, **others}, changes={**match.changes, **changes})

    def read(self, names: Sequence[str], turned: Collection[str]) -> dict[str, Array]:
        """Return verified values, in float32 where they are floats.

        Raises:
            SafeLoadError: As `check`.
        """
        match = self._match
        part = match._replace(
            stored={name: match.stored[name] for name in names}, changes={name: match.changes[name] for name in names}
        )
        values, faults = read_parameters(self._found.weights, part, keep=True, turned=turned)
        self._faults.update(faults)
        if faults:
            self.finish()
        return values

    def finish(self) -> None:
        """Raise the error of the faults, if there are any, and prove the files."""
        self._found.finish(self._faults)
