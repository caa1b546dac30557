"""Find the config, weights and vocabulary of a BERT."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from safeload._arguments import as_python
from safeload._bytes.archives.locating import given_ref, located, lock_folder
from safeload._bytes.kinds import JSON_TEXT, FileKind, sniff, wrong_kind
from safeload._bytes.paths import resolve_path
from safeload._bytes.small import require_file
from safeload._forms.finding import find_weights
from safeload._forms.tensorflow.prefixes import ASSETS, is_of_checkpoint, saved_model_of
from safeload._json import require_json
from safeload._model_kind import Places
from safeload._recognise import BERT
from safeload._text.words import with_article
from safeload.bert._choice import has_both_configs, names_of_config, preference, require_one_config
from safeload.bert._config import CONFIG_NAMES, find_config
from safeload.bert._vocabulary import VOCAB_NAME, VOCABS_BELOW
from safeload.errors import InvalidPathError, SafeLoadError, WrongFileKindError

if TYPE_CHECKING:
    from collections.abc import Callable

    from safeload._bytes.files import FileRef, Source
    from safeload._forms.finding import Preference
    from safeload._forms.weight_file import WeightPlace
    from safeload._model_kind import Request

_INDEX = re.compile(r"\.index(\.[^.]+)?\.json$|model\.weights\.json$")
"""How the names of indexes of shards end: Hugging Face's, also of a variant, and Keras's."""


def resolve_config(request: Request, source: Source) -> FileRef:
    """Find the config.

    Raises:
        InvalidPathError, MissingFileError, UnreadableFileError, ConfigError: As `find_config`.
        WrongFileKindError: The path is a checkpoint or another kind of file.
    """
    if isinstance(as_python(request.vocab), bool):
        message = f"vocab_file is {request.vocab}, not a path"
        hints = ["in load_bert, training is keyword-only: training=True"]
        raise InvalidPathError(message, given=request.vocab, hints=hints)
    given = _resolved(request.config, "config_file", request, source)
    ref = find_config(given, _names_of_config(given, request))
    if is_of_checkpoint(ref):
        part = FileKind("checkpoint", "part of a TensorFlow checkpoint", _hint_of_weights(ref))
        raise _weights_as_config(ref, part, request)
    require_file(ref)
    kind = sniff(ref)
    if kind is not None and BERT in kind.models:
        raise _weights_as_config(ref, kind._replace(hint=_hint_of_weights(ref)), request)
    require_json(kind, ref)
    if _INDEX.search(ref.path):
        raise wrong_kind(ref, FileKind("index", "an index of shards", _hint_of_weights(ref)), wanted="a BERT's config")
    return ref


def _names_of_config(given: FileRef, request: Request) -> tuple[str, ...]:
    """Return the names that a folder's config may have, first that of the library that wrote the weights."""
    if not given.is_dir() or not has_both_configs(given):
        return CONFIG_NAMES
    is_passed = request.weights is not None
    return names_of_config(
        _resolved(request.weights, "checkpoint_file", request, given.source.below()) if is_passed else given
    )


def _hint_of_weights(ref: FileRef) -> str:
    """Return how to pass weights that were passed as the config: with the config beside them, if there is one."""
    config = next((name for name in CONFIG_NAMES if ref.folder().inside(name).is_file()), None)
    if config is not None:
        beside = ref.folder().inside(config).path
        return f"pass the folder {ref.folder().path}, or {beside} as config_file, and this as checkpoint_file"
    return "pass bert_config.json, or the folder that contains it, as config_file, and this as checkpoint_file"


def _weights_as_config(ref: FileRef, kind: FileKind, request: Request) -> WrongFileKindError:
    """Return the error for weights passed as the config; the message says if the two arguments are swapped."""
    if request.weights is not None:
        other = _resolved(request.weights, "checkpoint_file", request, ref.source.below())
        found = sniff(other)
        if found is not None and found.id == "json" and not _INDEX.search(other.path):
            return WrongFileKindError(
                f"config_file and checkpoint_file are swapped: the first is {with_article(kind.name)}, the second JSON text",
                wanted=JSON_TEXT,
                found=kind.name,
                **ref.facts,
                context=[("checkpoint", other.path)],
                hints=["pass the config first, then the checkpoint"],
            )
    return wrong_kind(ref, kind, wanted=JSON_TEXT)


def weights_folder(request: Request, source: Source) -> FileRef | None:
    """Return the folder of a checkpoint that was passed, or of the SavedModel that has it, whose lock applies too.

    Without a checkpoint, it is the SavedModel that has the config; None if none has.

    Raises:
        InvalidPathError: As `resolve_path`.
    """
    is_passed = request.weights is not None
    given, argument = (request.weights, "checkpoint_file") if is_passed else (request.config, "config_file")
    ref = given_ref(given, argument, "folder", base_dir=request.base_dir, source=source, cache_dir=request.cache_dir)
    folder = ref.at(lock_folder(ref.path, ref.source))
    return saved_model_of(folder) or (folder if is_passed else None)


def resolve_others(request: Request, config: FileRef) -> Places:
    """Find the weights and the vocabulary, by default in the config's folder.

    Raises:
        SafeLoadError: As `resolve_path` and `find_weights`.
    """
    given = resolve_path(request.config, argument="config_file", base_dir=request.base_dir, takes_address=True)
    is_passed = given == config.path
    if not is_passed:
        require_one_config(config)
    if request.weights is None:
        place = _weights_beside(config, is_passed=is_passed)
    else:
        weights = _resolved(request.weights, "checkpoint_file", request, config.source)
        place = _find_weights(weights, lambda: preference(config, is_passed=is_passed))
    return Places(config=config, weights=place, vocab=_resolve_vocabulary(request, config, place))


def _weights_beside(config: FileRef, *, is_passed: bool) -> WeightPlace:
    folder = config.folder()
    weights = (saved_model_of(folder) or folder)._replace(role="checkpoint")
    try:
        return _find_weights(weights, lambda: preference(config, is_passed=is_passed))
    except SafeLoadError as error:
        if is_passed and error.label == "folder":  # which was not given
            error.given = None
            error.context = (("config", config.path), *error.context)
        raise


def _find_weights(ref: FileRef, prefers: Callable[[], Preference]) -> WeightPlace:
    try:
        return find_weights(ref, BERT, prefers)
    except SafeLoadError as error:
        from safeload._advice import add_advice  # noqa: PLC0415  (only an error needs it)

        add_advice(error, ref, BERT)
        raise


def _resolve_vocabulary(request: Request, config: FileRef, weights: WeightPlace) -> FileRef | None:
    """Find the vocabulary: by default the one beside the config, or else in the assets of the weights' SavedModel."""
    if request.vocab is None:
        saved = saved_model_of(weights.ref.folder())
        folders = [config.folder(), *([saved.inside(ASSETS)] if saved else [])]
        refs = [folder.inside(VOCAB_NAME, "vocab") for folder in folders]
        refs += [config.folder().inside(name, "vocab") for name in VOCABS_BELOW]
        return next((ref._replace(given=ref.path) for ref in refs if ref.source.is_there(ref.path)), None)
    ref = _resolved(request.vocab, "vocab_file", request, config.source)
    return ref.inside(VOCAB_NAME) if ref.is_dir() else ref


def _resolved(given: object, argument: str, request: Request, source: Source) -> FileRef:
    role = argument.removesuffix("_file")
    base_dir, cache_dir = request.base_dir, request.cache_dir
    return located(given_ref(given, argument, role, base_dir=base_dir, source=source, cache_dir=cache_dir))
