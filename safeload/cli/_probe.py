"""Try one call of safeload in a separate process: `python -m safeload.cli._probe NAME FOLDER`.

A library that aborts on import ends only this process. The last line printed is a JSON object. The caller owns the folder
and removes it, because this process may not reach its end.
"""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safeload._frameworks.elmo import choose_backend
from safeload.bert import diagnose_bert, load_bert
from safeload.bert._runtimes import OTHERS
from safeload.elmo import check_elmo, diagnose_elmo, load_elmo
from safeload.elmo.builders import builder_of
from safeload.errors import MissingDependencyError, SafeLoadError

if TYPE_CHECKING:
    from collections.abc import Callable


def _check_elmo(folder: Path) -> dict[str, str]:
    import h5py  # noqa: PLC0415  (what is tried)

    from safeload.testing import write_elmo  # noqa: PLC0415

    write_elmo(folder)
    check_elmo(folder)
    return {"HDF5": h5py.version.hdf5_version}


def _load_bert(folder: Path) -> dict[str, str]:
    from safeload._frameworks.tensorflow import require_keras_bert  # noqa: PLC0415  (what is tried)
    from safeload.testing import write_bert_checkpoint  # noqa: PLC0415

    found = dict(require_keras_bert().versions)
    write_bert_checkpoint(folder)
    load_bert(folder)
    return found


def _load_elmo(folder: Path, backend: str) -> dict[str, str]:
    from safeload.testing import write_elmo  # noqa: PLC0415  (what is tried)

    write_elmo(folder)
    load_elmo(folder, backend=backend)
    return {}


def use_keras() -> None:
    """Import the Keras that safeload's layers would use, if there is one."""
    with suppress(MissingDependencyError):
        choose_backend("keras")
        builder_of("keras")


def _diagnose_elmo(folder: Path) -> dict[str, str]:
    from safeload.testing import write_elmo  # noqa: PLC0415  (what is tried)

    write_elmo(folder)
    diagnose_elmo(folder)
    return {}


def _diagnose_elmo_in_keras(folder: Path) -> dict[str, str]:
    use_keras()
    return _diagnose_elmo(folder)


def _diagnose_bert(folder: Path, against: str) -> dict[str, str]:
    from safeload.testing import write_bert_checkpoint  # noqa: PLC0415  (what is tried)

    write_bert_checkpoint(folder)
    diagnose_bert(folder, against=against)
    return {}


PROBES: dict[str, Callable[[Path], dict[str, str]]] = {
    "check_elmo": _check_elmo,
    "load_bert": _load_bert,
    "load_elmo torch": lambda folder: _load_elmo(folder, "torch"),
    "load_elmo allennlp": lambda folder: _load_elmo(folder, "allennlp"),
}
"""The calls that `safeload doctor` tries."""

DIAGNOSE_ELMO, DIAGNOSE_ELMO_IN_KERAS = "diagnose_elmo", "diagnose_elmo with Keras"
AGAINST = "diagnose_bert against "
_OF_DIAGNOSES: dict[str, Callable[[Path], dict[str, str]]] = {
    DIAGNOSE_ELMO: _diagnose_elmo,
    DIAGNOSE_ELMO_IN_KERAS: _diagnose_elmo_in_keras,
    **{AGAINST + other: partial(_diagnose_bert, against=other) for other in OTHERS},
}


def main(name: str, folder: str) -> None:
    """Try one call on a tiny model in a folder, and print the result."""
    found: dict[str, Any] = {"ok": True, "message": "", "hints": [], "versions": {}}
    try:
        found["versions"] = {**PROBES, **_OF_DIAGNOSES}[name](Path(folder))
    except SafeLoadError as exc:
        cause = f" ({exc.__cause__})" if exc.__cause__ else ""
        found |= {"ok": False, "message": exc.message + cause, "hints": list(exc.hints)}
    except Exception as exc:  # noqa: BLE001  (a broken environment can raise anything)
        found |= {"ok": False, "message": f"{type(exc).__name__}: {exc}"}
    sys.stdout.write("\n" + json.dumps(found) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
