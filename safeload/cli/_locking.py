"""Run `safeload lock`: check a model and write its lock."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from safeload._advice import advice, models_in
from safeload._boundary import typed_errors
from safeload._bytes import absent
from safeload._bytes.archives.locating import archive_at, archive_hints, located, lock_folder
from safeload._bytes.files import FileRef
from safeload._bytes.paths import resolve_path
from safeload._bytes.writing import atomic_write
from safeload._recognise import BERT
from safeload._text.words import counted
from safeload.cli import _console
from safeload.cli._models import CHECKS
from safeload.errors import SafeLoadError, WrongFileKindError
from safeload.lock import LOCK_NAME, Lock, lock_text, make_lock, read_lock, with_others
from safeload.lock._copies import UNLOCKED

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from safeload.lock import Report
    from safeload.report import Signature

SCHEMA = "safeload-lock/1"
_WHAT_IS_LOCKED = "a BERT has a bert_config.json and a checkpoint; an ELMo an options JSON and an HDF5 file"


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """How the model is checked.

    Attributes:
        kind: "bert", "elmo" or "weights"; None for the model in the folder.
        options: Further arguments of the check.
        signing: What to sign with, and where to: `private_key`, `certificate`, `chain` and `signature`.
    """

    kind: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    signing: Mapping[str, Any] = field(default_factory=dict)


def run(given: str, wanted: Wanted, *, update: bool, as_json: bool) -> int:
    """Lock the model in a folder, and return the exit code."""
    try:
        path, lock, done = _lock(given, wanted, update=update)
        signed = _sign(given, lock, wanted) if wanted.signing.get("private_key") else None
    except SafeLoadError as exc:
        _console.print_error(exc, as_json=as_json)
        return 1
    if as_json:
        files = [file._asdict() for file in lock.files]
        signature = asdict(signed) if signed else None
        found = {
            "schema": SCHEMA,
            "path": path,
            "done": done,
            "model": lock.model,
            "files": files,
            "signature": signature,
        }
        _console.print_json(found)
        return 0
    out = _console.console()
    _console.line(out, (f"{done}  ", _console.OK), path)
    for file in lock.files:
        size = _console.bytes_text(file.n_bytes)
        _console.line(out, f"  {file.sha256[:16]}...  {size:>9}  {file.name}", (f"  {file.role}", _console.NOTE))
    if signed:
        _console.line(out, ("signed  ", _console.OK), signed.path)
        _console.line(out, f"  {counted(signed.n_files, 'file')}, with {signed.who()}")
    return 0


@typed_errors
def _sign(given: str, lock: Lock, wanted: Wanted) -> Signature:
    """Sign the folder of a locked model, or the archive that it is in."""
    from safeload._signatures.signing import Signer, sign, usual_place  # noqa: PLC0415  (few locks are signed)

    folder = resolve_path(given, argument="folder")
    model = archive_at(folder) or folder
    path = wanted.signing["signature"]
    path = usual_place(model) if path is None else resolve_path(path, argument="signature")
    check = CHECKS[{"BERT": "bert", "ELMo": "elmo"}.get(lock.model, "weights")]
    signer = Signer(wanted.signing["private_key"], wanted.signing["certificate"], tuple(wanted.signing["chain"]))
    return sign(model, path, signer, lambda signed: check(folder, signature=signed, **wanted.options))


@typed_errors
def _lock(given: str, wanted: Wanted, *, update: bool) -> tuple[str, Lock, str]:
    """Return the path of the lock file, what it holds and what was done."""
    folder = resolve_path(given, argument="folder")
    path = os.path.join(lock_folder(folder), LOCK_NAME)
    kind = _kind_of(located(FileRef(path=folder, role="model", given=given)), wanted.kind)
    check = partial(CHECKS[kind], **wanted.options)
    if os.path.lexists(path) and not update:
        check(folder)
        return path, read_lock(path), "unchanged"
    return path, _write(path, check, folder), "written"


def _kind_of(ref: FileRef, wanted: str | None) -> str:
    if not ref.is_dir():
        raise absent.missing(ref)
    if wanted is not None:
        return wanted
    folder = ref.at(ref.path, "folder")
    absent.list_names(folder)  # which raises where the folder cannot be read
    models = models_in(folder)
    if len(models) != 1:
        message = f"the folder contains {'both a BERT and an ELMo' if models else 'no BERT or ELMo'}"
        raise WrongFileKindError(
            message,
            wanted="the folder of one model",
            found="another folder",
            **ref.at(ref.path, "folder").facts,
            hints=[*archive_hints(folder), *((not models and advice(folder, BERT)) or [_WHAT_IS_LOCKED])],
        )
    return models[0].lower()


def _write(path: str, check: Callable[..., Report], folder: str) -> Lock:
    """Write the lock, after checking the model against it; this detects a file that changed meanwhile."""
    lock = make_lock(check(folder, lock_file=UNLOCKED), path)
    if (old := _readable(path)) is not None:
        lock = with_others(lock, old)
    with atomic_write(path, role="lock") as unfinished:
        unfinished.write(lock_text(lock).encode("utf-8"))
        check(folder, lock_file=unfinished.path)
    return lock


def _readable(path: str) -> Lock | None:
    """Return the lock that is replaced; None if there is none, or it cannot be used."""
    try:
        return read_lock(path)
    except SafeLoadError:
        return None
