"""Build a BERT: one module per runtime, with `make`, and `listed` where a class of the caller's can be built."""

from __future__ import annotations

import importlib
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from safeload.bert._runtimes import Runtime


class Made(NamedTuple):
    """A model that was built and filled.

    Attributes:
        model: The model.
        initialised: The variables of the model that no weights have, which keep their initial values.
        versions: Package -> version.
    """

    model: Any
    initialised: tuple[str, ...] = ()
    versions: Mapping[str, str] = MappingProxyType({})


def builder_of(runtime: Runtime) -> Any:  # noqa: ANN401  (a module)
    """Return the module that builds for a runtime; importing it imports no framework."""
    return importlib.import_module(f"safeload.bert.builders.{runtime.id.replace('-', '_')}")
