"""List the parameters of a BERT from its config: Google's names, shapes, and the config keys of the sizes."""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING

from safeload._compare import NUMBER
from safeload._suspicion import Marks
from safeload.bert._config import BertConfig
from safeload.bert._runtimes import LEARNED
from safeload.report import TensorSpec

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from safeload._forms.weight_file import StoredTensor
    from safeload._naming import Naming

FIRST_VARIABLE = "bert/embeddings/word_embeddings"
POSITIONS = "bert/embeddings/position_embeddings"
POOLER = "bert/pooler/dense"
HEAD = "cls/predictions/output_bias"
"""A parameter of the heads, which a load without them does not read."""

_IN_LAYER = "bert/encoder/layer_{}/attention/self/query/kernel"
_LAYER = re.compile(rf"bert/encoder/layer_{NUMBER}/")
_MLM_TRANSFORM = "cls/predictions/transform"
MARKS = Marks(
    norms=("/gamma", "/beta"),
    tables=(FIRST_VARIABLE, POSITIONS),
    heads={
        "MLM head": {
            HEAD: 0,
            f"{_MLM_TRANSFORM}/dense/bias": 0,
            f"{_MLM_TRANSFORM}/LayerNorm/gamma": 1,
            f"{_MLM_TRANSFORM}/LayerNorm/beta": 0,
        }
    },
)
"""The initial values are those of google-research/bert, modeling.py and run_pretraining.py, and of keras-bert 0.89.0."""


def list_parameters(config: BertConfig, *, training: bool, pooler: bool = False) -> dict[str, TensorSpec]:
    """List the parameters that a load reads; all are float32.

    Args:
        config: Validated `bert_config.json`; sizes are counts of units, not bytes.
        training: If true, include the pooler and the `cls/` heads.
        pooler: If true, include the pooler.

    Returns:
        Canonical name -> spec; `bert/embeddings/word_embeddings` is `(vocab_size, hidden_size)`.

    Source:
        keras_bert/loader.py, load_model_weights_from_checkpoint, keras-bert 0.89.0.
    """
    specs = list(_embeddings(config))
    for number in range(config.num_hidden_layers):
        specs += _encoder(config, number)
    if training:
        specs += _mlm_head(config)
    if training or pooler:
        specs += _pooler(config)
    if training:
        specs += _nsp_head(config)
    return {spec.name: spec for spec in specs}


def ranks_of_parameters(n_layers: int) -> dict[str, int]:
    """Return the name and number of axes of every parameter of a BERT with this many layers."""
    sizes = dict.fromkeys(("vocab_size", "hidden_size", "num_attention_heads", "intermediate_size"), 1)
    config = BertConfig(
        path="", num_hidden_layers=n_layers, max_position_embeddings=1, hidden_act="", activation="", raw={}, **sizes
    )
    return {name: len(spec.shape) for name, spec in list_parameters(config, training=True).items()}


def template_of(parameter: str) -> tuple[str, str]:
    """Return the name of a parameter with `{}` for the number of its layer, and that number; "" outside the layers."""
    layer = _LAYER.match(parameter)
    if layer is None:
        return parameter, ""
    return f"{parameter[: layer.start(1)]}{{}}{parameter[layer.end(1) :]}", layer[1]


def count_layers(naming: Naming, scope: str, names: Collection[str]) -> int:
    """Return the number of encoder layers in a file with these names."""
    stored = (naming.stored_as(_IN_LAYER.format(number), scope, names)[0] for number in itertools.count())
    return next(number for number, name in enumerate(stored) if name not in names)


def with_positions_of(config: BertConfig, stored: StoredTensor | None, *, least: int | None = None) -> BertConfig:
    """Return `config` with the stored number of positions, if that is larger, or smaller but at least `least`."""
    rows = stored.spec.shape[0] if stored is not None and stored.spec.shape else 0
    positions = config.max_position_embeddings
    if least is None:
        positions = max(positions, rows)
    elif least <= rows < positions:
        positions = rows
    return config._replace(max_position_embeddings=positions)


def _hidden(config: BertConfig) -> tuple[str, int]:
    return ("hidden_size", config.hidden_size)


def _norm(config: BertConfig, name: str) -> Iterator[TensorSpec]:
    for part in ("gamma", "beta"):
        yield TensorSpec.of_sizes(f"{name}/{part}", _hidden(config))


def _activation(config: BertConfig, name: str) -> Iterator[TensorSpec]:
    for part, shape in LEARNED.get(config.activation, {}).items():
        yield TensorSpec(name=f"{name}/activation/{part}", shape=shape, dtype="float32")


def _embeddings(config: BertConfig) -> Iterator[TensorSpec]:
    hidden = _hidden(config)
    yield TensorSpec.of_sizes(FIRST_VARIABLE, ("vocab_size", config.vocab_size), hidden)
    yield TensorSpec.of_sizes(POSITIONS, ("max_position_embeddings", config.max_position_embeddings), hidden)
    yield TensorSpec.of_sizes(
        "bert/embeddings/token_type_embeddings", ("type_vocab_size", config.type_vocab_size), hidden
    )
    yield from _norm(config, "bert/embeddings/LayerNorm")


def _encoder(config: BertConfig, number: int) -> Iterator[TensorSpec]:
    hidden = _hidden(config)
    wide = ("intermediate_size", config.intermediate_size)
    name = f"bert/encoder/layer_{number}"
    for part in ("self/query", "self/key", "self/value", "output/dense"):
        yield TensorSpec.of_sizes(f"{name}/attention/{part}/kernel", hidden, hidden)
        yield TensorSpec.of_sizes(f"{name}/attention/{part}/bias", hidden)
    yield from _norm(config, f"{name}/attention/output/LayerNorm")
    yield TensorSpec.of_sizes(f"{name}/intermediate/dense/kernel", hidden, wide)
    yield TensorSpec.of_sizes(f"{name}/intermediate/dense/bias", wide)
    yield from _activation(config, f"{name}/intermediate")
    yield TensorSpec.of_sizes(f"{name}/output/dense/kernel", wide, hidden)
    yield TensorSpec.of_sizes(f"{name}/output/dense/bias", hidden)
    yield from _norm(config, f"{name}/output/LayerNorm")


def _mlm_head(config: BertConfig) -> Iterator[TensorSpec]:
    hidden = _hidden(config)
    yield TensorSpec.of_sizes(f"{_MLM_TRANSFORM}/dense/kernel", hidden, hidden)
    yield TensorSpec.of_sizes(f"{_MLM_TRANSFORM}/dense/bias", hidden)
    yield from _activation(config, _MLM_TRANSFORM)
    yield from _norm(config, f"{_MLM_TRANSFORM}/LayerNorm")
    yield TensorSpec.of_sizes(HEAD, ("vocab_size", config.vocab_size))


def _pooler(config: BertConfig) -> Iterator[TensorSpec]:
    hidden = _hidden(config)
    yield TensorSpec.of_sizes(f"{POOLER}/kernel", hidden, hidden)
    yield TensorSpec.of_sizes(f"{POOLER}/bias", hidden)


def _nsp_head(config: BertConfig) -> Iterator[TensorSpec]:
    hidden = _hidden(config)
    yield TensorSpec.of_sizes("cls/seq_relationship/output_weights", ("", 2), hidden)
    yield TensorSpec.of_sizes("cls/seq_relationship/output_bias", ("", 2))
