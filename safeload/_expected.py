"""Save what a model in memory computes, and compare a model with what is expected."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from safeload._arguments import bad_argument
from safeload._boundary import typed_errors
from safeload.errors import ArgumentError

if TYPE_CHECKING:
    from safeload._bytes.paths import StrPath
    from safeload._outputs.report import OutputsReport


@typed_errors
def save_outputs(
    model: Any,  # noqa: ANN401  (a torch module, a Keras model or layer)
    file: StrPath,
    *,
    vocab_file: StrPath | None = None,
    overwrite: bool = False,
) -> OutputsReport:
    """Save what each layer of a BERT or ELMo computes for a few fixed texts, as a small JSON file.

    Use the file to compare another load: with another library, with another version, or of a converted copy. Pass it to
    `load_bert(..., expected_outputs=file)`, `load_elmo(..., expected_outputs=file)` or `compare_outputs`.

    A BERT computes three texts of at most 12 tokens, with padding and both segments. An ELMo computes three sentences,
    from a zero state; its own state is unchanged. Dropout is off. The file keeps 4 numbers for each vector.

    Args:
        model: A model of transformers with a BERT, KerasHub's `BertBackbone`, or a model built on keras-bert's layers; AllenNLP's
            `Elmo`, `_ElmoBiLm` or `ElmoTokenEmbedder`, or what `load_elmo` returned.
        file: The file to write, such as `model.outputs.json`.
        vocab_file: `vocab.txt` of a BERT, because a model does not contain it. Its digest is saved too.
        overwrite: Whether to replace an existing file.

    Returns:
        The report on what was computed.

    Raises:
        ArgumentError: `model` is not a BERT or an ELMo, or computes in half precision; the file exists and `overwrite` is
            false; or `vocab_file` is passed with an ELMo.
        ConfigError: The config is not that of a BERT, or the sizes are not those of an ELMo.
        VocabularyError: The vocabulary is faulty or does not fit the model.
        InvalidPathError: A path is invalid.
        MissingFileError: The folder of `file`, or the vocabulary, does not exist.
        WrongFileKindError: A folder is at the path, or the vocabulary is of another kind.
        UnreadableFileError: This process has no permission to write there, or to read the vocabulary.
        UnsafeFileError: A FIFO, socket or device is at the path.
        LockError: The vocabulary does not match its lock.
        FileSystemError: The system failed to write: the disk is full, ...

    Source:
        As `diagnose_bert` with `against`, whose texts are longer; allennlp/modules/elmo.py, Elmo.forward, AllenNLP 2.10.1.
    """
    from safeload._outputs.saving import save  # noqa: PLC0415  (`import safeload` stays light)
    from safeload._saving import flag  # noqa: PLC0415

    replaces = flag("overwrite", overwrite)
    wing, built = _built(model, vocab_file)
    return save(wing.subject_of(built), file, overwrite=replaces)


@typed_errors
def compare_outputs(
    model: Any,  # noqa: ANN401  (a torch module, a Keras model or layer)
    file: StrPath,
    *,
    vocab_file: StrPath | None = None,
) -> OutputsReport:
    """Compare what each layer of a BERT or ELMo computes with a file of `save_outputs`.

    The model is called as it is. In training mode its dropout is on, and the outputs differ. Call `eval()` first:
    `load_elmo` returns a torch module in training mode.

    Args:
        model: As in `save_outputs`. It may be of another library than the one that the file was saved with.
        file: The file.
        vocab_file: `vocab.txt` of a BERT, to compare it with the vocabulary whose digest was saved.

    Returns:
        The report, with the difference of each layer. Heads, and weighted sums of an ELMo, are compared only if both sides
        have them.

    Raises:
        OutputMismatchError: A layer differs by more than the bound, or sizes or the vocabulary differ.
        ConfigError: The file is not JSON, or has missing or invalid keys.
        WrongFileKindError: The file is of another kind, or of another model.
        ArgumentError: `model` is not a BERT or an ELMo.
        SafeLoadError: The vocabulary is bad, as in `load_vocabulary`, or a file cannot be read.

    Source:
        As `save_outputs`.
    """
    wing, built = _built(model, vocab_file)
    found: OutputsReport = wing.read_expected(file, "file").compare(built)
    return found


def _built(model: Any, vocab_file: object) -> tuple[Any, Any]:  # noqa: ANN401  (validated here)
    """Return the module that knows the outputs of such a model, and what it knows of this one.

    Raises:
        ArgumentError: The model is no BERT or ELMo, or is an ELMo and a vocabulary is passed.
        SafeLoadError: As `save_outputs`.
    """
    from safeload.bert import _outputs as of_bert  # noqa: PLC0415  (`import safeload` stays light)
    from safeload.bert.readers import is_bert  # noqa: PLC0415
    from safeload.elmo import _outputs as of_elmo  # noqa: PLC0415
    from safeload.elmo._held import is_elmo  # noqa: PLC0415

    if is_bert(model):
        return of_bert, of_bert.built_in_memory(model, vocab_file)
    if not is_elmo(model):
        message = f"model must be a BERT or an ELMo, not of type {type(model).__name__}"
        hints = ["pass what load_bert or load_elmo returned, a BERT of transformers or KerasHub, or AllenNLP's Elmo"]
        raise ArgumentError(message, argument="model", hints=hints)
    if vocab_file is not None:
        raise bad_argument("vocab_file", vocab_file, "None for an ELMo, which needs no vocabulary", ["leave it out"])
    return of_elmo, of_elmo.built_in_memory(model)
