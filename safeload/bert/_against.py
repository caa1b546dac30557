"""Compare what each layer of a BERT computes in keras-bert and in another runtime."""

from __future__ import annotations

import gc
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from safeload._arguments import as_python, bad_argument
from safeload._diagnosis import CHECK, AtFault, Diagnosis, Difference, Step, Subject, Way
from safeload._layers import BOUND, LayerDifference, compare_layers
from safeload._reports import report_of
from safeload._text.words import counted
from safeload._trials import Trials
from safeload.bert._runtimes import GELU_ERF, GELU_TANH, KERAS_BERT, KERAS_HUB, OTHERS, RUNTIMES, TRANSFORMERS, Runtime
from safeload.bert.layers import fixed_inputs, layers_of
from safeload.errors import MissingDependencyError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from safeload.bert._config import BertConfig
    from safeload.report import LoadReport

    Array = NDArray[Any]
    Load = Callable[[Runtime], tuple[Any, BertConfig]]

_TITLES: dict[str, tuple[str, AtFault]] = {
    KERAS_BERT.id: ("keras-bert", "keras-bert"),
    TRANSFORMERS.id: ("transformers", "transformers"),
    KERAS_HUB.id: ("KerasHub", "keras-hub"),
}
_GELUS = {GELU_ERF: "GELU by the error function (gelu_erf)", GELU_TANH: "GELU by tanh (gelu_tanh)"}


class Computed(NamedTuple):
    """What a runtime makes of the fixed inputs.

    Attributes:
        layers: Name of a layer -> what it computes.
        report: The report of the load.
        shape: Number of texts and of tokens in the longest.
    """

    layers: dict[str, Array]
    report: LoadReport
    shape: tuple[int, int]


def other_runtime(against: object) -> Runtime:
    """Return the runtime that keras-bert is compared with.

    Raises:
        ArgumentError: There is none of this name, or it is keras-bert.
    """
    name = as_python(against)
    if isinstance(name, str) and name in OTHERS:
        return RUNTIMES[name]
    hints = ["the model is loaded with keras-bert and with the library that is named"]
    raise bad_argument("against", against, f"one of {', '.join(map(repr, OTHERS))}", hints)


def against_subject(runtime: Runtime) -> Subject:
    """Return the steps of a comparison; none imports the packages alone, but where that crashes, it is one."""
    compared = (KERAS_BERT, runtime)
    titles = [_TITLES[each.id][0] for each in compared]
    return Subject(
        call="load_bert",
        packages=f"{' and '.join(titles)} in one process",
        ways=tuple(Way(each.id, f"the model in {_TITLES[each.id][0]}", _TITLES[each.id][1]) for each in compared),
        library=titles[0],
        config_word="config",
    )


def compare(check: Callable[[], LoadReport], load: Load, runtime: Runtime, seq_len: int | None = None) -> Diagnosis:
    """Load the model with keras-bert and with another runtime, one at a time, and compare their layers.

    Args:
        check: safeload's check.
        load: safeload's load with a runtime; returns the model and its config.
        runtime: The other one.
        seq_len: Most tokens that keras-bert's model takes; None for those of the config.

    Raises:
        ArgumentError, InvalidPathError: An argument is invalid.
    """
    trials = Trials(against_subject(runtime))
    report = trials.check(check)
    finding = partial(_finding, {} if report is None else report.versions)
    found: dict[str, Computed] = {}
    for each in (KERAS_BERT, runtime):
        computed = trials.run(each.id, partial(_compute, load, each, seq_len), finding)
        if computed is not None:
            found[each.id] = computed
    layers = compare_layers({name: each.layers for name, each in found.items()}) if len(found) > 1 else ()
    at_fault, verdict = judge(runtime, trials.steps, layers)
    beyond = [each for each in layers if each.is_beyond(BOUND)]
    return Diagnosis(
        at_fault=at_fault,
        verdict=verdict,
        steps=tuple(trials.steps),
        differences=tuple(
            Difference(between=(KERAS_BERT.id, runtime.id), variable=each.layer, max_abs=each.max_abs)
            for each in beyond
        ),
        report=report,
        layers=layers,
        bound=BOUND if layers else None,
        notes=tuple(_notes(found, report)),
    )


