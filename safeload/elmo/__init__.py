"""ELMo through AllenNLP, through safeload's own biLM, or as a Keras layer: the five steps in order, nothing else."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from safeload import report as _report
from safeload._optional import blas_workers_asleep, collector_paused
from safeload.elmo._arguments import elmo_arguments

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from safeload._paths import StrPath
    from safeload.report import LoadReport

__all__ = ["character_ids", "check_elmo", "load_elmo"]


def load_elmo(
    options_file: StrPath,
    weight_file: StrPath | None = None,
    num_output_representations: int = 1,
    *,
    requires_grad: bool = False,
    do_layer_norm: bool = False,
    dropout: float = 0.5,
    vocab_to_cache: Iterable[str] | None = None,
    keep_sentence_boundaries: bool = False,
    scalar_mix_parameters: Sequence[float] | None = None,
    stateful: bool | None = None,
    backend: str = "auto",
    base_dir: StrPath | None = None,
    ignore_unused: Collection[str] = (),
    lock_file: StrPath | None = None,
) -> Any:  # noqa: ANN401  (a torch module, of AllenNLP's class or of safeload's; a Keras layer)
    """Load a verified ELMo, as `allennlp.modules.elmo.Elmo(...)` would return it.

    The module's `forward(inputs, word_inputs=None)` takes character ids `(batch, tokens, 50)`, as `character_ids` makes
    them, and returns a dict: `elmo_representations`, a list of `num_output_representations` tensors
    `(batch, tokens, 2 * lstm.projection_dim)`, each a learned weighted sum of the same `lstm.n_layers + 1` layers, and
    `mask`, `(batch, tokens)` bool. As upstream's, it is in training mode, with dropout, until `eval()` is called, and it
    carries the state of its LSTMs from one call to the next: the same sentence gives other vectors the second time.

    With `backend="keras"` it is a `safeload.keras.ElmoLayer`, which takes the same ids as int32 and returns the tensor, or
    a list of them where `num_output_representations` is more than 1; Keras carries the mask. It starts each call anew.

    Args:
        options_file: `options.json`, or the folder that holds it and the weights; an address where cached-path is
            installed.
        weight_file: `weights.hdf5`, or its folder; by default the one HDF5 file in the options' folder.
        num_output_representations: How many weighted sums of the layers to return; not a number of layers.
        requires_grad: Whether the biLM itself is trained; the weighted sums are in any case.
        do_layer_norm: Whether each layer is normalised before it is summed.
        dropout: Rate of the dropout on each returned tensor.
        vocab_to_cache: Words whose vectors before the LSTMs are computed now, to be looked up by word id
            `(batch, tokens)` in `word_inputs`. Id 0 is padding, so the first word must stand for that.
        keep_sentence_boundaries: Whether the vectors of the marks around each sentence are returned too.
        scalar_mix_parameters: Fixed weights of the layers, before the softmax, in place of learned ones;
            `lstm.n_layers + 1` numbers.
        stateful: Whether the LSTMs carry their state from one call to the next; by default as upstream for a torch module,
            and not for a Keras layer.
        backend: "allennlp" builds `allennlp.modules.elmo.Elmo`; "torch" builds safeload's own biLM, with the same
            parameters, `state_dict` keys, forward and outputs; "auto" takes AllenNLP where it imports, else torch. "keras"
            builds a layer of the Keras that the process uses, on TensorFlow.
        base_dir: Where relative paths start; by default the working directory.
        ignore_unused: Shell-style patterns of unexpected datasets that are meant to be left, such as `["extra/*"]`.
        lock_file: `safeload.lock`, or its folder; by default the one beside the options, if there is one. Both files
            are compared with their size and SHA-256 there, and read from the memory in which that was done.

    Returns:
        The torch module, on the CPU, or the Keras layer. `safeload.report_of(module)` says what was read and which backend was taken.

    Raises:
        InvalidPathError: A path argument is no path, or an address and cached-path is not installed.
        MissingFileError: A file is not there, or could not be downloaded.
        AmbiguousCheckpointError: The folder has several HDF5 files.
        UnreadableFileError: No permission.
        WrongFileKindError: A file is of another kind, or the weights of another model; the two are exchanged.
        CorruptFileError: Truncated, never written, NaN or infinite values, changed while it was read.
        UnsafeFileError: A file holds links, external storage, virtual datasets, unknown filters, sizes out of proportion.
        ConfigError: The options have bad keys, or are of another model.
        LockError: A file is not the one that was locked, or the lock itself is bad.
        VariableMismatchError: Datasets are missing, unexpected, or of another shape or dtype.
        ArgumentError: Another argument is bad.
        MissingDependencyError: torch, AllenNLP, TensorFlow or Keras is missing or cannot work.
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
    with collector_paused(), blas_workers_asleep():
        from safeload.elmo._check import check  # noqa: PLC0415  (with h5py and numpy: `import safeload` stays light)

    checked = check(
        options_file,
        weight_file,
        arguments=arguments,
        base_dir=base_dir,
        ignore_unused=ignore_unused,
        lock_file=lock_file,
    )
    from safeload.elmo import _backend  # noqa: PLC0415  (for step 5 alone)

    with checked.clock.step("import"):
        chosen = _backend.choose_backend(backend, use_skip_connections=checked.options.use_skip_connections)
        room = _backend.room_of(chosen)
    with checked.clock.step("build"):
        module = room.build(checked.options, arguments, checked.values)
    report = dataclasses.replace(
        checked.report,
        backend=chosen,
        seconds=checked.clock.seconds,
        versions={**checked.report.versions, **_backend.versions_of(chosen)},
    )
    _report.remember(module, report)
    return module


