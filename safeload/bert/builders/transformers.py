"""Build a BERT with transformers on torch, fill every parameter once, and verify the result."""

from __future__ import annotations

import importlib
from functools import partial
from typing import TYPE_CHECKING, Any

from safeload._frameworks.transformers import require_transformers
from safeload._text.words import reason_of
from safeload.bert._config import unusable
from safeload.bert._parameters import POOLER
from safeload.bert.builders import Made
from safeload.bert.builders.transformers_config import config_of
from safeload.bert.builders.transformers_names import parameters_of, torch_name
from safeload.errors import BackendError, SafeLoadError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from safeload._frameworks.transformers import Transformers
    from safeload._model_kind import Checked, Stored
    from safeload._naming import Naming
    from safeload.bert._arguments import BuildOptions
    from safeload.bert._config import BertConfig
    from safeload.bert._model import Listed
    from safeload.report import TensorSpec


def listed(model_class: Any) -> Listed:  # noqa: ANN401  (a class of transformers)
    """Return what lists the parameters of the caller's class."""

    def parameters(config: BertConfig, naming: Naming, stored: Stored) -> Mapping[str, TensorSpec]:
        backend, builders = _imported()
        theirs = config_of(model_class.config_class, config, {}, is_whole=True)
        described = builders[0].describe(backend.bert, model_class, theirs, config.path)
        return parameters_of(described, config, naming, stored)

    return parameters


def make(checked: Checked[BertConfig], options: BuildOptions, vocabulary: Mapping[str, int]) -> Made:
    """Build the model of checked values, which are emptied.

    Raises:
        MissingDependencyError: torch or transformers is missing, of another version, or does not work.
        ArgumentError: The device is not there, the type is too small for the values, or the class cannot be built.
        ConfigError: transformers does not accept the config.
        BackendError: transformers failed, or the model does not hold the values.

    Source:
        transformers/modeling_utils.py, PreTrainedModel.from_pretrained, transformers 4.57 and 5.24.
    """
    config = checked.config
    with checked.clock.step("import"):
        backend, (building, filling) = _imported()
        target = filling.target_of(options.torch)
    try:
        with checked.clock.step("build"):
            model, prefix = _built(backend, building, checked, options, vocabulary)
        with checked.clock.step("fill"):
            is_own = options.torch.model_class is not None
            initialised = filling.fill(model, checked.values, prefix, target, config.path, is_own=is_own)
    except SafeLoadError:
        raise
    except Exception as exc:
        message = f"transformers could not build the model: {type(exc).__name__}: {reason_of(exc)}"
        hints = ["the exception above is the cause"]
        raise BackendError(message, resolved=config.path, label="config", hints=hints) from exc
    return Made(model, initialised, backend.versions)


def _built(
    backend: Transformers,
    building: Any,  # noqa: ANN401  (a module)
    checked: Checked[BertConfig],
    options: BuildOptions,
    vocabulary: Mapping[str, int],
) -> tuple[Any, str]:
    """Return a model of which what the values fill has no memory, and the prefix of the names of its encoder."""
    bert, config, model_class = backend.bert, checked.config, options.torch.model_class
    _require_activation(backend, config)
    if model_class is not None:
        theirs = config_of(model_class.config_class, config, vocabulary, is_whole=True)
        prefix = building.prefix_of(bert, model_class)
        names = {torch_name(parameter, prefix) for parameter in checked.values}
        return building.build(bert, model_class, theirs, names, config.path), prefix
    theirs = config_of(backend.config_class, config, vocabulary, is_whole=False)
    if options.training:
        return building.light(bert, partial(bert.BertForPreTraining, theirs)), "bert."
    has_pooler = f"{POOLER}/kernel" in checked.values
    return building.light(bert, partial(bert.BertModel, theirs, add_pooling_layer=has_pooler)), ""


def _require_activation(backend: Transformers, config: BertConfig) -> None:
    """Require that this transformers has the activation.

    Raises:
        ConfigError: An earlier version than the one that wrote the config is installed.
    """
    if config.hidden_act not in backend.bert.ACT2FN:
        found = f"transformers {backend.versions['transformers']} has no {config.hidden_act}"
        raise unusable(config, "hidden_act", found, ["install a newer transformers"])


def _imported() -> tuple[Transformers, tuple[Any, Any]]:
    """Import torch and transformers, and the modules that need them at their top."""
    backend = require_transformers()
    names = ("transformers_build", "transformers_fill")
    building, filling = (importlib.import_module(f"{__package__}.{name}") for name in names)
    return backend, (building, filling)
