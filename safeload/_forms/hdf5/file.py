"""Read an open HDF5 file.

h5py reads the structure from the file handle that is opened here. Contiguous values, the usual layout of weight files, are
read directly. HDF5 has no checksum for them, so only NaN and infinity can be detected.
"""

from __future__ import annotations

import traceback
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from safeload._bytes import absent
from safeload._bytes.kinds import N_HEAD_BYTES, UNKNOWN, kind_of, wrong_kind
from safeload._bytes.small import open_file
from safeload._forms.arrays import (
    FLOATS,
    DamagedError,
    Run,
    add_to,
    checksum_text,
    columns_of,
    fill,
    look_at,
    look_for,
    memory_for,
    read_run,
    seen_of,
)
from safeload._forms.byte_order import to_host
from safeload._forms.hdf5.attributes import read_text, read_texts
from safeload._forms.hdf5.chunks import read_bands, read_chunks
from safeload._forms.hdf5.listing import Listing, MisplacedError, RefusedError
from safeload._forms.hdf5.superblock import find_superblock
from safeload._forms.hdf5.trees import place_of
from safeload._forms.weight_file import COPY_AGAIN, DIVERGED, TOO_LARGE, StoredTensor, WeightFile
from safeload._text.words import reason_of, two_lines
from safeload.errors import CorruptFileError, UnsafeFileError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from safeload._bytes.files import FileRef
    from safeload._bytes.open_file import OpenFile
    from safeload._forms.hdf5.chunks import Chunks
    from safeload._forms.hdf5.listing import Dataset
    from safeload._forms.seen import Seen

    Array = NDArray[Any]

MAX_SHOWN_BYTES = 1 << 28
"""The unpacked size that any dataset may have that is read for display; a larger one is bounded by the file's size."""

MAX_SHOWN_EXPANSION = 8
"""The largest ratio of such a dataset's size to the file's; trained weights hardly shrink."""

_NUMBERS = ("float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")


