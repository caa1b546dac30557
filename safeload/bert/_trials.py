"""Each step of a diagnosis, tried apart from the others: the check, the packages, and three ways to load."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from safeload._files import DISK
from safeload.bert._arguments import build_options
from safeload.bert._backend import require_backend
from safeload.bert._check import resolve, resolve_config
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
from safeload.bert._variables import find_scope, list_variables
from safeload.errors import ArgumentError, InvalidPathError, SafeLoadError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from safeload.bert._arguments import BuildOptions
    from safeload.bert._backend import Backend
    from safeload.bert._check import Places

N_TOKENS = 16
OUTPUT_TOLERANCE = 1e-4
"""Largest difference of outputs between graphs that hold equal values: the order of additions may differ."""


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """What a load left: the values of the graph's variables, and what it makes of one input."""

    values: dict[str, NDArray[Any]]
    outputs: list[NDArray[Any]]


def diagnose(
    check: Callable[[], Any],
    load: Callable[[], Any],
    paths: tuple[object, object, object],
    *,
    base_dir: object,
    training: bool,
    seq_len: int | None,
) -> Diagnosis:
    """Try every step and compare.

    Args:
        check: safeload's check; returns a report.
        load: safeload's load; returns a Keras model.
        paths: The config, checkpoint and vocabulary that the caller passed.
        base_dir: Where relative paths start.
        training: Whether the heads take part.
        seq_len: Tokens of an input, as `load_bert` takes it.

    Raises:
        ArgumentError, InvalidPathError: A bad argument: there is nothing to diagnose.
    """
    options = build_options(training=training, trainable=None, output_layer_num=1, seq_len=seq_len, model_options={})
    trial = _Trial()
    report = trial.run(CHECK, check, lambda found: found.headline())
    backend: Backend | None = trial.run(BACKEND, require_backend, lambda found: _versions(found.versions))
    places = _places(paths, base_dir)
    loaders = {
        KERAS_BERT: lambda: _through_keras_bert(backend, places, options),
        DIRECT: lambda: _through_tensorflow(backend, places, options),
        SAFELOAD: load,
    }
    for name, loader in loaders.items():
        if backend is None:
            trial.skip(name, "TensorFlow and keras-bert do not work here")
        elif places is None:
            trial.skip(name, "no config and checkpoint were found")
        else:
            trial.load(name, loader, backend, options)
    differences = _differences(trial.loaded)
    at_fault, verdict = judge(trial.steps, differences)
    return Diagnosis(
        at_fault=at_fault, verdict=verdict, steps=tuple(trial.steps), differences=tuple(differences), report=report
    )


class _Trial:
    """The steps so far, and what the successful loads left."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.loaded: dict[str, Loaded] = {}

    def run(self, name: str, attempt: Callable[[], Any], finding: Callable[[Any], str]) -> Any:  # noqa: ANN401
        """Return what the attempt returns; None where it raises, which becomes evidence."""
        start = time.perf_counter()
        try:
            found = attempt()
        except (ArgumentError, InvalidPathError):
            raise
        except Exception as exc:  # noqa: BLE001  (whatever keras-bert and TensorFlow raise is evidence)
            text = str(exc) if isinstance(exc, SafeLoadError) else f"{type(exc).__name__}: {exc}"
            self._add(name, "failed", text.split("\n", 1)[0][:300], start, text)
            return None
        self._add(name, "ok", finding(found), start)
        return found

    def load(self, name: str, loader: Callable[[], Any], backend: Backend, options: BuildOptions) -> None:
        """Keep what a load leaves."""
        found = self.run(
            name, lambda: _seen(backend, loader(), options), lambda seen: f"{len(seen.values)} variables in the graph"
        )
        if found is not None:
            self.loaded[name] = found

    def skip(self, name: str, why: str) -> None:
        """Record that a step could not be tried."""
        self._add(name, "skipped", why, time.perf_counter())

    def _add(self, name: str, status: Status, finding: str, start: float, error: str = "") -> None:
        seconds = time.perf_counter() - start
        self.steps.append(Step(name=name, status=status, finding=finding, seconds=seconds, error=error))


def _places(paths: tuple[object, object, object], base_dir: object) -> Places | None:
    """Return where the files lie, lock or no lock: what keras-bert would read."""
    try:
        return resolve(resolve_config(*paths, base_dir), *paths, base_dir, DISK)
    except SafeLoadError:
        return None


def _versions(versions: dict[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def _through_keras_bert(backend: Any, places: Any, options: BuildOptions) -> Any:  # noqa: ANN401  (found above)
    return backend.keras_bert.load_trained_model_from_checkpoint(
        places.config, places.checkpoint.prefix, training=options.training, seq_len=options.seq_len
    )


def _through_tensorflow(backend: Any, places: Any, options: BuildOptions) -> Any:  # noqa: ANN401  (found above)
    """Put what TensorFlow's reader returns into the graph that keras-bert builds; neither's loader takes part."""
    model, _ = backend.keras_bert.loader.build_model_from_config(
        places.config, training=options.training, trainable=options.training, seq_len=options.seq_len
    )
    reader = backend.tf.train.load_checkpoint(places.checkpoint.prefix)
    scope = next(iter(find_scope(reader.get_variable_to_shape_map())), "")
    rows = {
        row.graph_name: row for row in list_variables(read_config(places.config), training=options.training).values()
    }
    for variable in model.weights:
        row = rows.get(_graph_name(variable))
        if row is not None:
            value = reader.get_tensor(scope + row.spec.name)
            value = value.T if row.change == "transposed" else value
            variable.assign(value[: variable.shape[0]] if row.change == "rows" else value)
    return model


def _seen(backend: Any, model: Any, options: BuildOptions) -> Loaded:  # noqa: ANN401  (a Keras model)
    import numpy as np  # noqa: PLC0415  (not for `import safeload`)

    values = {_graph_name(variable): variable.numpy() for variable in model.weights}
    length = model.inputs[0].shape[1] or N_TOKENS
    n_tokens = values["Embedding-Token/embeddings"].shape[0]
    tokens = (np.arange(length, dtype=np.int32) * 7 + 1) % n_tokens
    segments = (np.arange(length, dtype=np.int32) >= length // 2).astype(np.int32)
    inputs = [tokens[None], segments[None]]
    inputs += [np.ones_like(tokens)[None]] * options.training
    outputs = model(inputs, training=False)
    listed = outputs if isinstance(outputs, (list, tuple)) else [outputs]
    return Loaded(values=values, outputs=[backend.tf.convert_to_tensor(each).numpy() for each in listed])


def _graph_name(variable: Any) -> str:  # noqa: ANN401  (a tf.Variable)
    return str(variable.name).rsplit(":", 1)[0]


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
