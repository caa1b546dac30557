"""What every form of weights is to its users: tensors by stored name, read and verified in one pass."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from safeload._text.words import first_few, some_of, two_lines
from safeload.errors import CorruptFileError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from numpy.typing import NDArray

    from safeload._bytes.files import FileRef
    from safeload._forms.arrays import DamagedError
    from safeload.report import TensorSpec

    Array = NDArray[Any]

File = TypeVar("File", bound="WeightFile")

TOO_LARGE = "TOO LARGE: it does not fit into memory"


@dataclass(frozen=True, kw_only=True)
class WeightPlace:
    """Where weights are, before they are opened.

    Attributes:
        ref: The file; for a TensorFlow checkpoint its prefix.
        form: The module in `_forms` that reads it.
        place: How the path led there: "checkpoint prefix", "folder with one checkpoint", ...
        state_file: The checkpoint state file that named the prefix, or None.
    """

    ref: FileRef
    form: str
    place: str
    state_file: str | None = None


@dataclass(frozen=True, kw_only=True)
class StoredTensor:
    """A tensor of a weight file.

    Attributes:
        spec: Its stored name, shape and dtype.
        n_bytes: Its size in the file.
    """

    spec: TensorSpec
    n_bytes: int


class WeightFile(ABC):
    """An open weight file.

    A form lists its tensors when it is opened, and says how one is read (`_read`) and verified (`_check`); reading many in
    threads, and collecting every fault, is done here.

    Attributes:
        noun: What the form calls a tensor: "variable", "dataset".
        title: What a message calls the file: "checkpoint", "weight file".
        packages: The imported packages whose versions matter, for the report.
        summary: What it is, for a person: "an HDF5 file".
        ref: The file; for a TensorFlow checkpoint its prefix.
        tensors: Stored name -> tensor.
        groups: Names of what holds tensors and is none, where the form has such.
    """

    noun: ClassVar[str]
    title: ClassVar[str]
    packages: ClassVar[tuple[str, ...]] = ("numpy",)
    summary: str
    ref: FileRef
    tensors: Mapping[str, StoredTensor]
    groups: tuple[str, ...] = ()

    def __enter__(self: File) -> File:  # noqa: PYI019  (Self is newer than Python 3.10)
        """Return itself, open."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Close the files."""
        self.close()

    def verify(self, names: Iterable[str]) -> None:
        """Read the tensors once and keep nothing.

        Raises:
            CorruptFileError: A checksum does not match, a value is NaN or infinite, or bytes are missing; all tensors
                with such a fault are named.
        """
        self._each(names, self._check)

    def read(self, names: Iterable[str]) -> dict[str, Array]:
        """Return name -> values, verified in the memory in which they are returned.

        Memory begins at a multiple of `N_ALIGN_BYTES`, so that TensorFlow can share it. Types that NumPy does not have
        are returned as integers of their bits; strings as object arrays of bytes.

        Raises:
            CorruptFileError: As `verify`.
        """
        return self._each(names, self._read)

    @abstractmethod
    def look(self, name: str) -> tuple[Array | None, str]:
        """Return a tensor's values with what is wrong with them, to be looked at and never to be loaded.

        Returns:
            The values, as `read` would return them, or None where they cannot be read; and the fault, "" for none.
        """

    @abstractmethod
    def files(self) -> list[tuple[str, str]]:
        """Return (role, path) of every file that it consists of."""

    @abstractmethod
    def checksums(self, n_read: int) -> str:
        """Return which bytes its own checksums prove, after `n_read` tensors were read."""

    @abstractmethod
    def require_unchanged(self) -> None:
        """Require that the files are as they were when they were opened.

        Raises:
            CorruptFileError: A file was replaced or written to.
        """

    @abstractmethod
    def close(self) -> None:
        """Close the files; the listing stays."""

    @abstractmethod
    def _check(self, name: str) -> None:
        """Read a tensor and keep nothing; raises DamagedError."""

    @abstractmethod
    def _read(self, name: str) -> Array:
        """Return a tensor's values; raises DamagedError."""

    @abstractmethod
    def _faults_facts(self, faults: list[tuple[str, DamagedError]], n_read: int) -> dict[str, Any]:
        """Return the facts of the error for these faults: its file, offset and hints."""

    @abstractmethod
    def _position(self, name: str) -> tuple[int, int]:
        """Return which file a tensor lies in and where; they are read, and their faults printed, in this order."""

    @abstractmethod
    def _place_text(self, name: str, fault: DamagedError) -> str:
        """Return where a damaged tensor lies, as the beginning of its row; "" where that says nothing."""

    def _each(self, names: Iterable[str], use: Callable[[str], Any]) -> dict[str, Any]:
        import numpy as np  # noqa: PLC0415  (not for the places of files)

        from safeload._forms.arrays import DamagedError, in_shares  # noqa: PLC0415

        def attempt(name: str) -> Any:  # noqa: ANN401  (values, or the fault that they have)
            with np.errstate(all="ignore"):
                try:
                    return use(name)
                except DamagedError as exc:
                    return exc

        listed = sorted(names, key=self._position)
        results = in_shares(listed, lambda name: self.tensors[name].n_bytes, attempt)
        found = dict(zip(listed, results, strict=True))
        faults = [(name, result) for name, result in found.items() if isinstance(result, DamagedError)]
        if faults:
            raise self._damaged(faults, len(found))
        return found

    def _damaged(self, faults: list[tuple[str, DamagedError]], n_read: int) -> CorruptFileError:
        message = f"{some_of(len(faults), n_read, self.noun)} damaged in the {self.title}"
        rows = [two_lines(fault.kind, name, self._place_text(name, fault) + fault.text) for name, fault in faults]
        return CorruptFileError(
            message,
            variables=[name for name, _ in faults],
            details=first_few(rows, "error.variables"),
            **self._faults_facts(faults, n_read),
        )
