"""Write a model's parameters to new files as they are read, and prove the files by reading them back."""

from __future__ import annotations

import fnmatch
import os
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from safeload._bytes.files import DISK
from safeload._bytes.writing import brought_to_disk, new_files
from safeload._forms.importing import gc_paused, short_blas_timeout
from safeload._forms.reused import reused_memory
from safeload._model_kind import Request
from safeload._saving import lock_new, made, require_alone, require_free
from safeload._steps import opened_model
from safeload._streamed import FileValues, Row, Values
from safeload._text.words import counted, first_few
from safeload._values import as_stored_values
from safeload.errors import ArgumentError, BackendError
from safeload.lock import LOCK_NAME
from safeload.lock._finding import UNLOCKED
from safeload.report import FileRead, SaveReport

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
    from concurrent.futures import Executor, Future

    from numpy.typing import NDArray

    from safeload._model_kind import Clock, ModelKind
    from safeload._saving import Target
    from safeload.report import LoadReport

    Array = NDArray[Any]
    Advance = Callable[[int], None]

N_BATCH_BYTES = 4 << 20
"""Tensors are read together up to this size; the next ones are read while these are written."""

N_LARGE_BYTES = 32 << 20
"""From this size on, no other tensor is read at the same time."""

N_AHEAD_BYTES = 10 << 20
"""How much is read ahead by two threads, or one batch: the processor's cache holds it until it is written. 32 MB take 0.1 s more."""

N_SUM_BYTES = 1 << 20

Sums = tuple[str, int, int]
"""What is kept of values; see `_sums`."""

_SETTINGS = "settings"
"""The role of files that no check reads: those of a tokenizer, and of what wrote the others."""


class Job(NamedTuple):
    """What is written, and how it is proven.

    Attributes:
        form: The id of the form.
        rows: The parameters, in the order of the file.
        n_heads: The number of attention heads; 0 if the model has none.
        write: Writes all files into a folder; takes the tensors as the file has them.
        names: The names of all files that the form has.
        configs: The names of configs of other forms.
        kind: What reads the files back.
        require_config: Requires that the config that was read back means the same model; raises BackendError.
        left_out: What the files do not hold.
        notes: Non-fatal observations.
        warnings: What is suspicious of the source, besides its values.
    """

    form: str
    rows: tuple[Row, ...]
    n_heads: int
    write: Callable[[Path, Iterator[tuple[str, Array]]], None]
    names: tuple[str, ...]
    configs: tuple[str, ...]
    kind: ModelKind[Any]
    require_config: Callable[[Any], None]
    left_out: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def save(job: Job, values: Values, target: Target, clock: Clock, advance: Advance = lambda done: None) -> SaveReport:  # noqa: ARG005
    """Write, read back, compare and lock; then put the files into place.

    Args:
        job: What is written.
        values: Gives the values.
        target: The folder.
        clock: Measures the steps.
        advance: Called with the number of bytes that are done, of `n_bytes_of`.

    Raises:
        ArgumentError: As `require_free` and `require_alone`.
        BackendError: What was read back is not what was written.
        SafeLoadError: The values are damaged, or the system cannot write.
    """
    require_free(target, job.names)
    require_alone(target, job.names, job.configs, job.kind.model)
    with (
        gc_paused(),
        short_blas_timeout(),
        reused_memory(),
        made(target),
        new_files(Path(target.path), to_disk=True) as new,
    ):
        with clock.step("write"):
            sums: dict[str, Sums] = {}
            tensors = _streamed(job, values, sums, advance)
            try:
                job.write(new, tensors)
            finally:
                tensors.close()
            values.finish()
        with clock.step("compare"), brought_to_disk(new):
            report = _proven(job, sums, new, clock, advance)
        if target.locks:
            with clock.step("lock"):
                lock_new(new, report, job.kind)
        names = sorted(str(path.relative_to(new)) for path in new.rglob("*") if path.is_file())
    roles = {os.path.relpath(file.path, new): file.role for file in report.files} | {LOCK_NAME: "lock"}
    files = [DISK.file_read(roles.get(name, _SETTINGS), os.path.join(target.path, name)) for name in names]
    return _saved(job, report, clock, files)


def n_bytes_of(job: Job) -> int:
    """Return what `advance` counts up to: each byte is written once and compared once."""
    return 2 * sum(row.n_bytes for row in job.rows)


def _saved(job: Job, report: LoadReport, clock: Clock, files: list[FileRead]) -> SaveReport:
    return SaveReport(
        model=report.model,
        noun=report.noun,
        form=job.form,
        files=tuple(files),
        written=tuple(replace(row.spec, name=row.parameter) for row in job.rows),
        n_values=sum(prod(row.spec.shape) for row in job.rows),
        left_out=job.left_out,
        notes=job.notes,
        warnings=(*job.warnings, *report.warnings),
        seconds=clock.seconds,
        versions=report.versions,
    )


def _streamed(
    job: Job, values: Values, sums: dict[str, Sums], advance: Advance
) -> Generator[tuple[str, Array], None, None]:
    """Yield each tensor as the file has it, and keep the checksums of its values; the next ones are read meanwhile."""
    done = 0
    with ThreadPoolExecutor(values.n_readers) as pool:
        for batch, found in _read_ahead(values, _batches(job.rows), pool):
            for row in batch:
                whole, sums[row.parameter] = found.pop(row.parameter)
                yield row.name, as_stored_values(whole, row.change, job.n_heads)
                del whole
                done += row.n_bytes
                advance(done)


