"""Reduce what the layers of a model compute to small tables, and compare a model with the tables that are expected."""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from safeload._layers import LayerDifference, compare_layers, table
from safeload._text.words import counted, two_lines
from safeload.errors import OutputMismatchError
from safeload.report import pairs_text, rows_text, seconds_text

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from numpy.typing import NDArray

    from safeload._bytes.files import FileRef

    Array = NDArray[Any]

BOUND = 5e-5
"""Largest difference of two tables that count as equal, as a part of the root mean square of the expected one.

Of BERT-Base and MiniLM, keras-bert, transformers and KerasHub on three engines are apart by at most 7.4e-6, with one thread or
two and with oneDNN or without; another GELU differs from 4.0e-4 on, bfloat16 from 1.1e-2.
"""

N_PROJECTIONS = 4
"""Numbers that are kept of each vector."""

VOCABULARY = "vocabulary"
EXPECTED, COMPUTED = "the expected outputs", "the model"
HALF = ("float16", "bfloat16")
"""Types whose numbers are too coarse to be expected."""

_SAME_EPSILON = 1e-9
_OF_EMBEDDINGS = ("dtype", "layer_norm_eps")
"""The settings that change the first layer; the others change only what comes after it."""

_SEED = 0


class Vocabulary(NamedTuple):
    """What is kept of a vocabulary.

    Attributes:
        n_tokens: The number of tokens.
        sha256: SHA-256 of the tokens in the order of their ids, each with a newline, in UTF-8.
        tokens: Id -> token, of the ids in the inputs.
    """

    n_tokens: int
    sha256: str
    tokens: Mapping[int, str]


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """What a file of expected outputs holds.

    Attributes:
        model: "BERT" or "ELMo".
        inputs: Name -> rows of ids or words.
        settings: What the model computed with, and its sizes.
        vocabulary: The vocabulary; None if the model had none.
        layers: Name of a layer -> `(vectors, N_PROJECTIONS)`, float32.
        runtime: The library that computed it.
        versions: Package -> version.
    """

    model: str
    inputs: Mapping[str, Any]
    settings: Mapping[str, object]
    vocabulary: Vocabulary | None
    layers: Mapping[str, Array]
    runtime: str
    versions: Mapping[str, str] = field(default_factory=dict)


@dataclass(kw_only=True, eq=False, repr=False)
class Subject:
    """A model in memory whose layers can be computed.

    Attributes:
        model: "BERT" or "ELMo".
        runtime: The library that it is built in.
        versions: Package -> version.
        sizes: Key of the config -> size, of those that must be equal.
        settings: What it computes with.
        tokens: Token -> id; empty without a vocabulary.
        inputs: The fixed inputs of a model of these sizes, as a file holds them.
        compute: Returns the table of each layer for such inputs; its second argument is whether dropout may be on.
        optional: The layers that a model may lack.
    """

    model: str
    runtime: str
    versions: Mapping[str, str]
    sizes: Mapping[str, int]
    settings: Mapping[str, object]
    tokens: Mapping[str, int]
    inputs: Mapping[str, Any]
    compute: Callable[[Mapping[str, Any], bool], dict[str, Array]]
    optional: Collection[str] = ()


