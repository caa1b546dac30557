"""Load an ELMo in several ways for a diagnosis: AllenNLP's, a direct read, and safeload's in each backend."""

from __future__ import annotations

import importlib.util
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

from safeload._diagnosis import SAFELOAD, Diagnosis, Subject, Way
from safeload._frameworks.elmo import choose_backend, versions_of
from safeload._trials import Loaded, Trials, places_of
from safeload.elmo import _characters
from safeload.elmo._direct import HDF5, READERS, parameters_of, read_directly
from safeload.elmo._model import options_of
from safeload.elmo._places import resolve_config, resolve_others
from safeload.elmo.builders.keras_read import KerasElmo
from safeload.elmo.namings.allennlp import AllenNlp
from safeload.elmo.namings.hdf5 import Hdf5OneLayer
from safeload.errors import MissingDependencyError, SafeLoadError

if TYPE_CHECKING:
    from collections.abc import Callable

    from safeload._model_kind import Places, Request
    from safeload.elmo._options import ElmoOptions
    from safeload.report import LoadReport

ALLENNLP, DIRECT = "allennlp", "direct"
IN_TORCH, IN_ALLENNLP, IN_KERAS = f"{SAFELOAD}-torch", f"{SAFELOAD}-allennlp", f"{SAFELOAD}-keras"
SENTENCE = ["The", "na\u00efve", "film", "was", "good", "."]


def elmo_subject(form: str = HDF5) -> Subject:
    """Return the ways to load an ELMo from weights of a form."""
    reader = READERS.get(form, READERS[HDF5])
    return Subject(
        call="load_elmo",
        packages="torch, AllenNLP and Keras",
        ways=(
            Way(ALLENNLP, "AllenNLP's own loader", "allennlp", "parameter and output"),
            Way(DIRECT, f"a direct read with {reader.called}", reader.party, "parameter"),
            Way(IN_TORCH, "safeload's load in torch", "safeload"),
            Way(IN_ALLENNLP, "safeload's load in AllenNLP", "safeload"),
            Way(IN_KERAS, "safeload's load in Keras", "safeload"),
        ),
        library="AllenNLP",
        config_word="options",
    )


class Backends(NamedTuple):
    """The backends that work here.

    Attributes:
        versions: Package -> version.
        missing: Backend -> why it cannot be tried.
    """

    versions: dict[str, str]
    missing: dict[str, str]


def diagnose(check: Callable[[], LoadReport], load: Callable[[str], Any], request: Request) -> Diagnosis:
    """Run every step and compare the loads.

    Args:
        check: safeload's check.
        load: safeload's load in a backend; returns a torch module or a Keras layer.
        request: The options and weights that the caller passed.

    Raises:
        ArgumentError, InvalidPathError: An argument is invalid.
    """
    places = places_of(request, resolve_config, resolve_others)
    trials = Trials(elmo_subject(places.weights.form if places else HDF5))
    report = trials.check(check)
    backends: Backends | None = trials.packages(_backends, lambda found: found.versions)
    options = _options(places)
    loaders = {
        ALLENNLP: lambda: _through_allennlp(places),
        DIRECT: lambda: _directly(places, report),
        IN_TORCH: lambda: _of_torch(load("torch")),
        IN_ALLENNLP: lambda: _of_torch(load("allennlp")),
        IN_KERAS: lambda: _of_keras(load("keras"), report),
    }
    if backends is None or places is None:
        why = "torch does not work here" if backends is None else "no options and weights were found"
        skipped = dict.fromkeys(loaders, why)
    else:
        skipped = {**_without(backends), **_beyond(report, places, options)}
    trials.load(loaders, skipped, "parameters")
    return trials.diagnosis(report)


