"""Compare the config that Keras stores with a whole model of keras-bert with the BERT's config.

It is data: no class is looked up, and a Lambda in it is not run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from safeload._json import json_object, shown
from safeload._text.words import two_lines
from safeload.bert._runtimes import GELU, GELU_ERF, GELU_TANH
from safeload.bert.namings._order import names_listed
from safeload.errors import ConfigError, CorruptFileError
from safeload.report import KeyProblem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from safeload._bytes.files import FileRef
    from safeload._forms.weight_file import WeightFile
    from safeload.bert._config import BertConfig

_ACTIVATIONS = {GELU: GELU_TANH, "safeload_gelu_erf": GELU_ERF}
"""What the name of a function means in a model of keras-bert; other names are keras-bert's own."""


def require_agreement(config: BertConfig, weights: WeightFile, *, activation_is_chosen: bool) -> str | None:
    """Require that the heads and the activation of a saved model are those of the config, where the file has them.

    Args:
        config: The config, with the activation that the model will have.
        weights: The weight file.
        activation_is_chosen: Whether the caller chose the activation, whatever the file says.

    Returns:
        The activation of the saved model; None if the file does not say it, or the caller chose one. For a `hidden_act` of
        "gelu" it may be either GELU.

    Raises:
        ConfigError: They differ, or the file's config is no JSON object.
        CorruptFileError: The file lists its layers in another order than its config.
        UnsafeFileError, CorruptFileError, FileSystemError: As `WeightFile.note`.

    Source:
        keras_multi_head/multi_head_attention.py, get_config, 0.29.0; keras_position_wise_feed_forward/feed_forward.py,
        get_config, 0.8.0.
    """
    text = weights.note("", "model_config")
    if text is None:
        return None
    ref = weights.ref.at(weights.ref.path, "weight")
    saved = json_object(text.encode(), ref)
    _require_order(saved, weights)
    layers = list(_layers(saved))
    heads = [shown(each["head_num"]) for name, each in layers if name == "MultiHeadAttention" and "head_num" in each]
    activations = [activation_of(each.get("activation")) for name, each in layers if name == "FeedForward"]
    found = None if activation_is_chosen or not activations else activations[0]
    wanted = found if config.hidden_act == GELU and found in (GELU_ERF, GELU_TANH) else config.activation
    problems = _differences("num_attention_heads", str(config.num_attention_heads), heads)
    problems += [] if found is None else _differences("hidden_act", wanted, activations)
    if problems:
        raise _disagreement(config, ref, problems)
    return found


def _require_order(saved: dict[str, Any], weights: WeightFile) -> None:
    """Require that an `.h5` file lists the layers in the order of its config, by which Keras loads them."""
    listed = names_listed(weights.notes, "model_weights", "layer_names") or []
    inner = saved.get("config")
    layers = inner.get("layers") if isinstance(inner, dict) else None
    settings = [layer.get("config") for layer in layers if isinstance(layer, dict)] if isinstance(layers, list) else []
    names = [name for each in settings if isinstance(each, dict) and isinstance(name := each.get("name"), str)]
    known, stored = set(names), set(listed)
    pairs = zip((name for name in listed if name in known), (name for name in names if name in stored), strict=False)
    wrong = next(((found, wanted) for found, wanted in pairs if found != wanted), None)
    if wrong is not None:
        found, wanted = wrong
        message = "the weight file lists its layers in another order than the config that is saved in it"
        rows = [two_lines("ORDER", found, f"is listed in the place of {wanted}")]
        hints = ["Keras loads this form by order, into other layers; save the model again"]
        raise CorruptFileError(message, **weights.ref.facts, details=rows, hints=hints)


def _differences(key: str, wanted: str, found: list[str]) -> list[KeyProblem]:
    """Return the problem of a key whose value is not that of every layer: at most one, with the first of the others."""
    others = [each for each in found if each != wanted]
    return [KeyProblem(key=key, problem=f"{wanted}, but the saved model has {each}") for each in others[:1]]


def _disagreement(config: BertConfig, ref: FileRef, problems: list[KeyProblem]) -> ConfigError:
    is_of_activation = any(problem.key == "hidden_act" for problem in problems)
    return ConfigError(
        "the BERT config does not fit the model that Keras saved with the weights",
        problems=problems,
        **ref.at(config.path, "config").facts,
        context=[("weight", ref.path)],
        details=[str(problem) for problem in problems],
        hints=[
            "take the config that the model was built with",
            *(["or pass activation to choose on purpose"] if is_of_activation else []),
        ],
    )


def _layers(config: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the class and the settings of each layer of a model, and of the models in it."""
    pending: list[object] = [config]
    while pending:
        layer = pending.pop()
        settings = layer.get("config") if isinstance(layer, dict) else None
        if isinstance(layer, dict) and isinstance(settings, dict):
            yield str(layer.get("class_name")), settings
            inner = settings.get("layers")
            pending += inner if isinstance(inner, list) else []


def activation_of(value: object) -> str:
    """Return the activation that a saved config means, as `BertConfig.activation` names it."""
    if isinstance(value, dict) and isinstance(value.get("config"), str):
        value = value["config"]
    name = value if isinstance(value, str) else f"a function that is not looked up: {shown(value)}"
    return _ACTIVATIONS.get(name, name)
