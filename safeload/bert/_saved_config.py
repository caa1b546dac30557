"""Compare the config that Keras stores with a whole model of keras-bert with the BERT's config.

It is data: no class is looked up, and a Lambda in it is not run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from safeload._json import json_object, shown
from safeload.bert._arguments import GELU, GELU_ERF, GELU_TANH
from safeload.errors import ConfigError
from safeload.report import KeyProblem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from safeload._forms.weight_file import WeightFile
    from safeload.bert._config import BertConfig

_ACTIVATIONS = {GELU: GELU_TANH, "safeload_gelu_erf": GELU_ERF}
"""What the name of a function means in a model of keras-bert; other names are keras-bert's own."""


def require_agreement(config: BertConfig, weights: WeightFile, *, activation_is_chosen: bool) -> None:
    """Require that the heads and the activation of a saved model are those of the config, where the file has them.

    Args:
        config: The config, with the activation that the model will have.
        weights: The weight file.
        activation_is_chosen: Whether the caller chose the activation, whatever the file says.

    Raises:
        ConfigError: They differ, or the file's config is no JSON object.
        UnsafeFileError, CorruptFileError, FileSystemError: As `WeightFile.note`.

    Source:
        keras_multi_head/multi_head_attention.py, get_config, 0.29.0; keras_position_wise_feed_forward/feed_forward.py,
        get_config, 0.8.0.
    """
    text = weights.note("", "model_config")
    if text is None:
        return
    ref = weights.ref.at(weights.ref.path, "weight")
    problems: dict[str, KeyProblem] = {}
    for class_name, settings in _layers(json_object(text.encode(), ref)):
        if class_name == "MultiHeadAttention" and settings.get("head_num") != config.num_attention_heads:
            stored = shown(settings.get("head_num"))
            text = f"{config.num_attention_heads}, but the saved model has {stored}"
            problems["num_attention_heads"] = KeyProblem(key="num_attention_heads", problem=text)
        if class_name == "FeedForward" and not activation_is_chosen:
            stored = _activation_of(settings.get("activation"))
            if stored != config.activation:
                text = f"{config.activation}, but the saved model has {stored}"
                problems["hidden_act"] = KeyProblem(key="hidden_act", problem=text)
    if problems:
        message = "the BERT config does not fit the model that Keras saved with the weights"
        hints = ["take the config that the model was built with"]
        hints += ["or pass activation to choose on purpose"] if "hidden_act" in problems else []
        raise ConfigError(
            message,
            problems=list(problems.values()),
            **ref.at(config.path, "config").facts,
            context=[("weight", ref.path)],
            details=[str(problem) for problem in problems.values()],
            hints=hints,
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


def _activation_of(value: object) -> str:
    """Return the activation that a saved config means, as `BertConfig.activation` names it."""
    if isinstance(value, dict) and isinstance(value.get("config"), str):
        value = value["config"]
    name = value if isinstance(value, str) else f"a function that is not looked up: {shown(value)}"
    return _ACTIVATIONS.get(name, name)
