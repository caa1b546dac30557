"""Run the steps of a diagnosis independently: the check, the packages, and three ways to load."""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from safeload._advice import variables_of
from safeload._bytes.files import DISK
from safeload._bytes.kinds import CHECKPOINT
from safeload._frameworks.tensorflow import require_keras_bert
from safeload.bert._arguments import GELU, GELU_TANH
from safeload.bert._config import read_config
from safeload.bert._diagnosis import (
    BACKEND,
    CHECK,
    DIRECT,
    KERAS_BERT,
    PAIRS,
    SAFELOAD,
    Diagnosis,
    Difference,
    Status,
    Step,
    judge,
)
from safeload.bert._parameters import list_parameters
from safeload.bert._places import resolve_config, resolve_others
from safeload.bert.builders.keras_bert import graph_name
from safeload.bert.builders.keras_targets import changed, target_of
from safeload.bert.namings import NAMINGS, naming_of
from safeload.bert.namings.google import SCOPE
from safeload.errors import ArgumentError, InvalidPathError, SafeLoadError, SafeLoadWarning

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from safeload._frameworks.tensorflow import KerasBert
    from safeload._model_kind import Places, Request
    from safeload._naming import Naming
    from safeload.bert._arguments import BuildOptions
    from safeload.report import LoadReport

N_TOKENS = 16
OUTPUT_TOLERANCE = 1e-4
"""Largest difference between outputs that count as equal: the order of additions may differ."""


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """A loaded model's variables, and its outputs for one input."""

    values: dict[str, NDArray[Any]]
    outputs: list[NDArray[Any]]


def diagnose(check: Callable[[], Any], load: Callable[[], Any], request: Request, options: BuildOptions) -> Diagnosis:
    """Run every step and compare the loads.

    Args:
        check: safeload's check; returns a report.
        load: safeload's load; returns a Keras model.
        request: The config, checkpoint and vocabulary that the caller passed.
        options: How the model is built.

    Raises:
        ArgumentError, InvalidPathError: An argument is invalid.
    """
    trial = _Trial()
    report = trial.run(CHECK, check, lambda found: found.headline())
    backend: KerasBert | None = trial.run(BACKEND, require_keras_bert, lambda found: _versions(found.versions))
    places = _places_of(request)
    encoder = _encoder_of(report, places)
    beyond = _beyond(report, places, encoder)
    loaders = {
        KERAS_BERT: lambda: _through_keras_bert(backend, places, options),
        DIRECT: lambda: _through_tensorflow(backend, places, options, encoder),
        SAFELOAD: load,
    }
    for name, loader in loaders.items():
        if backend is None:
            trial.skip(name, "TensorFlow and keras-bert do not work here")
        elif places is None:
            trial.skip(name, "no config and weights were found")
        elif name in beyond:
            trial.skip(name, beyond[name])
        else:
            trial.load(name, loader, backend, options)
    differences = _differences(trial.loaded)
    at_fault, verdict = judge(trial.steps, differences, tuple(report.taken_from_config) if report else ())
    return Diagnosis(
        at_fault=at_fault, verdict=verdict, steps=tuple(trial.steps), differences=tuple(differences), report=report
    )


class _Trial:
    """The steps so far, and the models that were loaded."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.loaded: dict[str, Loaded] = {}

    def run(self, name: str, attempt: Callable[[], Any], finding: Callable[[Any], str]) -> Any:  # noqa: ANN401
        """Return the result of the attempt, or None if it raises; record either as a step."""
        start = time.perf_counter()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", SafeLoadWarning)  # the report has it, and a filter may raise it
                found = attempt()
        except (ArgumentError, InvalidPathError):
            raise
        except Exception as exc:  # noqa: BLE001  (whatever keras-bert and TensorFlow raise is evidence)
            raised = exc if isinstance(exc, SafeLoadError) else None
            text = raised.text("in step.problems") if raised else f"{type(exc).__name__}: {exc}"
            self._add(name, "failed", text.split("\n", 1)[0][:300], start, error=text, raised=raised)
            return None
        self._add(name, "ok", finding(found), start)
        return found

    def load(self, name: str, loader: Callable[[], Any], backend: KerasBert, options: BuildOptions) -> None:
        """Run a loader, and keep the values and outputs of its model."""
        found = self.run(
            name, lambda: _loaded(backend, loader(), options), lambda seen: f"{len(seen.values)} variables in the graph"
        )
        if found is not None:
            self.loaded[name] = found

    def skip(self, name: str, why: str) -> None:
        """Record a step that cannot be run."""
        self._add(name, "skipped", why, time.perf_counter())

    def _add(self, name: str, status: Status, finding: str, start: float, **failure: Any) -> None:  # noqa: ANN401
        seconds = time.perf_counter() - start
        self.steps.append(Step(name=name, status=status, finding=finding, seconds=seconds, **failure))


def _places_of(request: Request) -> Places | None:
    """Find the files that keras-bert would read, whether or not they are locked."""
    try:
        return resolve_others(request, resolve_config(request))
    except SafeLoadError:
        return None


def _encoder_of(report: LoadReport | None, places: Places | None) -> tuple[Naming, str]:
    """Return the naming and the scope of the encoder; Google's where the names do not say it."""
    if report is not None:
        return next(naming for naming in NAMINGS if naming.id == report.naming), report.scope
    is_checkpoint = places is not None and places.weights.form == CHECKPOINT
    names = variables_of(places.weights.ref) if places is not None and is_checkpoint else []
    return naming_of(names) or (NAMINGS[0], SCOPE)


