"""Write hints for a checkpoint that does not fit its config."""

from __future__ import annotations

import glob
import os
import re
from typing import TYPE_CHECKING

from safeload._compare import size_claims, size_hint
from safeload._json import read_json_object
from safeload._published import published_bert
from safeload._text.words import N_NAME_CHARS
from safeload.bert._config import CONFIG_NAMES
from safeload.bert._parameters import FIRST_VARIABLE, POSITIONS
from safeload.bert._runtimes import KERAS_BERT, RUNTIMES
from safeload.errors import SafeLoadError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from safeload._bytes.files import FileRef
    from safeload._model_kind import Mismatch
    from safeload.bert._config import BertConfig
    from safeload.bert._runtimes import Runtime
    from safeload.report import Problem, TensorSpec

_IN_LAYER = re.compile(r"bert/encoder/layer_(\d{1,9})/(?!.*/LayerNorm/)")
UNITS_PER_HEAD = 64
_NUMBER = re.compile(r"(?<!layer)_[0-9]+(?=/|$)")
_KERAS_NORM = re.compile(r"(?:.*/)?layer_normalization(?:_\d+)?/(?:gamma|beta)$")
_DECODERS = ("cls.predictions.decoder.weight", "cls.predictions.decoder.bias")
_HEADS = (
    ("pooler", "bert/pooler/"),
    ("MLM head", "cls/predictions/"),
    ("NSP head", "cls/seq_relationship/"),
)


def hints(mismatch: Mismatch[BertConfig], n_tokens: int | None, runtime: Runtime) -> list[str]:
    """Return hints for a checkpoint that does not fit its config.

    Args:
        mismatch: The comparison.
        n_tokens: The number of tokens in the vocabulary; None without one.
        runtime: The library that the model is built with.
    """
    problems, found, title = mismatch.problems, mismatch.found, mismatch.weights.title
    if not found:
        return [f"the {title} is empty: it contains no {mismatch.weights.noun}s; save or copy it again"]
    missing = [problem.name for problem in problems if problem.kind == "missing"]
    if len(missing) == len(problems) and not any(name.startswith("bert/") for name in found):
        return [f"the {title} contains no BERT {mismatch.weights.noun}s; pass the file of the BERT itself"]
    layers = _layer_hints(mismatch)
    return [
        *_config_hints(mismatch),
        *_size_hints(mismatch, n_tokens, runtime),
        *layers,
        *_release_hints(mismatch),
        *_type_hints(problems, title),
        *_head_hints(missing, problems, mismatch, runtime),
        *_name_hints(missing, found, title),
        *([] if layers else _decoder_hints(mismatch) + _unexpected_hints(problems)),
    ]


def _config_hints(mismatch: Mismatch[BertConfig]) -> list[str]:
    """Return the hint to pass the config in the folder of the weights, if another one was passed and that one fits."""
    sizes = {key: size for key, size in sizes_of(mismatch.found).items() if size}
    for name in CONFIG_NAMES:
        beside = mismatch.weights.ref.folder().inside(name, "config")
        if beside.path != mismatch.config.path and beside.is_file() and sizes.items() <= _contents(beside).items():
            return [f"the config in the folder of the {mismatch.weights.title} fits it; pass {beside.path}"]
    return []


def _contents(config: FileRef) -> dict[str, object]:
    """Return the keys of a config that was not asked for; nothing if it cannot be read."""
    try:
        raw = read_json_object(config)
    except SafeLoadError:
        return {}
    return {key: value for key, value in raw.items() if isinstance(value, int)}


def _size_hints(mismatch: Mismatch[BertConfig], n_tokens: int | None, runtime: Runtime) -> list[str]:
    """Return a hint for each config key whose size differs from the checkpoint wherever it occurs."""
    config, claims, title = mismatch.config, size_claims(mismatch.expected, mismatch.found), mismatch.weights.title
    hints = []
    for key, (wanted, size) in claims.items():
        if key == "type_vocab_size" and runtime.segments is not None:
            hints.append(f"the {title} has {size} segments; {runtime.id} always builds {wanted}")
        else:
            hints.append(size_hint(key, wanted, size, config="config", weights=title, path=config.path))
    rows = claims.get("vocab_size", (0, 0))[1]
    if rows and n_tokens == rows:
        hints.append(f"the vocabulary agrees with the {title}: {rows:,} tokens; the config differs from both")
    elif rows and n_tokens == config.vocab_size:
        hints.append(f"the vocabulary agrees with the config: {n_tokens:,} tokens; the {title} differs from both")
    elif rows and n_tokens is not None:
        hints.append(f"the vocabulary has {n_tokens:,} tokens: no two of config, {title} and vocabulary agree")
    is_proven = any("num_attention_heads" in spec.size_keys for spec in mismatch.expected.values())
    hidden = 0 if is_proven else claims.get("hidden_size", (0, 0))[1]
    if hidden and hidden % UNITS_PER_HEAD == 0 and hidden // UNITS_PER_HEAD != config.num_attention_heads:
        hints.append(
            f'published BERTs have a head for every 64 units: set "num_attention_heads": {hidden // UNITS_PER_HEAD} too'
        )
    elif hidden and hidden % config.num_attention_heads:
        hints.append(f"num_attention_heads, {config.num_attention_heads} in the config, must divide {hidden}")
    positions, rows = claims.get("max_position_embeddings", (0, 0))
    if rows < positions and len(mismatch.problems) == 1 and runtime is KERAS_BERT:
        hints.append(f"or pass seq_len={rows} or less to safeload.load_bert, for inputs of that length")
    return hints


