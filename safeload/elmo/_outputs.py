"""Compute the outputs of an ELMo that a file of expected outputs keeps."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, NamedTuple

from safeload import _recognise
from safeload._frameworks.elmo import versions_of
from safeload._outputs.comparing import compare, require_same_model
from safeload._outputs.file import MAX_VECTORS, bad_keys, outputs_ref, read_outputs
from safeload._outputs.saving import with_comparison
from safeload._outputs.subject import Subject
from safeload._outputs.tables import reduced
from safeload.elmo._arguments import MAX_REPRESENTATIONS, STORED
from safeload.elmo._characters import ids_of
from safeload.elmo._held import held_elmo
from safeload.elmo.builders.torch_read import TorchElmo
from safeload.elmo.layers import CHARACTERS, DTYPE, SENTENCES, SUM, layers_of, sum_name
from safeload.report import KeyProblem

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from numpy.typing import NDArray

    from safeload._bytes.files import FileRef
    from safeload._outputs.report import OutputsReport
    from safeload._outputs.subject import Outputs
    from safeload.elmo._arguments import ElmoArguments
    from safeload.elmo._held import Held
    from safeload.elmo._options import ElmoOptions
    from safeload.report import LoadReport

    Array = NDArray[Any]

WORDS = "words"
_SUMS = tuple(map(sum_name, range(MAX_REPRESENTATIONS)))
_CNN, _LSTM = "char_cnn.", "lstm."


class Built(NamedTuple):
    """An ELMo in memory, and what is known of it.

    Attributes:
        held: Its reader.
        backend: The library that it is built in.
    """

    held: Held
    backend: str


def built_in_memory(module: Any) -> Built:  # noqa: ANN401  (validated here)
    """Return what is known of a module or layer of the caller's.

    Raises:
        ArgumentError: It is no ELMo.
        ConfigError: Its sizes are not those of an ELMo that files can hold.
    """
    held = held_elmo(module)
    if isinstance(held, TorchElmo):
        return Built(held, "allennlp" if held.is_allennlp else "torch")
    return Built(held, "keras")


def subject_of(built: Built, *, left_out: Collection[str] = ()) -> Subject:
    """Return what computes the layers of a model, without the sums that are left out."""
    held = built.held
    layers = layers_of("torch" if isinstance(held, TorchElmo) else "keras")

    def compute(given: Mapping[str, Any], as_it_is: bool) -> dict[str, Array]:  # noqa: FBT001  (as Subject has it)
        words = given[WORDS]
        found = layers.compute(held, ids_of(words), as_it_is=as_it_is)
        mask = _mask(words)
        return {name: reduced(values, mask) for name, values in found.items() if name not in left_out}

    return Subject(
        model=_recognise.ELMO,
        runtime=built.backend,
        versions=versions_of(built.backend),
        sizes=sizes_of(held.options),
        settings={**_settings_of(held.options), **layers.settings_of(held)},
        tokens={},
        inputs={WORDS: [list(words) for words in SENTENCES]},
        compute=compute,
        explains=_explains,
        optional=_SUMS,
    )


def sizes_of(options: ElmoOptions) -> dict[str, int]:
    """Return the sizes that a model must have in common with the one whose outputs are expected."""
    return {
        f"{_LSTM}n_layers": options.n_layers,
        f"{_LSTM}projection_dim": options.projection_dim,
        f"{_LSTM}dim": options.dim,
        f"{_CNN}n_highway": options.n_highway,
    }


def _settings_of(options: ElmoOptions) -> dict[str, object]:
    return {
        f"{_CNN}activation": options.activation,
        f"{_LSTM}cell_clip": options.cell_clip,
        f"{_LSTM}proj_clip": options.proj_clip,
        f"{_LSTM}use_skip_connections": options.use_skip_connections,
    }


def _explains(key: str, layer: str) -> bool:
    if layer.startswith(SUM):
        return key in (layer, DTYPE)
    return key == DTYPE or key.startswith(_CNN if layer == CHARACTERS else _LSTM)


def _mask(words: list[list[str]]) -> Array:
    """Return 1 for a word or sentence mark and 0 for padding, `(rows, tokens + 2)`."""
    import numpy as np  # noqa: PLC0415  (not for `import safeload`)

    lengths = np.array([len(row) + 2 for row in words])
    mask: Array = np.arange(lengths.max()) < lengths[:, None]
    return mask


class Expected(NamedTuple):
    """Outputs that are expected of a load.

    Attributes:
        outputs: The contents of the file.
        ref: The file.
    """

    outputs: Outputs
    ref: FileRef

    def require_options(self, options: ElmoOptions) -> None:
        """Require options that fit, before a model is built.

        Raises:
            OutputMismatchError: The model has other sizes.
        """
        require_same_model(self.outputs, sizes_of(options), {}, self.ref)

    def met_by(self, module: Any, arguments: ElmoArguments, report: LoadReport) -> LoadReport:  # noqa: ANN401
        """Compare a model that was loaded, with dropout off, and add the result to the report of the load.

        A sum to which the call, and not the file, gave other weights is not compared.

        Args:
            module: The module or layer.
            arguments: The arguments of the load, as they were passed.
            report: The report of the load.

        Raises:
            OutputMismatchError: As `compare`.
        """
        built, wanted = built_in_memory(module), self.outputs.settings
        settings = subject_of(built).settings
        is_stored = arguments.scalar_mix_parameters == STORED
        others = [
            name for name in settings if name in wanted and name.startswith(SUM) and settings[name] != wanted[name]
        ]
        left_out = [] if is_stored else others
        found = compare(subject_of(built, left_out=left_out), self.outputs, self.ref, as_it_is=False)
        notes = [f"{name} is not compared: the load gave it other weights than expected" for name in left_out]
        return with_comparison(report, dataclasses.replace(found, notes=(*found.notes, *notes)), self.ref)

    def compare(self, built: Built) -> OutputsReport:
        """Compare a model as it is.

        Raises:
            OutputMismatchError: It computes something else.
        """
        return compare(subject_of(built), self.outputs, self.ref)


def read_expected(given: object, argument: str, base_dir: object = None) -> Expected:
    """Read a file of expected outputs of an ELMo.

    Raises:
        ConfigError: As `read_outputs`; or the inputs are no sentences.
        SafeLoadError: As `outputs_ref` and `read_outputs`.
    """
    ref = outputs_ref(given, argument, base_dir)
    outputs = read_outputs(ref, _recognise.ELMO)
    rows = outputs.inputs.get(WORDS, [])
    n_places = len(rows) * max(map(len, rows), default=0)
    if not 0 < n_places <= MAX_VECTORS or not all(_is_word(word) for row in rows for word in row):
        wanted = f"expected sentences of words, of at most {MAX_VECTORS:,} words with the padding"
        raise bad_keys([KeyProblem(key=f"inputs.{WORDS}", problem=wanted)], ref)
    return Expected(outputs, ref)


def _is_word(word: object) -> bool:
    return isinstance(word, str) and word != "" and not any(map(str.isspace, word))
