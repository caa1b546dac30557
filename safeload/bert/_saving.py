"""Write a BERT that is in memory to files, and prove what was written by reading it back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from safeload._arguments import require_patterns
from safeload._bytes.archives.locating import given_ref
from safeload._bytes.files import FileRef
from safeload._converting import save
from safeload._fit import match_weights
from safeload._forms.weight_file import WeightPlace
from safeload._model_kind import Clock
from safeload._saving import target_of
from safeload._streamed import FileValues
from safeload.bert._config import validate_config
from safeload.bert._content import ANY, Content, stored_parameters
from safeload.bert._converting import EXAMPLE, heads_of, job_of, reading_options
from safeload.bert._model import bert
from safeload.bert._vocabulary import read_with_locks, require_fit, written_vocabulary
from safeload.bert.readers import held_bert
from safeload.bert.writers import writer_of

if TYPE_CHECKING:
    from safeload.bert._config import BertConfig
    from safeload.report import SaveReport


def save_model(  # noqa: PLR0913  (those of `save_bert`)
    model: object,
    folder: object,
    *,
    form: object,
    vocab_file: object,
    ignore_unused: object,
    overwrite: object,
    lock: object,
) -> SaveReport:
    """Read the model, write it in a form, and read that back.

    Raises:
        SafeLoadError: As `safeload.save_bert`.
    """
    from safeload._forms.memory import MemoryWeights  # noqa: PLC0415  (imports NumPy)

    patterns = require_patterns(ignore_unused, example=EXAMPLE)
    target = target_of(folder, argument="folder", overwrite=overwrite, lock=lock)
    held = held_bert(model)
    writer = writer_of(held.form if form is None else form)
    clock = Clock()
    ref = FileRef(path="the model", role="model")
    config = validate_config(dict(held.raw), ref, ANY)
    vocabulary, tokens = _vocabulary(vocab_file, config)
    with MemoryWeights(ref, held.tensors) as weights:
        place = WeightPlace(ref, "memory", "model in memory")
        kind = bert(reading_options(None), listed=stored_parameters)
        found = match_weights(kind, config, weights, place, patterns, clock)
        heads, others = heads_of(found)
        content = Content(
            config=found.config,
            parameters=found.parameters,
            heads={name: weights.tensors[stored].spec for name, stored in heads.items()},
            naming=found.naming.id,
            vocabulary=vocabulary,
            tokens=tokens,
        )
        job = job_of(content, writer, patterns, others)._replace(warnings=found.warnings)
        return save(job, FileValues(found, heads), target, clock)


def _vocabulary(vocab_file: object, config: BertConfig) -> tuple[bytes | None, dict[str, int]]:
    """Return the bytes and the tokens of a vocabulary that fits the model.

    Raises:
        SafeLoadError: As `load_vocabulary`, or it does not fit.
    """
    if vocab_file is None:
        return None, {}
    ref = given_ref(vocab_file, "vocab_file", "vocab")
    tokens = read_with_locks(ref)
    require_fit(tokens, config, ref)
    return written_vocabulary(ref), tokens
