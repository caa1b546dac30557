"""The variables that keras-bert reads, from a `BertConfig`; and what the others in a checkpoint are."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from safeload.bert._config import SEGMENTS, BertConfig
from safeload.report import TensorSpec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from safeload._formats.index_file import Entry

FIRST_VARIABLE = "bert/embeddings/word_embeddings"
POSITIONS = "bert/embeddings/position_embeddings"

_Sizes = tuple[tuple[str, int], ...]


@dataclass(frozen=True, kw_only=True)
class BertVariable:
    """A variable that keras-bert reads, and where it goes.

    Attributes:
        spec: Its name, shape and dtype in the checkpoint.
        graph_name: Its name in the model graph, without the output number.
        change: What happens to the values on the way: "rows" are the first rows that fit, "transposed" is `.T`.
    """

    spec: TensorSpec
    graph_name: str
    change: Literal["", "rows", "transposed"] = ""


def list_variables(config: BertConfig, *, training: bool) -> dict[str, BertVariable]:
    """List the variables that keras-bert will read.

    Args:
        config: Validated `bert_config.json`; sizes are counts of units, not bytes.
        training: If true, the pooler and the `cls/` heads are read too.

    Returns:
        Checkpoint name -> variable; `bert/embeddings/word_embeddings` is `(vocab_size, hidden_size)`, float32.

    Source:
        keras_bert/loader.py, load_model_weights_from_checkpoint, keras-bert 0.89.0.
    """
    rows = list(_embeddings(config))
    for number in range(config.num_hidden_layers):
        rows += _encoder(config, number)
    if training:
        rows += _heads(config)
    return {row.spec.name: row for row in rows}


def with_positions_of(config: BertConfig, found: Mapping[str, Entry]) -> BertConfig:
    """Return `config` with the checkpoint's number of positions, where that is larger."""
    sizes = [entry.shape[0] for name, entry in found.items() if name.endswith(POSITIONS) and entry.shape]
    return dataclasses.replace(config, max_position_embeddings=max([config.max_position_embeddings, *sizes]))


def _variable(
    name: str, graph_name: str, *sizes: tuple[str, int], change: Literal["", "rows", "transposed"] = ""
) -> BertVariable:
    keys, shape = zip(*sizes, strict=True)
    spec = TensorSpec(name=name, shape=shape, dtype="float32", size_keys=keys)
    return BertVariable(spec=spec, graph_name=graph_name, change=change)


def _hidden(config: BertConfig) -> tuple[str, int]:
    return ("hidden_size", config.hidden_size)


def _norm(config: BertConfig, name: str, layer: str) -> Iterator[BertVariable]:
    for part in ("gamma", "beta"):
        yield _variable(f"{name}/{part}", f"{layer}/{part}", _hidden(config))


def _embeddings(config: BertConfig) -> Iterator[BertVariable]:
    hidden = _hidden(config)
    vocab = ("vocab_size", config.vocab_size)
    positions = ("max_position_embeddings", config.max_position_embeddings)
    yield _variable(FIRST_VARIABLE, "Embedding-Token/embeddings", vocab, hidden)
    yield _variable(POSITIONS, "Embedding-Position/embeddings", positions, hidden, change="rows")
    yield _variable(
        "bert/embeddings/token_type_embeddings", "Embedding-Segment/embeddings", ("type_vocab_size", SEGMENTS), hidden
    )
    yield from _norm(config, "bert/embeddings/LayerNorm", "Embedding-Norm")


def _encoder(config: BertConfig, number: int) -> Iterator[BertVariable]:
    hidden = _hidden(config)
    wide = ("intermediate_size", config.intermediate_size)
    name = f"bert/encoder/layer_{number}"
    attention = f"Encoder-{number + 1}-MultiHeadSelfAttention"
    feed = f"Encoder-{number + 1}-FeedForward"
    for part, letter in (("self/query", "q"), ("self/key", "k"), ("self/value", "v"), ("output/dense", "o")):
        path = f"{name}/attention/{part}"
        yield _variable(f"{path}/kernel", f"{attention}/{attention}_W{letter}", hidden, hidden)
        yield _variable(f"{path}/bias", f"{attention}/{attention}_b{letter}", hidden)
    yield from _norm(config, f"{name}/attention/output/LayerNorm", f"{attention}-Norm")
    yield _variable(f"{name}/intermediate/dense/kernel", f"{feed}/{feed}_W1", hidden, wide)
    yield _variable(f"{name}/intermediate/dense/bias", f"{feed}/{feed}_b1", wide)
    yield _variable(f"{name}/output/dense/kernel", f"{feed}/{feed}_W2", wide, hidden)
    yield _variable(f"{name}/output/dense/bias", f"{feed}/{feed}_b2", hidden)
    yield from _norm(config, f"{name}/output/LayerNorm", f"{feed}-Norm")


