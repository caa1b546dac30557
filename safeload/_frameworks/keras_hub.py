"""Import KerasHub with Keras 3, on the framework that Keras uses in this process."""

from __future__ import annotations

import importlib.util
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from safeload._frameworks.packages import (
    REQUIREMENTS,
    import_installed,
    install,
    is_within,
    missing_dependency,
    one_at_a_time,
    version_of,
)
from safeload.errors import MissingDependencyError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PACKAGE, MODULE = "keras-hub", "keras_hub"
ENGINES = ("tensorflow", "jax", "torch")
"""The frameworks on which Keras 3 computes and trains."""

_REQUIRED = next(each for each in REQUIREMENTS[PACKAGE] if each.package == PACKAGE)
_CHOOSE = "set KERAS_BACKEND to tensorflow, jax or torch in the environment before Python starts"


class KerasHub(NamedTuple):
    """KerasHub and what it runs on.

    Attributes:
        keras: keras, of version 3.
        keras_hub: keras_hub.
        engine: The name of the framework on which Keras computes, one of `ENGINES`.
        framework: Its module.
        versions: Package -> version.
    """

    keras: Any
    keras_hub: Any
    engine: str
    framework: Any
    versions: Mapping[str, str]


@one_at_a_time
def require_keras_hub() -> KerasHub:
    """Import KerasHub, Keras 3 and its framework; tf-keras, if it is in use, stays as it is.

    Raises:
        MissingDependencyError: One of them is missing, too old or too new, or cannot be imported.
    """
    _require_python()
    _require_version()
    keras = _keras()
    engine = str(keras.config.backend())
    if engine not in ENGINES:
        message = f"Keras runs on {engine} in this process, but a model of KerasHub needs {' or '.join(ENGINES)}"
        raise missing_dependency(message, package="keras", wanted=f"on {' or '.join(ENGINES)}", hints=[_CHOOSE])
    with _tf_keras_unresolved():
        keras_hub = import_installed(MODULE, package=PACKAGE, wanted=_REQUIRED.versions, install=install(PACKAGE))
    framework = sys.modules[engine]
    versions = {
        PACKAGE: version_of(PACKAGE) or str(keras_hub.__version__),
        "keras": str(keras.__version__),
        engine: str(framework.__version__),
    }
    return KerasHub(keras=keras, keras_hub=keras_hub, engine=engine, framework=framework, versions=versions)


def _require_python() -> None:
    if sys.version_info[:2] < _REQUIRED.first_python:
        first = ".".join(map(str, _REQUIRED.first_python))
        message = f"{PACKAGE} {_REQUIRED.versions} needs Python {first} or later"
        hints = [f"run it with Python {first} or later, after: pip install '{PACKAGE}{_REQUIRED.versions}'"]
        raise missing_dependency(message, package=PACKAGE, wanted=_REQUIRED.versions, hints=hints)


def _require_version() -> None:
    found = version_of(PACKAGE)
    if importlib.util.find_spec(MODULE) is None:
        message = f"{PACKAGE} is not installed"
        raise missing_dependency(message, package=PACKAGE, wanted=_REQUIRED.versions, hints=[install(PACKAGE)])
    if found is not None and not is_within(found, _REQUIRED.versions):
        message = f"{PACKAGE} {found} is installed, but safeload supports {PACKAGE} {_REQUIRED.versions}"
        raise missing_dependency(message, package=PACKAGE, wanted=_REQUIRED.versions, hints=[install(PACKAGE)])


def _keras() -> Any:  # noqa: ANN401  (a module)
    """Import Keras 3; it imports the framework that it is set to."""
    try:
        keras = import_installed("keras", package="keras", wanted=">=3", install=install(PACKAGE))
    except MissingDependencyError as error:
        cause = error.__cause__
        engine = cause.name if isinstance(cause, ModuleNotFoundError) else None
        if engine not in ENGINES:
            raise
        message = f"Keras is set to run on {engine}, which is not installed"
        hints = [f"pip install {engine}", f"or {_CHOOSE}"]
        raise missing_dependency(message, package=str(engine), wanted="importable", hints=hints) from cause
    if str(keras.__version__).startswith("2."):
        message = f"Keras {keras.__version__} is installed, but {PACKAGE} needs Keras 3"
        raise missing_dependency(message, package="keras", wanted=">=3", hints=[install(PACKAGE)])
    return keras


@contextmanager
def _tf_keras_unresolved() -> Iterator[None]:
    """Leave `tf.keras` unresolved if it is, so that a model of keras-bert can be loaded later in the process.

    KerasHub imports tensorflow-text, whose layers are subclasses of `tf.keras`: without this, that is Keras 3 from then on.

    Source:
        tensorflow/python/util/lazy_loader.py, KerasLazyLoader, TensorFlow 2.21.
    """
    if importlib.util.find_spec("tensorflow") is None:
        yield
        return
    try:
        tf: Any = importlib.import_module("tensorflow")
    except ImportError:  # KerasHub can do without it
        yield
        return
    loader: Any = vars(tf).get("keras")
    state = dict(getattr(loader, "__dict__", {}))
    yield
    if state.get("_tfll_initialized") is False:
        tf.keras = type(loader)(vars(tf), mode=state["_tfll_mode"])
