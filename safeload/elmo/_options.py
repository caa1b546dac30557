"""Read and validate `options.json`."""

from __future__ import annotations

import copy
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from safeload import _recognise
from safeload._arguments import as_python_tree
from safeload._bytes.files import FileRef
from safeload._json import Keys, read_json_object, shown
from safeload.elmo._characters import MAX_CHARACTERS_PER_TOKEN, N_CHARACTERS
from safeload.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_LAYERS = 100
MAX_SIZE = 1 << 20
MAX_FILTERS = 1_000
ACTIVATIONS = ("relu", "tanh")
PUBLISHED = "the original ELMo's published options"
"""The path of options that are in no file."""

ORIGINAL: dict[str, Any] = {
    "lstm": {
        "use_skip_connections": True, "projection_dim": 512, "cell_clip": 3, "proj_clip": 3, "dim": 4096, "n_layers": 2,
    },
    "char_cnn": {
        "activation": "relu",
        "filters": [[1, 32], [2, 32], [3, 64], [4, 128], [5, 256], [6, 512], [7, 1024]],
        "n_highway": 2,
        "embedding": {"dim": 16},
        "n_characters": 262,
        "max_characters_per_token": 50,
    },
}  # fmt: skip
"""The published options of the original ELMo, elmo_2x4096_512_2048cnn_2xhighway."""

_READ = {
    "lstm": ("dim", "projection_dim", "n_layers", "cell_clip", "proj_clip", "use_skip_connections"),
    "char_cnn": ("activation", "embedding", "filters", "n_highway", "n_characters", "max_characters_per_token"),
    "bidirectional": (),
}


class ElmoOptions(NamedTuple):
    """A validated `options.json`; sizes are counts of units, not bytes.

    Attributes:
        path: Absolute path of the file.
        raw: The whole JSON object.
        dim: Units of an LSTM's memory cell.
        projection_dim: Units of a token's vector and of an LSTM's output, per direction.
        n_layers: LSTM layers per direction.
        cell_clip: Largest absolute value of a memory cell; None for no limit.
        proj_clip: Largest absolute value of a projected output; None for no limit.
        use_skip_connections: Whether each LSTM except the first adds its input to its output.
        activation: Activation after the convolutions, "relu" or "tanh".
        char_dim: Units of a character's embedding.
        filters: (width in characters, number of filters) of each convolution.
        n_highway: Highway layers after the convolutions.
        n_characters: Character ids: 262 with that for padding, or 261 in the options of a training.
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
    n_characters: int = N_CHARACTERS

    @property
    def n_filters(self) -> int:
        """Units of a token's vector before the projection."""
        return sum(number for _, number in self.filters)

    @property
    def parts(self) -> dict[str, Any]:
        """The JSON object of an `options.json`, in Python's own containers: a layer of Keras 2 wraps those that it holds."""
        return {part: as_python_tree(self.raw[part]) for part in ("lstm", "char_cnn")}

    @property
    def is_published(self) -> bool:
        """Whether these are the original's options, in place of a file."""
        return self.path == PUBLISHED

    @property
    def unused_keys(self) -> list[str]:
        """The options that have no effect on the model, by key path, sorted."""
        paths = [key for key in self.raw if key not in _READ]
        for part, read in _READ.items():
            inner = self.raw.get(part)
            paths += [f"{part}.{key}" for key in inner if key not in read] if isinstance(inner, dict) else []
        return sorted(paths)

    @property
    def unverified(self) -> dict[str, object]:
        """The options that a weight file cannot confirm."""
        return {
            **({"options": PUBLISHED} if self.is_published else {}),
            "activation": self.activation,
            "cell_clip": self.cell_clip,
            "proj_clip": self.proj_clip,
            "use_skip_connections": self.use_skip_connections,
        }


def read_options(ref: FileRef, *, may_be_trained: bool = False) -> ElmoOptions:
    """Read and validate an options file; with `may_be_trained`, of a training too, whose ids have none for padding.

    Raises:
        ConfigError: The file is not JSON; a key that a biLM needs is missing, mistyped or out of range; or the options
            are of another model. One error lists all bad keys.
        MissingFileError, WrongFileKindError, UnreadableFileError, UnsafeFileError: As `read_json_object`.

    Source:
        allennlp/modules/elmo.py, _ElmoCharacterEncoder and _ElmoBiLm, AllenNLP 2.10.1; allenai/bilm-tf, bilm/model.py.
    """
    return validate_options(read_json_object(ref), ref, may_be_trained=may_be_trained)


