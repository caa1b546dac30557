"""Write an ELMo that is in memory as an options file and a weight file, and prove what was written by reading it back."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from safeload import _recognise
from safeload._bytes.files import DISK
from safeload._bytes.writing import new_files
from safeload._forms.byte_order import little
from safeload._json import write_json
from safeload._model_kind import Clock, Request
from safeload._saving import flag, lock_new, made, require_free, target_of
from safeload._steps import check
from safeload.elmo import _places
from safeload.elmo._held import HINTS, held_elmo
from safeload.elmo._model import elmo
from safeload.elmo._parameters import list_parameters
from safeload.elmo.builders import unproven
from safeload.errors import ArgumentError
from safeload.lock import LOCK_NAME
from safeload.lock._finding import UNLOCKED
from safeload.report import SaveReport

if TYPE_CHECKING:
    from safeload.elmo._held import Held


class _Proof(NamedTuple):
    """How the module compares with what a load of the written files gives."""

    n_values: int
    n_inexact: int
    largest: float
    names: tuple[str, ...]


def save(module: object, folder: object, *, overwrite: object, lock: object) -> SaveReport:
    """Write, read back, compare and lock; then put the files into place.

    Raises:
        SafeLoadError: As `safeload.save_elmo`.
    """
    clock = Clock()
    flag("overwrite", overwrite)
    flag("lock", lock)
    held = held_elmo(module)
    target = target_of(folder, argument="folder", overwrite=overwrite, lock=lock)
    path = target.path
    require_free(target, (_places.OPTIONS_NAME, _places.WEIGHTS_NAME))
    with made(target), new_files(Path(path), to_disk=True) as new:
        with clock.step("write"):
            _write(held, new)
        with clock.step("check"):
            checked = check(elmo(None), Request(config=str(new), lock_file=UNLOCKED), keep_values=True)
        with clock.step("compare"):
            proof = _prove(held, checked.values)
        checked.values.clear()
        if target.locks:
            with clock.step("lock"):
                lock_new(new, checked.report, elmo(None))
        names = sorted(os.listdir(new))
    roles = {_places.OPTIONS_NAME: "options", _places.WEIGHTS_NAME: "weight", LOCK_NAME: "lock"}
    return SaveReport(
        model=_recognise.ELMO,
        noun=checked.report.noun,
        form="hdf5",
        files=tuple(DISK.file_read(roles[name], os.path.join(path, name)) for name in names),
        written=checked.report.read,
        n_values=proof.n_values,
        n_inexact=proof.n_inexact,
        largest_difference=proof.largest,
        inexact=proof.names,
        notes=_notes(held),
        warnings=checked.report.warnings,
        seconds=clock.seconds,
        versions=checked.report.versions,
    )


def _write(held: Held, folder: Path) -> None:
    """Write both files, one dataset at a time.

    Raises:
        ArgumentError: The module holds NaN or infinite values, or no values at all.
        OSError: The system cannot write.
    """
    import numpy as np  # noqa: PLC0415  (not for `import safeload`)

    from safeload._forms.hdf5.writing import new_hdf5  # noqa: PLC0415

    write_json(folder / _places.OPTIONS_NAME, held.options.parts)
    faults = []
    with new_hdf5(str(folder / _places.WEIGHTS_NAME)) as file:
        for name, spec in list_parameters(held.options).items():
            values = _read(held, name)
            if values.shape != spec.shape:
                message = f"the module's values for {name} have the shape {values.shape}, not {spec.shape_text()}"
                raise ArgumentError(message, argument="module", hints=HINTS)
            if not np.isfinite(values).all():
                faults.append(name)
            file[name] = little(values)
    if faults:
        message = f"the module holds NaN or infinite values in {len(faults)} of its datasets"
        hints = ["the training diverged: save an earlier state", "or the weights were never loaded"]
        raise ArgumentError(message, argument="module", details=faults, hints=hints)


def _read(held: Held, name: str) -> Any:  # noqa: ANN401  (a NumPy array)
    try:
        return held.read(name)
    except (AttributeError, KeyError, TypeError, ValueError, NotImplementedError) as exc:
        message = f"the module has no values for {name}: {type(exc).__name__}"
        hints = ["move it to the CPU or a GPU first, if it is on the meta device", *HINTS]
        raise ArgumentError(message, argument="module", hints=hints) from exc


def _prove(held: Held, values: dict[str, Any]) -> _Proof:
    """Compare the module with what a load of the values gives.

    Raises:
        BackendError: They differ where they must not.
    """
    import numpy as np  # noqa: PLC0415  (not for `import safeload`)

    n_values, n_inexact, largest, names = 0, 0, 0.0, []
    for name, ours, loaded, may_differ in held.compared(values):
        differ = ours != loaded
        n_values += ours.size
        if not differ.any():
            continue
        if not may_differ:
            raise unproven(f"the files do not hold the values of {name}", held.options)
        n_inexact += int(np.count_nonzero(differ))
        largest = max(largest, float(np.abs(ours.astype(np.float64) - loaded).max()))
        names += [name] if name not in names else []
    return _Proof(n_values, n_inexact, largest, tuple(names))


def _notes(held: Held) -> tuple[str, ...]:
    learned = held.learned_sums()
    if not learned:
        return ()
    names = ", ".join(learned)
    return (f"the learned weights of {names} have no place in these files: keep them as you keep your own model's",)
