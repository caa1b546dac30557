"""Compute the outputs of a BERT that a file of expected outputs keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from safeload import _recognise
from safeload._arguments import bad_argument, is_int
from safeload._bytes.archives.locating import given_ref
from safeload._bytes.files import FileRef
from safeload._frameworks.packages import version_of
from safeload._outputs.comparing import compare, other_sizes, require_same_model
from safeload._outputs.file import bad_keys, outputs_ref, read_outputs
from safeload._outputs.saving import with_comparison
from safeload._outputs.subject import Subject
from safeload._outputs.tables import reduced
from safeload.bert._config import validate_config
from safeload.bert._content import ANY
from safeload.bert._runtimes import KERAS_BERT, KERAS_HUB, TRANSFORMERS, Runtime
from safeload.bert._vocabulary import read_with_locks, require_fit
from safeload.bert.layers import EMBEDDINGS, MLM, NSP, POOLER, Inputs, fixed_inputs, layers_of
from safeload.bert.readers import held_bert
from safeload.report import KeyProblem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from safeload._outputs.report import OutputsReport
    from safeload._outputs.subject import Outputs
    from safeload.bert._arguments import BuildOptions
    from safeload.bert._config import BertConfig
    from safeload.report import LoadReport

    Array = NDArray[Any]

LENGTH = 12
"""Most tokens of a text: few, so that a load takes little longer."""

_OF_EMBEDDINGS = ("dtype", "layer_norm_eps")
"""The settings that change the embeddings; the others change only what comes after them."""

_RUNTIMES = {"google": KERAS_BERT, "safetensors": TRANSFORMERS, "keras-hub": KERAS_HUB}
"""Form that a model in memory is saved in -> the library that has built it."""

_PACKAGES = {
    KERAS_BERT.id: ("tensorflow", "keras", "tf-keras", "keras-bert"),
    TRANSFORMERS.id: ("torch", "transformers"),
    KERAS_HUB.id: ("keras", "keras-hub"),
}


class Built(NamedTuple):
    """A BERT in memory, and what is known of it.

    Attributes:
        model: The model.
        runtime: The library that it is built in.
        config: Its config.
        tokens: Token -> id; empty without a vocabulary.
        versions: Package -> version.
    """

    model: Any
    runtime: Runtime
    config: BertConfig
    tokens: Mapping[str, int]
    versions: Mapping[str, str]


def built_in_memory(model: Any, vocab_file: object) -> Built:  # noqa: ANN401  (validated here)
    """Return what is known of a model of the caller's.

    Raises:
        ArgumentError: It is no BERT of transformers, KerasHub or keras-bert.
        SafeLoadError: The vocabulary is faulty or does not fit the model.
    """
    held = held_bert(model)
    runtime = _RUNTIMES[held.form]
    config = validate_config(dict(held.raw), FileRef(path="the model", role="model"), ANY)
    tokens: dict[str, int] = {}
    if vocab_file is not None:
        ref = given_ref(vocab_file, "vocab_file", "vocab")
        tokens = read_with_locks(ref)
        require_fit(tokens, config, ref)
    found = {name: version_of(name) for name in _PACKAGES[runtime.id]}
    return Built(model, runtime, config, tokens, {name: version for name, version in found.items() if version})


def subject_of(built: Built) -> Subject:
    """Return what computes the layers of a model."""
    model, config, layers = built.model, built.config, layers_of(built.runtime)
    inputs = fixed_inputs(config.vocab_size, config.max_position_embeddings, config.type_vocab_size, longest=LENGTH)

    def compute(given: Mapping[str, Any], as_it_is: bool) -> dict[str, Array]:  # noqa: FBT001  (as Subject has it)
        found = _inputs_of(given)
        computed = layers.compute(model, found, as_it_is=as_it_is)
        return {name: reduced(values, found.mask) for name, values in computed.items()}

    return Subject(
        model=_recognise.BERT,
        runtime=built.runtime.id,
        versions=built.versions,
        sizes=sizes_of(config),
        settings=layers.settings_of(model)._asdict(),
        tokens=built.tokens,
        inputs={"tokens": inputs.tokens.tolist(), "segments": inputs.segments.tolist()},
        compute=compute,
        explains=lambda key, layer: layer != EMBEDDINGS or key in _OF_EMBEDDINGS,
        optional=(POOLER, MLM, NSP),
    )


def sizes_of(config: BertConfig) -> dict[str, int]:
    """Return the sizes that a model must have in common with the one whose outputs are expected."""
    return {"num_hidden_layers": config.num_hidden_layers, "hidden_size": config.hidden_size}


def _inputs_of(given: Mapping[str, Any]) -> Inputs:
    import numpy as np  # noqa: PLC0415  (not for `import safeload`)

    return Inputs(*(np.asarray(given[name], np.int32) for name in ("tokens", "segments")))


class Expected(NamedTuple):
    """Outputs that are expected of a load.

    Attributes:
        outputs: The contents of the file.
        ref: The file.
    """

    outputs: Outputs
    ref: FileRef

    def require_config(self, config: BertConfig, options: BuildOptions, tokens: Mapping[str, int]) -> None:
        """Require a config and a vocabulary that fit, before a model is built.

        Raises:
            ArgumentError: `seq_len` is less than the length of the texts.
            ConfigError: The inputs in the file are none.
            OutputMismatchError: The model has other sizes, or another vocabulary.
        """
        n_tokens = require_inputs(self.outputs, config, self.ref)
        if options.seq_len is not None and options.seq_len < n_tokens:
            hints = ["leave it out, or leave out expected_outputs"]
            raise bad_argument("seq_len", options.seq_len, f"at least {n_tokens}, as the expected outputs have", hints)
        require_same_model(self.outputs, sizes_of(config), tokens, self.ref)

    def met_by(
        self,
        model: Any,  # noqa: ANN401  (of any runtime)
        runtime: Runtime,
        config: BertConfig,
        tokens: Mapping[str, int],
        report: LoadReport,
    ) -> LoadReport:
        """Compare a model that was loaded, and add the result to the report of the load.

        Raises:
            OutputMismatchError: As `compare`.
        """
        found = self.compare(Built(model, runtime, config, tokens, report.versions))
        return with_comparison(report, found, self.ref)

    def compare(self, built: Built) -> OutputsReport:
        """Compare a model.

        Raises:
            ConfigError: The inputs in the file are none.
            OutputMismatchError: It computes something else.
        """
        require_inputs(self.outputs, built.config, self.ref)
        return compare(subject_of(built), self.outputs, self.ref)


def read_expected(given: object, argument: str, base_dir: object = None) -> Expected:
    """Read a file of expected outputs of a BERT.

    Raises:
        SafeLoadError: As `outputs_ref` and `read_outputs`.
    """
    ref = outputs_ref(given, argument, base_dir)
    return Expected(read_outputs(ref, _recognise.BERT), ref)


def require_inputs(outputs: Outputs, config: BertConfig, ref: FileRef) -> int:
    """Require texts that a model of this config takes; return the length of the longest.

    Raises:
        ConfigError: They are no texts of ids.
        OutputMismatchError: They need a larger vocabulary, more positions or more segments.
    """
    rows = {name: outputs.inputs.get(name) or [] for name in ("tokens", "segments")}
    shapes = {name: [len(row) for row in each] for name, each in rows.items()}
    numbers = [number for each in rows.values() for row in each for number in row]
    lengths = set(shapes["tokens"])
    if (
        shapes["tokens"] != shapes["segments"]
        or len(lengths) != 1
        or not all(is_int(each) and each >= 0 for each in numbers)
    ):
        problem = KeyProblem(key="inputs", problem="expected tokens and segments, with rows of ids of one length")
        raise bad_keys([problem], ref)
    length = lengths.pop()
    largest = {name: max(max(row) for row in each) for name, each in rows.items()}
    needed = {
        "vocab_size": (largest["tokens"] + 1, config.vocab_size),
        "max_position_embeddings": (length, config.max_position_embeddings),
        "type_vocab_size": (largest["segments"] + 1, config.type_vocab_size),
    }
    small = [f"{key} is {found}, and the texts need {least}" for key, (least, found) in needed.items() if found < least]
    if small:
        raise other_sizes(outputs.model, small, ref)
    return length
