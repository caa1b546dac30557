"""Open, verify and report weights of any model."""

from __future__ import annotations

import logging
import platform
import sys
from collections import Counter
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from safeload._arguments import as_python
from safeload._bytes import absent
from safeload._bytes.archives.locating import given_ref, lock_folder
from safeload._digest import digest_of_tensors
from safeload._forms import open_weights
from safeload._forms.importing import gc_paused, short_blas_timeout
from safeload._forms.tensorflow.prefixes import saved_model_of
from safeload._model_kind import Clock
from safeload._signatures import signed_for
from safeload._text.addresses import without_secrets
from safeload._text.words import counted, escaped, with_article
from safeload._version import __version__
from safeload.lock._finding import base_of, find_locks, read_locks
from safeload.lock._hashed import HashedSource
from safeload.lock._signed_source import paths_of_weights
from safeload.weights._places import find, weights_below
from safeload.weights.report import WeightsReport

if TYPE_CHECKING:
    from collections.abc import Iterator

    from safeload._bytes.files import FileRef
    from safeload._forms.weight_file import WeightFile, WeightPlace
    from safeload.report import FileRead

logger = logging.getLogger(__name__)


class Request(NamedTuple):
    """The arguments of a check or load, as the caller passed them.

    Attributes:
        path: The weights.
        base_dir: The base of relative paths.
        lock_file: The lock file; None for the one beside the weights.
        signature: The signature; None for none.
        signed_by: The trusted key or certificates.
        cache_dir: Where objects at addresses are kept; None for nowhere.
    """

    path: object
    base_dir: object = None
    lock_file: object = None
    signature: object = None
    signed_by: object = None
    cache_dir: object = None


class Opened(NamedTuple):
    """Open weights.

    Attributes:
        place: Where they are.
        file: The weight file.
        source: What proves whole files.
        clock: The durations so far.
    """

    place: WeightPlace
    file: WeightFile
    source: HashedSource
    clock: Clock

    def prove(self) -> None:
        """Compare with the checksums of an archive, and require that no file was changed, after the tensors were read.

        Raises:
            CorruptFileError: They differ, or a file changed.
            FileSystemError: The system cannot read.
        """
        self.file.prove()
        self.file.require_unchanged()


@contextmanager
def opened(request: Request, *, is_kept: bool) -> Iterator[Opened]:
    """Open weights and list their tensors; files that a digest proves are hashed, and with `is_kept` kept in memory.

    Raises:
        SafeLoadError: As `check_weights`.
    """
    clock = Clock()
    with gc_paused(), short_blas_timeout():
        with clock.step("resolve"):
            ref = given_ref(request.path, "path", "weight", base_dir=request.base_dir, cache_dir=request.cache_dir)
            folders = _lock_folders(ref)
            locks = find_locks(request.lock_file, folders=folders, base_dir=request.base_dir)
            base = base_of([ref, *locks])
        signed = signed_for(request, lambda: ref)
        with clock.step("hash"):
            read = read_locks(locks, folder=folders[0].path)
            source = HashedSource(read, is_kept=is_kept, signed=signed, base=base)
        with closing(source):
            with clock.step("resolve"):
                ref = ref._replace(source=source)
                place = source.chosen(lambda: find(ref), paths_of_weights)
            with clock.step("list"):
                file = open_weights(place)
            with file:
                yield Opened(place, file, source, clock)


def _lock_folders(ref: FileRef) -> list[FileRef]:
    folder = ref.at(lock_folder(ref.path, ref.source), "folder")
    saved = saved_model_of(folder)
    return [folder, *([saved] if saved else [])]


def check(request: Request) -> WeightsReport:
    """Verify all tensors and return the report.

    Raises:
        SafeLoadError: As `check_weights`.
    """
    with opened(request, is_kept=False) as weights:
        file, clock = weights.file, weights.clock
        readable = [name for name in file.tensors if file.has_readable_type(name)]
        with clock.step("verify"):
            file.verify(readable)
            weights.prove()
        logger.info("checked %s, %s", escaped(file.ref.path), with_article(weights.place.place))
        return WeightsReport(
            given=without_secrets(str(as_python(request.path))),
            place=weights.place.place,
            form=weights.place.form,
            notes=tuple(_notes(weights)),
            warnings=tuple(_warnings(weights)),
            seconds=clock.seconds,
            **_facts(weights, readable),
        )


def _facts(weights: Opened, readable: list[str]) -> dict[str, Any]:
    from safeload._forms.arrays import LOOKED_AT  # noqa: PLC0415  (imports NumPy)

    file = weights.file
    specs = [file.tensors[name].spec for name in readable]
    return {
        "noun": f"{file.noun}s",
        "files": tuple(_files(weights)),
        "read": tuple(specs),
        "n_bytes": sum(file.tensors[name].n_bytes for name in readable),
        "not_looked_at": dict(sorted(Counter(spec.dtype for spec in specs if spec.dtype not in LOOKED_AT).items())),
        "not_read": tuple(each.spec for name, each in file.tensors.items() if not file.has_readable_type(name)),
        "checksums": "; ".join(filter(None, [file.checksums(len(readable)), file.ref.source.proof])),
        "digest": digest_of_tensors(file, readable),
        "proofs": tuple(_proofs(weights.source)),
        "signature": weights.source.signed.by if weights.source.signed else None,
        "versions": {
            "python": platform.python_version(),
            "safeload": __version__,
            **{name: sys.modules[name].__version__ for name in file.packages},
        },
    }


def _files(weights: Opened) -> list[FileRead]:
    place, file = weights.place, weights.file
    state = [("state file", place.state_file)] if place.state_file else []
    refs = [place.ref.at(path, role) for role, path in [*state, *file.files()]]
    archives = {each.path: each for ref in refs for each in ref.source.containers()}
    read = [ref.source.file_read(ref.role, ref.path) for ref in refs]
    return [*read, *archives.values(), *weights.source.files_of_proof()]


def _proofs(source: HashedSource) -> Iterator[str]:
    for lock in source.locks:
        yield f"the SHA-256 of {counted(len(lock.files), 'file')} in {lock.path}"
    if source.signed:
        yield f"the digests of {counted(source.signed.by.n_files, 'file')} in {source.signed.by.path}"
    if proof := source.proof_of_blobs():
        yield proof


def _notes(weights: Opened) -> Iterator[str]:
    folder = weights.place.ref.folder() if weights.place.place.startswith("folder") else None
    below = weights_below(folder) if folder else []
    if below:
        yield f"weights in folders below this one were not read: {absent.names_text([escaped(name) for name in below])}"
    if weights.source.signed:
        yield from weights.source.signed.notes(weights.source.base)


def _warnings(weights: Opened) -> Iterator[str]:
    if not weights.file.tensors:
        yield f"there is no {weights.file.noun} in it"
    if weights.place.others:
        names = absent.names_text([escaped(name) for name in weights.place.others])
        yield f"other weights in the folder were not read: {names}"
