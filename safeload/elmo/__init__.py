"""Load, check and save ELMo models, as a torch module or a Keras layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, overload

from safeload._boundary import typed_errors
from safeload._reports import remember, warn_of
from safeload.elmo._arguments import elmo_arguments

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from typing_extensions import Unpack

    from safeload._bytes.paths import StrPath
    from safeload._diagnosis import Diagnosis
    from safeload._model_kind import Request
    from safeload.elmo._arguments import ElmoArguments
    from safeload.elmo._calls import OfKeras, OfTorch
    from safeload.elmo.builders.keras import ElmoLayer
    from safeload.models import AllenNlpElmo, ElmoModule
    from safeload.report import LoadReport, SaveReport

__all__ = ["character_ids", "check_elmo", "diagnose_elmo", "load_elmo", "save_elmo"]


@overload
def load_elmo(
    options_file: StrPath,
    weight_file: StrPath | None = None,
    num_output_representations: int = 1,
    *,
    backend: Literal["auto", "torch"] = "auto",
    **options: Unpack[OfTorch],
) -> ElmoModule: ...
@overload
def load_elmo(
    options_file: StrPath,
    weight_file: StrPath | None = None,
    num_output_representations: int = 1,
    *,
    backend: Literal["allennlp"],
    **options: Unpack[OfTorch],
) -> AllenNlpElmo: ...
@overload
def load_elmo(
    options_file: StrPath,
    weight_file: StrPath | None = None,
    num_output_representations: int = 1,
    *,
    backend: Literal["keras"],
    **options: Unpack[OfKeras],
) -> ElmoLayer: ...
@overload
def load_elmo(
    options_file: StrPath,
    weight_file: StrPath | None = None,
    num_output_representations: int = 1,
    *,
    backend: str,
    **options: Unpack[OfTorch],
) -> Any: ...  # noqa: ANN401  (the backend is known only later)
@typed_errors
def load_elmo(  # noqa: PLR0913  (AllenNLP's arguments)
    options_file: StrPath,
    weight_file: StrPath | None = None,
    num_output_representations: int = 1,
    *,
    requires_grad: bool = False,
    do_layer_norm: bool = False,
    dropout: float = 0.5,
    vocab_to_cache: Iterable[str] | None = None,
    keep_sentence_boundaries: bool = False,
    scalar_mix_parameters: Sequence[float] | Literal["stored"] | None = None,
    stateful: bool | None = None,
    backend: str = "auto",
    base_dir: StrPath | None = None,
    ignore_unused: Collection[str] = (),
    lock_file: StrPath | None = None,
    signature: StrPath | None = None,
    signed_by: StrPath | None = None,
    cache_dir: StrPath | None = None,
    scope: str | None = None,
    expected_outputs: StrPath | None = None,
) -> Any:
    """Verify the files of an ELMo and load it, as a torch module or a Keras layer.

    The torch module is the one that `allennlp.modules.elmo.Elmo(...)` builds, or one that behaves like it. Its
    `forward(inputs, word_inputs=None)` takes character ids `(batch, tokens, 50)`, as `character_ids` returns them. It
    returns a dict of `elmo_representations`, a list of `num_output_representations` tensors
    `(batch, tokens, 2 * lstm.projection_dim)`, each a learned weighted sum of the `lstm.n_layers + 1` layers, and `mask`,
    `(batch, tokens)` bool. As in AllenNLP, the module is in training mode, with dropout, until you call `eval()`, and its
    LSTMs keep their state between calls: the same sentence gives different vectors the second time.

    With `backend="keras"`, the result is a `safeload.keras.ElmoLayer`. It takes the same ids as int32 and returns the
    tensor, or a list if `num_output_representations` is more than 1; Keras passes the mask on. It keeps no state between
    calls by default.

    Args:
        options_file: `options.json`, or the folder that contains it and the weights: a path, or an address such as
            `s3://bucket/elmo`, which is read straight into memory. A TF-Hub module needs no options, and neither does a
            folder, an archive or the weights of an AllenNLP model. Then the original ELMo's options are used, for an
            AllenNLP model with the sizes of its weights, and the report says so.
        weight_file: `weights.hdf5`, a training checkpoint of bilm-tf, a state dict with an ELMo of AllenNLP, the folder or
            archive of one of these, or that of a TF-Hub module: a path or an address. Defaults to the only HDF5 file in the
            options' folder, or else to the checkpoint or the state dict there.
        num_output_representations: How many weighted sums of the layers to return; not a number of layers.
        requires_grad: Whether to train the biLM itself. The weighted sums are trainable either way.
        do_layer_norm: Whether to normalise each layer before summing.
        dropout: Dropout rate of each returned tensor.
        vocab_to_cache: Words whose vectors before the LSTMs are computed at the load. The word ids `(batch, tokens)` in
            `word_inputs` look them up. Id 0 is padding, so the first word must be a padding token.
        keep_sentence_boundaries: Whether to return the vectors of the begin and end marks of each sentence too.
        scalar_mix_parameters: Fixed weights of the layers, before the softmax, instead of learned ones:
            `lstm.n_layers + 1` numbers. Pass "stored" for the weights and the scale that a TF-Hub module or a model of
            AllenNLP has learned.
        stateful: Whether the LSTMs keep their state between calls. Defaults to true for a torch module, as in AllenNLP,
            and to false for a Keras layer.
        backend: "allennlp" builds `allennlp.modules.elmo.Elmo`. "torch" builds safeload's own biLM, with the same
            parameters, `state_dict` keys, forward and outputs. "auto" uses AllenNLP if it can be imported, and torch
            otherwise. "keras" builds a layer for the Keras that the process uses, on TensorFlow.
        base_dir: The folder that relative paths start from. Defaults to the working directory.
        ignore_unused: Shell-style patterns of unexpected datasets to allow, such as `["extra/*"]`.
        lock_file: `safeload.lock`, or its folder. Defaults to the ones in the folders of the options and of the weights, if
            present; together they must then list each file of the model. Both files are copied to memory, checked
            against their locked size and SHA-256, and read from those copies.
        signature: A signature of the model in the format of OpenSSF model signing, such as "model.sig". It must cover each file
            that is read, and the file must not have changed since. Each file is hashed while it is copied to memory, and read
            from there. Needs `signed_by`, and the package model-signing.
        signed_by: The PEM file with the signer's public key, or with the root certificates that you trust.
        cache_dir: A folder on disk for copies of files at addresses, stored by address and version. The next load reads the
            copy, and hashes it first. Defaults to None: nothing is written.
        scope: If a checkpoint has several biLMs, the part of the names before `char_embed` of the one to load; in a model of
            AllenNLP, the part before `._elmo`. The datasets of an HDF5 file have no scope.
        expected_outputs: A file that `safeload.save_outputs` or `safeload outputs` wrote. Sizes are compared before the model
            is built. Then the model computes a few sentences with dropout off, and each layer is compared with the file. A
            weighted sum for which you pass other weights is not compared, unless they are "stored".

    Returns:
        The torch module, on the CPU, or the Keras layer. `safeload.report_of(module)` returns the report on what was read
        and which backend was used.

    Raises:
        InvalidPathError: A path argument is invalid.
        MissingFileError: A file does not exist.
        AmbiguousCheckpointError: The folder contains several HDF5 files or checkpoints, or the checkpoint several biLMs.
        CheckpointNotFoundError: A checkpoint has no index file, or lacks a data shard.
        UnreadableFileError: This process has no permission to read a file.
        FileSystemError: The system or a server failed to read: a disk or network error, too many open files, not enough
            memory.
        WrongFileKindError: A file is of another kind, the weights are of another model, or the two files are swapped.
        CorruptFileError: A file is truncated, has unwritten datasets or NaN or infinite values, or changed during the
            load.
        UnsafeFileError: A file has links, external storage, virtual datasets, unknown filters or sizes out of proportion.
        ConfigError: The options have missing or invalid keys, or are of another model.
        VocabularyError: A vocabulary in the options' folder is not UTF-8. It is not used.
        LockError: A file does not match the lock or the signature; or one of these is invalid or from another signer.
        VariableMismatchError: Datasets are missing, unexpected, or have another shape or dtype.
        OutputMismatchError: The model's outputs differ from `expected_outputs`.
        ArgumentError: Another argument is invalid.
        MissingDependencyError: torch, AllenNLP, TensorFlow, Keras, or the package that reads an address, is missing or does not
            work.
        BackendError: AllenNLP failed although every check passed.

    Source:
        allennlp/modules/elmo.py, Elmo, AllenNLP 2.10.1.
    """
    arguments = elmo_arguments(
        num_output_representations=num_output_representations,
        requires_grad=requires_grad,
        do_layer_norm=do_layer_norm,
        dropout=dropout,
        vocab_to_cache=vocab_to_cache,
        keep_sentence_boundaries=keep_sentence_boundaries,
        scalar_mix_parameters=scalar_mix_parameters,
        stateful=stateful,
        backend=backend,
    )
    from safeload._model_kind import Request  # noqa: PLC0415  (`import safeload` stays light)

    request = Request(
        config=options_file,
        weights=weight_file,
        base_dir=base_dir,
        ignore_unused=ignore_unused,
        lock_file=lock_file,
        signature=signature,
        signed_by=signed_by,
        cache_dir=cache_dir,
    )
    return load(arguments, request, scope, outputs=expected_outputs)


def load(arguments: ElmoArguments, request: Request, scope: object = None, outputs: object = None) -> Any:  # noqa: ANN401
    """Verify the files and load them; with `outputs`, a file of expected outputs, compare what is built with them.

    Raises:
        SafeLoadError: As `load_elmo`, except that the arguments are validated.
    """
    from safeload._steps import check  # noqa: PLC0415  (`import safeload` stays light)
    from safeload.elmo._model import elmo  # noqa: PLC0415

    expected = None
    if outputs is not None:
        from safeload.elmo._outputs import read_expected  # noqa: PLC0415  (only where outputs are expected)

        expected = read_expected(outputs, "expected_outputs", request.base_dir)
    checked = check(elmo(arguments, scope), request, keep_values=True)
    if expected is not None:
        expected.require_options(checked.config)
    from safeload._frameworks.elmo import choose_backend  # noqa: PLC0415  (only to build)
    from safeload.elmo.builders import builder_of, report_on_built  # noqa: PLC0415

    clock = checked.clock
    with clock.step("import"):
        chosen = choose_backend(arguments.backend, use_skip_connections=checked.config.use_skip_connections)
        builder = builder_of(chosen)
    with clock.step("build"):
        module = builder.build(checked.config, arguments.with_stored(checked.values), checked.values)
    report = report_on_built(checked, chosen)
    if expected is not None:
        report = expected.met_by(module, arguments, report)
    remember(module, report)
    warn_of(report)
    return module


@typed_errors
def check_elmo(  # noqa: PLR0913  (load_elmo's arguments)
    options_file: StrPath,
    weight_file: StrPath | None = None,
    *,
    base_dir: StrPath | None = None,
    ignore_unused: Collection[str] = (),
    lock_file: StrPath | None = None,
    signature: StrPath | None = None,
    signed_by: StrPath | None = None,
    cache_dir: StrPath | None = None,
    scope: str | None = None,
) -> LoadReport:
    """Run every check of `load_elmo` without torch or AllenNLP.

    Each dataset that a load would read is checked for name, shape, dtype, and NaN and infinite values. HDF5 stores no
    checksum, so corruption that leaves finite values cannot be detected.

    Args:
        options_file: As in `load_elmo`.
        weight_file: As in `load_elmo`.
        base_dir: As in `load_elmo`.
        ignore_unused: As in `load_elmo`.
        lock_file: As in `load_elmo`.
        signature: As in `load_elmo`.
        signed_by: As in `load_elmo`.
        cache_dir: As in `load_elmo`.
        scope: As in `load_elmo`.

    Returns:
        The report on what was read.

    Raises:
        SafeLoadError: As `load_elmo`, except BackendError. MissingDependencyError can only be about model-signing and the
            packages that read addresses.

    Source:
        allennlp/modules/elmo.py and elmo_lstm.py, AllenNLP 2.10.1.
    """
    from safeload._model_kind import Request  # noqa: PLC0415  (`import safeload` stays light)
    from safeload._steps import check  # noqa: PLC0415  (`import safeload` stays light)
    from safeload.elmo._model import elmo  # noqa: PLC0415

    request = Request(
        config=options_file,
        weights=weight_file,
        base_dir=base_dir,
        ignore_unused=ignore_unused,
        lock_file=lock_file,
        signature=signature,
        signed_by=signed_by,
        cache_dir=cache_dir,
    )
    report = check(elmo(None, scope), request, keep_values=False).report
    warn_of(report)
    return report


@typed_errors
def diagnose_elmo(
    options_file: StrPath,
    weight_file: StrPath | None = None,
    *,
    base_dir: StrPath | None = None,
    ignore_unused: Collection[str] = (),
    lock_file: StrPath | None = None,
    scope: str | None = None,
) -> Diagnosis:
    """Find out whether the files, the versions, AllenNLP, the reader of the weights or safeload is at fault.

    Use it when a load fails or a model's outputs look wrong. It runs independent steps: safeload's check; the packages;
    AllenNLP's own loader; a direct read with h5py, or TensorFlow for checkpoints; and safeload's load in torch, in AllenNLP,
    and in Keras if the process has imported `safeload.keras`. It then compares every parameter of the biLM between them, and
    the outputs of the loaded models for one sentence. It skips what is not installed or cannot read these files: AllenNLP's
    loader reads only HDF5, the direct read only HDF5 and TensorFlow's checkpoints, and neither reads archives.

    Args:
        options_file: As in `load_elmo`.
        weight_file: As in `load_elmo`.
        base_dir: As in `load_elmo`.
        ignore_unused: As in `load_elmo`.
        lock_file: As in `load_elmo`.
        scope: As in `load_elmo`.

    Returns:
        What is at fault, the verdict in one sentence, and the evidence. `print` shows all of it.

    Raises:
        ArgumentError: An argument is invalid.
        InvalidPathError: A path argument is invalid.

    Source:
        allennlp/modules/elmo.py and elmo_lstm.py, AllenNLP 2.10.1; tf.train.load_checkpoint.
    """
    from safeload._model_kind import Request  # noqa: PLC0415  (`import safeload` stays light)
    from safeload.elmo._trials import diagnose  # noqa: PLC0415

    paths = (options_file, weight_file)
    shared: dict[str, Any] = {
        "base_dir": base_dir,
        "ignore_unused": ignore_unused,
        "lock_file": lock_file,
        "scope": scope,
    }
    return diagnose(
        lambda: check_elmo(*paths, **shared),
        lambda backend: load_elmo(*paths, backend=backend, **shared),
        Request(config=options_file, weights=weight_file, base_dir=base_dir),
    )


@typed_errors
def save_elmo(
    module: Any,  # noqa: ANN401  (a torch module or a Keras layer)
    folder: StrPath,
    *,
    overwrite: bool = False,
    lock: bool = False,
) -> SaveReport:
    """Save the biLM of an ELMo as `options.json` and `weights.hdf5`, which AllenNLP, bilm-tf and `load_elmo` read.

    The files are written under temporary names, read back, checked as `check_elmo` does, and compared with the module. Then
    they are moved to the folder. If anything fails, the folder is unchanged.

    A torch module adds 1 to the biases of its forget gates; the file stores them without the 1. After training, a few of
    these biases change in their last bit. The report counts them, and has the largest difference.

    Args:
        module: The torch module or Keras layer that `load_elmo` returned, AllenNLP's `Elmo`, its `_ElmoBiLm` or
            `ElmoTokenEmbedder`; fine-tuned or not, on any device.
        folder: The folder to write to. It is created if missing.
        overwrite: Whether to replace existing files with these names.
        lock: Whether to write a `safeload.lock` too, with the size and SHA-256 of both files.

    Returns:
        The report on what was written.

    Raises:
        ArgumentError: `module` is not an ELMo, or has NaN or infinite values; the files exist and `overwrite` is false; or
            the folder has a lock and `lock` is false.
        ConfigError: The files cannot store an ELMo of these sizes.
        InvalidPathError: `folder` is invalid.
        WrongFileKindError: `folder`, or a folder above it, is a file.
        UnreadableFileError: This process has no permission to write there.
        FileSystemError: The system failed to write: the disk is full, ...
        BackendError: The files that were read back differ from the module.

    Warns:
        SafeLoadWarning: The values are suspicious, as in `load_elmo`.

    Source:
        allenai/bilm-tf, bilm/training.py, dump_weights; allennlp/modules/elmo.py and elmo_lstm.py, AllenNLP 2.10.1.
    """
    from safeload.elmo._saving import save  # noqa: PLC0415  (`import safeload` stays light)

    report = save(module, folder, overwrite=overwrite, lock=lock)
    warn_of(report)
    return report


@typed_errors
def character_ids(sentences: Sequence[Sequence[str]]) -> Any:  # noqa: ANN401  (a torch tensor)
    """Return the character ids of sentences, as `allennlp.modules.elmo.batch_to_ids` does.

    AllenNLP need not be installed.

    Args:
        sentences: One list of words per sentence.

    Returns:
        An int64 torch tensor `(sentences, words of the longest, 50)`, filled with 0 after the end of each sentence;
        `(sentences, 0)` if no sentence has a word, as in AllenNLP.

    Raises:
        ArgumentError: `sentences` is empty; or it is a string or a flat list of words, whose letters would become words.
        MissingDependencyError: torch is missing.

    Warns:
        SafeLoadWarning: A word contains a space: a whole sentence would become one word.

    Source:
        allennlp/modules/elmo.py, batch_to_ids, AllenNLP 2.10.1.
    """
    return ids_tensor(sentences, "sentences")


def ids_tensor(sentences: object, argument: str) -> Any:  # noqa: ANN401  (a torch tensor)
    """Return the character ids of sentences, which the caller knows as `argument`.

    Raises:
        ArgumentError, MissingDependencyError: As `character_ids`.
    """
    from safeload._frameworks.elmo import require_torch  # noqa: PLC0415  (`import safeload` stays light)
    from safeload.elmo import _characters  # noqa: PLC0415

    ids = _characters.ids_of(sentences, argument)
    return require_torch().from_numpy(ids)