def _release_hints(mismatch: Mismatch[BertConfig]) -> list[str]:
    """Return hints that name the published model whose sizes the checkpoint or the config has."""
    stored = sizes_of(mismatch.found)
    config = {key: getattr(mismatch.config, key) for key in stored}
    if stored == config:
        return []
    names = {mismatch.weights.title: published_bert(stored), "config": published_bert(config)}
    return [
        f"the {what} has the sizes of {name}; take both files from that release" for what, name in names.items() if name
    ]


def sizes_of(found: Mapping[str, TensorSpec]) -> dict[str, int]:
    """Return the sizes of a checkpoint by config key; 0 if the variable that has it is missing."""

    def size(name: str, axis: int) -> int:
        shape = found[name].shape if name in found else ()
        return shape[axis] if len(shape) == 2 else 0  # noqa: PLR2004  (a table or a kernel)

    return {
        "vocab_size": size(FIRST_VARIABLE, 0),
        "hidden_size": size(FIRST_VARIABLE, 1),
        "num_hidden_layers": n_layers_of(found),
        "intermediate_size": size("bert/encoder/layer_0/intermediate/dense/kernel", 1),
        "max_position_embeddings": size(POSITIONS, 0),
    }


def n_layers_of(names: Iterable[str]) -> int:
    """Return the number of encoder layers, from the largest number in a name; LayerNorms do not count.

    Where Keras numbers them through the model, that of a head may be taken for one of a layer.
    """
    found = (_IN_LAYER.match(name) for name in names)
    return max((int(match[1]) + 1 for match in found if match), default=0)


def _layer_hints(mismatch: Mismatch[BertConfig]) -> list[str]:
    config, size, title = mismatch.config, n_layers_of(mismatch.found), mismatch.weights.title
    if not size or size == config.num_hidden_layers:
        return []
    wanted = config.num_hidden_layers
    return [size_hint("num_hidden_layers", wanted, size, config="config", weights=title, path=config.path)]


def _type_hints(problems: Iterable[Problem], title: str) -> list[str]:
    stored = {problem.found.dtype for problem in problems if problem.kind == "dtype" and problem.found}
    if not stored:
        return []
    return [f"the {title} stores {', '.join(sorted(stored))}; save it in float32, float16 or bfloat16"]


def _head_hints(
    missing: Collection[str], problems: Collection[Problem], mismatch: Mismatch[BertConfig], runtime: Runtime
) -> list[str]:
    """Return the hint that training=False or another backend helps, if whole heads are missing and nothing else is wrong."""
    heads = {head: [name for name in mismatch.expected if name.startswith(start)] for head, start in _HEADS}
    lost = [head for head, names in heads.items() if names and set(names) <= set(missing)]
    if not lost or len(problems) != sum(len(heads[head]) for head in lost):
        return []
    if runtime.pooler == "always":
        others = " or ".join(f"backend={each.id!r}" for each in RUNTIMES.values() if each.pooler != "always")
        return [
            f"the {mismatch.weights.title} has no pooler, and a model of {runtime.id} always has one: pass {others}"
        ]
    stored = [head for head in heads if head not in lost]
    lacks = " and ".join(f"no {head}" for head in lost)
    has = f"the {' and '.join(stored)}, but {lacks}" if stored else lacks
    return [f"the {mismatch.weights.title} has {has}; training=True needs all three: load it with training=False"]


def _name_hints(missing: Collection[str], found: Collection[str], title: str) -> list[str]:
    norms = [name for name in found if _KERAS_NORM.match(name)]
    lost = {name.rpartition("/")[0] for name in missing if "LayerNorm/" in name}
    if norms and lost:
        what = f"the {title} has {min(norms)} where BERT has LayerNorm"
        return [f"{what}: it was saved with Keras's LayerNormalization; save it again with the names {min(lost)}, ..."]
    unnumbered = {_NUMBER.sub("", name) for name in found} - set(found)
    if any(name in unnumbered for name in missing):
        return [f"names in the {title} end in a number (_1, _2): the graph was built twice before it was saved"]
    return []


def _decoder_hints(mismatch: Mismatch[BertConfig]) -> list[str]:
    """Return the hint for an MLM head whose decoder has values of its own: what loads these, and what the next hint builds.

    Source:
        transformers/modeling_utils.py, PreTrainedModel.tie_weights, transformers 4.57 and 5.24.
    """
    if not any(problem.name.endswith(_DECODERS) and problem.name in mismatch.faults for problem in mismatch.problems):
        return []
    name = "BertForPreTraining" if any("seq_relationship" in each for each in mismatch.found) else "BertForMaskedLM"
    config = mismatch.config
    is_said = config.raw.get("tie_word_embeddings") is False
    also = "" if is_said else f', and set "tie_word_embeddings": false in {config.path}'
    call = f"safeload.load_bert with model_class=transformers.{name}, of the backend transformers{also}"
    return [f"the decoder has values of its own: to load them, call {call}; ignore_unused ties it to the embeddings"]


def _unexpected_hints(problems: Collection[Problem]) -> list[str]:
    """Return the hint to allow extra variables, if nothing else is wrong."""
    names = [problem.name for problem in problems if problem.kind == "unexpected"]
    if not names or len(names) < len(problems):
        return []
    common = os.path.commonprefix(names)  # noqa: RUF071  (names in torch have dots)
    shared = common[: max(common.rfind("/"), common.rfind(".")) + 1]
    start = shared if len(names) > 1 else common[:N_NAME_CHARS]
    if not start:
        return []
    pattern = f"{glob.escape(start)}{'*' * (start != names[0])}"
    return [f"to allow extra variables, call safeload.load_bert with ignore_unused=[{pattern!r}]"]
