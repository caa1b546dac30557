"""Write a model in another form, or one that is in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from safeload._arguments import as_python
from safeload._boundary import typed_errors
from safeload._reports import warn_of
from safeload.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from safeload._bytes.paths import StrPath
    from safeload._converting import Advance, Job
    from safeload._model_kind import Request
    from safeload._saving import Target
    from safeload.report import SaveReport

FORMS = ("safetensors", "google", "keras-bert-h5", "keras-hub", "hdf5")
"""The forms that a model is written in: those of BERT, and ELMo's."""

OF_ELMO = "hdf5"


@typed_errors
def convert(  # noqa: PLR0913  (those of the loads)
    source: StrPath,
    target: StrPath,
    *,
    form: str,
    weight_file: StrPath | None = None,
    vocab_file: StrPath | None = None,
    scope: str | None = None,
    activation: str | None = None,
    base_dir: StrPath | None = None,
    ignore_unused: Collection[str] = (),
    lock_file: StrPath | None = None,
    overwrite: bool = False,
    lock: bool = False,
) -> SaveReport:
    """Write a BERT or an ELMo in another form, for the library that owns the form.

    The config and the vocabulary are translated with the weights. Tensors are read, checked and written one after the other.
    The files are written under temporary names, read back, checked as `check_bert` and `check_elmo` do, and compared with
    the source: the CRC32C and the sum of the bits of each tensor must be the same. Then they are flushed to disk and moved
    to the folder. If anything fails, the folder is unchanged.

    Floats become float32 without loss. For a BERT, the encoder is written, and the pooler and the MLM and NSP heads if the
    source has them. Task heads are written if the library of the form has names for them. For an ELMo, the biLM is written. A
    tensor that the form cannot store, such as the weights of an ELMo's learned sum, is an error unless `ignore_unused`
    names it. Tensors that only training needs are left out, and the report lists them.

    Args:
        source: The folder of the model, its config or options file, or an archive, as in `load_bert` and `load_elmo`.
        target: The folder to write to. It is created if missing.
        form: "safetensors" for Hugging Face's files, which transformers loads; "google" for `bert_config.json` and a
            TensorFlow checkpoint; "keras-bert-h5" for the weights of keras-bert's model; "keras-hub" for a preset of KerasHub;
            "hdf5" for an ELMo's `options.json` and `weights.hdf5`.
        weight_file: The weights. Defaults to those in the folder of `source`.
        vocab_file: As in `load_bert`. It is written too.
        scope: As in `load_bert` and `load_elmo`.
        activation: As in `load_bert`. Pass "gelu_tanh" to accept a form that has no other GELU.
        base_dir: The folder that relative paths start from. Defaults to the working directory.
        ignore_unused: Shell-style patterns of tensors that may be left out, such as `["cls/*"]`, and of unexpected ones.
        lock_file: As in `load_bert`, for the source.
        overwrite: Whether to replace existing files with these names.
        lock: Whether to write a `safeload.lock` for the new files too.

    Returns:
        The report on what was written.

    Raises:
        ArgumentError: An argument is invalid; the files exist in the target; the target is the source's folder; or the form
            cannot store a tensor, or needs one that the source lacks.
        ConfigError: The form cannot express the config: its activation, epsilon, sizes or dropouts.
        BackendError: The files that were read back differ from the source.
        FileSystemError: The system failed to read or to write: the disk is full, ...
        SafeLoadError: The source is bad, as in `check_bert` and `check_elmo`.

    Warns:
        SafeLoadWarning: The values are suspicious, as in `load_bert`.

    Source:
        transformers/modeling_utils.py, save_pretrained, transformers 5.24; keras_hub/src/utils/preset_utils.py,
        KerasPresetSaver, keras-hub 0.32; tensorflow/core/util/tensor_bundle/tensor_bundle.cc, TensorFlow 2.15; allenai/bilm-tf,
        bilm/training.py, dump_weights.
    """
    from safeload._model_kind import Request  # noqa: PLC0415  (`import safeload` stays light)
    from safeload._saving import target_of  # noqa: PLC0415

    request = Request(
        config=source,
        weights=weight_file,
        vocab=vocab_file,
        base_dir=base_dir,
        ignore_unused=ignore_unused,
        lock_file=lock_file,
    )
    place = target_of(target, argument="target", overwrite=overwrite, lock=lock, base_dir=base_dir)
    report = run(request, place, form, scope=scope, activation=activation)
    warn_of(report)
    return report


