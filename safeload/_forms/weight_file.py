"""Define the interface of all weight files: tensors by stored name, read and verified in one pass."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, TypeVar

from safeload._bytes.absent import failed
from safeload._forms.element_types import TYPES
from safeload._text.words import some_of, two_lines
from safeload.errors import CorruptFileError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from numpy.typing import NDArray

    from safeload._bytes.files import FileRef
    from safeload._bytes.open_file import Access
    from safeload._forms.arrays import DamagedError, Run
    from safeload._forms.seen import Seen
    from safeload.report import TensorSpec

    Array = NDArray[Any]

File = TypeVar("File", bound="WeightFile")

WIDENED = ("float16", "bfloat16", "float64")
"""Stored types that become float32 without loss; float64 only where every value is a float32."""

_FLOATS = ("float32", *WIDENED)
TOO_LARGE = "TOO LARGE: it does not fit into memory"
COPY_AGAIN = "copy or download the file again"
DIVERGED = "training diverged before the weights were saved, or bytes were damaged; take another copy"


class WeightPlace(NamedTuple):
    """The location of a weight file, before it is opened.

    Attributes:
        ref: The file; for a TensorFlow checkpoint its prefix.
        form: The module in `_forms` that reads it.
        place: How it was found: "checkpoint prefix", "folder with one checkpoint", ...
        state_file: The checkpoint state file that named the prefix, or None.
        others: The names of other weights in the folder, which are not read.
    """

    ref: FileRef
    form: str
    place: str
    state_file: str | None = None
    others: tuple[str, ...] = ()


class StoredTensor(NamedTuple):
    """A tensor of a weight file.

    Attributes:
        spec: Its stored name, shape and dtype.
        n_bytes: Size in the file, in bytes.
    """

    spec: TensorSpec
    n_bytes: int


class WeightFile(ABC):
    """An open weight file.

    A subclass lists its tensors on creation and implements reading (`_read`) and verifying (`_check`) one tensor; this
    class reads many in threads and collects all faults.

    Attributes:
        noun: "variable" or "dataset".
        title: "checkpoint" or "weight file".
        packages: The packages whose versions the report lists.
        summary: A description for messages, such as "an HDF5 file".
        ref: The file; for a TensorFlow checkpoint its prefix.
        tensors: Stored name -> tensor.
        groups: Names of the groups, in an HDF5 file.
    """

    noun: ClassVar[str]
    title: ClassVar[str]
    packages: ClassVar[tuple[str, ...]] = ("numpy",)
    summary: str
    ref: FileRef
    tensors: Mapping[str, StoredTensor]
    groups: tuple[str, ...] = ()

    def __enter__(self: File) -> File:  # noqa: PYI019  (Self is newer than Python 3.10)
        """Return the open file."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Close the files."""
        self.close()

    @cached_property
    def seen(self) -> dict[str, Seen]:
        """What was seen of the values of each tensor that was verified or read."""
        return {}

    def verify(self, names: Iterable[str]) -> None:
        """Verify the tensors without keeping their values.

        Raises:
            CorruptFileError: A checksum does not match, a value is NaN or infinite, or bytes are missing; names all
                damaged tensors.
            FileSystemError: The system cannot read.
        """
        self.seen.update(self._each(names, self._check))

    def read(self, names: Iterable[str], *, floats: bool = False, turned: Collection[str] = ()) -> dict[str, Array]:
        """Return name -> verified values; with `floats`, those of `WIDENED` types in float32.

        `turned` names the matrices of which the caller wants the transpose: where it costs less, their values are in Fortran
        order.

        The arrays are aligned to `N_ALIGN_BYTES`, so that TensorFlow can share their memory. Types that NumPy does not have
        are returned as integers with the same bits, strings as object arrays of bytes.

        Raises:
            CorruptFileError, FileSystemError: As `verify`.
        """
        use = (lambda name: self._read_floats(name, turned=name in turned)) if floats else self._read
        found = self._each(names, use)
        self.seen.update((name, seen) for name, (_, seen) in found.items())
        return {name: values for name, (values, _) in found.items()}

    def is_equal(self, name: str, other: str) -> bool:
        """Return whether two tensors have the same shape and verified values, floats of any type as float32 has them.

        Raises:
            CorruptFileError, FileSystemError: As `verify`.
        """
        one, two = self.tensors[name].spec, self.tensors[other].spec
        if one.shape != two.shape or (one.dtype != two.dtype and not {one.dtype, two.dtype} <= {*_FLOATS}):
            return False
        runs = self._run_of(name), self._run_of(other)
        if runs[0] and runs[1] and one.dtype == two.dtype:
            from safeload._forms.arrays import has_same_bytes  # noqa: PLC0415

            if has_same_bytes(runs[0], runs[1]):
                return True
        return self._has_same_values(name, other)

    def _has_same_values(self, name: str, other: str) -> bool:
        import numpy as np  # noqa: PLC0415  (`WeightPlace` does not need it)

        values = self.read([name, other], floats=True)
        return np.array_equal(values[name], values[other])

    def place_of(self, name: str, at: int) -> tuple[int, ...]:
        """Return where the value is that a tensor stores after `at` others."""
        found = []
        for size in reversed(self.tensors[name].spec.shape):
            at, rest = divmod(at, size)
            found.append(rest)
        return (*reversed(found),)

    def prove(self) -> None:
        """Compare the files with the checksums of the archive that they are in, after the tensors were read.

        Raises:
            CorruptFileError: They differ.
            FileSystemError: The system cannot read.
        """
        for role, path in self.files():
            try:
                self.ref.source.prove(path)
            except OSError as exc:  # noqa: PERF203  (few files)
                raise failed(self.ref.at(path, role), exc) from exc

    def note(self, group: str, name: str) -> str | None:  # noqa: ARG002  (few forms have notes)
        """Return the text that the writer attached to a group under a name; None if there is none.

        The text is data: nothing that it names is looked up. The group of the whole file is "".

        Raises:
            UnsafeFileError: The text is longer than any that a library writes.
            CorruptFileError: It cannot be read.
            FileSystemError: The system cannot read.
        """
        return None

    def notes(self, group: str, name: str) -> list[str] | None:  # noqa: ARG002  (as above)
        """Return the list of texts that the writer attached to a group under a name; None if there is none.

        Raises:
            UnsafeFileError, CorruptFileError, FileSystemError: As `note`.
        """
        return None

    def has_readable_type(self, name: str) -> bool:
        """Return whether the values of a tensor are of a type that the form's reader reads."""
        return self.tensors[name].spec.dtype in TYPES

    def first_with_same_bytes(self, name: str) -> str:
        """Return the first tensor that is the very same bytes of the file, with the same shape; mostly the tensor itself."""
        return name

    @abstractmethod
    def look(self, name: str) -> tuple[Array | None, str]:
        """Read a tensor for display, even if it is damaged.

        Returns:
            The values, as `read` returns them, or None if they cannot be read; and the fault, or "".
        """

    @abstractmethod
    def files(self) -> list[tuple[str, str]]:
        """Return (role, path) of each file."""

    @abstractmethod
    def checksums(self, n_read: int) -> str:
        """Describe the bytes that were compared with checksums, after `n_read` tensors were read."""

    @abstractmethod
    def require_unchanged(self) -> None:
        """Require that the files have not changed since they were opened.

        Raises:
            CorruptFileError: A file was replaced or written to.
        """

    @abstractmethod
    def close(self) -> None:
        """Close the files; `tensors` stays available."""

    def _run_of(self, name: str) -> Run | None:  # noqa: ARG002  (what has parts has no one run)
        """Return where the bytes of a tensor are, if they lie together in C order; else None."""
        return None

    @abstractmethod
    def _check(self, name: str) -> Seen:
        """Verify a tensor without keeping its values; raises DamagedError."""

    @abstractmethod
    def _read(self, name: str) -> tuple[Array, Seen]:
        """Return a tensor's values, and what was seen of them; raises DamagedError."""

    def _read_floats(self, name: str, *, turned: bool) -> tuple[Array, Seen]:
        """Return a tensor's values, in float32 where they are of a `WIDENED` type; raises DamagedError."""
        from safeload._forms.arrays import float32_for, read_floats  # noqa: PLC0415  (`WeightPlace` does not need NumPy)
        from safeload._forms.floats import put  # noqa: PLC0415
        from safeload._forms.look import has_rows  # noqa: PLC0415

        spec = self.tensors[name].spec
        run = self._run_of(name) if spec.dtype in _FLOATS else None
        turned = turned and len(spec.shape) == 2 and has_rows(spec.shape[1], 8)  # noqa: PLR2004  (a matrix)
        if run and (turned or spec.dtype in WIDENED):
            return read_floats(run, spec.shape, turned=turned)
        values, seen = self._read(name)
        if spec.dtype not in WIDENED:
            return values, seen
        out = float32_for(spec.shape)
        put(values, out, spec.dtype)
        return out, seen

    @abstractmethod
    def _faults_facts(self, faults: list[tuple[str, DamagedError]], n_read: int) -> dict[str, Any]:
        """Return error arguments for these faults: file, offset and hints."""

    def _ref_of(self, name: str) -> FileRef:  # noqa: ARG002  (a form of several files looks)
        """Return the file that has the tensor."""
        return self.ref

    @abstractmethod
    def position(self, name: str) -> tuple[int, int]:
        """Return the number of the file with values, and the offset there, of a tensor: the order in which tensors are read and faults are printed."""

    @abstractmethod
    def _place_text(self, name: str, fault: DamagedError) -> str:
        """Return the position of a damaged tensor, to begin its description; may be ""."""

    def _each(self, names: Iterable[str], use: Callable[[str], Any]) -> dict[str, Any]:
        import numpy as np  # noqa: PLC0415  (`WeightPlace` does not need it)

        from safeload._forms.arrays import DamagedError, in_shares  # noqa: PLC0415

        def attempt(name: str) -> Any:  # noqa: ANN401  (values or a fault)
            with np.errstate(all="ignore"):
                try:
                    return use(name)
                except DamagedError as exc:
                    return exc

        listed = sorted(names, key=self.position)
        results = in_shares(listed, lambda name: self.tensors[name].n_bytes, attempt, access=self.access())
        found = dict(zip(listed, results, strict=True))
        faults = [(name, result) for name, result in found.items() if isinstance(result, DamagedError)]
        failure = next(((name, cause) for name, fault in faults if isinstance(cause := fault.__cause__, OSError)), None)
        if failure is not None:
            name, cause = failure
            raise failed(self._ref_of(name), cause) from cause
        if faults:
            raise self._damaged(faults, len(found))
        return found

    def access(self) -> Access:
        """Return how the files are read fastest."""
        from safeload._forms.arrays import ACCESSES  # noqa: PLC0415  (imports NumPy)

        found = [self.ref.source.access(path) for _, path in self.files()]  # none of a model in memory
        return max(found, key=ACCESSES.index, default=ACCESSES[0])

    def _damaged(self, faults: list[tuple[str, DamagedError]], n_read: int) -> CorruptFileError:
        message = f"{some_of(len(faults), n_read, self.noun)} damaged in the {self.title}"
        rows = [two_lines(fault.kind, name, self._place_text(name, fault) + fault.text) for name, fault in faults]
        return CorruptFileError(
            message,
            variables=[name for name, _ in faults],
            details=rows,
            **self._faults_facts(faults, n_read),
        )
