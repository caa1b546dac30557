"""Read several HDF5 files that an index lists, as one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from safeload._forms.hdf5.file import Hdf5File
from safeload._forms.shards import read_index
from safeload._forms.weight_file import StoredTensor, WeightFile
from safeload._text.words import counted

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from safeload._bytes.files import FileRef
    from safeload._forms.arrays import DamagedError, Run
    from safeload._forms.seen import Seen

    Array = NDArray[Any]


class Hdf5Shards(WeightFile):
    """HDF5 files that an index lists; each is an `Hdf5File`."""

    noun = Hdf5File.noun
    title = Hdf5File.title
    packages = Hdf5File.packages

    def __init__(self, ref: FileRef) -> None:
        """Open the files and list their datasets and groups.

        Raises:
            CorruptFileError: The index and the files contradict each other, or two files hold one dataset.
            SafeLoadError: As `read_index` and `Hdf5File`.
        """
        self.ref = ref
        self._index = read_index(ref)
        self._index.require_there()
        self._files: list[Hdf5File] = []
        self._file_of: dict[str, int] = {}
        self.tensors: dict[str, StoredTensor] = {}
        ref.source.expect([file_ref.path for file_ref in self._index.refs])
        try:
            for number, file_ref in enumerate(self._index.refs):
                self._files.append(Hdf5File(file_ref))
                self._list(number)
            self._index.require_all(self.tensors)
        except BaseException:
            self.close()
            raise
        self.groups = tuple(dict.fromkeys(group for file in self._files for group in file.groups))
        self.summary = f"HDF5 in {counted(len(self._files), 'file')}"

    def _list(self, number: int) -> None:
        file = self._files[number]
        names = set(file.tensors)
        self._index.require_listed(number, {_group_of(name) for name in names} if self._index.lists_groups else names)
        repeated = names & self.tensors.keys()
        if repeated:
            raise self._index.repeated(min(repeated))
        self.tensors.update(file.tensors)
        self._file_of.update(dict.fromkeys(names, number))

    def close(self) -> None:
        """Close the files; the listing stays available."""
        for file in self._files:
            file.close()

    def files(self) -> list[tuple[str, str]]:
        """Return (role, path) of the index and of each file."""
        return [("index", self._index.ref.path), *((ref.role, ref.path) for ref in self._index.refs)]

    def checksums(self, n_read: int) -> str:
        """State that HDF5 has no checksums."""
        return self._files[0].checksums(n_read)

    def note(self, group: str, name: str) -> str | None:
        """Return the text of an attribute of a group, from the first file that has it: Keras writes it once.

        Raises:
            SafeLoadError: As `Hdf5File.note`.
        """
        found = (file.note(group, name) for file in self._files)
        return next((text for text in found if text is not None), None)

    def notes(self, group: str, name: str) -> list[str] | None:
        """Return the texts of an attribute of a group, from the first file that has it.

        Raises:
            SafeLoadError: As `Hdf5File.notes`.
        """
        found = (file.notes(group, name) for file in self._files)
        return next((texts for texts in found if texts is not None), None)

    def has_readable_type(self, name: str) -> bool:
        """Return whether the values are numbers."""
        return self._holder(name).has_readable_type(name)

    def look(self, name: str) -> tuple[Array | None, str]:
        """Read a dataset for display; NaN and infinity do not count as faults."""
        return self._holder(name).look(name)

    def require_unchanged(self) -> None:
        """Require that no file was written to since it was opened.

        Raises:
            CorruptFileError: A file was written to.
        """
        for file in self._files:
            file.require_unchanged()

    def position(self, name: str) -> tuple[int, int]:
        """Return the number of the file with values, and the offset there, of a dataset."""
        return self._file_of[name], self._holder(name).position(name)[1]

    def _holder(self, name: str) -> Hdf5File:
        return self._files[self._file_of[name]]

    def _check(self, name: str) -> Seen:
        return self._holder(name)._check(name)  # noqa: SLF001  (a file of the same form)

    def _read(self, name: str) -> tuple[Array, Seen]:
        return self._holder(name)._read(name)  # noqa: SLF001

    def _run_of(self, name: str) -> Run | None:
        return self._holder(name)._run_of(name)  # noqa: SLF001

    def _ref_of(self, name: str) -> FileRef:
        return self._holder(name).ref

    def _place_text(self, name: str, fault: DamagedError) -> str:
        return self._holder(name)._place_text(name, fault)  # noqa: SLF001

    def _faults_facts(self, faults: list[tuple[str, DamagedError]], n_read: int) -> dict[str, Any]:
        return self._holder(faults[0][0])._faults_facts(faults, n_read)  # noqa: SLF001


def _group_of(name: str) -> str:
    """Return the group of a dataset, as Keras's index writes it."""
    return f"/{name.rpartition('/')[0]}"
