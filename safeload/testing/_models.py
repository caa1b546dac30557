"""Write tiny real models: a BERT's config, vocabulary and checkpoint, an ELMo's options and weights."""

from __future__ import annotations

import errno
import json
import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from safeload._arguments import as_python, as_python_tree, bad_argument, is_int
from safeload._boundary import typed_errors
from safeload._bytes.absent import failed
from safeload._bytes.files import FileRef
from safeload._bytes.paths import resolve_path
from safeload.bert._config import validate_config
from safeload.bert._parameters import list_parameters as bert_parameters
from safeload.elmo._options import validate_options
from safeload.elmo._parameters import CHAR_EMBED
from safeload.elmo._parameters import list_parameters as elmo_parameters
from safeload.errors import UnreadableFileError
from safeload.testing._bundle import is_utf8, valid_shards, write_bundle
from safeload.testing._forms import CONFIG_NAME, PREFIX, valid_form, write_form
from safeload.testing._writing import new_files

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from safeload._bytes.paths import StrPath

VOCAB_NAME = "vocab.txt"
OPTIONS_NAME, WEIGHTS_NAME = "options.json", "weights.hdf5"
TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "bad", "film", "good", "plot")
FILTERS = ((1, 4), (2, 6), (3, 8))
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
ELMO_OPTIONS: dict[str, dict[str, Any]] = {
    "lstm": {
        "use_skip_connections": True,
        "projection_dim": 8,
        "cell_clip": 3,
        "proj_clip": 3,
        "dim": 12,
        "n_layers": 2,
    },
    "char_cnn": {
        "activation": "relu",
        "filters": [list(each) for each in FILTERS],
        "n_highway": 2,
        "embedding": {"dim": 5},
        "n_characters": 262,
        "max_characters_per_token": 50,
    },
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
_IN_THE_WAY = (errno.EEXIST, errno.ENOTDIR, errno.EACCES, errno.EPERM)


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
        form: The form of the weights, as `LoadReport.form` names it: "tensorflow" for Google's files, "safetensors" for
            Hugging Face's, ... With another naming than the form's usual one, both: "tensorflow/tf-models".
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
    path = _created(folder)
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

    TensorFlow is not needed; the bytes are those that it would write.

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
    path = _created(folder)
    with new_files(path) as new:
        (new / CONFIG_NAME).write_text(json.dumps(config, indent=2), encoding="utf-8")
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
    (folder / VOCAB_NAME).write_text("\n".join([*TOKENS, *more]) + "\n", encoding="utf-8")


def bert_tensors(
    config: Mapping[str, Any] = BERT_CONFIG, *, heads: bool = True, seed: int = 0
) -> dict[str, NDArray[Any]]:
    """Return random values, of a BERT's magnitude, for every variable that keras-bert reads."""
    random = _random(seed)
    valid = validate_config(dict(config), FileRef(path="the arguments", role="config"))
    read_without_heads = bert_parameters(valid, training=False)
    tensors: dict[str, NDArray[Any]] = {}
    for name, spec in bert_parameters(valid, training=True).items():
        noise = random.standard_normal(spec.shape, np.float32) * SPREAD
        if heads or name in read_without_heads:
            tensors[name] = noise + np.float32(1) if name.endswith("gamma") else noise
    return tensors


@typed_errors
def write_elmo(  # noqa: PLR0913  (what a test varies)
    folder: StrPath,
    *,
    layers: int = 2,
    dim: int = 12,
    projection: int = 8,
    char_dim: int = 5,
    filters: Sequence[tuple[int, int]] = FILTERS,
    highways: int = 2,
    skip_connections: bool = True,
    seed: int = 0,
) -> Path:
    """Write an ELMo as bilm-tf does: `options.json` and `weights.hdf5`, which AllenNLP can load.

    Args:
        folder: The folder to write to; created if missing.
        layers: `lstm.n_layers`, LSTM layers per direction.
        dim: `lstm.dim`, units of an LSTM's cell.
        projection: `lstm.projection_dim`, units of an LSTM's output.
        char_dim: `char_cnn.embedding.dim`, units of a character's vector.
        filters: `char_cnn.filters`, width and number of each convolution.
        highways: `char_cnn.n_highway`, highway layers.
        skip_connections: `lstm.use_skip_connections`; AllenNLP rejects a model without them.
        seed: Seed of the values, which are normal and divided by the square root of the number of inputs.

    Returns:
        The folder.

    Raises:
        InvalidPathError: `folder` is invalid.
        ConfigError: The sizes do not describe an ELMo.
        ArgumentError: `seed` is not an integer from 0.
        UnreadableFileError: The folder cannot be created, or this process may not write there.
        FileSystemError: The system cannot write.

    Source:
        allenai/bilm-tf, bilm/training.py, dump_weights.
    """
    lstm = {"use_skip_connections": skip_connections, "projection_dim": projection, "dim": dim, "n_layers": layers}
    cnn = {"filters": filters, "n_highway": highways, "embedding": {"dim": char_dim}}
    parts = {"lstm": {**ELMO_OPTIONS["lstm"], **lstm}, "char_cnn": {**ELMO_OPTIONS["char_cnn"], **cnn}}
    options = as_python_tree(parts)
    datasets = elmo_datasets(options, seed=seed)
    path = _created(folder)
    with new_files(path) as new:
        (new / OPTIONS_NAME).write_text(json.dumps(options, indent=2), encoding="utf-8")
        write_weights(new / WEIGHTS_NAME, datasets)
    return path


def elmo_datasets(options: Mapping[str, Any] = ELMO_OPTIONS, *, seed: int = 0) -> dict[str, NDArray[Any]]:
    """Return random values, of an ELMo's magnitude, for every dataset that a biLM reads."""
    random = _random(seed)
    datasets: dict[str, NDArray[Any]] = {}
    valid = validate_options(dict(options), FileRef(path="the arguments", role="options"))
    for name, spec in elmo_parameters(valid).items():
        n_inputs = math.prod(spec.shape[:-1]) if name != CHAR_EMBED else 1
        datasets[name] = random.standard_normal(spec.shape, np.float32) / np.float32(n_inputs**0.5)
    return datasets


def write_weights(path: Path, datasets: Mapping[str, NDArray[Any]]) -> None:
    """Write datasets to an HDF5 file."""
    with h5py.File(path, "w") as file:
        for name, values in datasets.items():
            file[name] = values


def _created(folder: StrPath) -> Path:
    path = Path(resolve_path(folder, argument="folder"))
    try:
        os.makedirs(path, exist_ok=True)
    except OSError as exc:
        if exc.errno not in _IN_THE_WAY:
            raise failed(FileRef(path=str(path), role="folder", given=folder), exc, "write") from exc
        message = f"the folder cannot be created: {exc.strerror}"
        raise UnreadableFileError(message, resolved=str(path), given=folder, label="folder") from exc
    return path


def _flag(argument: str, value: object) -> bool:
    flag = as_python(value)
    if not isinstance(flag, bool):
        raise bad_argument(argument, value, "a bool", ["pass True or False"])
    return flag


def _random(seed: object) -> np.random.Generator:
    number = as_python(seed)
    if not is_int(number) or number < 0:
        raise bad_argument("seed", seed, "an integer from 0", ["the same seed gives the same values"])
    return np.random.default_rng(number)
