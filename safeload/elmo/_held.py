"""Read an ELMo back from a module or layer in memory."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from safeload.errors import ArgumentError

if TYPE_CHECKING:
    from typing import TypeAlias

    from safeload.elmo.builders.keras_read import KerasElmo
    from safeload.elmo.builders.torch_read import TorchElmo

    Held: TypeAlias = TorchElmo | KerasElmo

HINTS = ("pass what load_elmo returned, AllenNLP's Elmo, or the layer of a Keras model: model.get_layer(...)",)
_NO_ELMO = (AttributeError, KeyError, TypeError, IndexError)
_LAYERS = ("safeload.elmo.builders.keras_layer", "BilmLayer")
_WANTED = "the torch module or the Keras layer of an ELMo"


def held_elmo(module: Any) -> Held:  # noqa: ANN401  (validated here)
    """Return the reader of a module.

    Raises:
        ArgumentError: The module is no ELMo, or has no values yet.
        ConfigError: Its sizes are not those of an ELMo that files can hold.
    """
    try:
        return _reader(module)
    except _NO_ELMO as exc:
        message = f"module must be {_WANTED}, not of type {type(module).__name__}"
        raise ArgumentError(message, argument="module", hints=HINTS) from exc


def is_elmo(module: Any) -> bool:  # noqa: ANN401  (any object)
    """Return whether there is a reader of a module.

    Raises:
        ConfigError: As `held_elmo`.
    """
    try:
        _reader(module)
    except _NO_ELMO:
        return False
    return True


def _reader(module: Any) -> Held:  # noqa: ANN401  (any object)
    layers = sys.modules.get(_LAYERS[0])
    if layers is not None and isinstance(module, getattr(layers, _LAYERS[1])):
        from safeload.elmo.builders.keras_read import KerasElmo  # noqa: PLC0415  (only for a Keras layer)

        return KerasElmo(module)
    from safeload.elmo.builders.torch_read import TorchElmo  # noqa: PLC0415  (only for a torch module)

    return TorchElmo(module)