@dataclass(frozen=True, kw_only=True)
class OutputsReport:
    """The result of `save_outputs` or `compare_outputs`.

    Attributes:
        model: "BERT" or "ELMo".
        file: The absolute path of the file.
        runtime: The library that computed the layers now.
        settings: What the model computes with.
        computed: The layers that were computed, in the order of the model.
        layers: How far each layer is from the expected one, as a part of its root mean square; empty after `save_outputs`.
        bound: The largest difference that counts as equal.
        notes: What was not compared.
        seconds: Step -> duration in seconds.
        versions: Package -> version.
    """

    model: str
    file: str
    runtime: str
    settings: Mapping[str, object]
    computed: tuple[str, ...]
    layers: tuple[LayerDifference, ...] = ()
    bound: float = BOUND
    notes: tuple[str, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)

    def headline(self) -> str:
        """Return the first line: what was saved, or how far the model is from what is expected."""
        if not self.layers:
            return f"{self.model}: the outputs of {counted(len(self.computed), 'layer')} saved"
        compared = [each for each in self.layers if each.max_abs is not None]
        far = max(compared, key=lambda each: each.max_abs or 0.0)
        return (
            f"{self.model}: {counted(len(compared), 'layer')} as expected, within {self.bound:g}; "
            f"the largest difference is {far.max_abs:.3g}, in {far.layer}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain dicts, lists, strings and numbers for `json.dumps`."""
        return dataclasses.asdict(self)

    def __str__(self) -> str:
        """Return the report as text for a log."""
        rows = [("outputs", self.file), ("backend", self.runtime), ("settings", pairs_text(self.settings, "="))]
        rows += [("note", note) for note in self.notes]
        rows += [("seconds", seconds_text(self.seconds)), ("versions", pairs_text(self.versions, " "))]
        return "\n".join([rows_text(self.headline(), rows), *(f"  {row}" for row in table(self.layers, self.bound))])


def reduced(values: Array, mask: Array) -> Array:
    """Return `N_PROJECTIONS` numbers for each vector, as float32: fixed sums with random signs, of the size of its values.

    Args:
        values: `(rows, length, size)`, or `(rows, size)`.
        mask: `(rows, length)`; positions where it is 0 are left out.
    """
    import numpy as np  # noqa: PLC0415  (not for `import safeload`)

    vectors = values[mask != 0] if values.ndim > mask.ndim else values
    size = vectors.shape[-1]
    numbers = np.random.RandomState(_SEED).random_sample((size, N_PROJECTIONS))
    signs = np.where(numbers < 0.5, -1.0, 1.0)  # noqa: PLR2004  (either sign, equally often)
    found: Array = (vectors.astype(np.float64) @ signs / np.sqrt(size)).astype(np.float32)
    return found


def outputs_of(subject: Subject) -> Outputs:
    """Compute the layers of a model for its fixed inputs, with dropout off."""
    ids = {number for rows in subject.inputs.values() for row in rows for number in row if isinstance(number, int)}
    return Outputs(
        model=subject.model,
        inputs=subject.inputs,
        settings={**subject.sizes, **subject.settings},
        vocabulary=_kept(subject.tokens, ids) if subject.tokens else None,
        layers=subject.compute(subject.inputs, False),
        runtime=subject.runtime,
        versions=subject.versions,
    )


def _kept(tokens: Mapping[str, int], ids: Collection[int]) -> Vocabulary:
    return Vocabulary(len(tokens), _digest(tokens), {number: each for each, number in tokens.items() if number in ids})


def _digest(tokens: Mapping[str, int]) -> str:
    import hashlib  # noqa: PLC0415  (slow to import)

    ordered = sorted(tokens, key=lambda token: tokens[token])
    return hashlib.sha256("".join(f"{token}\n" for token in ordered).encode("utf-8", "surrogatepass")).hexdigest()


def require_same_model(
    expected: Outputs, sizes: Mapping[str, int], tokens: Mapping[str, int], ref: FileRef
) -> list[str]:
    """Require the sizes and the vocabulary of the model whose outputs are expected; return notes.

    Raises:
        OutputMismatchError: They are others.
    """
    others = [
        two_lines("SIZE", key, f"expected {expected.settings[key]}, found {size}")
        for key, size in sizes.items()
        if key in expected.settings and expected.settings[key] != size
    ]
    if others:
        message = f"the {expected.model} has other sizes than the model whose outputs are expected"
        hints = ["pass the outputs of this model, or the model of these outputs"]
        raise OutputMismatchError(message, first_layer="sizes", details=others, hints=hints, **ref.facts)
    if expected.vocabulary is None or not tokens:
        which = "the model has" if expected.vocabulary else "the expected outputs have"
        is_bert = expected.vocabulary is not None or bool(tokens)
        return [f"the vocabulary is not compared: {which} none"] if is_bert else []
    if _digest(tokens) != expected.vocabulary.sha256:
        raise _other_vocabulary(expected.vocabulary, tokens, ref)
    return []


def _other_vocabulary(expected: Vocabulary, tokens: Mapping[str, int], ref: FileRef) -> OutputMismatchError:
    """Return the error for a vocabulary with other tokens, or with other ids for them."""
    moved = {number: tokens[each] - number for number, each in sorted(expected.tokens.items()) if each in tokens}
    steps = {step for step in moved.values() if step}
    causes, rows = [], []
    if len(steps) == 1:
        step, first = steps.pop(), next(number for number, step in moved.items() if step)
        causes = [
            f"the ids are shifted by {step:+d}, in {sum(map(bool, moved.values()))} of {counted(len(moved), 'token')}"
        ]
        token = expected.tokens[first]
        rows = [two_lines("TOKEN", token, f"expected the id {first}, found {first + step}")]
    rows += [] if len(tokens) == expected.n_tokens else [
        two_lines("SIZE", VOCABULARY, f"expected {expected.n_tokens:,} tokens, found {len(tokens):,}")
    ]  # fmt: skip
    message = "the vocabulary is not that of the model whose outputs are expected"
    return OutputMismatchError(
        message,
        first_layer=VOCABULARY,
        causes=causes,
        details=rows,
        context=[("cause", cause) for cause in causes],
        hints=["take the vocabulary that was published with these weights"],
        **ref.facts,
    )


def compare(subject: Subject, expected: Outputs, ref: FileRef) -> OutputsReport:
    """Compute the layers of a model for the inputs that were saved, as it is, and require the expected tables.

    Raises:
        OutputMismatchError: Sizes, vocabulary or the outputs of a layer are others.
    """
    notes = require_same_model(expected, subject.sizes, subject.tokens, ref)
    start = time.perf_counter()
    found = subject.compute(expected.inputs, True)
    layers = differences(expected.layers, found)
    beyond = [each for each in layers if each.is_beyond(BOUND) or (each.only_in and each.layer not in subject.optional)]
    if beyond:
        causes = _causes(subject, expected, beyond[0].layer, found)
        raise _mismatch(subject, expected, ref, (layers, beyond), causes)
    return OutputsReport(
        model=subject.model,
        file=ref.path,
        runtime=subject.runtime,
        settings=subject.settings,
        computed=tuple(found),
        layers=layers,
        notes=tuple(notes),
        seconds={"outputs": time.perf_counter() - start},
        versions=subject.versions,
    )


def differences(expected: Mapping[str, Array], found: Mapping[str, Array]) -> tuple[LayerDifference, ...]:
    """Return how far each layer is from the expected one, as a part of the root mean square of the expected table."""
    import numpy as np  # noqa: PLC0415  (not for `import safeload`)

    scales = {
        name: float(np.sqrt(np.mean(np.square(each, dtype=np.float64)))) or 1.0 for name, each in expected.items()
    }

    def scaled(layers: Mapping[str, Array]) -> dict[str, Array]:
        return {name: each.astype(np.float64) / scales.get(name, 1.0) for name, each in layers.items()}

    return compare_layers({EXPECTED: scaled(expected), COMPUTED: scaled(found)})


def _causes(subject: Subject, expected: Outputs, first: str, found: Mapping[str, Array]) -> list[str]:
    """Return what explains a difference that begins in this layer: dropout, half precision, or other settings."""
    again = subject.compute(expected.inputs, True)
    if any(each.is_beyond(BOUND) for each in differences(found, again)):
        return ["the model gives other numbers each time: dropout is left on; call model.eval() first"]
    is_first = first == next(iter(expected.layers))
    causes = []
    for key, value in subject.settings.items():
        wanted = expected.settings.get(key)
        if wanted is None or _is_same(value, wanted) or (is_first and key not in _OF_EMBEDDINGS):
            continue
        half = ", half precision" * (value in HALF)
        causes.append(f"{key} is {_shown(value)}{half}; expected {_shown(wanted)}")
    return causes


def _is_same(one: object, other: object) -> bool:
    is_small = isinstance(one, float) and isinstance(other, (int, float)) and abs(one - other) <= _SAME_EPSILON
    return one == other or is_small


def _shown(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _mismatch(
    subject: Subject,
    expected: Outputs,
    ref: FileRef,
    found: tuple[Sequence[LayerDifference], Sequence[LayerDifference]],
    causes: Sequence[str],
) -> OutputMismatchError:
    layers, beyond = found
    n_compared = sum(each.layer not in subject.optional or not each.only_in for each in layers)
    first = beyond[0].layer
    message = (
        f"the {subject.model} computes something else than expected, from {first} on: "
        f"{len(beyond)} of {counted(n_compared, 'layer')} differ by more than {BOUND:g}"
    )
    hints = (
        []
        if causes
        else ["no setting that the model has explains it: compare its weights with those that are expected"]
    )
    return OutputMismatchError(
        message,
        first_layer=first,
        layers=[(each.layer, each.max_abs) for each in layers if not each.only_in],
        bound=BOUND,
        causes=list(causes),
        context=[
            ("expected", f"{expected.runtime}, {pairs_text(expected.versions, ' ')}"),
            ("computed", f"{subject.runtime}, {pairs_text(subject.versions, ' ')}"),
            *(("cause", cause) for cause in causes),
        ],
        details=[two_lines("LAYER", each.layer, _far(each)) for each in beyond],
        hints=[*hints, "if the change is intended, save the outputs again"],
        **ref.facts,
    )


def _far(layer: LayerDifference) -> str:
    if layer.only_in:
        return f"only in {layer.only_in}"
    return "not finite, or of another shape" if layer.max_abs is None else f"differs by {layer.max_abs:.3g} of its size"
