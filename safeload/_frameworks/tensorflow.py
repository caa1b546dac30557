"""Import TensorFlow with the right Keras: Keras 2 for keras-bert, the process's own for the ELMo layer."""

from __future__ import annotations

import importlib
import importlib.util
import logging
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from safeload._frameworks.packages import import_installed, install, missing_dependency, one_at_a_time, version_of

if TYPE_CHECKING:
    from safeload.errors import MissingDependencyError

logger = logging.getLogger(__name__)

LEGACY = "TF_USE_LEGACY_KERAS"
FIRST_KERAS_3 = (2, 16)
INSTALL_BERT = install("bert")
_TENSORFLOWS = ("tensorflow", "tensorflow-cpu", "tensorflow-macos", "tensorflow-intel", "tf-nightly")
_TENSORFLOW = ">=2.15,<2.22"
_ON_TENSORFLOW = "set KERAS_BACKEND=tensorflow in the environment before Python starts"


@dataclass(frozen=True, kw_only=True)
class KerasBert:
    """TensorFlow, and keras-bert on Keras 2.

    Attributes:
        tf: tensorflow.
        keras_bert: keras_bert, bound to Keras 2.
        versions: Package -> version, including the Keras package.
    """

    tf: Any
    keras_bert: Any
    versions: dict[str, str]


@one_at_a_time
def require_keras_bert() -> KerasBert:
    """Import TensorFlow and keras-bert on Keras 2.

    From TensorFlow 2.16 on, which has Keras 3, `TF_USE_LEGACY_KERAS=1` is set for this process, so that `tf.keras` is
    tf-keras; this works until the first attribute of `tf.keras` is used.

    Raises:
        MissingDependencyError: A package is missing or incompatible, or `tf.keras` is already Keras 3.
    """
    tf_version = next((found for name in _TENSORFLOWS if (found := version_of(name))), None)
    if importlib.util.find_spec("tensorflow") is None:
        raise _missing("tensorflow", _TENSORFLOW, "TensorFlow is not installed")
    if importlib.util.find_spec("keras_bert") is None:
        raise _missing("keras-bert", "==0.89.*", "keras-bert is not installed")
    added = _choose_keras(tf_version or _tensorflow().__version__)
    tf = _tensorflow()
    keras_package = _keras_package(tf, added=added)
    keras_bert = import_installed("keras_bert", package="keras-bert", wanted="importable", install=INSTALL_BERT)
    versions = {
        "tensorflow": tf.__version__,
        keras_package: importlib.import_module(keras_package.replace("-", "_")).__version__,
        "keras-bert": version_of("keras-bert") or "?",
    }
    return KerasBert(tf=tf, keras_bert=keras_bert, versions=versions)


@one_at_a_time
def require_tensorflow() -> Any:  # noqa: ANN401  (a module)
    """Import TensorFlow, whatever its Keras is.

    Raises:
        MissingDependencyError: It is missing or cannot be imported.
    """
    if importlib.util.find_spec("tensorflow") is None:
        raise _missing("tensorflow", _TENSORFLOW, "TensorFlow is not installed")
    return import_installed("tensorflow", package="tensorflow", wanted=_TENSORFLOW, install=INSTALL_BERT)


def _tensorflow() -> Any:  # noqa: ANN401  (a module)
    return import_installed("tensorflow", package="tensorflow", wanted="importable", install=INSTALL_BERT)


def _missing(package: str, wanted: str, message: str) -> MissingDependencyError:
    return missing_dependency(message, package=package, wanted=wanted, hints=[INSTALL_BERT])