@typed_errors
def save_bert(  # noqa: PLR0913  (what a form needs)
    model: Any,  # noqa: ANN401  (a torch module or a Keras model)
    folder: StrPath,
    *,
    form: str | None = None,
    vocab_file: StrPath | None = None,
    ignore_unused: Collection[str] = (),
    overwrite: bool = False,
    lock: bool = False,
) -> SaveReport:
    """Save a BERT of any runtime, fine-tuned or not, in any form that `safeload.convert` writes.

    The files are written under temporary names, read back, checked as `check_bert` does, and compared with the model as
    `convert` does. Then they are flushed to disk and moved to the folder. If anything fails, the folder is unchanged.

    Args:
        model: A model of transformers with a BERT, KerasHub's `BertBackbone`, or a model built on keras-bert's layers.
        folder: The folder to write to. It is created if missing.
        form: As in `convert`. Defaults to that of the library: "safetensors" for transformers, "keras-hub" for KerasHub,
            "google" for keras-bert, whose own loader reads it.
        vocab_file: `vocab.txt`. It is written too, because a model does not contain it.
        ignore_unused: Shell-style patterns of tensors that may be left out, such as `["cls/*"]`.
        overwrite: Whether to replace existing files with these names.
        lock: Whether to write a `safeload.lock` too.

    Returns:
        The report on what was written.

    Raises:
        ArgumentError: `model` is not a BERT, or has NaN, infinite values, or values that are not exactly float32; the files
            exist; or the form cannot store a tensor, or needs one that the model lacks.
        ConfigError: The form cannot express the model's settings.
        VocabularyError: The vocabulary is faulty or does not fit the model.
        VariableMismatchError: The model lacks parts of a BERT, or two tensors that must be equal differ.
        InvalidPathError: `folder` is invalid.
        WrongFileKindError: `folder`, or a folder above it, is a file.
        UnreadableFileError: This process has no permission to write there.
        FileSystemError: The system failed to write: the disk is full, ...
        BackendError: The files that were read back differ from the model.

    Warns:
        SafeLoadWarning: The values are suspicious, as in `load_bert`.

    Source:
        As `safeload.convert`.
    """
    from safeload.bert._saving import save_model  # noqa: PLC0415  (`import safeload` stays light)

    report = save_model(
        model,
        folder,
        form=form,
        vocab_file=vocab_file,
        ignore_unused=ignore_unused,
        overwrite=overwrite,
        lock=lock,
    )
    warn_of(report)
    return report


def _silent(job: Job) -> Advance:
    del job
    return lambda _done: None


def run(
    request: Request,
    target: Target,
    form: object,
    *,
    scope: object = None,
    activation: object = None,
    started: Callable[[Job], Advance] = _silent,
) -> SaveReport:
    """Convert; `started` is called with the plan, and returns what is called with the number of bytes that are done.

    Raises:
        SafeLoadError: As `convert`.
    """
    if as_python(form) == OF_ELMO:
        from safeload.elmo import _converting as of_elmo  # noqa: PLC0415  (`import safeload` stays light)

        if activation is not None or request.vocab is not None:
            name = "activation" if activation is not None else "vocab_file"
            raise ArgumentError(
                f"{name} is of a BERT, and the form {OF_ELMO} of an ELMo", argument=name, hints=[f"leave out {name}"]
            )
        return of_elmo.convert(request, target, scope=scope, started=started)
    from safeload.bert import _converting as of_bert  # noqa: PLC0415  (`import safeload` stays light)
    from safeload.bert.writers import writer_of  # noqa: PLC0415

    return of_bert.convert(request, writer_of(form), target, scope=scope, activation=activation, started=started)
