"""Steps 1 to 4 of a BERT load, with neither TensorFlow nor Keras: resolve, read, list, compare."""

from __future__ import annotations

import logging
import os
import sys
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import safeload
from safeload import _files
from safeload._arguments import require_patterns
from safeload._formats.bounded_json import require_json
from safeload._locked import lock_rows, opened_source
from safeload._paths import resolve_path
from safeload.bert import _vocabulary
from safeload.bert._arguments import BuildOptions, require_config_allows
from safeload.bert._checkpoint import CheckpointPlace, find_checkpoint, is_of_checkpoint
from safeload.bert._compare_checkpoint import Comparison, compare_checkpoint
from safeload.bert._config import BertConfig, find_config, read_config
from safeload.bert._variables import BertVariable, list_variables, with_positions_of
from safeload.errors import InvalidPathError, WrongFileKindError
from safeload.report import Clock, LoadReport, with_article

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from safeload._formats.tensor_bundle import TensorBundle

logger = logging.getLogger(__name__)


@dataclass(kw_only=True)
class Places:
    """Step 1's result: absolute paths."""

    config: str
    checkpoint: CheckpointPlace
    vocab: str | None


def resolve_config(config_file: object, checkpoint_file: object, vocab_file: object, base_dir: object) -> str:
    """Step 1, the first file: where the config is.

    Raises:
        InvalidPathError, MissingFileError, UnreadableFileError, ConfigError: As `find_config`.
        WrongFileKindError: It is a checkpoint, whether or not the two are exchanged, or another kind of file.
    """
    if isinstance(vocab_file, bool):
        message = f"vocab_file is {vocab_file}, not a path"
        hints = ["in load_bert, training is passed by its name: training=True"]
        raise InvalidPathError(message, given=vocab_file, hints=hints)
    path = resolve_path(config_file, argument="config_file", base_dir=base_dir)
    config = find_config(path, given=config_file)
    if is_of_checkpoint(config):
        raise _checkpoint_as_config(config, config_file, checkpoint_file, base_dir)
    _files.require_file(config, role="config", given=config_file)
    require_json(_files.sniff(config), path=config, role="config", given=config_file)
    return config


def _checkpoint_as_config(config: str, given: object, checkpoint_file: object, base_dir: object) -> WrongFileKindError:
    """Return the error for a checkpoint in the config's place; the other argument tells whether the two are exchanged."""
    if checkpoint_file is not None:
        other = resolve_path(checkpoint_file, argument="checkpoint_file", base_dir=base_dir)
        kind = _files.sniff(other)
        if kind is not None and kind.name == _files.JSON_TEXT:
            message = "config_file and checkpoint_file are exchanged: the first is a checkpoint, the second JSON text"
            return WrongFileKindError(
                message,
                wanted=_files.JSON_TEXT,
                found="TensorFlow checkpoint",
                resolved=config,
                given=given,
                label="config",
                context=[("checkpoint", other)],
                hints=["pass the config first, then the checkpoint"],
            )
    hint = "pass bert_config.json, or the folder that holds it, as config_file, and this as checkpoint_file"
    kind = _files.FileKind(name="part of a TensorFlow checkpoint", hint=hint)
    return _files.wrong_kind(config, kind, role="config", wanted=_files.JSON_TEXT, given=given)


def resolve(
    config: str,
    config_file: object,
    checkpoint_file: object,
    vocab_file: object,
    base_dir: object,
    source: _files.Source,
) -> Places:
    """Step 1: find the other files; what is left out is looked for in the config's folder, for which `config_file` was given.

    Raises:
        InvalidPathError, MissingFileError, CheckpointNotFoundError, AmbiguousCheckpointError, WrongFileKindError,
        UnsafeFileError, UnreadableFileError, ConfigError: As each path's own resolver says.
    """
    folder = os.path.dirname(config)
    if checkpoint_file is None:
        place = find_checkpoint(folder, given=config_file, source=source)
    else:
        path = resolve_path(checkpoint_file, argument="checkpoint_file", base_dir=base_dir)
        place = find_checkpoint(path, given=checkpoint_file, source=source)
    beside = os.path.join(folder, _vocabulary.VOCAB_NAME)
    if vocab_file is None:
        vocab = beside if os.path.lexists(beside) else None
    else:
        vocab = resolve_path(vocab_file, argument="vocab_file", base_dir=base_dir)
        vocab = os.path.join(vocab, _vocabulary.VOCAB_NAME) if os.path.isdir(vocab) else vocab
    return Places(config=config, checkpoint=place, vocab=vocab)


def read(
    places: Places, config_file: object, vocab_file: object, source: _files.Source
) -> tuple[BertConfig, list[str]]:
    """Step 2: read and validate the config and the vocabulary; return the config and notes.

    Raises:
        ConfigError, VocabularyError, WrongFileKindError, MissingFileError, UnreadableFileError, UnsafeFileError
    """
    config = read_config(places.config, given=config_file, source=source)
    if places.vocab is None:
        return config, []
    given = vocab_file if vocab_file is not None else places.vocab
    vocabulary = _vocabulary.read_vocabulary(places.vocab, given=given, source=source)
    notes = _vocabulary.require_fit(
        vocabulary, config.vocab_size, path=places.vocab, config_path=config.path, given=given
    )
    return config, notes


