"""Load a BERT in three ways for a diagnosis: keras-bert's, TensorFlow's and safeload's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from safeload._advice import variables_of
from safeload._bytes.kinds import CHECKPOINT
from safeload._diagnosis import SAFELOAD, Diagnosis, Subject, Way
from safeload._frameworks.tensorflow import require_keras_bert
from safeload._trials import Loaded, Trials, places_of
from safeload.bert._config import read_config
from safeload.bert._parameters import list_parameters
from safeload.bert._places import resolve_config, resolve_others
from safeload.bert._runtimes import GELU, GELU_TANH
from safeload.bert.builders.keras_bert import graph_name
from safeload.bert.builders.keras_targets import changed, target_of
from safeload.bert.namings import NAMINGS, naming_of
from safeload.bert.namings.google import SCOPE

if TYPE_CHECKING:
    from collections.abc import Callable

    from safeload._model_kind import Places, Request
    from safeload._naming import Naming
    from safeload.bert._arguments import BuildOptions
    from safeload.report import LoadReport

N_TOKENS = 16

KERAS_BERT, DIRECT = "keras-bert", "direct"
BERT = Subject(
    call="load_bert",
    packages="TensorFlow, Keras and keras-bert",
    ways=(
        Way(KERAS_BERT, "keras-bert's own loader", "keras-bert"),
        Way(DIRECT, "TensorFlow's reader into keras-bert's graph", "tensorflow"),
        Way(SAFELOAD, "safeload's load", "safeload"),
    ),
    library="keras-bert",
    config_word="config",
)


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
    trials = Trials(BERT)
    report = trials.check(check)
    backend = trials.packages(require_keras_bert, lambda found: found.versions)
    places = places_of(request, resolve_config, resolve_others)
    encoder = _encoder_of(report, places)
    loaders = {
        KERAS_BERT: lambda: _through_keras_bert(backend, places, options),
        DIRECT: lambda: _through_tensorflow(backend, places, options, encoder),
        SAFELOAD: load,
    }
    skipped = _beyond(report, places, encoder)
    if backend is None or places is None:
        why = "TensorFlow and keras-bert do not work here" if backend is None else "no config and weights were found"
        skipped = dict.fromkeys(loaders, why)
    trials.load(
        {name: _loading(loader, backend, options) for name, loader in loaders.items()},
        skipped,
        "variables in the graph",
    )
    return trials.diagnosis(report)


def _loading(loader: Callable[[], Any], backend: Any, options: BuildOptions) -> Callable[[], Loaded]:  # noqa: ANN401
    return lambda: _loaded(backend, loader(), options)


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
    elif not (places.config.is_on_disk() and places.weights.ref.is_on_disk()):
        both = "for files of the disk only, not for those in an archive or at an address"
    elif report is not None and (given := report.taken_from_config["hidden_act"]) != report.activation:
        is_usual = (given, report.activation) == (GELU, GELU_TANH)
        both = "" if is_usual else f"for keras-bert's activations only, not for {given} as {report.activation}"
    if both:
        return {KERAS_BERT: both, DIRECT: both}
    is_other = report is not None and scope != SCOPE
    return {KERAS_BERT: f"for names below {SCOPE} only, not for those below {scope or 'nothing'}"} if is_other else {}


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
