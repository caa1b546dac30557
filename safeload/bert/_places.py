"""Find the config, weights and vocabulary of a BERT."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from safeload import _recognise
from safeload._arguments import as_python
from safeload._bytes.files import FileRef
from safeload._bytes.kinds import JSON_TEXT, FileKind, sniff, wrong_kind
from safeload._bytes.paths import resolve_path
from safeload._bytes.small import require_file
from safeload._forms.finding import find_weights
from safeload._forms.tensorflow.prefixes import is_of_checkpoint
from safeload._json import require_json
from safeload._model_kind import Places
from safeload.bert._config import find_config
from safeload.bert._vocabulary import VOCAB_NAME
from safeload.errors import CheckpointNotFoundError, InvalidPathError, WrongFileKindError

if TYPE_CHECKING:
    from safeload._forms.weight_file import WeightPlace
    from safeload._model_kind import Request


def resolve_config(request: Request) -> FileRef:
    """Find the config.

    Raises:
        InvalidPathError, MissingFileError, UnreadableFileError, ConfigError: As `find_config`.
        WrongFileKindError: The path is a checkpoint or another kind of file.
    """
    if isinstance(as_python(request.vocab), bool):
        message = f"vocab_file is {request.vocab}, not a path"
        hints = ["in load_bert, training is keyword-only: training=True"]
        raise InvalidPathError(message, given=request.vocab, hints=hints)
    path = resolve_path(request.config, argument="config_file", base_dir=request.base_dir)
    ref = find_config(FileRef(path=path, role="config", given=request.config))
    if is_of_checkpoint(ref.path):
        raise _checkpoint_as_config(ref, request)
    require_file(ref)
    require_json(sniff(ref.path), ref)
    return ref


def _checkpoint_as_config(ref: FileRef, request: Request) -> WrongFileKindError:
    """Return the error for a checkpoint passed as the config; the message says if the two arguments are swapped."""
    if request.weights is not None:
        other = resolve_path(request.weights, argument="checkpoint_file", base_dir=request.base_dir)
        kind = sniff(other)
        if kind is not None and kind.id == "json":
            message = "config_file and checkpoint_file are swapped: the first is a checkpoint, the second JSON text"
            return WrongFileKindError(
                message,
                wanted=JSON_TEXT,
                found="TensorFlow checkpoint",
                **ref.facts,
                context=[("checkpoint", other)],
                hints=["pass the config first, then the checkpoint"],
            )
    hint = "pass bert_config.json, or the folder that contains it, as config_file, and this as checkpoint_file"
    kind = FileKind("checkpoint", "part of a TensorFlow checkpoint", hint)
    return wrong_kind(ref, kind, wanted=JSON_TEXT)


def weights_folder(request: Request) -> str | None:
    """Return the folder of a checkpoint that was passed, whose lock applies too; None if none was.

    Raises:
        InvalidPathError: As `resolve_path`.
    """
    if request.weights is None:
        return None
    path = resolve_path(request.weights, argument="checkpoint_file", base_dir=request.base_dir)
    return path if os.path.isdir(path) else os.path.dirname(path)


def resolve_others(request: Request, config: FileRef) -> Places:
    """Find the weights and the vocabulary, by default in the config's folder.

    Raises:
        SafeLoadError: As `resolve_path` and `find_weights`.
    """
    folder = os.path.dirname(config.path)
    weights = config.at(folder, "checkpoint")
    if request.weights is not None:
        path = resolve_path(request.weights, argument="checkpoint_file", base_dir=request.base_dir)
        weights = FileRef(path=path, role="checkpoint", given=request.weights, source=config.source)
    return Places(config=config, weights=_find_weights(weights), vocab=_resolve_vocabulary(request, config))


def _find_weights(ref: FileRef) -> WeightPlace:
    try:
        return find_weights(ref, _recognise.BERT)
    except (CheckpointNotFoundError, WrongFileKindError) as error:
        from safeload._advice import advice  # noqa: PLC0415  (only an error needs it)

        error.hints = tuple(advice(ref.path, _recognise.BERT)) or error.hints
        raise


def _resolve_vocabulary(request: Request, config: FileRef) -> FileRef | None:
    if request.vocab is None:
        path = os.path.join(os.path.dirname(config.path), VOCAB_NAME)
        return FileRef(path=path, role="vocab", given=path, source=config.source) if os.path.lexists(path) else None
    path = resolve_path(request.vocab, argument="vocab_file", base_dir=request.base_dir)
    path = os.path.join(path, VOCAB_NAME) if os.path.isdir(path) else path
    return FileRef(path=path, role="vocab", given=request.vocab, source=config.source)