@dataclass(kw_only=True)
class Checked:
    """What steps 1 to 4 prove: these values fit this config.

    Attributes:
        config: The validated config.
        variables: What keras-bert reads, by name.
        bundle: The checkpoint, its files still open.
        found: The checkpoint's scope, and what in it is unused or ignored.
        clock: The time so far.
        report: The facts so far.
    """

    config: BertConfig
    variables: dict[str, BertVariable]
    bundle: TensorBundle
    found: Comparison
    clock: Clock
    report: LoadReport

    def read_values(self) -> dict[str, NDArray[Any]]:
        """Read the values into memory and prove them there: what a load fills is what was checked.

        Raises:
            CorruptFileError: The file was changed after the check.
        """
        from safeload._formats.tensor_values import read_values  # noqa: PLC0415  (numpy: not for `import safeload`)

        values = read_values(self.bundle, [self.found.scope + name for name in self.variables])
        return {name.removeprefix(self.found.scope): value for name, value in values.items()}


@contextmanager
def checked_bert(
    config_file: object,
    checkpoint_file: object,
    vocab_file: object,
    *,
    options: BuildOptions,
    base_dir: object,
    ignore_unused: object,
    lock_file: object,
) -> Iterator[Checked]:
    """Run steps 1 to 4, and keep the checkpoint open for step 5."""
    clock = Clock()
    patterns = require_patterns(ignore_unused, example="bert/encoder/layer_*")
    with ExitStack() as opened:
        with clock.step("resolve"):
            path = resolve_config(config_file, checkpoint_file, vocab_file, base_dir)
        folder = os.path.dirname(path)
        source = opened.enter_context(
            opened_source(lock_file, folder=folder, base_dir=base_dir, model="BERT", clock=clock)
        )
        with clock.step("resolve"):
            places = resolve(path, config_file, checkpoint_file, vocab_file, base_dir, source)
        with clock.step("read"):
            config, notes = read(places, config_file, vocab_file, source)
            require_config_allows(options, config)
        given = checkpoint_file if checkpoint_file is not None else config_file
        checked = opened.enter_context(
            checked_checkpoint(
                config,
                places.checkpoint,
                given=given,
                training=options.training,
                patterns=patterns,
                clock=clock,
                source=source,
            )
        )
        checked.report = _report(places, checked, notes, given, source)
        yield checked


@contextmanager
def checked_checkpoint(
    config: BertConfig,
    place: CheckpointPlace,
    *,
    given: object,
    training: bool,
    patterns: tuple[str, ...] = (),
    clock: Clock | None = None,
    clipped: bool = False,
    source: _files.Source = _files.DISK,
) -> Iterator[Checked]:
    """Run steps 3 and 4 for a config that is already read.

    Args:
        config: The validated config.
        place: Where the checkpoint is.
        given: What the caller passed for it.
        training: Whether the heads are read too.
        patterns: Unexpected variables that may stay unread.
        clock: Where the time is kept.
        source: Where the files are opened.
        clipped: Whether `max_position_embeddings` may be smaller than the checkpoint's table of positions.
    """
    from safeload._formats.tensor_bundle import TensorBundle  # noqa: PLC0415  (numpy: not for `import safeload`)
    from safeload._formats.tensor_values import check_values  # noqa: PLC0415

    clock = clock or Clock()
    with TensorBundle(place.prefix, given=given, source=source) as bundle:
        if clipped:
            config = with_positions_of(config, bundle.variables)
        with clock.step("list"):
            variables = list_variables(config, training=training)
        with clock.step("compare"):
            found = compare_checkpoint(variables, bundle, config, ignore_unused=patterns)
            check_values(bundle, [found.scope + name for name in variables])
        logger.info("checked %s, %s, under the scope %r", place.prefix, with_article(place.form), found.scope)
        yield Checked(
            config=config, variables=variables, bundle=bundle, found=found, clock=clock, report=LoadReport(model="BERT")
        )


def _report(places: Places, checked: Checked, notes: list[str], given: object, source: _files.Source) -> LoadReport:
    config, found = checked.config, checked.found
    files = [("config", config.path)]
    files += [("vocab", places.vocab)] if places.vocab else []
    files += [("state file", places.checkpoint.state_file)] if places.checkpoint.state_file else []
    files += checked.bundle.paths()
    import numpy as np  # noqa: PLC0415  (imported by now: see checked_checkpoint)

    python = ".".join(map(str, sys.version_info[:3]))
    return LoadReport(
        model="BERT",
        files=(*(source.file_read(role, path) for role, path in files), *lock_rows(source)),
        given=str(given),
        form=places.checkpoint.form,
        scope=found.scope,
        read=tuple(variable.spec for variable in checked.variables.values()),
        unused=found.unused,
        ignored=found.ignored,
        checksums=f"CRC32C of {len(checked.variables)} variables and of the index file",
        taken_from_config={
            "num_attention_heads": config.num_attention_heads,
            "hidden_act": config.hidden_act,
        },
        notes=tuple(notes),
        versions={"python": python, "safeload": safeload.__version__, "numpy": np.__version__},
    )
