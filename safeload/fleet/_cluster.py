"""Check models on the workers of a Dask cluster."""

from __future__ import annotations

import importlib.util
import sys
import uuid
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from safeload._arguments import bad_argument
from safeload._frameworks.packages import REQUIREMENTS, import_installed, install, missing_dependency
from safeload._text.addresses import without_secrets
from safeload._text.words import reason_of
from safeload.errors import ArgumentError, BackendError
from safeload.fleet._checker import crashed, unexpected
from safeload.fleet._found import Model
from safeload.fleet._result import CheckResult

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from safeload.fleet._ahead import Ahead, Outcome
    from safeload.fleet._checker import Checker

AHEAD_PER_THREAD = 4
MIN_AHEAD = 16
"""How many models wait on the cluster at least, so that none of its workers is idle."""

CONNECT_SECONDS = 10
_AGAIN = ("lost", "pending")
"""The states of a model that was checked by a worker which went away with the result; the scheduler has it checked again."""


def connect(address: str) -> Any:  # noqa: ANN401  (untyped upstream)
    """Return a client of the scheduler at an address.

    Raises:
        MissingDependencyError: Dask's distributed is not installed, or cannot be imported.
        ArgumentError: No scheduler answers there.
    """
    (wanted,) = REQUIREMENTS["dask"]
    if importlib.util.find_spec(wanted.package) is None:
        message = f"{wanted.package} is not installed"
        raise missing_dependency(message, package=wanted.package, wanted=wanted.versions, hints=[install("dask")])
    distributed = import_installed(
        wanted.package, package=wanted.package, wanted=wanted.versions, install=install("dask")
    )
    try:
        return distributed.Client(address, timeout=CONNECT_SECONDS)
    except (OSError, ValueError, TypeError) as exc:
        shown = without_secrets(address)
        reason = f": {reason_of(exc)}" if shown == address else ""
        message = f"no Dask scheduler answers at {shown!r}{reason}"
        hints = ["pass its address as `dask scheduler` prints it, such as tcp://127.0.0.1:8786"]
        raise ArgumentError(message, argument="dask", given=address, hints=hints) from (exc if reason else None)


def require_client(client: object) -> None:
    """Require a client of a Dask cluster.

    Raises:
        ArgumentError: It is something else.
    """
    distributed = sys.modules.get("distributed")  # which is imported where there is a client
    if distributed is None or not isinstance(client, distributed.Client) or client.asynchronous:
        hints = ["client = dask.distributed.Client(ADDRESS)"]
        raise bad_argument("client", client, "a dask.distributed.Client that is not asynchronous", hints)


def checked_on(client: Any, checker: Checker, found: Ahead) -> Generator[tuple[int, Outcome], None, None]:  # noqa: ANN401
    """Yield the number and result of each model in the order of completion, and of what is not checked.

    The cluster checks a model again whose worker went away. A model that ends one worker after another is the only one whose
    result says so.

    Raises:
        BackendError: The scheduler went away.
    """
    from distributed import as_completed  # noqa: PLC0415  (only a cluster needs it)

    prefix = f"safeload-check-{uuid.uuid4().hex}"
    with _reached("before the first check"):
        n_ahead = max(MIN_AHEAD, AHEAD_PER_THREAD * sum(client.nthreads().values()))
    waiting: dict[str, tuple[int, Model, Any]] = {}
    completed = as_completed()
    try:
        while True:
            while len(waiting) < n_ahead and (taken := found.take()):
                number, each = taken
                if not isinstance(each, Model):
                    yield number, each
                    continue
                key = f"{prefix}-{number}"
                with _reached(f"before the check of {each.path}", each.path):
                    future = client.submit(checker, each, key=key, pure=False)
                waiting[key] = number, each, future
                completed.add(future)
            if not waiting:
                return
            while not completed.has_ready() and found.fetch():
                pass
            future = next(completed)
            if future.status in _AGAIN:
                completed.add(future)
                continue
            number, model, _ = waiting.pop(future.key)
            yield number, _result_of(future, model)
            future.release()
    finally:
        with suppress(Exception):  # a scheduler that went away
            client.cancel([future for _, _, future in waiting.values()], force=True)


def _result_of(future: Any, model: Model) -> CheckResult:  # noqa: ANN401
    """Return the result of a check that has ended.

    Raises:
        BackendError: The scheduler went away with it.
    """
    status = future.status
    if status not in ("finished", "error"):
        raise _lost(f"lost the check of {model.path}: it is {status}", model.path)
    try:
        if status == "finished":
            found: CheckResult = future.result()
            return found
        exc = future.exception()
    except (OSError, CancelledError) as lost:  # CommClosedError is an OSError
        raise _lost(f"lost the check of {model.path}: {reason_of(lost) or type(lost).__name__}", model.path) from lost
    except Exception as unread:  # noqa: BLE001  (what one model causes on the way between two machines)
        exc = unread
    if type(exc).__name__ == "KilledWorker":
        return crashed(model, "it ended each worker of the cluster that checked it", 0.0)
    return CheckResult(path=model.path, kind=model.kind, error=unexpected(model.path, exc))


@contextmanager
def _reached(when: str, path: str | None = None) -> Iterator[None]:
    """Ask something of the cluster.

    Raises:
        BackendError: The scheduler went away, or the client was closed.
    """
    try:
        yield
    except Exception as exc:
        raise _lost(f"was lost {when}: {reason_of(exc) or type(exc).__name__}", path) from exc


def _lost(what: str, path: str | None) -> BackendError:
    hints = ["the scheduler or the connection to it ended; run it again"]
    return BackendError(f"the Dask cluster {what}", given=path, hints=hints)