def _choose_keras(tf_version: str) -> bool:
    """Make `tf.keras` resolve to Keras 2; return whether the environment variable had to be set."""
    number = tuple(int(part) for part in tf_version.split(".") if part.isdigit())
    asked = os.environ.get(LEGACY)
    legacy = asked in ("1", "true", "True")
    if number < FIRST_KERAS_3 and not legacy:
        return False
    if asked and not legacy:
        message = f"{LEGACY}={asked} selects Keras 3, which keras-bert does not support"
        raise missing_dependency(
            message, package="tf-keras", wanted="==" + _minor(tf_version), hints=[f"unset {LEGACY}, or set it to 1"]
        )
    tf_keras = version_of("tf-keras")
    if tf_keras is None or _minor(tf_keras) != _minor(tf_version):
        why = f"TensorFlow {tf_version} comes with Keras 3" if number >= FIRST_KERAS_3 else f"{LEGACY} is set"
        message = f"{why}; keras-bert needs tf-keras of the same minor version"
        hints = [f"pip install 'tf-keras=={_minor(tf_version)}'"]
        if number < FIRST_KERAS_3:
            hints.append(f"or unset {LEGACY}: TensorFlow {tf_version} includes Keras 2")
        raise missing_dependency(message, package="tf-keras", wanted="==" + _minor(tf_version), hints=hints)
    os.environ[LEGACY] = "1"
    if not legacy:
        logger.info("set %s=1 for this process: TensorFlow %s comes with Keras 3", LEGACY, tf_version)
    return not legacy


def _minor(version: str) -> str:
    return ".".join([*version.split(".")[:2], "*"])


def _keras_package(tf: Any, *, added: bool) -> str:  # noqa: ANN401  (a module)
    """Return the package behind `tf.keras` and make `tensorflow.keras` import the same Keras 2."""
    try:
        package = str(tf.keras.Model.__module__).partition(".")[0].replace("_", "-")
    except ImportError as exc:
        raise _missing("tf-keras", "==" + _minor(tf.__version__), "tf.keras cannot be imported") from exc
    imported = getattr(sys.modules.get("tensorflow.keras"), "Model", None)
    if package == "tf-keras" and (imported is None or imported is tf.keras.Model):
        _redirect_imports_to_tf_keras(tf)
        return package
    if package == "keras" and importlib.import_module("keras").__version__.startswith("2."):
        return package
    if added:
        del os.environ[LEGACY]
    message = "tf.keras is already Keras 3 in this process, but keras-bert needs Keras 2"
    hints = [
        f"set {LEGACY}=1 in the environment before Python starts, or in Python before the first use of tf.keras",
        "or call safeload.load_bert before anything uses tf.keras",
    ]
    raise missing_dependency(message, package="keras", wanted="tf-keras " + _minor(tf.__version__), hints=hints)


def _redirect_imports_to_tf_keras(tf: Any) -> None:  # noqa: ANN401  (a module)
    """Make `from tensorflow.keras import ...` find tf-keras, as if TensorFlow was imported with the variable set.

    The attribute `tf.keras` is resolved on first use, but `tf.__path__` gets the folder of Keras 3 when TensorFlow is
    imported without the variable.
    """
    folder = os.path.dirname(importlib.import_module("tf_keras.api._v2.keras").__path__[0])
    if folder not in tf.__path__:
        tf.__path__.insert(0, folder)


@one_at_a_time
def require_keras() -> Any:  # noqa: ANN401  (a module)
    """Import the Keras that the process uses: `tf.keras`, or tf-keras if only that is imported already.

    Raises:
        MissingDependencyError: TensorFlow or Keras is missing or cannot be imported, or Keras runs on another framework.
    """
    only_tf_keras = "tf_keras" in sys.modules and "keras" not in sys.modules
    tf = require_tensorflow()
    if only_tf_keras:
        return sys.modules["tf_keras"]
    try:
        package = str(tf.keras.Model.__module__).partition(".")[0]
    except ImportError as exc:
        message = "tf.keras cannot be imported"
        wanted = os.environ.get("KERAS_BACKEND", "tensorflow")
        hints = [INSTALL_BERT] if wanted == "tensorflow" else [_ON_TENSORFLOW]  # that framework is not installed
        raise missing_dependency(message, package="keras", wanted="importable", hints=hints) from exc
    keras = importlib.import_module(package)
    framework = keras.config.backend() if hasattr(keras, "config") else "tensorflow"
    if framework != "tensorflow":
        message = f"Keras runs on {framework} in this process, but the layer needs TensorFlow"
        hints = [_ON_TENSORFLOW, "or pass backend='torch'"]
        raise missing_dependency(message, package="keras", wanted="on TensorFlow", hints=hints)
    return keras
