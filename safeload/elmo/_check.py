"""Steps 1 to 4 of an ELMo load, with neither torch nor AllenNLP: resolve, read, list, compare."""

from __future__ import annotations

import logging
import os
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

import safeload
from safeload._arguments import require_patterns
from safeload._formats import hdf5_values
from safeload._formats.hdf5 import Hdf5File
from safeload._locked import lock_rows, opened_source
from safeload.elmo._arguments import ElmoArguments, require_options_allow, vocabulary_notes
from safeload.elmo._compare_weights import compare_weights
from safeload.elmo._datasets import list_datasets
from safeload.elmo._options import ElmoOptions, read_options
from safeload.elmo._places import find_elmo
from safeload.report import Clock, LoadReport, TensorSpec, with_article

if TYPE_CHECKING:
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)


@dataclass(kw_only=True)
class Checked:
    """What steps 1 to 4 prove: these values fit these options.

    Attributes:
        options: The validated options.
        datasets: What the biLM reads, by name.
        values: Their values, where a load asked for them: what it fills is what was checked.
        clock: The time so far.
        report: The facts so far.
    """

    options: ElmoOptions
    datasets: dict[str, TensorSpec]
    values: dict[str, NDArray[Any]]
    clock: Clock
    report: LoadReport


def check(
    options_file: object,
    weight_file: object,
    *,
    arguments: ElmoArguments | None,
    base_dir: object,
    ignore_unused: object,
    lock_file: object,
) -> Checked:
    """Run steps 1 to 4; with `arguments`, for a load, keep the values."""
    clock = Clock()
    patterns = require_patterns(ignore_unused, example="RNN_*")
    with clock.step("resolve"):
        places = find_elmo(options_file, weight_file, base_dir)
    given = weight_file if weight_file is not None else options_file
    folder = os.path.dirname(places.options)
    with ExitStack() as opened:
        source = opened.enter_context(
            opened_source(lock_file, folder=folder, base_dir=base_dir, model="ELMo", clock=clock)
        )
        with clock.step("read"):
            options = read_options(places.options, given=options_file, source=source)
            if arguments is not None:
                require_options_allow(arguments, options)
        with clock.step("list"):
            datasets = list_datasets(options)
        with clock.step("compare"), Hdf5File(places.weights, given=given, source=source) as file:
            found = compare_weights(datasets, file, options, ignore_unused=patterns)
            if arguments is None:
                hdf5_values.check_values(file, datasets)
            values = {} if arguments is None else hdf5_values.read_values(file, datasets)
            file.require_unchanged()
        read = [("options", places.options), ("weight", places.weights)]
        files = (*(source.file_read(role, path) for role, path in read), *lock_rows(source))
    logger.info("checked %s, %s", places.weights, with_article(places.form))
    report = LoadReport(
        model="ELMo",
        noun="datasets",
        files=files,
        given=str(given),
        form=places.form,
        read=tuple(datasets.values()),
        unused=found.unused,
        ignored=found.ignored,
        checksums="none: HDF5 keeps none of values; a lock file gives each file a SHA-256",
        taken_from_config=options.believed,
        notes=tuple(vocabulary_notes(arguments)) if arguments else (),
        versions=_versions(),
    )
    return Checked(options=options, datasets=datasets, values=values, clock=clock, report=report)


def _versions() -> dict[str, str]:
    python = ".".join(map(str, sys.version_info[:3]))
    return {"python": python, "safeload": safeload.__version__, "numpy": np.__version__, "h5py": h5py.__version__}
