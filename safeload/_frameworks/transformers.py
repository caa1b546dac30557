"""Import torch and transformers within the versions that a BERT is built with."""

from __future__ import annotations

import importlib.util
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from safeload._frameworks.packages import (
    REQUIREMENTS,
    Requirement,
    import_installed,
    newest_install,
    one_at_a_time,
    required_version,
    version_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

_EXTRA = "transformers"


class Transformers(NamedTuple):
    """The modules that a BERT in torch is built with.

    Attributes:
        torch: torch.
        bert: `transformers.models.bert.modeling_bert`.
        config_class: `transformers.BertConfig`.
        versions: Package -> version.
    """

    torch: Any
    bert: Any
    config_class: Any
    versions: dict[str, str]


@one_at_a_time
def require_transformers() -> Transformers:
    """Import torch and the BERT of transformers.

    Raises:
        MissingDependencyError: One is missing, of a version that is not supported, or cannot be imported.
    """
    versions = {each.package: _require_version(each) for each in REQUIREMENTS[_EXTRA]}
    torch = _imported("torch")
    with _without_tensorflow(_imported("transformers.utils.import_utils")):
        bert = _imported("transformers.models.bert.modeling_bert")
    return Transformers(torch, bert, bert.BertConfig, versions)


def _imported(name: str) -> Any:  # noqa: ANN401  (a module)
    package = name.partition(".")[0]
    wanted = next(each.versions for each in REQUIREMENTS[_EXTRA] if each.package == package)
    return import_installed(name, package=package, wanted=wanted, install=newest_install(_EXTRA))


@contextmanager
def _without_tensorflow(utils: Any) -> Iterator[None]:  # noqa: ANN401  (a module)
    """Keep transformers from importing a TensorFlow that nobody has imported yet.

    transformers 4 imports it for its tools for images, wherever it is installed: seconds, and the wrong Keras for keras-bert.

    Source:
        transformers/image_transforms.py and utils/import_utils.py, is_tf_available, transformers 4.57.
    """
    found = getattr(utils, "_tf_available", False)
    if not found or "tensorflow" in sys.modules:
        yield
        return
    utils._tf_available = False  # noqa: SLF001  (its own switch is read once a process, for all who use it)
    try:
        yield
    finally:
        utils._tf_available = found  # noqa: SLF001


def _require_version(requirement: Requirement) -> str:
    found = version_of(requirement.package) if importlib.util.find_spec(requirement.package) else None
    return required_version(requirement, found, _EXTRA, does="builds")
