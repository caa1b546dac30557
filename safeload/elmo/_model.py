"""Define ELMo for the checks, which need neither torch nor AllenNLP."""

from __future__ import annotations

from typing import TYPE_CHECKING

from safeload import _recognise
from safeload._bytes.kinds import FileKind, wrong_kind
from safeload._model_kind import ModelKind
from safeload._suspicion import Marks
from safeload.elmo import _places
from safeload.elmo._arguments import require_options_allow, vocabulary_notes
from safeload.elmo._options import read_options
from safeload.elmo._parameters import CHAR_EMBED, list_parameters
from safeload.elmo.namings import NAMINGS
from safeload.errors import ArgumentError

if TYPE_CHECKING:
    from safeload._forms.weight_file import WeightFile
    from safeload._model_kind import Mismatch, Places
    from safeload._naming import Naming
    from safeload.elmo._arguments import ElmoArguments
    from safeload.elmo._options import ElmoOptions


def elmo(arguments: ElmoArguments | None, scope: object = None) -> ModelKind[ElmoOptions]:
    """Return the `ModelKind` of an ELMo that is built with these arguments; None if it is only checked."""

    def read(places: Places) -> tuple[ElmoOptions, list[str], list[str]]:
        options = read_options(places.config)
        if arguments is None:
            return options, [], []
        require_options_allow(arguments, options)
        return options, vocabulary_notes(arguments), []

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
        list_parameters=list_parameters,
        recognise=lambda weights: recognise(weights, scope),
        hints=hints,
        unverified=lambda options: options.unverified,
        unused_keys=lambda options: options.unused_keys,
        marks=Marks(tables=(CHAR_EMBED,)),
    )


def recognise(weights: WeightFile, wanted: object = None) -> tuple[Naming, str, list[str]]:
    """Return the naming and scope of the datasets; the first naming if none fits, so that a comparison says what is missing.

    Raises:
        ArgumentError: A scope was passed; the names in these files have none.
        WrongFileKindError: The weights are of a word-based biLM, are computed embeddings, or were saved by Keras.
    """
    if wanted is not None:
        message = f"scope is {wanted!r}, but the datasets of {weights.summary} have no scope"
        facts = weights.ref.facts | {"given": wanted}
        raise ArgumentError(message, argument="scope", **facts, hints=["leave it out"])
    other = _recognise.other_tensors(_recognise.ELMO, weights.tensors, weights.groups)
    if other is not None:
        kind = FileKind("other", other.name, other.hint)
        raise wrong_kind(weights.ref, kind, wanted="the weights of a character-level biLM")
    fitting = (naming for naming in NAMINGS if naming.scopes(weights.tensors))
    return next(fitting, NAMINGS[0]), "", []
