"""Load and check BERT models, with keras-bert, transformers or KerasHub."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from safeload._boundary import typed_errors
from safeload._diagnosis import Diagnosis, Difference, Step
from safeload._layers import LayerDifference
from safeload._reports import remember, warn_of
from safeload.bert._arguments import FULL_LENGTH, build_options

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from typing_extensions import Unpack

    from safeload._bytes.paths import StrPath
    from safeload._model_kind import Request
    from safeload.bert._arguments import BuildOptions
    from safeload.bert._calls import OfKerasBert, OfKerasHub, OfTransformers
    from safeload.bert._config import BertConfig
    from safeload.models import KerasBert, KerasHubBert, TransformersBert, TransformersBertForPreTraining
    from safeload.report import LoadReport

__all__ = [
    "FULL_LENGTH",
    "Diagnosis",
    "Difference",
    "LayerDifference",
    "Step",
    "check_bert",
    "diagnose_bert",
    "load_bert",
    "load_vocabulary",
]


Model = TypeVar("Model")


@overload
def load_bert(
    config_file: StrPath,
    checkpoint_file: StrPath | None = None,
    vocab_file: StrPath | None = None,
    *,
    backend: Literal["keras-bert"] = "keras-bert",
    **options: Unpack[OfKerasBert],
) -> KerasBert: ...
@overload
def load_bert(
    config_file: StrPath,
    checkpoint_file: StrPath | None = None,
    vocab_file: StrPath | None = None,
    *,
    backend: Literal["transformers"],
    training: Literal[False] = False,
    model_class: None = None,
    **options: Unpack[OfTransformers],
) -> TransformersBert: ...
@overload
def load_bert(
    config_file: StrPath,
    checkpoint_file: StrPath | None = None,
    vocab_file: StrPath | None = None,
    *,
    backend: Literal["transformers"],
    training: Literal[True],
    model_class: None = None,
    **options: Unpack[OfTransformers],
) -> TransformersBertForPreTraining: ...
@overload
def load_bert(
    config_file: StrPath,
    checkpoint_file: StrPath | None = None,
    vocab_file: StrPath | None = None,
    *,
    backend: Literal["transformers"],
    training: Literal[False] = False,
    model_class: type[Model],
    **options: Unpack[OfTransformers],
) -> Model: ...
@overload
def load_bert(
    config_file: StrPath,
    checkpoint_file: StrPath | None = None,
    vocab_file: StrPath | None = None,
    *,
    backend: Literal["keras-hub"],
    training: Literal[False] = False,
    **options: Unpack[OfKerasHub],
) -> KerasHubBert: ...
@overload
def load_bert(
    config_file: StrPath,
    checkpoint_file: StrPath | None = None,
    vocab_file: StrPath | None = None,
    *,
    backend: str,
    **options: Any,  # noqa: ANN401  (those of the backend, which is known only later)
) -> Any: ...  # noqa: ANN401  (as above)
@typed_errors
def load_bert(  # noqa: PLR0913  (keras-bert's arguments)
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
    signature: StrPath | None = None,
    signed_by: StrPath | None = None,
    cache_dir: StrPath | None = None,
    scope: str | None = None,
    activation: str | None = None,
    expected_outputs: StrPath | None = None,
    backend: str = "keras-bert",
    model_class: type | None = None,
    dtype: Any = None,
    device: Any = None,
    **get_model_options: Any,
) -> Any:
    """Verify the files of a BERT model and load it.

    The type of the model depends on `backend`:

    - "keras-bert": the Keras model that `keras_bert.load_trained_model_from_checkpoint` builds.
    - "transformers": a `transformers.BertModel`, with the pooler if the weights have one, or with `training=True` a
      `transformers.BertForPreTraining`; in `eval()` mode, from any form of weights.
    - "keras-hub": a `keras_hub.models.BertBackbone`, on the framework that Keras 3 uses.

    Args:
        config_file: `bert_config.json`, or the folder that contains the model's files: a path, or an address such as
            `s3://bucket/bert`, like every path here.
        checkpoint_file: The checkpoint prefix, any file of the checkpoint, or its folder. Defaults to the config's folder.
        vocab_file: `vocab.txt`. Defaults to the one in the config's folder, if present. It is verified but not used.
        training: If true, build the whole model with the MLM and NSP heads: inputs token, segment and masked, each
            `(batch, seq_len)`; outputs `(batch, seq_len, vocab_size)` and `(batch, 2)`. If false, build the encoder:
            inputs token and segment; output `(batch, seq_len, hidden_size * output layers)`.
        trainable: Whether the layers are trainable, or the name prefixes of those that are. Defaults to `training`.
        output_layer_num: How many of the last layers to concatenate, or a list of layer numbers. Has no effect if
            `training` is true.
        seq_len: Number of tokens per input; None for any length. Defaults to `max_position_embeddings`.
        base_dir: The folder that relative paths start from. Defaults to the working directory.
        ignore_unused: Shell-style patterns of unexpected variables to allow, such as `["bert/encoder/layer_*"]`.
        lock_file: `safeload.lock`, or its folder. Defaults to the ones in the config's and in the checkpoint's folder, if
            present; together they must then list each file of the model. Each file is copied to memory, checked
            against its locked size and SHA-256, and read from that copy.
        signature: A signature of the model in the format of OpenSSF model signing, such as "model.sig". It must cover each file
            that is read, and the file must not have changed since. Each file is hashed while it is copied to memory, and read
            from there. Needs `signed_by`, and the package model-signing.
        signed_by: The PEM file with the signer's public key, or with the root certificates that you trust.
        cache_dir: A folder on disk for copies of files at addresses, stored by address and version. The next load reads the
            copy, and hashes it first. Defaults to None: nothing is written.
        scope: The part of the names before `embeddings/` of the encoder to load, such as "bert_1/"; the final slash is
            optional. Defaults to the only encoder of the checkpoint. If there are several, to the one under "bert/", with
            a warning.
        activation: Which GELU the feed-forward layers compute: "gelu_erf" or "gelu_tanh". Defaults to that of the library
            that owns the files: erf for Hugging Face's, tanh for Google's and Keras's. Warns if a config of Hugging Face
            says "gelu" for weights in another form. A whole model that Keras saved stores its GELU. To read back a saved
            Keras model with erf, pass `get_custom_objects` of `safeload.compat.keras_bert`. KerasHub only has tanh.
        expected_outputs: A file that `safeload.save_outputs` or `safeload outputs` wrote. Sizes and vocabulary are compared
            before the model is built. Then the model computes a few texts, and each layer is compared with the file.
        backend: The library that builds the model: "keras-bert", "transformers" or "keras-hub". The last two do not take
            `trainable`, `output_layer_num`, `seq_len` or the options of `get_model`. KerasHub does not take `training`.
        model_class: With transformers, the class to build instead of `BertModel`: one of its own, or one derived from its
            `PreTrainedModel`. Its encoder is filled, and so are the heads that the weights have under the same names. The
            report lists the parameters that keep their initial values as `initialised`.
        dtype: With transformers, the type of the parameters: a name such as "bfloat16", or a torch dtype. Defaults to
            float32.
        device: With transformers, the device of the parameters: a name such as "cuda:0", or a torch device. Defaults to the
            CPU.
        **get_model_options: `dropout_rate`, `attention_activation`, `use_task_embed` and `task_num` of
            `keras_bert.get_model`.

    Returns:
        The model. `safeload.report_of(model)` returns the report on what was read.

    Raises:
        InvalidPathError: A path argument is invalid.
        MissingFileError: A file does not exist.
        CheckpointNotFoundError: The path does not point to a complete checkpoint.
        AmbiguousCheckpointError: The folder contains several checkpoints, or the checkpoint several encoders.
        UnreadableFileError: This process has no permission to read a file.
        FileSystemError: The system failed to read: a disk or network error, too many open files, not enough memory.
        WrongFileKindError: A file is of another kind, or the checkpoint is of another model.
        CorruptFileError: A file is truncated, fails its checksum, has NaN or infinite values, or was replaced during
            the load.
        UnsafeFileError: A file points outside its folder or declares a size out of proportion.
        ConfigError: The config has missing or invalid keys.
        VocabularyError: The vocabulary is faulty or does not fit the config.
        LockError: A file does not match the lock or the signature; or one of these is invalid or from another signer.
        VariableMismatchError: Variables are missing, unexpected, or have another shape or dtype.
        OutputMismatchError: The model's outputs differ from `expected_outputs`.
        ArgumentError: Another argument is invalid.
        MissingDependencyError: A package that the backend needs is missing or does not work.
        BackendError: The backend failed although every check passed.

    Source:
        keras_bert/loader.py, load_trained_model_from_checkpoint, keras-bert 0.89.0; transformers/modeling_utils.py,
        PreTrainedModel.from_pretrained, transformers 4.57 and 5.24; keras_hub/src/models/backbone.py,
        Backbone.from_preset, keras-hub 0.32.
    """
    from safeload._model_kind import Request  # noqa: PLC0415  (`import safeload` stays light)

    options = build_options(
        training=training,
        trainable=trainable,
        output_layer_num=output_layer_num,
        seq_len=seq_len,
        model_options=get_model_options,
        activation=activation,
        backend=backend,
        torch_options={"model_class": model_class, "dtype": dtype, "device": device},
    )
    request = Request(
        config=config_file,
        weights=checkpoint_file,
        vocab=vocab_file,
        base_dir=base_dir,
        ignore_unused=ignore_unused,
        lock_file=lock_file,
        signature=signature,
        signed_by=signed_by,
        cache_dir=cache_dir,
    )
    return load(options, request, scope, outputs=expected_outputs)[0]


def load(
    options: BuildOptions,
    request: Request,
    scope: object = None,
    vocabulary: dict[str, int] | None = None,
    outputs: object = None,
) -> tuple[Any, BertConfig]:
    """Verify the files and load them into a model; return it with its config, and put the tokens into `vocabulary`.

    With `outputs`, a file of expected outputs, the model is compared with them.

    Raises:
        SafeLoadError: As `load_bert`, except that the options are validated.
    """
    from safeload._steps import check  # noqa: PLC0415  (`import safeload` stays light)
    from safeload.bert._model import bert  # noqa: PLC0415
    from safeload.bert.builders import builder_of  # noqa: PLC0415

    expected = None
    if outputs is not None:
        from safeload.bert._outputs import read_expected  # noqa: PLC0415  (only where outputs are expected)

        expected = read_expected(outputs, "expected_outputs", request.base_dir)
    builder = builder_of(options.runtime)
    tokens = {} if vocabulary is None else vocabulary
    listed = None if options.torch.model_class is None else builder.listed(options.torch.model_class)
    kind = bert(options, scope, vocabulary=tokens, listed=listed)
    checked = check(kind, request, keep_values=True)
    if expected is not None:
        expected.require_config(checked.config, options, tokens)
    made = builder.make(checked, options, tokens)
    report = dataclasses.replace(
        checked.report,
        backend=options.runtime.id,
        initialised=made.initialised,
        versions={**checked.report.versions, **made.versions},
    )
    if expected is not None:
        report = expected.met_by(made.model, options.runtime, checked.config, tokens, report)
    remember(made.model, report)
    warn_of(report)
    return made.model, checked.config


@typed_errors
def check_bert(  # noqa: PLR0913  (load_bert's arguments)
    config_file: StrPath,
    checkpoint_file: StrPath | None = None,
    vocab_file: StrPath | None = None,
    *,
    training: bool = False,
    seq_len: int | None = FULL_LENGTH,
    base_dir: StrPath | None = None,
    ignore_unused: Collection[str] = (),
    lock_file: StrPath | None = None,
    signature: StrPath | None = None,
    signed_by: StrPath | None = None,
    cache_dir: StrPath | None = None,
    scope: str | None = None,
    activation: str | None = None,
    backend: str = "keras-bert",
) -> LoadReport:
    """Run every check of `load_bert` without importing the backend.

    Each variable that a load would read is checked for name, shape, dtype, CRC32C, and NaN and infinite values.

    Args:
        config_file: As in `load_bert`.
        checkpoint_file: As in `load_bert`.
        vocab_file: As in `load_bert`.
        training: If true, also check the pooler and the `cls/` heads.
        seq_len: As in `load_bert`.
        base_dir: As in `load_bert`.
        ignore_unused: As in `load_bert`.
        lock_file: As in `load_bert`.
        signature: As in `load_bert`.
        signed_by: As in `load_bert`.
        cache_dir: As in `load_bert`.
        scope: As in `load_bert`.
        activation: As in `load_bert`.
        backend: As in `load_bert`; it need not be installed.

    Returns:
        The report on what was read.

    Raises:
        SafeLoadError: As `load_bert`, except BackendError. MissingDependencyError can only be about model-signing.

    Source:
        keras_bert/loader.py, load_model_weights_from_checkpoint, keras-bert 0.89.0.
    """
    from safeload._model_kind import Request  # noqa: PLC0415  (`import safeload` stays light)
    from safeload._steps import check  # noqa: PLC0415  (`import safeload` stays light)
    from safeload.bert._model import bert  # noqa: PLC0415

    request = Request(
        config=config_file,
        weights=checkpoint_file,
        vocab=vocab_file,
        base_dir=base_dir,
        ignore_unused=ignore_unused,
        lock_file=lock_file,
        signature=signature,
        signed_by=signed_by,
        cache_dir=cache_dir,
    )
    options = build_options(training=training, seq_len=seq_len, activation=activation, backend=backend)
    report = check(bert(options, scope), request, keep_values=False).report
    warn_of(report)
    return report


@typed_errors
def diagnose_bert(  # noqa: PLR0913  (load_bert's arguments)
    config_file: StrPath,
    checkpoint_file: StrPath | None = None,
    vocab_file: StrPath | None = None,
    *,
    training: bool = False,
    seq_len: int | None = FULL_LENGTH,
    base_dir: StrPath | None = None,
    ignore_unused: Collection[str] = (),
    lock_file: StrPath | None = None,
    scope: str | None = None,
    activation: str | None = None,
    against: str | None = None,
) -> Diagnosis:
    """Find out whether the files, the versions, TensorFlow, keras-bert or safeload is at fault.

    Use it when a load fails or a model's outputs look wrong. It runs five independent steps: safeload's check; the
    packages; keras-bert's own loader; TensorFlow's reader, filling the graph that keras-bert builds; and safeload's load.
    It then compares the values of every variable, and the outputs for one input, between the three loads. The two loads
    that are not safeload's are skipped for models that they cannot load: archives, and other forms and namings than
    Google's.

    With `against`, it compares keras-bert with another runtime instead. safeload loads the model with each library, one
    at a time, and computes the same texts. It compares the embeddings, the encoder layers, and the pooler and heads that
    both have. Heads are compared as logarithms of probabilities.

    Args:
        config_file: As in `load_bert`.
        checkpoint_file: As in `load_bert`.
        vocab_file: As in `load_bert`.
        training: As in `load_bert`.
        seq_len: As in `load_bert`.
        base_dir: As in `load_bert`.
        ignore_unused: As in `load_bert`.
        lock_file: As in `load_bert`.
        scope: As in `load_bert`.
        activation: As in `load_bert`. With `against`, only for the other runtime, to show the effect of another GELU.
        against: "transformers" or "keras-hub": the runtime to compare keras-bert with, layer by layer. With `training`,
            the pooler and the heads are compared too (for KerasHub, only the pooler).

    Returns:
        What is at fault, the verdict in one sentence, and the evidence. `print` shows all of it. With `against`, `layers`
        has every layer, and `differences` has those beyond `bound`. If there are none, `at_fault` is "nothing".

    Raises:
        ArgumentError: An argument is invalid.
        InvalidPathError: A path argument is invalid.

    Source:
        keras_bert/loader.py, load_trained_model_from_checkpoint, keras-bert 0.89.0; tf.train.load_checkpoint.
    """
    from safeload._model_kind import Request  # noqa: PLC0415  (`import safeload` stays light)
    from safeload.bert._trials import diagnose  # noqa: PLC0415

    shared: dict[str, Any] = {
        "training": training,
        "seq_len": seq_len,
        "base_dir": base_dir,
        "ignore_unused": ignore_unused,
        "lock_file": lock_file,
        "scope": scope,
        "activation": activation,
    }
    paths = (config_file, checkpoint_file, vocab_file)
    if against is not None:
        return _compared(paths, shared, against)
    return diagnose(
        lambda: check_bert(*paths, **shared),
        lambda: load_bert(*paths, **shared),
        Request(config=config_file, weights=checkpoint_file, vocab=vocab_file, base_dir=base_dir),
        build_options(training=training, seq_len=seq_len, activation=activation),
    )


def _compared(paths: tuple[StrPath, StrPath | None, StrPath | None], shared: dict[str, Any], against: str) -> Diagnosis:
    """Compare keras-bert with another runtime; the arguments are those of `diagnose_bert`."""
    from safeload._model_kind import Request  # noqa: PLC0415  (`import safeload` stays light)
    from safeload.bert._against import compare, other_runtime  # noqa: PLC0415

    runtime = other_runtime(against)
    activation, training = shared.pop("activation"), shared["training"]
    mine = build_options(training=training, seq_len=shared["seq_len"])
    others = build_options(
        training=training if runtime.has_heads else False,
        seq_len=FULL_LENGTH,
        activation=activation,
        backend=runtime.id,
    )
    named = {name: shared[name] for name in ("base_dir", "ignore_unused", "lock_file")}
    request = Request(**dict(zip(("config", "weights", "vocab"), paths, strict=True)), **named)
    return compare(
        lambda: check_bert(*paths, **shared),
        lambda each: load(others if each is runtime else mine, request, shared["scope"]),
        runtime,
        mine.seq_len,
    )


@typed_errors
def load_vocabulary(vocab_file: StrPath, *, base_dir: StrPath | None = None) -> dict[str, int]:
    """Verify a vocabulary and return its token ids.

    Lines are split as Google's BERT splits them. If the folder has a lock file, the vocabulary must match it.

    Args:
        vocab_file: `vocab.txt`, in UTF-8 with one token per line; a path or an address.
        base_dir: The folder that a relative path starts from. Defaults to the working directory.

    Returns:
        Token -> id. The id is the line number, counted from 0.

    Raises:
        InvalidPathError: `vocab_file` is invalid.
        MissingFileError: The file does not exist.
        UnreadableFileError: This process has no permission to read the file.
        FileSystemError: The system failed to read it.
        WrongFileKindError: The file is of another kind.
        UnsafeFileError: The file is larger than any vocabulary, or not a regular file.
        LockError: The file does not match the lock, or the lock is invalid.
        VocabularyError: A token is repeated, a special token is missing, or the file is not UTF-8 or has a byte order
            mark.

    Source:
        google-research/bert, tokenization.py, load_vocab; keras_bert/loader.py, load_vocabulary, keras-bert 0.89.0.
    """
    from safeload._bytes.archives.locating import given_ref  # noqa: PLC0415  (`import safeload` stays light)
    from safeload.bert._vocabulary import read_with_locks  # noqa: PLC0415

    return read_with_locks(given_ref(vocab_file, "vocab_file", "vocab", base_dir=base_dir))