def _compute(load: Load, runtime: Runtime, seq_len: int | None) -> Computed:
    """Load a model, keep what its layers compute, and let go of the model."""
    model, config = load(runtime)
    positions = min(config.max_position_embeddings, seq_len or config.max_position_embeddings)
    inputs = fixed_inputs(config.vocab_size, positions, config.type_vocab_size)
    layers = layers_of(runtime).compute(model, inputs)
    report = report_of(model)
    del model
    gc.collect()  # the layers of a Keras model refer to each other
    n_texts, n_tokens = inputs.tokens.shape
    return Computed(layers, report, (n_texts, n_tokens))


def _finding(known: Mapping[str, str], found: Computed) -> str:
    n_texts, n_tokens = found.shape
    of = f"of {counted(n_texts, 'text')} of at most {counted(n_tokens, 'token')}"
    versions = ", ".join(f"{name} {number}" for name, number in found.report.versions.items() if name not in known)
    return f"{counted(len(found.layers), 'layer')} computed {of}" + (f"; {versions}" if versions else "")


def judge(runtime: Runtime, steps: list[Step], layers: tuple[LayerDifference, ...]) -> tuple[AtFault, str]:
    """Return what is at fault, and the verdict in one sentence.

    Args:
        runtime: What keras-bert is compared with.
        steps: The check, and the two loads.
        layers: How far each layer is apart; empty if a load failed.
    """
    check = next(step for step in steps if step.name == CHECK)
    failed = [step for step in steps if step.status == "failed"]
    if check in failed:
        return "files", f"the files are at fault: {check.finding}"
    missing = [step for step in failed if isinstance(step.raised, MissingDependencyError)]
    if missing:
        why = "; ".join(dict.fromkeys(step.finding for step in missing))
        return "versions", f"the files are good and the versions are at fault: {why}"
    if failed:
        why = "; ".join(f"{_TITLES[step.name][0]} does not load the model: {step.finding}" for step in failed)
        return _TITLES[failed[0].name][1], f"the files are good, but {why}"
    pair = f"keras-bert and {_TITLES[runtime.id][0]}"
    compared = [each for each in layers if not each.only_in]
    beyond = [each for each in compared if each.is_beyond(BOUND)]
    largest = max(compared, key=lambda each: float("inf") if each.max_abs is None else each.max_abs)
    if not beyond:
        n_layers = counted(len(compared), "layer")
        far = f"the largest difference is {largest.max_abs:.3g}, in {largest.layer}"
        return "nothing", f"nothing differs: {pair} compute the same in {n_layers}, within {BOUND:g}; {far}"
    first = f"the first layer that differs by more than {BOUND:g} is {beyond[0].layer}, {_far(beyond[0])}"
    rest = "" if largest is beyond[0] else f"; the largest difference is in {largest.layer}, {_far(largest)}"
    return "unknown", f"{pair} compute something else: {first}{rest}"


def _far(layer: LayerDifference) -> str:
    return "in shape or with values that are not finite" if layer.max_abs is None else f"by up to {layer.max_abs:.3g}"


def _notes(found: Mapping[str, Computed], report: LoadReport | None) -> list[str]:
    """Return what may explain a difference."""
    gelus = {name: each.report.activation for name, each in found.items()}
    notes = []
    if len(set(gelus.values())) > 1:
        said = ", ".join(f"{_TITLES[name][0]} computes {_GELUS.get(gelu, gelu)}" for name, gelu in gelus.items())
        notes.append(f"the activation is not the same: {said}")
    told = () if report is None else report.warnings
    others = (warning for each in found.values() for warning in each.report.warnings if warning not in told)
    return [*notes, *dict.fromkeys(others)]
