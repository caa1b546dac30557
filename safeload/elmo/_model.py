"""Define ELMo for the checks, which need neither torch nor AllenNLP."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from safeload import _recognise
from safeload._bytes.kinds import CHECKPOINT, FileKind, wrong_kind
from safeload._bytes.tfhub import handle_of
from safeload._forms.tensorflow.prefixes import saved_model_of
from safeload._model_kind import ModelKind
from safeload._scopes import Scoped, chosen_scope
from safeload._suspicion import Marks
from safeload.elmo import _places
from safeload.elmo._allennlp import notes_on_options
from safeload.elmo._arguments import STORED, require_options_allow, require_stored_mix, vocabulary_notes
from safeload.elmo._characters import N_CHARACTERS
from safeload.elmo._module import CHARACTERS, list_module_parameters, sizes_of
from safeload.elmo._options import published_options, read_options, require_padding, with_padding
from safeload.elmo._parameters import CHAR_EMBED, list_parameters
from safeload.elmo._vocabulary import require_vocabulary
from safeload.elmo.namings import NAMINGS, namings_in
from safeload.elmo.namings.allennlp import AllenNlp
from safeload.elmo.namings.bilm_tf import BilmTf
from safeload.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from safeload._forms.weight_file import WeightFile
    from safeload._model_kind import Mismatch, Places, Stored
    from safeload._naming import Naming
    from safeload.elmo._arguments import ElmoArguments
    from safeload.elmo._options import ElmoOptions
    from safeload.report import TensorSpec

SCOPED = Scoped("biLM", first="char_embed or _elmo", ends=("_elmo._elmo_lstm.", "_elmo_lstm."))
"""How messages call what a scope is chosen for."""


def elmo(arguments: ElmoArguments | None, scope: object = None) -> ModelKind[ElmoOptions]:
    """Return the `ModelKind` of an ELMo that is built with these arguments; None if it is only checked."""
    with_mix = arguments is not None and arguments.scalar_mix_parameters == STORED

    def read(places: Places) -> tuple[ElmoOptions, list[str], list[str]]:
        options, notes = options_of(places)
        if places.vocab is not None:
            require_vocabulary(places.vocab)
        if arguments is None:
            return options, notes, []
        if not options.is_published:
            require_options_allow(arguments, options)
        return options, [*notes, *vocabulary_notes(arguments)], []

    def list_in_naming(options: ElmoOptions, naming: Naming, _: Stored) -> dict[str, TensorSpec]:
        list_them = list_module_parameters if isinstance(naming, AllenNlp) else list_parameters
        return list_them(options, with_mix=with_mix)

    def hints(mismatch: Mismatch[ElmoOptions]) -> list[str]:
        from safeload.elmo import _mismatch  # noqa: PLC0415  (only what does not fit needs it)

        return _mismatch.hints(mismatch)

    return ModelKind(
        model=_recognise.ELMO,
        config_word="options",
        example_pattern="RNN_*",
        find_config=_places.resolve_config,
        weights_folder=_places.weights_folder,
        find_others=_places.resolve_others,
        read=read,
        list_parameters=list_in_naming,
        recognise=lambda weights: recognise(weights, scope),
        hints=hints,
        unverified=lambda options: options.unverified,
        unused_keys=lambda options: options.unused_keys,
        adapted=partial(_adapted, arguments),
        marks=Marks(tables=(CHAR_EMBED, CHARACTERS)),
    )


def options_of(places: Places) -> tuple[ElmoOptions, list[str]]:
    """Return the options, and notes on a module of TF-Hub's cache and on options that are not there."""
    module = saved_model_of(places.weights.ref.folder())
    handle = module and handle_of(module)
    notes = [f"the folder is that of {handle} in TF-Hub's cache"] if handle else []
    if places.config.is_dir():
        return published_options(), [*notes, *notes_on_options(places.config)]
    return read_options(places.config, may_be_trained=places.weights.form == CHECKPOINT), notes


def _adapted(
    arguments: ElmoArguments | None, options: ElmoOptions, naming: Naming, stored: Stored
) -> tuple[ElmoOptions, list[str]]:
    """Return the options as the weights have them, after comparing the arguments with both."""
    if options.is_published and isinstance(naming, AllenNlp):
        options = _sized(options, stored)
    if arguments is not None:
        require_options_allow(arguments, options)
        require_stored_mix(arguments, stored, options.path)
    if options.n_characters == N_CHARACTERS:
        return options, []
    if not isinstance(naming, BilmTf):
        require_padding(options)
    return with_padding(options), []


def _sized(options: ElmoOptions, stored: Stored) -> ElmoOptions:
    """Return published options with the sizes of stored parameters; as they are if some are missing, which a comparison lists."""

    def shape_of(parameter: str) -> tuple[int, ...]:
        tensor = stored(parameter)
        return tensor.spec.shape if tensor else ()

    try:
        return published_options(sizes_of(shape_of))
    except ValueError:  # ConfigError is one
        return options


def recognise(weights: WeightFile, wanted: object = None) -> tuple[Naming, str, Mapping[str, str]]:
    """Return the naming and scope of the biLM; the form's first naming if none fits, so that a comparison says what is missing.

    Raises:
        ArgumentError: A scope was passed, and the file has no biLM under it; the names in HDF5 files have none.
        AmbiguousCheckpointError: There are several biLMs, and none of them is chosen.
        WrongFileKindError: The weights are of a word-based biLM or a BERT, are computed embeddings, or were saved by Keras.
    """
    found = namings_in(weights.tensors)
    if wanted is not None and all(naming.usual_scope == "" for naming in found.values()):
        message = f"scope is {wanted!r}, but the datasets of {weights.summary} have no scope"
        facts = weights.ref.facts | {"given": wanted}
        raise ArgumentError(message, argument="scope", **facts, hints=["leave it out"])
    is_model = any(isinstance(naming, AllenNlp) for naming in found.values())  # which may have a BERT beside the ELMo
    other = None if is_model else _recognise.other_tensors(_recognise.ELMO, weights.tensors, weights.groups)
    if other is not None:
        kind = FileKind("other", other.name, other.hint)
        raise wrong_kind(weights.ref, kind, wanted="the weights of a character-level biLM")
    scope = chosen_scope(list(found), wanted, SCOPED, title=weights.title, facts=weights.ref.facts)
    return (NAMINGS[0], "", {}) if scope is None else (found[scope], scope, {})
