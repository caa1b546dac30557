"""Validate the arguments of `load_elmo` that are not paths, before any file is opened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from safeload._arguments import as_python, bad_argument, is_int, is_number, listed
from safeload.elmo._module import SECOND_SUM, take_sum
from safeload.elmo._parameters import MIX_WEIGHTS

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from numpy.typing import NDArray

    from safeload._model_kind import Stored
    from safeload.elmo._options import ElmoOptions

MAX_REPRESENTATIONS = 1_000
BACKENDS = ("auto", "allennlp", "torch", "keras")
STORED = "stored"
"""`scalar_mix_parameters` for the weights that a TF-Hub module or a model of AllenNLP has learned."""


class ElmoArguments(NamedTuple):
    """Validated build arguments; see `load_elmo` for their meaning. `gamma` is the scale of each weighted sum."""

    num_output_representations: int
    backend: str
    requires_grad: bool = False
    do_layer_norm: bool = False
    dropout: float = 0.5
    vocab_to_cache: tuple[str, ...] | None = None
    keep_sentence_boundaries: bool = False
    scalar_mix_parameters: tuple[float, ...] | str | None = None
    stateful: bool | None = None
    gamma: float = 1.0

    def with_stored(self, values: MutableMapping[str, NDArray[Any]]) -> ElmoArguments:
        """Return the arguments with the learned sum among the values of a file, which are taken out of these."""
        if self.scalar_mix_parameters != STORED:
            return self
        weights, scale = take_sum(values)
        return self._replace(scalar_mix_parameters=tuple(weights), gamma=scale)


def elmo_arguments(**given: Any) -> ElmoArguments:  # noqa: ANN401  (validated here)
    """Validate the fields of `ElmoArguments` as far as possible without the options.

    Raises:
        ArgumentError: An argument has a wrong type or value.
    """
    arguments = ElmoArguments(**{name: as_python(value) for name, value in given.items()})
    count, dropout, backend = arguments.num_output_representations, arguments.dropout, arguments.backend
    if not is_int(count) or not 1 <= count <= MAX_REPRESENTATIONS:
        hints = ["it is the number of weighted sums of the layers, not the number of layers; most models need 1"]
        raise bad_argument("num_output_representations", count, f"an int from 1 to {MAX_REPRESENTATIONS}", hints)
    if not is_number(dropout) or not 0 <= dropout <= 1:
        raise bad_argument("dropout", dropout, "a number from 0 to 1", ["AllenNLP's default is 0.5"])
    if not isinstance(backend, str) or backend not in BACKENDS:
        raise bad_argument("backend", backend, f"one of {', '.join(BACKENDS)}", ["leave it out for 'auto'"])
    if backend == "keras" and arguments.vocab_to_cache is not None:
        hints = ["leave it out: the layer computes every word from its characters", "or pass backend='torch'"]
        raise bad_argument("vocab_to_cache", arguments.vocab_to_cache, "None with backend='keras'", hints)
    for name in ("requires_grad", "do_layer_norm", "keep_sentence_boundaries"):
        _require_flag(name, getattr(arguments, name))
    if arguments.stateful is not None:
        _require_flag("stateful", arguments.stateful)
    return arguments._replace(
        vocab_to_cache=_vocabulary(arguments.vocab_to_cache),
        scalar_mix_parameters=_scalars(arguments.scalar_mix_parameters),
    )


def require_options_allow(arguments: ElmoArguments, options: ElmoOptions) -> None:
    """Require arguments that fit the options.

    Raises:
        ArgumentError: The number of scalar mix parameters is wrong, or the backend cannot build the biLM.
    """
    mixed, n_layers = arguments.scalar_mix_parameters, options.n_layers + 1
    contradicted = {"label": "options", "resolved": options.path}
    if mixed not in (None, STORED) and len(mixed) != n_layers:
        wanted = f"{n_layers} numbers, one for the characters and one for each of n_layers={options.n_layers}"
        hints = [f"pass {n_layers} numbers, or leave it out to learn them"]
        raise bad_argument("scalar_mix_parameters", list(mixed), wanted, hints, **contradicted)
    if arguments.backend == "allennlp" and not options.use_skip_connections:
        hints = ["pass backend='torch': safeload's own biLM supports both"]
        wanted = "'torch' or 'auto' for a biLM without skip connections, which AllenNLP cannot build"
        raise bad_argument("backend", arguments.backend, wanted, hints, **contradicted)


def require_numbers(arguments: ElmoArguments) -> None:
    """Require scalar mix parameters that no file has to give.

    Raises:
        ArgumentError: They are "stored".
    """
    if arguments.scalar_mix_parameters == STORED:
        hints = ["pass the numbers, or load the file with safeload.load_elmo"]
        raise bad_argument("scalar_mix_parameters", STORED, "a list of numbers where no file is read", hints)


def require_stored_mix(arguments: ElmoArguments, stored: Stored, path: str) -> None:
    """Require that a file has one learned sum, if it was asked for; `stored` returns a parameter of the file.

    Raises:
        ArgumentError: It has none, as HDF5 files and trainings have none; or a model of AllenNLP has several.
    """
    if arguments.scalar_mix_parameters != STORED:
        return
    facts = {"label": "options", "resolved": path}
    if stored(MIX_WEIGHTS) is None:
        hints = ["only TF-Hub's modules and AllenNLP's models store one: leave it out to learn it, or pass numbers"]
        wanted = "a list of numbers: the weights have no learned sum of the layers"
        raise bad_argument("scalar_mix_parameters", STORED, wanted, hints, **facts)
    if stored(SECOND_SUM) is not None:
        wanted = "a list of numbers: the weights have several learned sums of the layers"
        raise bad_argument("scalar_mix_parameters", STORED, wanted, ["pass the numbers of one of them"], **facts)


def vocabulary_notes(arguments: ElmoArguments) -> list[str]:
    """Return non-fatal observations about `vocab_to_cache`."""
    words, notes = arguments.vocab_to_cache, []
    if words is None:
        return []
    if not words[0].startswith(("@@", "[", "<")):
        notes.append(
            f"vocab_to_cache starts with {words[0]!r}, but word id 0 is padding: that word cannot be looked up"
        )
    if len(set(words)) < len(words):
        notes.append(f"vocab_to_cache repeats {len(words) - len(set(words))} of its {len(words)} words")
    if arguments.requires_grad:
        notes.append(
            "requires_grad with vocab_to_cache: cached words are trained as vectors, other words by their characters"
        )
    return notes


def _require_flag(name: str, value: object) -> None:
    if not isinstance(value, bool):
        raise bad_argument(name, value, "a bool", ["pass True or False"])


def _vocabulary(words: object) -> tuple[str, ...] | None:
    if words is None:
        return None
    hints = ["pass a list of str whose first entry is for padding, such as ['@@PADDING@@', 'the', ...]"]
    found = listed(words)
    if found is None:
        raise bad_argument("vocab_to_cache", words, "a list of words", hints)
    if not found:
        raise bad_argument("vocab_to_cache", [], "a list of words that is not empty", ["leave it out, or pass words"])
    bad = [word for word in found if not isinstance(word, str)]
    if bad:
        raise bad_argument("vocab_to_cache", bad[0], "a list of words", hints)
    return tuple(word for word in found if isinstance(word, str))


def _scalars(numbers: object) -> tuple[float, ...] | str | None:
    if numbers is None or (isinstance(numbers, str) and numbers == STORED):
        return numbers
    hints = ["pass one number for each layer, before the softmax, such as [0, 0, 1]"]
    found = listed(numbers)
    if found is None:
        raise bad_argument("scalar_mix_parameters", numbers, "a list of numbers", hints)
    good = tuple(number for number in found if is_number(number))
    if len(good) < len(found):
        raise bad_argument("scalar_mix_parameters", list(found), "a list of finite numbers", hints)
    return good
