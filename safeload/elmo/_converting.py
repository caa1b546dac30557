"""Read an ELMo in any form, and write it as `options.json` and `weights.hdf5`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from safeload._arguments import require_patterns
from safeload._converting import Job, require_left_out, save, unproven
from safeload._json import write_json
from safeload._model_kind import Clock
from safeload._naming import BUFFERS, COPIES
from safeload._saving import require_elsewhere
from safeload._steps import opened_model
from safeload._streamed import FileValues, Row
from safeload.elmo._model import elmo
from safeload.elmo._module import CHARACTERS, dataset_of
from safeload.elmo._parameters import list_parameters
from safeload.elmo._places import OPTIONS_NAME, WEIGHTS_NAME
from safeload.elmo.namings.allennlp import AllenNlp
from safeload.elmo.namings.tf_hub import WEIGHTED_SUM
from safeload.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from safeload._converting import Advance
    from safeload._fit import Matched
    from safeload._model_kind import Request
    from safeload._saving import Target
    from safeload._streamed import Values
    from safeload.elmo._options import ElmoOptions
    from safeload.report import SaveReport

    Array = NDArray[Any]

FORM = "hdf5"
EXAMPLE = "*scalar_mix_*"
_OF_A_SUM = re.compile(r"(.*scalar_mix_[0-9]+\.|.*aggregation/).*")
"""What all names of a learned sum begin with: AllenNLP's, and TF-Hub's."""


def convert(request: Request, target: Target, *, scope: object, started: Callable[[Job], Advance]) -> SaveReport:
    """Read an ELMo and write it as AllenNLP's files.

    Raises:
        SafeLoadError: As `safeload.convert`.
    """
    clock = Clock()
    with opened_model(elmo(None, scope), request, clock) as (places, found, warnings):
        read = [places.weights.ref, *([] if places.config.is_dir() else [places.config])]
        require_elsewhere(target, read)
        values: Values = FileValues(found, {})
        if isinstance(found.naming, AllenNlp):
            values = _OfModule(values, found.config)
        _require_sums_left_out(found, require_patterns(request.ignore_unused, example=EXAMPLE))
        job = job_of(found.config, _left_out(found))._replace(warnings=warnings)
        return save(job, values, target, clock, started(job))


def job_of(options: ElmoOptions, left_out: tuple[str, ...]) -> Job:
    """Plan the files of an ELMo."""
    rows = tuple(Row(name, name, "same", spec) for name, spec in list_parameters(options).items())

    def write(folder: Path, tensors: Iterator[tuple[str, Array]]) -> None:
        from safeload._forms.byte_order import little  # noqa: PLC0415
        from safeload._forms.hdf5.writing import new_hdf5  # noqa: PLC0415  (imports h5py)

        write_json(folder / OPTIONS_NAME, options.parts)
        with new_hdf5(str(folder / WEIGHTS_NAME)) as file:
            for name, values in tensors:
                file[name] = little(values)

    return Job(
        form=FORM,
        rows=rows,
        n_heads=0,
        write=write,
        names=(OPTIONS_NAME, WEIGHTS_NAME),
        configs=(),
        kind=elmo(None),
        require_config=lambda found: _require_same(options, found),
        left_out=left_out,
    )


def _require_sums_left_out(found: Matched[ElmoOptions], patterns: Collection[str]) -> None:
    """Require that the caller allows to leave out the weights of a learned sum: without them, an ELMo gives other vectors."""
    require_left_out(found.match.unused.get(WEIGHTED_SUM, ()), patterns, FORM, lambda name: _OF_A_SUM.sub(r"\1*", name))


def _left_out(found: Matched[ElmoOptions]) -> tuple[str, ...]:
    unused = found.match.unused
    names = [name for what, inner in unused.items() if what not in (BUFFERS, COPIES) for name in inner]
    return tuple(sorted({*names, *found.match.unexpected}))


def _require_same(wanted: ElmoOptions, found: ElmoOptions) -> None:
    facts = [options._replace(path="", raw={}) for options in (wanted, found)]
    if facts[0] != facts[1]:
        raise unproven("the new options do not mean the model of the old ones", found.path)


class _OfModule:
    """The datasets of an ELMo whose file has the parameters of AllenNLP's module."""

    def __init__(self, values: Values, options: ElmoOptions) -> None:
        self._values, self._options, self.n_readers = values, options, values.n_readers

    def read(self, names: Sequence[str], turned: Collection[str]) -> dict[str, Array]:
        """Return the values of datasets.

        Raises:
            ArgumentError: A dataset cannot hold the values of the module.
            SafeLoadError: As `FileValues.read`.
        """
        del turned
        held = _Held(self._values)
        found = {name: _in_order(dataset_of(name, held, self._options)) for name in names}
        self._require_exact(held)
        return found

    def finish(self) -> None:
        """Prove the file."""
        self._values.finish()

    def _require_exact(self, held: Mapping[str, Array]) -> None:
        """Require that 1 can be taken from the biases of the forget gates, and added again.

        Raises:
            ArgumentError: It cannot, in the last bit: these were trained.
        """
        dim = self._options.dim
        gates = [values[dim : 2 * dim] for name, values in held.items() if name.endswith(".state_linearity.bias")]
        n_inexact = sum(int((((gate - 1) + 1) != gate).sum()) for gate in gates)
        if n_inexact:
            message = f"the form {FORM} cannot hold {n_inexact:,} of the biases exactly: it has them with 1 subtracted"
            hints = [
                "to accept another last bit: safeload.save_elmo(safeload.load_elmo(...), folder), which counts them"
            ]
            raise ArgumentError(message, argument="form", given=FORM, hints=hints)
        characters = held.get(CHARACTERS)
        if characters is not None and characters[0].any():
            message = f"the form {FORM} has no row for padding, and that of the source is not zeros"
            hints = ["to accept zeros: safeload.save_elmo(safeload.load_elmo(...), folder), which counts them"]
            raise ArgumentError(message, argument="form", given=FORM, hints=hints)


class _Held(dict[str, Any]):
    """The parameters of a module, read when they are asked for."""

    def __init__(self, values: Values) -> None:
        super().__init__()
        self._values = values

    def __missing__(self, name: str) -> Array:
        found: Array = self._values.read([name], ())[name]
        self[name] = found
        return found


def _in_order(values: Array) -> Array:
    import numpy as np  # noqa: PLC0415  (not for `import safeload`)

    return np.ascontiguousarray(values)