def _backends() -> Backends:
    """Import torch, AllenNLP if it is installed, and Keras where the process uses safeload's layers.

    Otherwise Keras is left alone: an import would choose one for the process, and `load_bert` may need another.

    Raises:
        MissingDependencyError: torch is missing, or one of the two does not work.
    """
    choose_backend("torch")
    versions, missing = versions_of("torch"), {}
    if importlib.util.find_spec("allennlp") is None:
        missing["allennlp"] = "allennlp is not installed"
    else:
        versions |= versions_of(choose_backend("allennlp"))
    if "safeload.elmo.builders.keras" not in sys.modules:
        missing["keras"] = "this process has not imported safeload.keras"
        return Backends(versions, missing)
    try:
        versions |= versions_of(choose_backend("keras"))
    except MissingDependencyError as exc:
        missing["keras"] = exc.message
    return Backends(versions, missing)


def _options(places: Places | None) -> ElmoOptions | None:
    try:
        return options_of(places)[0] if places else None
    except SafeLoadError:
        return None


def _without(backends: Backends) -> dict[str, str]:
    """Return the ways for which a backend is missing, with the reason."""
    needed = {ALLENNLP: "allennlp", IN_ALLENNLP: "allennlp", IN_KERAS: "keras"}
    return {name: backends.missing[backend] for name, backend in needed.items() if backend in backends.missing}


def _beyond(report: LoadReport | None, places: Places, options: ElmoOptions | None) -> dict[str, str]:
    """Return the ways that cannot load this model, with the reason."""
    found, form = {}, places.weights.form
    if options is not None and not options.use_skip_connections:
        found = dict.fromkeys((ALLENNLP, IN_ALLENNLP), "AllenNLP cannot build a biLM without skip connections")
    if report is not None and report.naming == Hdf5OneLayer.id:
        found[ALLENNLP] = "for cells below MultiRNNCell only, which bilm-tf leaves out of a biLM of one layer"
    if form != HDF5:
        found[ALLENNLP] = f"for HDF5 files only, not for the form {form}"
    if form not in READERS:
        found[DIRECT] = f"for HDF5 files and TensorFlow's checkpoints only, not for the form {form}"
    elif form != HDF5 and importlib.util.find_spec("tensorflow") is None:
        found[DIRECT] = "TensorFlow is not installed"
    if not (places.config.is_on_disk() and places.weights.ref.is_on_disk()):
        found |= dict.fromkeys(
            (ALLENNLP, DIRECT), "for files of the disk only, not for those in an archive or at an address"
        )
    return found


def _through_allennlp(places: Any) -> Loaded:  # noqa: ANN401  (found above)
    elmo = importlib.import_module("allennlp.modules.elmo")
    module = elmo.Elmo(places.config.path, places.weights.ref.path, 1)
    return _of_torch(module, elmo.batch_to_ids([SENTENCE]))


def _directly(places: Any, report: LoadReport | None) -> Loaded:  # noqa: ANN401  (found above)
    scope = report.scope if report else None
    weights = places.weights
    return Loaded(read_directly(READERS[weights.form], weights.ref.path, options_of(places)[0], scope))


def _of_torch(module: Any, ids: Any = None) -> Loaded:  # noqa: ANN401  (a torch module and tensor)
    torch = importlib.import_module("torch")
    if ids is None:
        ids = torch.from_numpy(_characters.ids_of([SENTENCE]))
    with torch.no_grad():
        outputs = module.eval()(ids)["elmo_representations"]
    bilm = module._elmo_lstm  # noqa: SLF001  (AllenNLP's name)
    values = {name: parameter.detach().numpy() for name, parameter in bilm.named_parameters()}
    return Loaded(values, [each.numpy() for each in outputs])


def _of_keras(layer: Any, report: LoadReport | None) -> Loaded:  # noqa: ANN401  (a Keras layer)
    import numpy as np  # noqa: PLC0415  (not for `import safeload`)

    held = KerasElmo(layer)
    values = parameters_of(held.options, held.read)
    output = layer(_characters.ids_of([SENTENCE]).astype(np.int32))
    is_of_module = report is not None and report.naming == AllenNlp.id  # whose biases the layer has without the 1
    rounded = [name for name in values if name.endswith(".state_linearity.bias")] if is_of_module else []
    return Loaded(values, [np.asarray(output)], rounded)
