"""List the runtimes that a BERT is built in, and what each can express, without importing one."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

GELU, GELU_ERF, GELU_TANH = "gelu", "gelu_erf", "gelu_tanh"
"""GELU by the error function, as PyTorch computes it, and by its approximation with tanh, as Google's BERT does."""

LAYER_NORM_EPS, KERAS_BERT_EPS = 1e-12, 1e-14
"""What is added to a LayerNorm's variance: by Google's BERT, and by keras-bert."""

SEGMENTS = 2
DROPOUT = 0.1
DROPOUTS = ("hidden_dropout_prob", "attention_probs_dropout_prob")
"""What BERT drops of its layers' outputs and of the attention, and the keys that say it.

Source:
    google-research/bert, modeling.py, BertConfig.
"""

_GELUS = {
    **dict.fromkeys(("gelu_new", "gelu_pytorch_tanh", "gelu_fast", "gelu_accurate", "gelu_python_tanh"), GELU_TANH),
    "gelu_python": GELU_ERF,
}
ALIASES = {**_GELUS, "silu": "swish"}
"""Activations that transformers calls by other names than keras-bert.

Source:
    transformers/activations.py, ACT2FN, transformers 4.49 and 5.24.
"""


LEARNED: Mapping[str, Mapping[str, tuple[int, ...]]] = MappingProxyType(
    {"prelu": {"weight": (1,)}, "xielu": {"alpha_p": (1,), "alpha_n": (1,), "beta": (), "eps": ()}}
)
"""Activations that have values of their own in each layer: name -> shape.

Source:
    transformers/activations.py, XIELUActivation, transformers 4.57 and 5.24; torch.nn.PReLU.
"""


class Runtime(NamedTuple):
    """A library that a BERT is built with.

    Attributes:
        id: Its name as the argument `backend`.
        cannot: What begins the reason why a model is not built with it.
        words: The values of `hidden_act` that it can build.
        gelus: The forms of GELU that it has.
        segments: The number of segments that it always builds; None for that of the config.
        epsilon: What it always adds to a LayerNorm's variance; None for what the config says.
        pooler: When it has the pooler: with the heads, if the weights have it, or always.
        has_heads: Whether it can build the MLM and NSP heads.
        outputs_first: Whether it keeps a kernel with the outputs first.
        settings: The keys of a config that it reads, besides those of the sizes and the activation.
        one_dropout: Whether it has one number for both of `DROPOUTS`.
    """

    id: str
    cannot: str
    words: tuple[str, ...]
    gelus: tuple[str, ...] = (GELU_ERF, GELU_TANH)
    segments: int | None = None
    epsilon: float | None = None
    pooler: Literal["with heads", "if stored", "always"] = "with heads"
    has_heads: bool = True
    outputs_first: bool = False
    settings: tuple[str, ...] = ()
    one_dropout: bool = False


ACTIVATIONS = (
    "gelu", "relu", "elu", "exponential", "hard_sigmoid", "linear", "selu", "sigmoid", "softplus", "softsign",
    "swish", "tanh",
)  # fmt: skip
"""Activations that keras-bert can build: its own gelu, and those that Keras 2 finds by name."""

KERAS_BERT = Runtime(
    id="keras-bert",
    cannot="keras-bert cannot build",
    words=(*ACTIVATIONS, *ALIASES),
    segments=SEGMENTS,
    epsilon=KERAS_BERT_EPS,
)

TRANSFORMERS = Runtime(
    id="transformers",
    cannot="load_bert does not build with transformers",
    words=(
        "gelu", "relu", "linear", "sigmoid", "swish", "tanh", "gelu_10", "laplace", "leaky_relu", "mish", "quick_gelu",
        "relu2", "relu6", "hardswish", "sqrtsoftplus", *LEARNED, *ALIASES,
    ),
    pooler="if stored",
    outputs_first=True,
    settings=(
        "layer_norm_eps", "hidden_dropout_prob", "attention_probs_dropout_prob", "initializer_range", "pad_token_id",
        "bos_token_id", "eos_token_id", "classifier_dropout", "id2label", "label2id", "num_labels", "problem_type",
    ),
)  # fmt: skip
"""Its words are those of ACT2FN in 5.24; 4.57 lacks the last two before `LEARNED`."""

KERAS_HUB = Runtime(
    id="keras-hub",
    cannot="KerasHub cannot build",
    words=("gelu", *_GELUS),
    gelus=(GELU_TANH,),
    epsilon=LAYER_NORM_EPS,
    pooler="always",
    settings=DROPOUTS,
    has_heads=False,
    one_dropout=True,
)
"""Source: keras_hub/src/models/bert/bert_backbone.py, keras-hub 0.32."""

RUNTIMES = {each.id: each for each in (KERAS_BERT, TRANSFORMERS, KERAS_HUB)}
OTHERS = tuple(name for name in RUNTIMES if name != KERAS_BERT.id)
"""The runtimes that keras-bert is compared with."""


def dropout_rates(raw: Mapping[str, Any]) -> tuple[float, float]:
    """Return what a valid config drops of the layers' outputs, and of the attention."""
    hidden, attention = (DROPOUT if raw.get(key) is None else float(raw[key]) for key in DROPOUTS)
    return hidden, attention