def _beyond(report: LoadReport | None, places: Places | None, encoder: tuple[Naming, str]) -> dict[str, str]:
    """Return loader -> why it cannot load this model, of those that are not safeload's."""
    if places is None:
        return {}
    both, (naming, scope) = "", encoder
    if places.weights.form != CHECKPOINT:
        both = f"for Google's checkpoints only, not for the form {places.weights.form}"
    elif naming is not NAMINGS[0]:
        both = f"for Google's names only, not for those of {naming.id}"
    elif places.config.source is not DISK or places.weights.ref.source is not DISK:
        both = "for files only, not for those in an archive"
    elif report is not None and (given := report.taken_from_config["hidden_act"]) != report.activation:
        is_usual = (given, report.activation) == (GELU, GELU_TANH)
        both = "" if is_usual else f"for keras-bert's activations only, not for {given} as {report.activation}"
    if both:
        return {KERAS_BERT: both, DIRECT: both}
    is_other = report is not None and scope != SCOPE
    return {KERAS_BERT: f"for names below {SCOPE} only, not for those below {scope or 'nothing'}"} if is_other else {}


def _versions(versions: dict[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def _through_keras_bert(backend: Any, places: Any, options: BuildOptions) -> Any:  # noqa: ANN401  (found above)
    return backend.keras_bert.load_trained_model_from_checkpoint(
        places.config.path, places.weights.ref.path, training=options.training, seq_len=options.seq_len
    )


def _through_tensorflow(backend: Any, places: Any, options: BuildOptions, encoder: tuple[Naming, str]) -> Any:  # noqa: ANN401
    """Fill the graph that keras-bert builds with TensorFlow's reader, using the loader of neither keras-bert nor safeload."""
    model, _ = backend.keras_bert.loader.build_model_from_config(
        places.config.path, training=options.training, trainable=options.training, seq_len=options.seq_len
    )
    reader = backend.tf.train.load_checkpoint(places.weights.ref.path)
    naming, scope = encoder
    targets = {
        target_of(name).name: name for name in list_parameters(read_config(places.config), training=options.training)
    }
    for variable in model.weights:
        name = targets.get(graph_name(variable))
        if name is not None:
            variable.assign(changed(reader.get_tensor(naming.stored_as(name, scope)[0]), target_of(name), variable))
    return model


def _loaded(backend: Any, model: Any, options: BuildOptions) -> Loaded:  # noqa: ANN401  (a Keras model)
    import numpy as np  # noqa: PLC0415  (not for `import safeload`)

    values = {graph_name(variable): variable.numpy() for variable in model.weights}
    length = model.inputs[0].shape[1] or N_TOKENS
    n_tokens = values["Embedding-Token/embeddings"].shape[0]
    tokens = (np.arange(length, dtype=np.int32) * 7 + 1) % n_tokens
    segments = (np.arange(length, dtype=np.int32) >= length // 2).astype(np.int32)
    inputs = [tokens[None], segments[None]]
    if options.training:
        inputs.append(np.ones_like(tokens)[None])
    outputs = model(inputs, training=False)
    listed = outputs if isinstance(outputs, (list, tuple)) else [outputs]
    return Loaded(values=values, outputs=[backend.tf.convert_to_tensor(each).numpy() for each in listed])


def _differences(loaded: dict[str, Loaded]) -> list[Difference]:
    found = []
    for pair in PAIRS:
        if pair[0] in loaded and pair[1] in loaded:
            a, b = loaded[pair[0]], loaded[pair[1]]
            for name in a.values.keys() | b.values.keys():
                distance = _distance(a.values.get(name), b.values.get(name))
                if distance != 0:
                    found.append(Difference(between=pair, variable=name, max_abs=distance))
            for number, (left, right) in enumerate(zip(a.outputs, b.outputs, strict=False)):
                distance = _distance(left, right)
                if distance is None or distance > OUTPUT_TOLERANCE:
                    found.append(Difference(between=pair, variable=f"output {number}", max_abs=distance))
    return sorted(found, key=lambda each: (each.between, each.variable))


def _distance(a: NDArray[Any] | None, b: NDArray[Any] | None) -> float | None:
    import numpy as np  # noqa: PLC0415  (not for `import safeload`)

    if a is None or b is None or a.shape != b.shape:
        return None
    if np.array_equal(a, b, equal_nan=True):
        return 0.0
    largest = float(np.max(np.abs(a.astype(np.float64) - b)))
    return largest if np.isfinite(largest) else None
