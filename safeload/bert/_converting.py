"""Read a BERT in any form, and plan how another form has it."""

from __future__ import annotations

import fnmatch
import os
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from safeload._arguments import require_patterns
from safeload._converting import Job, save, unproven
from safeload._forms.weight_file import WIDENED
from safeload._json import read_json_object
from safeload._model_kind import Clock
from safeload._naming import BUFFERS, COPIES, OTHER, TRAINING
from safeload._saving import require_elsewhere
from safeload._steps import opened_model
from safeload._streamed import FileValues, Row
from safeload._text.words import counted, first_few
from safeload.bert._arguments import BuildOptions, build_options
from safeload.bert._config import CONFIG_NAMES
from safeload.bert._content import ANY, POOLER_PART, Content, part_of, stored_parameters
from safeload.bert._model import bert
from safeload.bert._parameters import POOLER
from safeload.bert._runtimes import dropout_rates
from safeload.bert._vocabulary import vocabulary_bytes
from safeload.bert.writers._writer import dropped, epsilon, sizes_of
from safeload.errors import ArgumentError, SafeLoadError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from safeload._bytes.files import FileRef
    from safeload._converting import Advance
    from safeload._fit import Matched
    from safeload._model_kind import Places, Request
    from safeload._saving import Target
    from safeload.bert._config import BertConfig
    from safeload.bert.writers._writer import Writer
    from safeload.report import SaveReport, TensorSpec

EXAMPLE = "cls/*"
_FIRST = re.compile(r"[./]")
_NEVER_WRITTEN = (TRAINING, OTHER)
_TOKENIZERS = (("tokenizer_config.json", "do_lower_case"), ("tokenizer.json", "lowercase"))
"""The files that say whether words are made lower-case, and their keys: Hugging Face's, and KerasHub's below "config"."""


def convert(
    request: Request,
    writer: Writer,
    target: Target,
    *,
    scope: object,
    activation: object,
    started: Callable[[Job], Advance],
) -> SaveReport:
    """Read a BERT and write it in another form.

    Raises:
        SafeLoadError: As `safeload.convert`.
    """
    options = reading_options(activation)
    patterns = require_patterns(request.ignore_unused, example=EXAMPLE)
    kind = bert(options, scope, vocabulary=(tokens := dict[str, int]()), listed=stored_parameters)
    clock = Clock()
    with opened_model(kind, request, clock) as (places, found, warnings):
        require_elsewhere(target, [places.config, places.weights.ref])
        heads, others = heads_of(found)
        content = Content(
            config=found.config,
            parameters=found.parameters,
            heads={name: found.weights.tensors[stored].spec for name, stored in heads.items()},
            naming=found.naming.id,
            vocabulary=None if places.vocab is None else vocabulary_bytes(places.vocab),
            tokens=tokens,
            lowercase=_lowercase(places),
        ).without_words()
        tokens.clear()
        job = job_of(content, writer, patterns, others)._replace(warnings=warnings)
        return save(job, FileValues(found, heads), target, clock, started(job))


def reading_options(activation: object) -> BuildOptions:
    """Return options that stand for no runtime."""
    return build_options(training=False, seq_len=None, activation=activation)._replace(runtime=ANY)


def heads_of(found: Matched[BertConfig]) -> tuple[dict[str, str], list[str]]:
    """Return the task heads of a file, name -> stored name, and the names of what no conversion writes.

    That is what only a training needs, and other encoders.
    """
    match, naming = found.match, found.naming
    known = (*_NEVER_WRITTEN, BUFFERS, COPIES)
    heads = {name for what, names in match.unused.items() if what not in known for name in names}
    before = match.scope[: match.scope.rstrip("/.").rfind(match.scope[-1:] or "/") + 1]
    names = {
        name.removeprefix(before): name
        for name in found.weights.tensors
        if naming.canonical(name, match.scope) in heads
    }
    others = [name for what in _NEVER_WRITTEN for name in match.unused.get(what, ())]
    return names, sorted({*others, *match.unexpected})


def _lowercase(places: Places) -> bool | None:
    """Return what the tokenizer's files beside the config say, if they say it."""
    folder = places.config.folder()
    for name, key in _TOKENIZERS:
        ref = folder.inside(name)
        settings = _settings(ref) if ref.is_file() else {}
        inner = settings.get("config")
        value = settings.get(key, inner.get(key) if isinstance(inner, dict) else None)
        if isinstance(value, bool):
            return value
    return None