class Hdf5File(WeightFile):
    """An open HDF5 file.

    Attributes:
        datasets: Path in the file -> dataset.
        n_bytes: Size of the file in bytes.
    """

    noun = "dataset"
    title = "weight file"
    packages = ("numpy", "h5py")
    summary = "an HDF5 file"

    def __init__(self, ref: FileRef) -> None:
        """Open the file and list its datasets and groups.

        Raises:
            WrongFileKindError: Not an HDF5 file.
            CorruptFileError: Truncated, not closed by its writer, or an unreadable structure.
            UnsafeFileError: Links, external storage, virtual datasets, unknown filters, excessive sizes, or too many
                objects.
            MissingFileError, UnreadableFileError, FileSystemError: As `open_file`.
        """
        self.ref = ref
        self._file = self._opened(ref)
        self.n_bytes = self._file.n_bytes
        self._h5: Any = None
        try:
            self._require_superblock()
            self._file.keep()
            with self._translated("its structure cannot be read"):
                self._h5 = h5py.File(self._file.cursor(), "r")
                self._place = place_of(self._file)
                listing = Listing(self._h5.id, self._place)
        except BaseException:
            self.close()
            raise
        self.datasets = listing.datasets
        self._addresses = listing.groups
        self.groups = tuple(name for name in listing.groups if name)
        self.tensors = {
            name: StoredTensor(spec=dataset.spec, n_bytes=dataset.n_bytes) for name, dataset in self.datasets.items()
        }

    def close(self) -> None:
        """Close the file; the listing stays available."""
        if self._h5 is not None:
            self._h5.close()
        self._file.close()

    def files(self) -> list[tuple[str, str]]:
        """Return ("weight", path)."""
        return [("weight", self.ref.path)]

    def checksums(self, n_read: int) -> str:  # noqa: ARG002  (HDF5 has none)
        """State that HDF5 has no checksums."""
        return "none: HDF5 stores no checksums of values; a lock file records a SHA-256 of each file"

    def note(self, group: str, name: str) -> str | None:
        """Return the text of an attribute of a group."""
        if group not in self._addresses:
            return None
        with self._translated(f"the attribute {name} of {group or 'the file'} cannot be read"):
            return read_text(self._place, self._addresses[group], name)

    def notes(self, group: str, name: str) -> list[str] | None:
        """Return the texts of an attribute of a group."""
        if group not in self._addresses:
            return None
        with self._translated(f"the attribute {name} of {group or 'the file'} cannot be read"):
            return read_texts(self._place, self._addresses[group], name)

    def has_readable_type(self, name: str) -> bool:
        """Return whether the values are numbers."""
        return self.datasets[name].spec.dtype in _NUMBERS

    def look(self, name: str) -> tuple[Array | None, str]:
        """Read a dataset for display; NaN and infinity do not count as faults."""
        dataset = self.datasets[name]
        if dataset.lacks:
            return None, f"UNWRITTEN: {dataset.lacks}"
        if dataset.spec.dtype not in _NUMBERS:
            return None, ""
        if dataset.chunks and dataset.n_bytes > max(MAX_SHOWN_BYTES, MAX_SHOWN_EXPANSION * self.n_bytes):
            return None, f"TOO LARGE: {dataset.n_bytes:,} bytes in a file of {self.n_bytes:,}"
        try:
            return self._read_unchecked(dataset), ""
        except DamagedError as exc:
            return None, str(exc)
        except CorruptFileError as exc:
            return None, f"UNREADABLE: {exc.message}"
        except (MemoryError, ValueError):  # NumPy, for a shape that is too large
            return None, TOO_LARGE

    def require_unchanged(self) -> None:
        """Require that the file was not written to since it was opened.

        Raises:
            CorruptFileError: The file was written to.
        """
        if self._file.is_written_to():
            raise self._corrupt("the weight file changed while it was being read", ["load again when it is complete"])

    def _opened(self, ref: FileRef) -> OpenFile:
        """Open the bytes of the HDF5 file."""
        return open_file(ref)

    def _check(self, name: str) -> Seen:
        dataset = self._require_readable(name)
        if dataset.is_plain:
            return read_run(self._run(dataset))
        return self._check_bands(dataset, dataset.chunks) if dataset.chunks else self._read(name)[1]

    def _check_bands(self, dataset: Dataset, chunks: Chunks) -> Seen:
        """Verify a dataset in chunks, of which few are in memory at once."""
        spec = dataset.spec
        look, crc = look_for(spec.dtype, spec.shape), 0
        with self._translated(f"the dataset {spec.name} cannot be read"):
            for values in read_bands(self._file, chunks, np.dtype(spec.dtype), is_big=dataset.is_big):
                crc = add_to(look, values, crc)
        return seen_of(look, dataset.n_bytes, checksum_text(crc))

    def _read(self, name: str) -> tuple[Array, Seen]:
        dataset = self._require_readable(name)
        if not dataset.is_plain:
            values = self._read_unchecked(dataset)
            return values, look_at(values, dataset.spec.dtype)
        memory = memory_for(dataset.n_bytes)
        seen = read_run(self._run(dataset), memory)
        return memory.view(dataset.spec.dtype).reshape(dataset.spec.shape), seen

    def _require_readable(self, name: str) -> Dataset:
        dataset = self.datasets[name]
        if dataset.lacks:
            raise DamagedError("UNWRITTEN", dataset.lacks)
        if dataset.spec.dtype not in _NUMBERS:
            raise DamagedError("TYPE", f"{dataset.spec.dtype} cannot be read")
        return dataset

    def _run_of(self, name: str) -> Run | None:
        dataset = self.datasets[name]
        return self._run(dataset) if dataset.is_plain and not dataset.lacks else None

    def _run(self, dataset: Dataset) -> Run:
        dtype = dataset.spec.dtype if dataset.spec.dtype in FLOATS else ""
        columns = columns_of(dataset.spec.shape)
        number = np.dtype(dataset.spec.dtype).itemsize if dataset.spec.dtype in _NUMBERS else 1
        return Run(self._file, dataset.offset or 0, dataset.n_bytes, dtype, columns=columns, number_bytes=number)

    def _read_unchecked(self, dataset: Dataset) -> Array:
        """Return a dataset's values, in any layout, without testing for NaN and infinity."""
        name = dataset.spec.name
        memory = memory_for(dataset.n_bytes)
        values = memory.view(dataset.spec.dtype).reshape(dataset.spec.shape)
        with self._translated(f"the dataset {name} cannot be read"):
            if dataset.offset is not None:
                run = self._run(dataset)
                fill(run, 0, memory)
                to_host(memory, run.number_bytes, is_big=dataset.is_big)
            elif dataset.chunks is not None:
                read_chunks(self._file, dataset.chunks, values, is_big=dataset.is_big)
            else:
                h5py.h5d.open(self._h5.id, name.encode()).read(h5py.h5s.ALL, h5py.h5s.ALL, values)
        return values

    def position(self, name: str) -> tuple[int, int]:
        """Return the number of the file, and the offset there, of a tensor."""
        return 0, self.datasets[name].offset or 0

    def _place_text(self, name: str, fault: DamagedError) -> str:  # noqa: ARG002  (a fault concerns the whole dataset)
        offset = self.datasets[name].offset
        return f"from byte {offset:,}: " if offset is not None else ""

    def _faults_facts(self, faults: list[tuple[str, DamagedError]], n_read: int) -> dict[str, Any]:  # noqa: ARG002
        kinds = {fault.kind for _, fault in faults}
        hints = []
        if "UNWRITTEN" in kinds:
            hints.append("the program that wrote the file ended early; save the weights again")
        if "NOT FINITE" in kinds:
            hints.append(DIVERGED)
        return {**self.ref.facts, "offset": self.datasets[faults[0][0]].offset, "hints": hints}

    def _require_superblock(self) -> None:
        """Detect truncated and unclosed files by their superblock, before h5py opens them."""
        try:
            superblock = find_superblock(self._file)
            head = self._file.read(N_HEAD_BYTES) if superblock is None else b""
        except OSError as exc:
            raise absent.failed(self.ref, exc) from exc
        if superblock is None:
            kind = kind_of(head) or UNKNOWN
            hint = kind.hint or "weights are published as a file that ends in .hdf5 or .h5"
            raise wrong_kind(self.ref, kind._replace(hint=hint), wanted="an HDF5 file")
        end, is_open = superblock
        if end is None or end > self.n_bytes:
            there = f"{self.n_bytes:,} of {end:,} bytes are present" if end else f"it ends after {self.n_bytes:,} bytes"
            hints = [f"{COPY_AGAIN}; the disk may have been full"]
            raise self._corrupt(f"the weight file is truncated: {there}", hints, offset=self.n_bytes)
        if is_open:
            message = "the weight file was not closed: a program is writing it, or ended while it did"
            raise self._corrupt(message, ["wait for the program that writes it, or save the weights again"])

    def _corrupt(self, message: str, hints: list[str], **facts: Any) -> CorruptFileError:  # noqa: ANN401  (the error's)
        return CorruptFileError(message, **self.ref.facts, hints=hints, **facts)

    @contextmanager
    def _translated(self, what: str) -> Iterator[None]:
        """Translate the exceptions of h5py and `Listing` into safeload's errors."""
        try:
            yield
        except RefusedError as exc:
            message = "the weight file contains something that no weight file needs; reading stopped there"
            hints = ["get the file from where the model was published, or copy its datasets into a new file with h5py"]
            details = [two_lines("REFUSED", exc.name, exc.text)]
            raise UnsafeFileError(message, **self.ref.facts, details=details, hints=hints) from exc
        except MisplacedError as exc:
            message = f"the weight file is damaged: {exc}"
            raise self._corrupt(message, [COPY_AGAIN], variables=exc.names, offset=exc.offset) from exc
        except (OSError, RuntimeError, KeyError, ValueError, TypeError, OverflowError, MemoryError) as exc:
            traceback.clear_frames(exc.__traceback__)  # what h5py holds there crashes Python if it lives until its end
            if isinstance(exc, MemoryError):
                raise
            if self._file.failure is not None:  # h5py reports it as damage
                raise absent.failed(self.ref, self._file.failure) from exc
            context = [("hdf5", reason_of(exc))]
            raise self._corrupt(f"the weight file is damaged: {what}", [COPY_AGAIN], context=context) from exc
