"""Save what a model in memory computes, and compare a model with what is expected."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from safeload._boundary import typed_errors

if TYPE_CHECKING:
    from safeload._bytes.paths import StrPath
    from safeload._outputs.report import OutputsReport


@typed_errors
def save_outputs(
    model: Any,  # noqa: ANN401  (a torch module or a Keras model)
    file: StrPath,
    *,
    vocab_file: StrPath | None = None,
    overwrite: bool = False,
) -> OutputsReport:
    """Save what each layer of a BERT computes for a few fixed texts, as a small JSON file.

    Another load, with another library, another version or of a converted copy, can then be compared with it: by
    `load_bert(..., expected_outputs=file)`, or by `compare_outputs`.

    Three texts of at most 12 tokens are computed, with padding and both segments, and with dropout off. Of each vector
    4 numbers are kept.

    Args:
        model: A model of transformers with a BERT, KerasHub's `BertBackbone`, or a model built on keras-bert's layers.
        file: The file to write, such as `model.outputs.json`.
        vocab_file: `vocab.txt`, whose digest is saved too; a model has none.
        overwrite: Whether to replace a file that is there.

    Returns:
        The report on what was computed.

    Raises:
        ArgumentError: `model` is no BERT, or computes in half precision; there is a file already, and `overwrite` is false.
        ConfigError: The config of the model is no BERT's.
        VocabularyError: The vocabulary is faulty or does not fit the model.
        InvalidPathError: A path is invalid.
        MissingFileError: The folder of `file`, or the vocabulary, does not exist.
        WrongFileKindError: A folder is at the path, or the vocabulary is of another kind.
        UnreadableFileError: This process may not write there, or not read the vocabulary.
        UnsafeFileError: A FIFO, socket or device is at the path.
        LockError: The vocabulary does not match its lock.
        FileSystemError: The system failed to write: the disk is full, ...

    Source:
        As `diagnose_bert` with `against`, whose texts are longer.
    """
    from safeload._outputs.saving import save  # noqa: PLC0415
    from safeload._saving import flag  # noqa: PLC0415  (`import safeload` stays light)
    from safeload.bert._outputs import built_in_memory, subject_of  # noqa: PLC0415

    replaces = flag("overwrite", overwrite)
    return save(subject_of(built_in_memory(model, vocab_file)), file, overwrite=replaces)


@typed_errors
def compare_outputs(
    model: Any,  # noqa: ANN401  (a torch module or a Keras model)
    file: StrPath,
    *,
    vocab_file: StrPath | None = None,
) -> OutputsReport:
    """Compare what each layer of a BERT computes with a file of `save_outputs`.

    The model is called as it is: in training mode its dropout is on, and that is a difference.

    Args:
        model: As in `save_outputs`; of any library, whichever the file was saved with.
        file: The file.
        vocab_file: `vocab.txt`, to compare it with the vocabulary whose digest was saved.

    Returns:
        The report: how far each layer is from the expected one. Heads that only one of the two has are not compared.

    Raises:
        OutputMismatchError: A layer differs by more than the bound, or sizes or the vocabulary differ.
        ConfigError: The file is not JSON, or has missing or invalid keys.
        WrongFileKindError: The file is of another kind, or of another model.
        ArgumentError: `model` is no BERT.
        SafeLoadError: The vocabulary is bad, as in `load_vocabulary`, or a file cannot be read.

    Source:
        As `save_outputs`.
    """
    from safeload._outputs.file import outputs_ref  # noqa: PLC0415  (`import safeload` stays light)
    from safeload.bert._outputs import built_in_memory, read_expected  # noqa: PLC0415

    expected = read_expected(outputs_ref(file, "file"))
    return expected.compare(built_in_memory(model, vocab_file))