def published_options(sizes: Mapping[str, Mapping[str, Any]] = MappingProxyType({})) -> ElmoOptions:
    """Return the options of the original ELMo, with other sizes if the weights prove them, for files without theirs.

    Raises:
        ConfigError: A size is out of range.
    """
    raw = {part: {**copy.deepcopy(keys), **sizes.get(part, {})} for part, keys in ORIGINAL.items()}
    return validate_options(raw, FileRef(path=PUBLISHED, role="options"))


def require_padding(options: ElmoOptions) -> None:
    """Require options whose character ids have one for padding.

    Raises:
        ConfigError: They are those of a training.
    """
    validate_options(options.raw, FileRef(path=options.path, role="options"))


def with_padding(options: ElmoOptions) -> ElmoOptions:
    """Return the options of a training with the character id for padding, as its model is used."""
    characters = {**options.raw["char_cnn"], "n_characters": N_CHARACTERS}
    return options._replace(n_characters=N_CHARACTERS, raw={**options.raw, "char_cnn": characters})


def validate_options(raw: dict[str, Any], ref: FileRef, *, may_be_trained: bool = False) -> ElmoOptions:
    """Validate an options dict as JSON holds it; `ref` names its source in error messages.

    Raises:
        ConfigError: As `read_options`.
    """
    other = _recognise.other_config(_recognise.ELMO, raw)
    if other is not None:
        message = f"the options are of {other.name}, not of a character-level biLM"
        raise ConfigError(message, **ref.facts, hints=[other.hint])
    keys = Keys(raw)
    lstm, cnn = keys.children("lstm"), keys.children("char_cnn")
    options = ElmoOptions(
        path=ref.path,
        raw=raw,
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
    n_characters = _require_characters(cnn, may_be_trained=may_be_trained)
    options = options._replace(n_characters=n_characters)
    if "bidirectional" in raw and not keys.flag("bidirectional") and raw["bidirectional"] is False:
        keys.add_problem("bidirectional", "false; an ELMo needs both directions")
    hints = []
    if len(keys.problems) > 1 and all(problem.is_missing for problem in keys.problems):
        hints = ["this may be the JSON file of another program; ELMo's is published as ..._options.json"]
    keys.raise_problems("the ELMo options cannot be used", ref, hints)
    return options


def _filters(cnn: Keys) -> tuple[tuple[int, int], ...]:
    value = cnn.data.get("filters")
    wanted = "a list of [width, number] pairs"
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_FILTERS:
        if value is None:
            cnn.add_missing("filters", wanted)
        else:
            cnn.add_problem("filters", f"expected {wanted}, found {shown(value)}")
        return ((1, 1),)
    pairs = []
    for index, pair in enumerate(value):
        entry = dict(zip(("width", "number"), pair, strict=True)) if isinstance(pair, list) and len(pair) == 2 else None  # noqa: PLR2004  (a pair)
        if entry is None:
            cnn.add_problem(f"filters[{index}]", f"expected [width, number], found {shown(pair)}")
            continue
        keys = Keys(entry, f"{cnn.path}.filters[{index}]", cnn.problems)
        pairs.append((keys.integer("width", 1, MAX_CHARACTERS_PER_TOKEN), keys.integer("number", 1, MAX_SIZE)))
    return tuple(pairs)


def _require_characters(cnn: Keys, *, may_be_trained: bool) -> int:
    """Require the numbers of characters that published ELMos, and the tools for them, use; return that of their ids."""
    n_characters = _valid_integer(cnn, "n_characters")
    if n_characters == N_CHARACTERS - 1 and not may_be_trained:
        cnn.add_problem(
            "n_characters",
            f"{N_CHARACTERS - 1} is the value for training; set it to {N_CHARACTERS}, with the id for padding",
        )
    elif n_characters not in (None, N_CHARACTERS, N_CHARACTERS - 1):
        cnn.add_problem("n_characters", f"expected {N_CHARACTERS}, the ids of bytes and marks, found {n_characters}")
    count = _valid_integer(cnn, "max_characters_per_token")
    if count not in (None, MAX_CHARACTERS_PER_TOKEN):
        cnn.add_problem(
            "max_characters_per_token",
            f"{count}, but every token is fed as {MAX_CHARACTERS_PER_TOKEN} character ids; train with {MAX_CHARACTERS_PER_TOKEN}, or set it "
            "to that if none of your words is longer",
        )
    return n_characters or N_CHARACTERS


def _valid_integer(keys: Keys, key: str) -> int | None:
    """Return the integer under `key`, or None if it is invalid."""
    n_problems = len(keys.problems)
    value = keys.integer(key, 1, MAX_SIZE)
    return value if len(keys.problems) == n_problems else None