def _read_ahead(
    values: Values, batches: list[list[Row]], pool: Executor
) -> Iterator[tuple[list[Row], dict[str, tuple[Array, Sums]]]]:
    """Yield each batch with its values, while the next ones are read."""
    pending: deque[Future[dict[str, tuple[Array, Sums]]]] = deque()
    sizes = [sum(row.n_bytes for row in batch) for batch in batches]
    for at, batch in enumerate(batches):
        if not pending:
            pending.append(pool.submit(_read, values, batch))
        found = pending.popleft().result()
        while (end := at + 1 + len(pending)) < len(batches):
            if sum(sizes[at + 1 : end + 1]) > (N_AHEAD_BYTES if pending else N_LARGE_BYTES):
                break
            pending.append(pool.submit(_read, values, batches[end]))
        yield batch, found
        del found


def _read(values: Values, batch: Sequence[Row]) -> dict[str, tuple[Array, Sums]]:
    """Return the values of parameters, and their checksums."""
    turned = {row.parameter for row in batch if row.change == "transposed"}
    found = values.read([row.parameter for row in batch], turned)
    return {name: (each, _sums(each)) for name, each in found.items()}


def _batches(rows: Sequence[Row]) -> list[list[Row]]:
    """Return the rows in groups of at most `N_BATCH_BYTES`; a larger tensor is a group of its own."""
    found: list[list[Row]] = []
    size = N_BATCH_BYTES + 1
    for row in rows:
        size += row.n_bytes
        if size > N_BATCH_BYTES:
            found.append([])
            size = row.n_bytes
        found[-1].append(row)
    return found


def _proven(job: Job, sums: Mapping[str, Sums], new: Path, clock: Clock, advance: Advance) -> LoadReport:
    """Check the new files as a load does, and compare the checksums of each parameter with those of its source.

    Raises:
        BackendError: They differ.
    """
    request = Request(config=str(new), lock_file=UNLOCKED)
    done = n_bytes_of(job) // 2
    with opened_model(job.kind, request, clock) as (places, found, _):
        job.require_config(found.config)
        others = {row.parameter: row.name for row in job.rows if row.parameter not in found.parameters}
        lost = [name for name in others.values() if name not in found.weights.tensors]
        lost += sorted(found.parameters.keys() - {row.parameter for row in job.rows})
        if lost:
            raise unproven(f"the new files lack {lost[0]}", str(new))
        written = FileValues(found, others)
        with ThreadPoolExecutor(written.n_readers) as pool:
            for batch, names in _compared(job, written, sums, pool):
                if names:
                    raise unproven(f"the new files do not hold the values of {names[0]}", str(new))
                done += sum(row.n_bytes for row in batch)
                advance(done)
        written.finish()
        files = [ref for ref in (places.config, places.vocab) if ref is not None]
        read = [*((ref.role, ref.path) for ref in files), *found.files]
        return replace(found.report(clock), files=tuple(DISK.file_read(role, path) for role, path in read))


def _compared(
    job: Job, written: Values, sums: Mapping[str, Sums], pool: Executor
) -> Iterator[tuple[list[Row], list[str]]]:
    """Yield each batch, and the parameters that the new files have with other values; large ones are read alone."""
    large: list[list[Row]] = []
    small: list[list[Row]] = []
    for batch in _batches(job.rows):
        (large if batch[0].n_bytes >= N_LARGE_BYTES else small).append(batch)
    for batch in large:
        yield batch, _strange(batch, written, sums)
    yield from zip(small, pool.map(lambda batch: _strange(batch, written, sums), small), strict=True)


def _strange(batch: Sequence[Row], written: Values, sums: Mapping[str, Sums]) -> list[str]:
    """Return the parameters of a batch that the new files have with other values than the source."""
    return [name for name, (_, found) in _read(written, batch).items() if found != sums[name]]


def _sums(values: Array) -> Sums:
    """Return the type of values, their CRC32C, and the sum of their bits as numbers of 64 bits."""
    import numpy as np  # noqa: PLC0415  (not for `import safeload`)

    from safeload._bytes.crc import crc32c  # noqa: PLC0415

    flat = np.ascontiguousarray(values if values.flags.c_contiguous else values.T).reshape(-1).view(np.uint8)
    crc = total = 0
    for start in range(0, flat.size, N_SUM_BYTES):
        block = flat[start : start + N_SUM_BYTES]
        crc = crc32c(block.data, crc)
        total += int(np.add.reduce(block[: block.size // 8 * 8].view(np.uint64), dtype=np.uint64))
    return values.dtype.name, crc, total


def require_left_out(
    left: Collection[str], patterns: Collection[str], form: str, pattern_of: Callable[[str], str]
) -> None:
    """Require that the caller allows to leave out what the form has no place for; `pattern_of` returns a pattern for a name.

    Raises:
        ArgumentError: No pattern matches a name.
    """
    found = [name for name in left if not any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)]
    if found:
        message = f"the form {form} has no place for {counted(len(found), 'tensor')} of the source"
        hints = [
            f"to leave them out, pass ignore_unused={sorted(set(map(pattern_of, found)))}",
            "or choose another form",
        ]
        raise ArgumentError(message, argument="form", given=form, details=first_few(found, "the source"), hints=hints)


def unproven(message: str, folder: str) -> BackendError:
    """Return the error for files that do not hold what they were given, which are removed."""
    hints = ["try again: the disk may be faulty", "and report it with the output of: pip list"]
    return BackendError(message, resolved=folder, label="folder", hints=hints)