def check_elmo(
    options_file: StrPath,
    weight_file: StrPath | None = None,
    *,
    base_dir: StrPath | None = None,
    ignore_unused: Collection[str] = (),
    lock_file: StrPath | None = None,
) -> LoadReport:
    """Check everything that `load_elmo` checks before it builds, without torch or AllenNLP.

    Every dataset that a load would read is compared by name, shape and dtype, and its values are read and tested for
    NaN and infinity. HDF5 keeps no checksum of them: other damage inside a value cannot be told.

    Args:
        options_file: As in `load_elmo`.
        weight_file: As in `load_elmo`.
        base_dir: As in `load_elmo`.
        ignore_unused: As in `load_elmo`.
        lock_file: As in `load_elmo`.

    Returns:
        What was read and found.

    Raises:
        SafeLoadError: As `load_elmo`, without MissingDependencyError and BackendError.

    Source:
        allennlp/modules/elmo.py and elmo_lstm.py, AllenNLP 2.10.1.
    """
    with collector_paused(), blas_workers_asleep():
        from safeload.elmo._check import check  # noqa: PLC0415  (with h5py and numpy: `import safeload` stays light)

        checked = check(
            options_file,
            weight_file,
            arguments=None,
            base_dir=base_dir,
            ignore_unused=ignore_unused,
            lock_file=lock_file,
        )
    return dataclasses.replace(checked.report, seconds=checked.clock.seconds)


def character_ids(sentences: Sequence[Sequence[str]]) -> Any:  # noqa: ANN401  (a torch tensor)
    """Return the character ids of sentences, as `allennlp.modules.elmo.batch_to_ids` does, without AllenNLP.

    Args:
        sentences: One list of words for each sentence.

    Returns:
        A torch tensor `(sentences, words of the longest, 50)`, int64; 0 where a sentence has no such word.

    Raises:
        ArgumentError: A bare string or a flat list of words, whose letters would become words; or no words at all.
        MissingDependencyError: torch is missing.

    Source:
        allennlp/modules/elmo.py, batch_to_ids, AllenNLP 2.10.1.
    """
    from safeload.elmo import _backend, _characters  # noqa: PLC0415  (`import safeload` stays light)

    ids = _characters.ids_of(sentences)
    return _backend.require_torch().from_numpy(ids)
