"""Write tiny real BERTs: config, vocabulary and weights."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from safeload._arguments import as_python, as_python_tree, bad_argument, is_int
from safeload._boundary import typed_errors
from safeload._bytes.files import FileRef
from safeload._bytes.writing import new_files
from safeload.bert._config import validate_config
from safeload.bert._parameters import list_parameters
from safeload.testing._bundle import is_utf8, valid_shards, write_bundle
from safeload.testing._forms import CONFIG_NAME, PREFIX, valid_form, write_form
from safeload.testing._writing import created, random_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from safeload._bytes.paths import StrPath

VOCAB_NAME = "vocab.txt"
TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "bad", "film", "good", "plot")
BERT_CONFIG: dict[str, Any] = {
    "vocab_size": 30,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 32,
    "hidden_act": "gelu",
    "max_position_embeddings": 20,
    "type_vocab_size": 2,
}
_SIZES = (
    "num_hidden_layers",
    "hidden_size",
    "num_attention_heads",
    "intermediate_size",
    "vocab_size",
    "max_position_embeddings",
)
SPREAD = np.float32(0.02)


@typed_errors
def write_bert(  # noqa: PLR0913  (what a test varies)
    folder: StrPath,
    *,
    form: str = "tensorflow",
    layers: int = 2,
    hidden: int = 16,
    attention_heads: int = 4,
    intermediate: int = 32,
    vocab: int = 30,
    positions: int = 20,
    heads: bool = True,
    seed: int = 0,
) -> Path:
    """Write a BERT in any form that safeload reads: its config, `vocab.txt` and the weights.

    No framework is needed. The same arguments give the same values in each form.

    Args:
        folder: The folder to write to; created if missing.
        form: The form of the weights, as in `LoadReport.form`: "tensorflow" for Google's files, "safetensors" for
            Hugging Face's, ... For another naming than the form's usual one, add it: "tensorflow/tf-models".
        layers: As in `write_bert_checkpoint`.
        hidden: As in `write_bert_checkpoint`.
        attention_heads: As in `write_bert_checkpoint`.
        intermediate: As in `write_bert_checkpoint`.
        vocab: As in `write_bert_checkpoint`.
        positions: As in `write_bert_checkpoint`.
        heads: As in `write_bert_checkpoint`.
        seed: As in `write_bert_checkpoint`.

    Returns:
        The folder.

    Raises:
        ArgumentError: `form`, `vocab`, `heads` or `seed` is invalid.
        SafeLoadError: As `write_bert_checkpoint`.
    """
    name = valid_form(form)
    sizes = (layers, hidden, attention_heads, intermediate, vocab, positions)
    config = _config_of(sizes)
    tensors = bert_tensors(config, heads=_flag("heads", heads), seed=seed)
    path = created(folder)
    with new_files(path) as new:
        write_form(new, name, config, tensors)
        _write_vocabulary(new, config)
    return path


@typed_errors
def write_bert_checkpoint(  # noqa: PLR0913  (what a test varies)
    folder: StrPath,
    *,
    layers: int = 2,
    hidden: int = 16,
    attention_heads: int = 4,
    intermediate: int = 32,
    vocab: int = 30,
    positions: int = 20,
    shards: int = 1,
    scope: str = "",
    slots: bool = False,
    heads: bool = True,
    seed: int = 0,
) -> Path:
    """Write a BERT as Google publishes it: `bert_config.json`, `vocab.txt` and `bert_model.ckpt.*`.

    TensorFlow is not needed. The bytes are the same as TensorFlow would write.

    Args:
        folder: The folder to write to; created if missing.
        layers: `num_hidden_layers`.
        hidden: `hidden_size`, a multiple of `attention_heads`.
        attention_heads: `num_attention_heads`.
        intermediate: `intermediate_size`.
        vocab: `vocab_size`, at least 10; also the number of tokens in the vocabulary.
        positions: `max_position_embeddings`.
        shards: Number of data shards.
        scope: Prefix of every variable's name, such as "module/".
        slots: Whether to add the optimizer's variables and the global step, as in a training checkpoint.
        heads: Whether to write the pooler and the MLM and NSP heads.
        seed: Seed of the values, which are normal with standard deviation 0.02, around 1 for gammas and 0 otherwise.

    Returns:
        The folder.

    Raises:
        InvalidPathError: `folder` is invalid.
        ConfigError: The sizes do not describe a BERT.
        ArgumentError: `vocab`, `shards`, `scope`, `slots`, `heads` or `seed` is invalid.
        UnreadableFileError: The folder cannot be created, or this process may not write there.
        FileSystemError: The system cannot write.

    Source:
        google-research/bert, modeling.py, for names and shapes.
    """
    config = _config_of((layers, hidden, attention_heads, intermediate, vocab, positions))
    prefix, n_shards = as_python(scope), valid_shards(shards)
    if not isinstance(prefix, str) or not is_utf8(prefix):
        raise bad_argument("scope", scope, "text that UTF-8 can encode", ["it ends in a slash, such as 'module/'"])
    with_slots = _flag("slots", slots)
    tensors = bert_tensors(config, heads=_flag("heads", heads), seed=seed)
    named = {prefix + name: value for name, value in tensors.items()}
    if with_slots:
        named |= {f"{name}/adam_{slot}": np.zeros_like(value) for name, value in named.items() for slot in "mv"}
        named["global_step"] = np.array(1000, np.int64)
    path = created(folder)
    with new_files(path) as new:
        (new / CONFIG_NAME).write_text(json.dumps(config, indent=2), encoding="utf-8", newline="\n")
        _write_vocabulary(new, config)
        write_bundle(new / PREFIX, named, n_shards)
    return path


def _config_of(sizes: tuple[int, ...]) -> dict[str, Any]:
    """Return the config for these sizes, in the order of `_SIZES`.

    Raises:
        ArgumentError: The vocabulary would not have the special tokens.
    """
    config: dict[str, Any] = as_python_tree({**BERT_CONFIG, **dict(zip(_SIZES, sizes, strict=True))})
    vocab = config["vocab_size"]
    if is_int(vocab) and vocab < len(TOKENS):
        hints = ["the special tokens and a few words come first"]
        raise bad_argument("vocab", vocab, f"an integer from {len(TOKENS)}", hints)
    return config


def _write_vocabulary(folder: Path, config: Mapping[str, Any]) -> None:
    more = [f"word{number}" for number in range(config["vocab_size"] - len(TOKENS))]
    (folder / VOCAB_NAME).write_text("\n".join([*TOKENS, *more]) + "\n", encoding="utf-8", newline="\n")


def bert_tensors(
    config: Mapping[str, Any] = BERT_CONFIG, *, heads: bool = True, seed: int = 0
) -> dict[str, NDArray[Any]]:
    """Return random values, of a BERT's magnitude, for every variable that keras-bert reads."""
    random = random_of(seed)
    valid = validate_config(dict(config), FileRef(path="the arguments", role="config"))
    read_without_heads = list_parameters(valid, training=False)
    tensors: dict[str, NDArray[Any]] = {}
    for name, spec in list_parameters(valid, training=True).items():
        noise = random.standard_normal(spec.shape, np.float32) * SPREAD
        if heads or name in read_without_heads:
            tensors[name] = noise + np.float32(1) if name.endswith("gamma") else noise
    return tensors


def _flag(argument: str, value: object) -> bool:
    flag = as_python(value)
    if not isinstance(flag, bool):
        raise bad_argument(argument, value, "a bool", ["pass True or False"])
    return flag
