"""Replace keras-bert: what reads files has safeload's checks; every other name is keras-bert's own.

`from keras_bert import load_trained_model_from_checkpoint, Tokenizer` becomes
`from safeload.compat.keras_bert import load_trained_model_from_checkpoint, Tokenizer`. The import of this module imports
no framework; the first use of a name that is keras-bert's own does.

Source:
    keras_bert/loader.py, keras_bert/util.py, keras-bert 0.89.0.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from safeload._arguments import as_python_tree
from safeload._boundary import typed_errors
from safeload._bytes.addresses import Address
from safeload._bytes.archives.locating import given_ref, located, lock_folder, through
from safeload._bytes.files import FileRef
from safeload._bytes.paths import StrPath, resolve_path
from safeload._fit import check_weights
from safeload._forms.finding import find_weights
from safeload._frameworks.tensorflow import require_keras_bert
from safeload._model_kind import Clock, Request
from safeload._recognise import BERT
from safeload._reports import warn_caller, warn_of
from safeload._steps import opened_source
from safeload.bert import load
from safeload.bert._arguments import FULL_LENGTH, build_options
from safeload.bert._config import find_config, is_of_transformers, read_config, suspicious_keys, validate_config
from safeload.bert._model import bert as bert_kind
from safeload.bert._model import require_config_allows
from safeload.bert._vocabulary import read_with_locks
from safeload.bert.builders import keras_bert as builder
from safeload.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from safeload.bert._arguments import BuildOptions
    from safeload.bert._config import BertConfig

_MODULES_OF_LOADERS = ("loader", "util")
_NAMES_IN_FOLDER = ("bert_config.json", "bert_model.ckpt", "vocab.txt")


def __getattr__(name: str) -> Any:  # noqa: ANN401  (whatever keras-bert has)
    """Return what keras-bert has under a name that is not defined here.

    Raises:
        AttributeError: keras-bert does not have it either.
        MissingDependencyError: keras-bert cannot be imported.
    """
    if name == "__all__":
        return _public_names()
    if name in _MODULES_OF_LOADERS:  # whose functions are replaced here
        return sys.modules[__name__]
    if not name.startswith("_") or name == "__version__":
        try:
            return getattr(require_keras_bert().keras_bert, name)
        except AttributeError:
            pass  # say which module was asked
    message = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(message, name=name, obj=sys.modules[__name__])


def __dir__() -> list[str]:
    return sorted({*globals(), *_public_names()})


def _public_names() -> list[str]:
    return sorted(name for name in vars(require_keras_bert().keras_bert) if not name.startswith("_"))


@typed_errors
def get_custom_objects() -> dict[str, Any]:
    """Return the custom objects of a saved model: keras-bert's own layers, and the GELU of models from PyTorch.

    Raises:
        MissingDependencyError: keras-bert cannot be imported.

    Source:
        keras_bert/bert.py, get_custom_objects, keras-bert 0.89.0.
    """
    from safeload.bert.builders.keras_gelu import SAVED_NAME, gelu_erf  # noqa: PLC0415  (only a saved model needs it)

    backend = require_keras_bert()
    return {**backend.keras_bert.get_custom_objects(), SAVED_NAME: gelu_erf(backend.tf)}


@typed_errors
def build_model_from_config(
    config_file: StrPath,
    training: bool = False,  # noqa: FBT001, FBT002  (keras-bert's signature)
    trainable: bool | Collection[str] | None = None,  # noqa: FBT001
    output_layer_num: int | Sequence[int] = 1,
    seq_len: int | None = FULL_LENGTH,
    **kwargs: Any,  # noqa: ANN401  (keras-bert's own, each checked)
) -> tuple[Any, dict[str, Any]]:
    """Build a model with random values, and return it with its config.

    Args:
        config_file: As in `safeload.load_bert`.
        training: As in `safeload.load_bert`.
        trainable: As in `safeload.load_bert`.
        output_layer_num: As in `safeload.load_bert`, but clipped to the number of layers, with a warning.
        seq_len: As in `safeload.load_bert`, but clipped to `max_position_embeddings`, with a warning.
        **kwargs: As `get_model_options` in `safeload.load_bert`.

    Returns:
        The Keras model, and the config as a dict whose `max_position_embeddings` is at most `seq_len`.

    Raises:
        SafeLoadError: As `safeload.load_bert`, except the errors about checkpoints and vocabularies.
    """
    options = build_options(
        training=training,
        trainable=trainable,
        output_layer_num=output_layer_num,
        seq_len=seq_len,
        model_options=kwargs,
    )._replace(clipped=True)
    ref = find_config(located(given_ref(config_file, "config_file", "config")))
    folder = FileRef(path=os.path.dirname(ref.source.on_disk(ref.path)), role="folder", source=ref.source.below())
    with opened_source(BERT, [folder], Clock()) as source:
        config = read_config(through(ref, source))
    require_config_allows(options, config)
    backend = require_keras_bert()
    model, deferred = builder.build(backend, config, options)
    builder.initialise(model, deferred)
    _warn_of_clipping(options, config)
    for warning in suspicious_keys(config, options.runtime):
        warn_caller(warning)
    positions = config.max_position_embeddings
    if options.seq_len is not None:
        positions = min(options.seq_len, positions)
    return model, {**config.raw, "max_position_embeddings": positions}


@typed_errors
def load_model_weights_from_checkpoint(
    model: Any,  # noqa: ANN401  (a Keras model)
    config: Mapping[str, Any],
    checkpoint_file: StrPath,
    training: bool = False,  # noqa: FBT001, FBT002  (keras-bert's signature)
) -> None:
    """Load a checkpoint into a model from `build_model_from_config` or `keras_bert.get_model`.

    Layers that keras-bert did not build keep their values. If anything does not fit, no variable is changed.

    Args:
        model: The Keras model.
        config: The config as a dict. Its `max_position_embeddings` may be smaller than the checkpoint's, as
            `build_model_from_config` returns it for a shorter `seq_len`. Then only the first rows are loaded.
        checkpoint_file: As in `safeload.load_bert`.
        training: If true, also load the pooler and the heads.

    Raises:
        SafeLoadError: As `safeload.load_bert`, except the errors about vocabularies.
    """
    kind = bert_kind(build_options(training=training, seq_len=FULL_LENGTH), may_be_clipped=True)
    _require_what_build_returned(model, config)
    given = given_ref(checkpoint_file, "checkpoint_file", "checkpoint")
    valid = validate_config(as_python_tree(config), FileRef(path="the dict that was passed as config", role="config"))
    clock = Clock()
    with opened_source(BERT, [given.at(lock_folder(given.path, given.source), "folder")], clock) as source:
        ref = located(given._replace(source=source))
        place = find_weights(ref, BERT, lambda: "file" if is_of_transformers(valid.raw) else "checkpoint")
        checked = check_weights(kind, valid, place, (), clock, keep_values=True)
    builder.fill(require_keras_bert(), model, checked.values, config=checked.config)
    warn_of(checked.report)


def _require_what_build_returned(model: object, config: object) -> None:
    if not isinstance(config, Mapping):
        message = f"config must be the dict that build_model_from_config returns, not of type {type(config).__name__}"
        raise ArgumentError(message, argument="config", hints=["pass the second value that it returns"])
    if not hasattr(model, "weights"):
        message = f"model must be a Keras model, not of type {type(model).__name__}"
        raise ArgumentError(
            message, argument="model", hints=["pass the first value that build_model_from_config returns"]
        )


@typed_errors
def load_trained_model_from_checkpoint(
    config_file: StrPath,
    checkpoint_file: StrPath,
    training: bool = False,  # noqa: FBT001, FBT002  (keras-bert's signature)
    trainable: bool | Collection[str] | None = None,  # noqa: FBT001
    output_layer_num: int | Sequence[int] = 1,
    seq_len: int | None = FULL_LENGTH,
    **kwargs: Any,  # noqa: ANN401  (keras-bert's own, each checked)
) -> Any:  # noqa: ANN401  (a Keras model)
    """Verify the files of a BERT model and load it, as `safeload.load_bert` does.

    Raises:
        SafeLoadError: As `safeload.load_bert`.
    """
    options = build_options(
        training=training,
        trainable=trainable,
        output_layer_num=output_layer_num,
        seq_len=seq_len,
        model_options=kwargs,
    )._replace(clipped=True)
    model, config = load(options, Request(config=config_file, weights=checkpoint_file))
    _warn_of_clipping(options, config)
    return model


def _warn_of_clipping(options: BuildOptions, config: BertConfig) -> None:
    """Warn of arguments above what the config allows."""
    number, length = options.output_layer_num, options.seq_len
    clipped = []
    if isinstance(number, int) and number > config.num_hidden_layers and not options.training:
        clipped.append(f"output_layer_num={number} is clipped to num_hidden_layers={config.num_hidden_layers}")
    if length is not None and config.max_position_embeddings < length != FULL_LENGTH:
        clipped.append(f"seq_len={length} is clipped to max_position_embeddings={config.max_position_embeddings}")
    if clipped:
        warn_caller(f"{'; '.join(clipped)}, as keras-bert does")


@typed_errors
def extract_embeddings_generator(  # noqa: PLR0913, PLR0917  (keras-bert's signature)
    model: Any,  # noqa: ANN401  (a folder, or a Keras model)
    texts: Iterable[Any],
    poolings: str | Sequence[str] | None = None,
    vocabs: Mapping[str, int] | None = None,
    cased: bool = False,  # noqa: FBT001, FBT002
    batch_size: int = 4,
    cut_embed: bool = True,  # noqa: FBT001, FBT002
    output_layer_num: int = 1,
) -> Iterator[Any]:
    """Return an iterator over the embeddings of texts, from keras-bert's own function.

    Args:
        model: A model without heads, or a folder with `bert_config.json`, `bert_model.ckpt` and `vocab.txt`. The folder is
            loaded with `safeload.load_bert`.
        texts: As in keras-bert.
        poolings: As in keras-bert.
        vocabs: Token -> id. With a folder, its vocabulary is used instead.
        cased: As in keras-bert.
        batch_size: As in keras-bert.
        cut_embed: As in keras-bert.
        output_layer_num: As in `load_trained_model_from_checkpoint`; used with a folder only.

    Raises:
        SafeLoadError: As `load_trained_model_from_checkpoint` and `load_vocabulary`.
    """
    if isinstance(model, (str, bytes, os.PathLike)):
        model, vocabs = _load_folder(model, output_layer_num)
    upstream = require_keras_bert().keras_bert.extract_embeddings_generator
    found: Iterator[Any] = upstream(model, texts, poolings, vocabs, cased, batch_size, cut_embed)
    return found


def _load_folder(folder: StrPath, output_layer_num: int) -> tuple[Any, dict[str, int]]:
    """Load the files with the names that keras-bert expects in a folder; return the model and the vocabulary."""
    path = resolve_path(folder, argument="model", takes_address=True)
    inside = path.below if isinstance(path, Address) else partial(os.path.join, path)
    config, checkpoint, vocab = map(inside, _NAMES_IN_FOLDER)
    options = build_options(training=False, seq_len=FULL_LENGTH, output_layer_num=output_layer_num)
    tokens: dict[str, int] = {}
    request = Request(config=config, weights=checkpoint, vocab=vocab)
    model, valid = load(options._replace(clipped=True), request, vocabulary=tokens)
    _warn_of_clipping(options, valid)
    return model, tokens


@typed_errors
def extract_embeddings(  # noqa: PLR0913, PLR0917  (keras-bert's signature)
    model: Any,  # noqa: ANN401  (a folder, or a Keras model)
    texts: Iterable[Any],
    poolings: str | Sequence[str] | None = None,
    vocabs: Mapping[str, int] | None = None,
    cased: bool = False,  # noqa: FBT001, FBT002
    batch_size: int = 4,
    cut_embed: bool = True,  # noqa: FBT001, FBT002
    output_layer_num: int = 1,
) -> list[Any]:
    """Return the embeddings of each text as a NumPy array. The arguments are those of `extract_embeddings_generator`.

    Raises:
        SafeLoadError: As `extract_embeddings_generator`.
    """
    return list(
        extract_embeddings_generator(model, texts, poolings, vocabs, cased, batch_size, cut_embed, output_layer_num)
    )


@typed_errors
def load_vocabulary(vocab_path: StrPath) -> dict[str, int]:
    """Verify a vocabulary and return its token ids, as `safeload.load_vocabulary` does.

    Raises:
        SafeLoadError: As `safeload.load_vocabulary`.
    """
    return read_with_locks(given_ref(vocab_path, "vocab_path", "vocab"))
