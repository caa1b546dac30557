"""Run the steps that every load shares: resolve, read, list and compare; a builder runs the fifth step, build."""

from __future__ import annotations

from contextlib import closing, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from safeload._arguments import require_patterns
from safeload._bytes.archives.locating import given_ref, lock_folder, through
from safeload._bytes.files import FileRef
from safeload._bytes.hub import is_in_snapshot
from safeload._fit import check_weights, matched_weights
from safeload._forms.importing import gc_paused, short_blas_timeout
from safeload._model_kind import Clock
from safeload._signatures import signed_for
from safeload.lock._copies import LockedSource, open_locked
from safeload.lock._finding import base_of, find_locks
from safeload.lock._signed_source import SignedSource, paths_of_weights, view_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from safeload._bytes.files import Source
    from safeload._fit import Matched
    from safeload._model_kind import Checked, Config, ModelKind, Places, Request
    from safeload.lock._signed import Signed
    from safeload.report import FileRead


def check(kind: ModelKind[Config], request: Request, *, keep_values: bool) -> Checked[Config]:
    """Run the first four steps; with `keep_values`, return the verified values for a load."""
    with gc_paused(), short_blas_timeout():
        return _check(kind, request, keep_values=keep_values)


def _check(kind: ModelKind[Config], request: Request, *, keep_values: bool) -> Checked[Config]:
    clock = Clock()
    patterns = require_patterns(request.ignore_unused, example=kind.example_pattern)
    with _read(kind, request, clock) as (places, source, config, notes, warnings):
        checked = check_weights(kind, config, places.weights, patterns, clock, keep_values=keep_values)
        files = _files_read(places, checked.files, source)
    locked = source if isinstance(source, LockedSource) else None
    signed = locked.signed if locked else None
    checked.report = replace(
        checked.report,
        files=tuple(files),
        checksums="; ".join(filter(None, [checked.report.checksums, source.proof_of_blobs()])),
        signature=signed.by if signed else None,
        notes=(*notes, *(signed.notes(locked.base) if locked and signed else ()), *checked.report.notes),
        warnings=(*warnings, *checked.report.warnings),
    )
    return checked


@contextmanager
def opened_model(
    kind: ModelKind[Config], request: Request, clock: Clock
) -> Iterator[tuple[Places, Matched[Config], tuple[str, ...]]]:
    """Run the steps up to the comparison of names, shapes and dtypes, and yield the open files and the warnings so far.

    Raises:
        SafeLoadError: As `check`, except the errors about values.
    """
    patterns = require_patterns(request.ignore_unused, example=kind.example_pattern)
    with (
        _read(kind, request, clock) as (places, _, config, _, warnings),
        matched_weights(kind, config, places.weights, patterns, clock) as found,
    ):
        yield places, found, (*warnings, *found.warnings)


@contextmanager
def _read(
    kind: ModelKind[Config], request: Request, clock: Clock
) -> Iterator[tuple[Places, Source, Config, list[str], list[str]]]:
    """Run the first two steps, and yield the places, what opens them, the config, notes and warnings."""
    signed = signed_for(request, lambda: _given(kind, request))
    with clock.step("resolve"):
        view = view_of(signed)
        config_ref = kind.find_config(request, view)
        base = view.base if isinstance(view, SignedSource) else config_ref.source.below()
        path = config_ref.source.on_disk(config_ref.path)
        folder = FileRef(path=lock_folder(path, base), role="folder", source=base)
        of_weights = kind.weights_folder(request, base)
    with opened_source(
        kind.model,
        [folder, *([of_weights] if of_weights else [])],
        clock,
        lock_file=request.lock_file,
        base_dir=request.base_dir,
        signed=signed,
    ) as source:
        with clock.step("resolve"):

            def choose() -> Places:
                config = kind.find_config(request, source) if signed is not None else through(config_ref, source)
                return kind.find_others(request, config)

            places = source.chosen(choose, _paths_of) if isinstance(source, SignedSource) else choose()
        with clock.step("read"):
            config, notes, warnings = kind.read(places)
        yield places, source, config, notes, warnings


def _given(kind: ModelKind[Config], request: Request) -> FileRef:
    """Return what the caller passed."""
    word, cache_dir = kind.config_word, request.cache_dir
    return given_ref(request.config, f"{word}_file", word, base_dir=request.base_dir, cache_dir=cache_dir)


def _paths_of(places: Places) -> list[str]:
    vocab = [] if places.vocab is None else [places.vocab.path]
    return [places.config.path, *paths_of_weights(places.weights), *vocab]


def _files_read(places: Places, of_weights: Iterable[tuple[str, str]], source: Source) -> list[FileRead]:
    """Return the report entries for the files of a model, for the archives that they are in, for locks and a signature."""
    config, vocab, weights = places.config, places.vocab, places.weights
    refs = [ref for ref in (config, vocab) if ref is not None and not ref.is_dir()]
    refs += [weights.ref.at(weights.state_file, "state file")] if weights.state_file else []
    refs += [weights.ref.at(path, role) for role, path in of_weights]
    archives = {each.path: each for ref in refs for each in ref.source.containers()}
    return [
        *(ref.source.file_read(ref.role, ref.path) for ref in refs),
        *archives.values(),
        *source.files_of_proof(),
    ]


@contextmanager
def opened_source(
    model: str,
    folders: Sequence[FileRef],
    clock: Clock,
    *,
    lock_file: object = None,
    base_dir: object = None,
    signed: Signed | None = None,
) -> Iterator[Source]:
    """Yield the source of a model's files: verified copies if a lock file or a signature applies, otherwise what opens them all.

    Of a cache of huggingface_hub, each file is compared with the digest that is the name of its blob.

    Args:
        model: "BERT" or "ELMo".
        folders: The folders whose lock files apply, unless `lock_file` is passed; the first is the model's.
        clock: Measures the hashing and copying.
        lock_file: The lock file, as the caller passed it.
        base_dir: The base of a relative `lock_file`.
        signed: The signature, if one was passed.

    Raises:
        SafeLoadError: As `find_locks` and `open_locked`.
    """
    locks = find_locks(lock_file, folders=folders, base_dir=base_dir)
    base = base_of([*folders, *locks])
    if not locks and signed is None:
        if any(is_in_snapshot(folder.path) for folder in folders):
            from safeload.lock._hashed import HashedSource  # noqa: PLC0415  (few models are in such a cache)

            with closing(HashedSource((), is_kept=True, base=base)) as cached:
                yield cached
        else:
            yield base
        return
    with clock.step("lock"):
        source = open_locked(locks, folder=folders[0].path, model=model, base=base, signed=signed)
    with closing(source):
        yield source