def _settings(ref: FileRef) -> dict[str, Any]:
    try:
        return read_json_object(ref)
    except SafeLoadError:  # the file of another program, or none of the lock's
        return {}


def job_of(content: Content, writer: Writer, patterns: Collection[str], others: Collection[str] = ()) -> Job:
    """Plan how a form has a BERT.

    Args:
        content: The BERT.
        writer: The writer of the form.
        patterns: Patterns of the names of what may be left out.
        others: The names of what is left out in any form.

    Raises:
        ArgumentError: The form has no place for something, or needs what the BERT has not.
        ConfigError: It cannot express the config.
    """
    parts = writer.parts(content.parts)
    _require_parts(content, writer, parts)
    kept = [name for name in content.parameters if part_of(name) in parts | {""}]
    placed = {name: new for name in content.heads if (new := writer.head(name, content)) is not None}
    left = [name for name in (*content.parameters, *content.heads) if name not in (*kept, *placed)]
    _require_left_out(left, patterns, writer)
    written = replace(
        content,
        parameters={name: content.parameters[name] for name in kept},
        heads={name: content.heads[name] for name in placed},
    )
    config = writer.config(written, placed)
    scope = writer.scope(written)
    rows = tuple(_rows(written, writer, scope, placed))
    specs = {row.name: row.stored(content.config.num_attention_heads) for row in rows}

    def write(folder: Path, tensors: Iterator[tuple[str, NDArray[Any]]]) -> None:
        writer.write(folder, written, config, specs, tensors)

    options = build_options(training=False, seq_len=None)._replace(runtime=writer.runtime)
    return Job(
        form=writer.id,
        rows=rows,
        n_heads=content.config.num_attention_heads,
        write=write,
        names=writer.names,
        configs=CONFIG_NAMES,
        kind=bert(options, listed=stored_parameters),
        require_config=lambda found: _require_same(content.config, found),
        left_out=tuple(sorted({*left, *others})),
        notes=(*writer.notes(written), *dropped(content)),
    )


def _rows(content: Content, writer: Writer, scope: str, placed: Mapping[str, str]) -> Iterator[Row]:
    naming = writer.naming
    names = {naming.stored_as(name, scope)[0] for name in content.parameters}
    found = {name: naming.stored_as(name, scope, names) for name in content.parameters}
    for name in writer.order([*found, *placed]):
        if name in found:
            yield Row(name, *found[name], content.parameters[name])
        else:
            yield Row(name, placed[name], "same", _widened(content.heads[name]))


def _widened(spec: TensorSpec) -> TensorSpec:
    return replace(spec, dtype="float32") if spec.dtype in WIDENED else spec


def _require_parts(content: Content, writer: Writer, parts: frozenset[str]) -> None:
    lost = sorted(parts - content.parts)
    if lost:
        message = f"the form {writer.id} always has a {lost[0]}, and the weights have none"
        hints = ["choose another form"]
        raise ArgumentError(message, argument="form", given=writer.id, hints=hints)


def _require_left_out(left: list[str], patterns: Collection[str], writer: Writer) -> None:
    """Require that the caller allows to leave out what the form has no place for."""
    found = [name for name in left if not any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)]
    if found:
        message = f"the form {writer.id} has no place for {counted(len(found), 'tensor')} of the source"
        starts = sorted(
            {f"{POOLER}/*" if part_of(name) == POOLER_PART else f"{_FIRST.split(name)[0]}*" for name in found}
        )
        hints = [f"to leave them out, pass ignore_unused={starts}", "or choose another form"]
        raise ArgumentError(
            message, argument="form", given=writer.id, details=first_few(found, "the source"), hints=hints
        )


def _require_same(wanted: BertConfig, found: BertConfig) -> None:
    """Require that a config that was read back means the same model."""
    facts = [
        (
            sizes_of(config),
            config.activation,
            epsilon(config),
            dropout_rates(config.raw),
        )
        for config in (wanted, found)
    ]
    if facts[0] != facts[1]:
        raise unproven("the new config does not mean the model of the old one", os.path.dirname(found.path))
