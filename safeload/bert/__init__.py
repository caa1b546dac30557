"""BERT through keras-bert: the five steps in order, nothing else."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from safeload import report as _report
from safeload._paths import StrPath, resolve_path
from safeload.bert._arguments import FULL_LENGTH, build_options
from safeload.bert._diagnosis import Diagnosis, Difference, Step

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from safeload.report import LoadReport

__all__ = [
    "FULL_LENGTH",
    "Diagnosis",
    "Difference",
    "Step",
    "check_bert",
    "diagnose_bert",
    "load_bert",
    "load_vocabulary",
]


def load_bert(
    config_file: StrPath,
    checkpoint_file: StrPath | None = None,
    vocab_file: StrPath | None = None,
    *,
    training: bool = False,
    trainable: bool | Collection[str] | None = None,
    output_layer_num: int | Sequence[int] = 1,
    seq_len: int | None = FULL_LENGTH,
    base_dir: StrPath | None = None,
    ignore_unused: Collection[str] = (),
    lock_file: StrPath | None = None,
    **get_model_options: Any,  # noqa: ANN401  (keras-bert's own, each checked)
) -> Any:  # noqa: ANN401  (a Keras model; Keras has no stable types)
    """Load a verified BERT model, as `keras_bert.load_trained_model_from_checkpoint` would return it.

    Args:
        config_file: `bert_config.json`, or the folder that holds the files.
        checkpoint_file: The checkpoint prefix, any of its files, or its folder; by default the config's folder.
        vocab_file: `vocab.txt`; by default the one beside the config, if there is one. It is verified, not used.
        training: If true, the whole model with the MLM and NSP heads, of inputs token, segment, masked, each
            `(batch, seq_len)`, and outputs `(batch, seq_len, vocab_size)` and `(batch, 2)`. If false, the encoder, of
            inputs token and segment, and output `(batch, seq_len, hidden_size * output layers)`.
        trainable: Whether the layers are trainable, or prefixes of the names of those that are; by default `training`.
        output_layer_num: How many of the last layers to concatenate, or a list of their numbers; with `training` unused.
        seq_len: Tokens of an input; None for any length; by default `max_position_embeddings`.
        base_dir: Where relative paths start; by default the working directory.
        ignore_unused: Shell-style patterns of unexpected variables that are meant to be left, such as
            `["bert/encoder/layer_*"]`.
        lock_file: `safeload.lock`, or its folder; by default the one beside the config, if there is one. Every file is
            compared with its size and SHA-256 there, and read from the memory in which that was done.
        **get_model_options: `dropout_rate`, `attention_activation`, `use_task_embed`, `task_num` of
            `keras_bert.get_model`.

    Returns:
        The Keras model. `safeload.report_of(model)` says what was read.

    Raises:
        InvalidPathError: A path argument is no path.
        MissingFileError: A file is not there.
        CheckpointNotFoundError: No complete checkpoint is there.
        AmbiguousCheckpointError: The folder has several checkpoints.
        UnreadableFileError: No permission.
        WrongFileKindError: A file is of another kind, or the checkpoint of another model.
        CorruptFileError: Truncated, a wrong checksum, NaN or infinite values, replaced while it was loaded.
        UnsafeFileError: A file asks for what no model needs.
        ConfigError: The config has bad keys.
        VocabularyError: The vocabulary has faults or does not fit.
        LockError: A file is not the one that was locked, or the lock itself is bad.
        VariableMismatchError: Variables are missing, unexpected, or of another shape or dtype.
        ArgumentError: Another argument is bad.
        MissingDependencyError: TensorFlow, tf-keras or keras-bert is missing or cannot work.
        BackendError: keras-bert failed although every check passed.

    Source:
        keras_bert/loader.py, load_trained_model_from_checkpoint, keras-bert 0.89.0.
    """
    from safeload.bert._check import checked_bert  # noqa: PLC0415  (`import safeload` stays light)

    options = build_options(
        training=training,
        trainable=trainable,
        output_layer_num=output_layer_num,
        seq_len=seq_len,
        model_options=get_model_options,
    )
    with checked_bert(
        config_file,
        checkpoint_file,
        vocab_file,
        options=options,
        base_dir=base_dir,
        ignore_unused=ignore_unused,
        lock_file=lock_file,
    ) as checked:
        from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415  (with the backend, for step 5 alone)

        from safeload.bert import _backend, _keras_bert  # noqa: PLC0415

        with ThreadPoolExecutor(1) as reader:
            values = reader.submit(checked.read_values)
            with checked.clock.step("import"):
                backend = _backend.require_backend()
            with checked.clock.step("build"):
                model, put_off = _keras_bert.build(backend, checked.config, options)
            with checked.clock.step("fill"):
                initialised = _keras_bert.fill(
                    backend, model, checked.variables, values.result(), put_off, config=checked.config
                )
        checked.bundle.require_unchanged()
        report = dataclasses.replace(
            checked.report,
            initialised=initialised,
            seconds=checked.clock.seconds,
            versions={**checked.report.versions, **backend.versions},
        )
    _report.remember(model, report)
    return model


def check_bert(
    config_file: StrPath,
    checkpoint_file: StrPath | None = None,
    vocab_file: StrPath | None = None,
    *,
    training: bool = False,
    seq_len: int | None = FULL_LENGTH,
    base_dir: StrPath | None = None,
    ignore_unused: Collection[str] = (),
    lock_file: StrPath | None = None,
) -> LoadReport:
    """Check everything that `load_bert` checks before it builds, without TensorFlow or Keras.

    Every variable that a load would read is compared by name, shape and dtype, and its bytes by CRC32C and for NaN and
    infinite values.

    Args:
        config_file: As in `load_bert`.
        checkpoint_file: As in `load_bert`.
        vocab_file: As in `load_bert`.
        training: If true, the pooler and the `cls/` heads are checked too.
        seq_len: As in `load_bert`.
        base_dir: As in `load_bert`.
        ignore_unused: As in `load_bert`.
        lock_file: As in `load_bert`.

    Returns:
        What was read and found.

    Raises:
        SafeLoadError: As `load_bert`, without MissingDependencyError and BackendError.

    Source:
        keras_bert/loader.py, load_model_weights_from_checkpoint, keras-bert 0.89.0.
    """
    from safeload.bert._check import checked_bert  # noqa: PLC0415  (`import safeload` stays light)

    options = build_options(training=training, trainable=None, output_layer_num=1, seq_len=seq_len, model_options={})
    with checked_bert(
        config_file,
        checkpoint_file,
        vocab_file,
        options=options,
        base_dir=base_dir,
        ignore_unused=ignore_unused,
        lock_file=lock_file,
    ) as checked:
        return dataclasses.replace(checked.report, seconds=checked.clock.seconds)


def diagnose_bert(
    config_file: StrPath,
    checkpoint_file: StrPath | None = None,
    vocab_file: StrPath | None = None,
    *,
    training: bool = False,
    seq_len: int | None = FULL_LENGTH,
    base_dir: StrPath | None = None,
    ignore_unused: Collection[str] = (),
    lock_file: StrPath | None = None,
) -> Diagnosis:
    """Find out whether the files, the versions, TensorFlow, keras-bert or safeload is at fault.

    For a load that fails, or a model whose numbers look wrong. Five things are tried, each apart from the others: the
    check; the packages; keras-bert's own loader; TensorFlow's reader into the graph that keras-bert builds; safeload's
    load. What the three loads put into every variable of the graph, and what each makes of one input, is compared.

    Args:
        config_file: As in `load_bert`.
        checkpoint_file: As in `load_bert`.
        vocab_file: As in `load_bert`.
        training: As in `load_bert`.
        seq_len: As in `load_bert`.
        base_dir: As in `load_bert`.
        ignore_unused: As in `load_bert`.
        lock_file: As in `load_bert`.

    Returns:
        `at_fault`, the `verdict` in one sentence, and the evidence; `print` shows all of it.

    Raises:
        ArgumentError: A bad argument; there is nothing to diagnose.
        InvalidPathError: A path argument is no path.

    Source:
        keras_bert/loader.py, load_trained_model_from_checkpoint, keras-bert 0.89.0; tf.train.load_checkpoint.
    """
    from safeload.bert._trials import diagnose  # noqa: PLC0415  (`import safeload` stays light)

    shared: dict[str, Any] = {
        "training": training,
        "seq_len": seq_len,
        "base_dir": base_dir,
        "ignore_unused": ignore_unused,
        "lock_file": lock_file,
    }
    paths = (config_file, checkpoint_file, vocab_file)
    return diagnose(
        lambda: check_bert(*paths, **shared),
        lambda: load_bert(*paths, **shared),
        paths,
        base_dir=base_dir,
        training=training,
        seq_len=seq_len,
    )


def load_vocabulary(vocab_file: StrPath, *, base_dir: StrPath | None = None) -> dict[str, int]:
    """Return the verified vocabulary, token -> id, by Google's line rules.

    Args:
        vocab_file: `vocab.txt`: UTF-8, one token a line; the id is the line's number from 0.
        base_dir: Where a relative path starts; by default the working directory.

    Raises:
        InvalidPathError: `vocab_file` is no path.
        MissingFileError: The file is not there.
        UnreadableFileError: No permission.
        WrongFileKindError: The file is of another kind.
        UnsafeFileError: The file is larger than any vocabulary, or no regular file.
        VocabularyError: Repeated tokens, a byte order mark, not UTF-8, or a special token missing.

    Source:
        google-research/bert, tokenization.py, load_vocab; keras_bert/loader.py, load_vocabulary, keras-bert 0.89.0.
    """
    from safeload.bert._vocabulary import read_vocabulary  # noqa: PLC0415  (`import safeload` stays light)

    return read_vocabulary(resolve_path(vocab_file, argument="vocab_file", base_dir=base_dir), given=vocab_file)
