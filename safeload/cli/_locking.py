"""Run `safeload lock`: check a model and write its lock."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from safeload._boundary import typed_errors
from safeload._bytes import absent
from safeload._bytes.addresses import is_address
from safeload._bytes.archives.locating import archive_at, given_ref, located, lock_folder
from safeload._bytes.files import FileRef
from safeload._bytes.paths import resolve_path
from safeload._bytes.writing import atomic_write
from safeload._text.words import counted
from safeload.cli import _console
from safeload.cli._receiving import receiving
from safeload.errors import SafeLoadError, WrongFileKindError
from safeload.fleet._checker import CHECKS
from safeload.fleet._found import Model, Unreadable
from safeload.fleet._kinds import kinds_at, no_model
from safeload.fleet._listing import absolute
from safeload.fleet._tree import BERT_OR_ELMO, find_models
from safeload.lock import LOCK_NAME, Lock, lock_text, make_lock, read_lock, with_others
from safeload.lock._finding import UNLOCKED
from safeload.report import ANY_MODEL

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from safeload.lock import Report
    from safeload.report import Signature

SCHEMA = "safeload-lock/1"
SCHEMA_OF_TREE = "safeload-locks/1"
_WRITTEN = "written"


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """How the model is checked.

    Attributes:
        kind: "bert", "elmo" or "weights"; None for the model in the folder.
        options: Further arguments of the check.
        output: The lock file to write; None for the one in the model's folder.
        signing: What to sign with, and where to: `private_key`, `certificate`, `chain` and `signature`.
    """

    kind: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    output: str | None = None
    signing: Mapping[str, Any] = field(default_factory=dict)


def run(given: str, wanted: Wanted, *, update: bool, as_json: bool) -> int:
    """Lock the model in a folder, or each model below it, and return the exit code."""
    try:
        ref = given_ref(given, "folder", "model")
        given = ref.path if is_address(ref.path) else given
        models = _models_at(given, wanted)
        _require_places(ref, wanted, len(models))
        if models == [Model(given, models[0].kind)]:
            with receiving():
                locked = _lock(given, models[0].kind, wanted, update=update)
            _print_locked(locked, as_json=as_json)
            return 0
    except SafeLoadError as exc:
        _console.print_error(exc, as_json=as_json)
        return 1
    return _lock_all(models, wanted, update=update, as_json=as_json)


def _require_places(ref: FileRef, wanted: Wanted, n_models: int) -> None:
    """Require that what is written has a place on the disk, and is of one model.

    Raises:
        click.UsageError: It has not.
    """
    if n_models > 1:
        for name, value in (("--signature", wanted.signing.get("signature")), ("--output", wanted.output)):
            if value:
                raise click.UsageError(f"{name} names one file, and {n_models} models are found")
    if not is_address(ref.path):
        return
    if wanted.signing.get("private_key"):
        raise click.UsageError("--sign needs a folder on the disk, not an address")
    if n_models > 1:
        raise click.UsageError(f"{n_models} models are at this address; lock each of them with its own --output")
    if not wanted.output:
        raise click.UsageError("a lock cannot be written to an address; pass --output FILE")


class _Locked(NamedTuple):
    """A lock file, what it holds, whether it was written or unchanged, and the signature that was made."""

    path: str
    lock: Lock
    done: str
    signed: Signature | None = None

    def to_dict(self) -> dict[str, Any]:
        files = [file._asdict() for file in self.lock.files]
        signature = asdict(self.signed) if self.signed else None
        return {"path": self.path, "done": self.done, "model": self.lock.model, "files": files, "signature": signature}


def _lock_all(models: Sequence[Model], wanted: Wanted, *, update: bool, as_json: bool) -> int:
    """Lock models one after another; those of one folder, such as archives, come into one lock."""
    found: list[dict[str, Any]] = []
    new: set[str] = set()
    n_models = Counter(model.path for model in models)
    n_bad = 0
    for model in {model.path: model for model in models}.values():
        try:
            if n_models[model.path] > 1:
                raise _both(FileRef(path=absolute(model.path), role="folder", given=model.path))
            path = os.path.join(lock_folder(model.path), LOCK_NAME)
            locked = _lock(model.path, model.kind, wanted, update=update or os.path.abspath(path) in new)
        except SafeLoadError as exc:
            n_bad += 1
            found.append({"path": model.path, "error": _console.error_dict(exc)})
            if not as_json:
                _console.print_error(exc, as_json=False)
            continue
        found.append(locked.to_dict())
        if locked.done == _WRITTEN:
            new.add(locked.path)
        if not as_json:
            _print_locked(locked, as_json=False)
    if as_json:
        _console.print_json({"schema": SCHEMA_OF_TREE, "locks": found, "n_bad": n_bad})
    return 1 if n_bad else 0


def _both(ref: FileRef) -> WrongFileKindError:
    message = "the folder contains both a BERT and an ELMo"
    facts = ref.at(ref.path, "folder").facts
    hints = ["move one of them into a folder of its own"]
    return WrongFileKindError(message, wanted="the folder of one model", found="two models", **facts, hints=hints)


def _print_locked(locked: _Locked, *, as_json: bool) -> None:
    if as_json:
        _console.print_json({"schema": SCHEMA, **locked.to_dict()})
        return
    out = _console.console()
    _console.line(out, (f"{locked.done}  ", _console.OK), locked.path)
    for file in locked.lock.files:
        size = _console.bytes_text(file.n_bytes)
        _console.line(out, f"  {file.sha256[:16]}...  {size:>9}  {file.name}", (f"  {file.role}", _console.NOTE))
    if locked.signed:
        _console.line(out, ("signed  ", _console.OK), locked.signed.path)
        _console.line(out, f"  {counted(locked.signed.n_files, 'file')}, with {locked.signed.who()}")


@typed_errors
def _models_at(given: str, wanted: Wanted) -> list[Model]:
    """Return the model that the path itself is, or those below it.

    Raises:
        SafeLoadError: There is none, the path itself is several, or a folder below it cannot be read.
    """
    ref = located(given_ref(given, "folder", "model"))
    if not ref.is_dir():
        raise absent.missing(ref)
    absent.list_names(ref.at(ref.path, "folder"))  # which raises where the folder cannot be read
    kinds = [wanted.kind] if wanted.kind else kinds_at(given)
    if len(kinds) > 1:
        raise _both(ref)
    if kinds and (wanted.options or wanted.kind is None):
        return [Model(given, kinds[0])]
    found = list(find_models((wanted.kind,) if wanted.kind else BERT_OR_ELMO, [given]))
    for each in found:
        if isinstance(each, Unreadable):
            raise each.error
    models = [each for each in found if isinstance(each, Model)]
    at_root = [model for model in models if model.path == given]
    if any(not model.kind for model in at_root):
        raise no_model(ref)
    return at_root or models


@typed_errors
def _lock(given: str, kind: str, wanted: Wanted, *, update: bool) -> _Locked:
    """Lock one model, and sign it if that is wanted."""
    locked = _locked(given, kind, wanted, update=update)
    return locked._replace(signed=_sign(given, kind, wanted)) if wanted.signing.get("private_key") else locked


def _locked(given: str, kind: str, wanted: Wanted, *, update: bool) -> _Locked:
    model = given_ref(given, "folder", "model")
    check = partial(CHECKS[kind], model.path, **wanted.options)
    if wanted.output is None:
        path, passed = os.path.join(lock_folder(model.path), LOCK_NAME), None
    else:
        path = passed = resolve_path(wanted.output, argument="--output")
    if os.path.lexists(path) and not update:
        check(lock_file=passed)
        return _Locked(path, read_lock(path), "unchanged")
    return _Locked(path, _write(path, check, model), _WRITTEN)


def _sign(given: str, kind: str, wanted: Wanted) -> Signature:
    """Sign the folder of a locked model, or the archive that it is in."""
    from safeload._signatures.signing import Signer, sign, usual_place  # noqa: PLC0415  (few locks are signed)

    folder = resolve_path(given, argument="folder")
    model = archive_at(folder) or folder
    path = wanted.signing["signature"]
    path = usual_place(model) if path is None else resolve_path(path, argument="signature")
    signer = Signer(wanted.signing["private_key"], wanted.signing["certificate"], tuple(wanted.signing["chain"]))
    return sign(model, path, signer, lambda signed: CHECKS[kind](folder, signature=signed, **wanted.options))


def _write(path: str, check: Callable[..., Report], model: FileRef) -> Lock:
    """Write the lock, after checking the model against it; this detects a file that changed meanwhile."""
    report = check(lock_file=UNLOCKED)
    root = None
    if is_address(model.path):
        first = model.path if report.model == ANY_MODEL else report.files[0].path
        root = model.at(lock_folder(first, model.source), "folder")
    lock = make_lock(report, path, root=root)
    if (old := _readable(path)) is not None:
        lock = with_others(lock, old)
    with atomic_write(path, role="lock") as unfinished:
        unfinished.write(lock_text(lock).encode("utf-8"))
        check(lock_file=unfinished.path)
    return lock


def _readable(path: str) -> Lock | None:
    """Return the lock that is replaced; None if there is none, or it cannot be used."""
    try:
        return read_lock(path)
    except SafeLoadError:
        return None