def _heads(config: BertConfig) -> Iterator[BertVariable]:
    hidden = _hidden(config)
    yield _variable("cls/predictions/transform/dense/kernel", "MLM-Dense/kernel", hidden, hidden)
    yield _variable("cls/predictions/transform/dense/bias", "MLM-Dense/bias", hidden)
    yield from _norm(config, "cls/predictions/transform/LayerNorm", "MLM-Norm")
    yield _variable("cls/predictions/output_bias", "MLM-Sim/bias", ("vocab_size", config.vocab_size))
    yield _variable("bert/pooler/dense/kernel", "NSP-Dense/kernel", hidden, hidden)
    yield _variable("bert/pooler/dense/bias", "NSP-Dense/bias", hidden)
    yield _variable("cls/seq_relationship/output_weights", "NSP/kernel", ("", 2), hidden, change="transposed")
    yield _variable("cls/seq_relationship/output_bias", "NSP/bias", ("", 2))


_UNUSED = (
    ("optimizer slots", re.compile(r".*/(adam_[mv]|Adam(_1)?|LAMB(_1)?|lamb_[mv]|Momentum|Adagrad|Ftrl(_1)?)$")),
    ("optimizer state", re.compile(r"(beta[12]_power|.*/loss_scale|loss_scale|current_loss_scale|good_steps)(:0)?$")),
    ("steps", re.compile(r"(.*/)?global_step$")),
    ("pooler", re.compile(r"bert/pooler/dense/(kernel|bias)$")),
    ("heads", re.compile(r"cls/(predictions|seq_relationship)/.*")),
)


def sort_unused(names: Iterable[str]) -> tuple[dict[str, list[str]], list[str]]:
    """Sort the variables that keras-bert will not read.

    Returns:
        Class -> names of those that BERT, its training or a task on top of it explains; and the unexpected: encoder
        layers beyond the config, unknown names under `bert/`.
    """
    unused: dict[str, list[str]] = {}
    unexpected = []
    for name in names:
        known = next((what for what, pattern in _UNUSED if pattern.match(name)), None)
        if known is None and name.startswith("bert/"):
            unexpected.append(name)
        else:
            unused.setdefault(known or "task heads", []).append(name)
    return unused, unexpected


def find_scope(names: Mapping[str, object]) -> list[str]:
    """Return what stands before `bert/` in the names: `[""]` as published, `["module/"]` in a TF-Hub export."""
    return sorted({name.removesuffix(FIRST_VARIABLE) for name in names if name.endswith(FIRST_VARIABLE)})


_ARCHITECTURES = (
    ("a TensorFlow 2 object-based checkpoint", r"_CHECKPOINTABLE_OBJECT_GRAPH$|.*/\.ATTRIBUTES/VARIABLE_VALUE$",
     "export it by variable names with tf.compat.v1.train.Saver, or load it with tf.train.Checkpoint"),
    ("ALBERT", r".*(encoder/transformer/group_0|embedding_hidden_mapping_in)/", "load it with a library for ALBERT"),
    ("ELECTRA", r"(electra|discriminator|generator|discriminator_predictions)/", "load it with a library for ELECTRA"),
    ("RoBERTa", r"(.*/)?roberta/", "load it with a library for RoBERTa"),
    ("a checkpoint that Keras saved by layer names", r"(Embedding-Token|Embedding-Position|Encoder-\d+-.*)/",
     "load it with model.load_weights, or save it again with keras_bert's variable names"),
    ("a PyTorch model's names", r".*\.(weight|bias)$", "convert the model to BERT's own variable names"),
)  # fmt: skip


def recognise(names: Iterable[str]) -> tuple[str, str] | None:
    """Return what a checkpoint without BERT's variables is, and what to do about it; None where nothing is known."""
    listed = list(names)
    for what, pattern, hint in _ARCHITECTURES:
        if any(re.match(pattern, name) for name in listed):
            return what, hint
    return None


def is_nezha(names: Mapping[str, object], scope: str) -> bool:
    """Tell whether BERT's variables are there but for the table of absolute positions."""
    return (
        scope + FIRST_VARIABLE in names
        and scope + POSITIONS not in names
        and any(name.startswith(scope + "bert/encoder/layer_0/") for name in names)
    )
