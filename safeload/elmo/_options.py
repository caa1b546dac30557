"""`options.json`: the keys that a biLM of characters needs, each with its type and range."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from safeload import _files
from safeload._formats.bounded_json import Keys, read_json_object, shown
from safeload.elmo._characters import MAX_CHARACTERS_PER_TOKEN, N_CHARACTERS
from safeload.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_LAYERS = 100
MAX_SIZE = 1 << 20
MAX_FILTERS = 1_000
ACTIVATIONS = ("relu", "tanh")

_OTHERS = (
    (("encoder", "token_embedder"), "ELMoForManyLangs, another architecture", "load it with ELMoForManyLangs"),
    (("hidden_size", "num_hidden_layers"), "a transformer such as BERT", "pass BERT's config to safeload.load_bert"),
    (
        ("dataset_reader", "model"),
        "an AllenNLP training run",
        "pass the options file that its elmo_token_embedder names",
    ),
)


class ElmoOptions(NamedTuple):
    """A validated `options.json`; sizes are counts of units, not bytes.

    Attributes:
        path: The file, absolute.
        raw: The whole JSON object.
        dim: Units of an LSTM's memory cell.
        projection_dim: Units of a token's vector and of an LSTM's output, for each direction.
        n_layers: LSTM layers of each direction.
        cell_clip: Largest magnitude of a memory cell; None for no limit.
        proj_clip: Largest magnitude of a projected output; None for no limit.
        use_skip_connections: Whether each LSTM but the first adds its input to its output.
        activation: "relu" or "tanh", after the convolutions.
        char_dim: Units of a character's embedding.
        filters: (width in characters, number of filters) of each convolution.
        n_highway: Highway layers after the convolutions.
    """

    path: str
    raw: dict[str, Any]
    dim: int
    projection_dim: int
    n_layers: int
    cell_clip: float | None
    proj_clip: float | None
    use_skip_connections: bool
    activation: str
    char_dim: int
    filters: tuple[tuple[int, int], ...]
    n_highway: int

    @property
    def n_filters(self) -> int:
        """Units of a token's vector before the projection."""
        return sum(number for _, number in self.filters)

    @property
    def believed(self) -> dict[str, object]:
        """What no weight file can prove."""
        return {
            "activation": self.activation,
            "cell_clip": self.cell_clip,
            "proj_clip": self.proj_clip,
            "use_skip_connections": self.use_skip_connections,
        }


def read_options(path: str, *, given: object = None, source: _files.Source = _files.DISK) -> ElmoOptions:
    """Read and validate the options file at `path`.

    Raises:
        ConfigError: Not JSON; a key that a biLM needs is missing, mistyped or out of range; the options of another
            model. All bad keys are in one error.
        MissingFileError, WrongFileKindError, UnreadableFileError, UnsafeFileError: As `bounded_json.read_json_object`.

    Source:
        allennlp/modules/elmo.py, _ElmoCharacterEncoder and _ElmoBiLm, AllenNLP 2.10.1; allenai/bilm-tf, bilm/model.py.
    """
    return validate_options(read_json_object(path, role="options", given=given, source=source), path=path, given=given)


def validate_options(data: Mapping[str, Any], *, path: str, given: object = None) -> ElmoOptions:
    """Validate options that are already a dict; `path` is where they came from, for the message.

    Raises:
        ConfigError: As `read_options`.
    """
    data = dict(data)
    _require_character_bilm(data, path, given)
    keys = Keys(data)
    lstm, cnn = keys.children("lstm"), keys.children("char_cnn")
    options = ElmoOptions(
        path=path,
        raw=data,
        dim=lstm.integer("dim", 1, MAX_SIZE),
        projection_dim=lstm.integer("projection_dim", 1, MAX_SIZE),
        n_layers=lstm.integer("n_layers", 1, MAX_LAYERS),
        cell_clip=lstm.number_or_null("cell_clip"),
        proj_clip=lstm.number_or_null("proj_clip"),
        use_skip_connections=lstm.flag("use_skip_connections"),
        activation=cnn.word("activation", ACTIVATIONS),
        char_dim=cnn.children("embedding").integer("dim", 1, MAX_SIZE),
        filters=_filters(cnn),
        n_highway=cnn.integer("n_highway", 0, MAX_LAYERS),
    )
    _require_characters(cnn)
    if "bidirectional" in data and not keys.flag("bidirectional") and data["bidirectional"] is False:
        keys.complain("bidirectional", "false; an ELMo needs both directions")
    hints = []
    if len(keys.problems) > 1 and all(problem.problem.startswith("missing") for problem in keys.problems):
        hints = ["this may be the JSON file of another program; ELMo's is published as ..._options.json"]
    keys.raise_problems("the ELMo options cannot be used", resolved=path, given=given, hints=hints, label="options")
    return options


def _require_character_bilm(data: dict[str, Any], path: str, given: object) -> None:
    what, hint = next(((what, hint) for keys, what, hint in _OTHERS if set(keys) <= set(data)), ("", ""))
    if not what and "lstm" in data and "char_cnn" not in data:
        what = "a biLM of whole words (there is no char_cnn)"
        hint = "only biLMs of characters give an ELMo; pass the options of one"
    if what:
        message = f"the options are of {what}, not of a biLM of characters"
        raise ConfigError(message, resolved=path, given=given, label="options", hints=[hint])


def _filters(cnn: Keys) -> tuple[tuple[int, int], ...]:
    value = cnn.data.get("filters")
    wanted = "a list of [width, number] pairs"
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_FILTERS:
        cnn.complain(
            "filters",
            f"expected {wanted}, found {shown(value)}" if value is not None else f"missing; expected {wanted}",
        )
        return ((1, 1),)
    pairs = []
    for index, pair in enumerate(value):
        entry = dict(zip(("width", "number"), pair, strict=True)) if isinstance(pair, list) and len(pair) == 2 else None  # noqa: PLR2004  (a pair)
        if entry is None:
            cnn.complain(f"filters[{index}]", f"expected [width, number], found {shown(pair)}")
            continue
        keys = Keys(entry, f"{cnn.path}.filters[{index}]", cnn.problems)
        pairs.append((keys.integer("width", 1, MAX_CHARACTERS_PER_TOKEN), keys.integer("number", 1, MAX_SIZE)))
    return tuple(pairs)


def _require_characters(cnn: Keys) -> None:
    """Require the numbers of byte characters for which published ELMos, and every tool that feeds them, are made."""
    n_characters = _sound_integer(cnn, "n_characters")
    if n_characters == N_CHARACTERS - 1:
        cnn.complain(
            "n_characters",
            f"{N_CHARACTERS - 1} is the value for training; set it to {N_CHARACTERS}, with the id for padding",
        )
    elif n_characters not in (None, N_CHARACTERS):
        cnn.complain("n_characters", f"expected {N_CHARACTERS}, the ids of bytes and marks, found {n_characters}")
    count = _sound_integer(cnn, "max_characters_per_token")
    if count not in (None, MAX_CHARACTERS_PER_TOKEN):
        cnn.complain(
            "max_characters_per_token",
            f"{count}, but every token is fed as {MAX_CHARACTERS_PER_TOKEN} character ids; train with {MAX_CHARACTERS_PER_TOKEN}, or set it "
            "to that if no word of yours is longer",
        )


def _sound_integer(keys: Keys, key: str) -> int | None:
    """Return the size under `key`; None after a complaint."""
    n_problems = len(keys.problems)
    value = keys.integer(key, 1, MAX_SIZE)
    return value if len(keys.problems) == n_problems else None
