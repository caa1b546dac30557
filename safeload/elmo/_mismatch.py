"""Write hints for a weight file that does not fit its options."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from safeload._compare import size_claims, size_hint
from safeload._published import published_elmo
from safeload.elmo._parameters import CHAR_EMBED, CHARACTER_ROWS, SUM_OF_FILTERS, cell_of
from safeload.elmo.namings import namings_in
from safeload.elmo.namings._cells import count_numbered

if TYPE_CHECKING:
    from collections.abc import Mapping

    from safeload._model_kind import Mismatch
    from safeload.elmo._options import ElmoOptions
    from safeload.report import TensorSpec

KERNEL_AXES = 4
MAX_FILTERS_SHOWN = 20
_NO_OPTIONS = (
    "there are no options beside the weights: pass the options.json that they were made with as options_file, and the weights as "
    "weight_file"
)
_KERNEL = re.compile(r"CNN/W_cnn_(\d{1,9})$")


def hints(mismatch: Mismatch[ElmoOptions]) -> list[str]:
    """Return hints for a weight file that does not fit its options."""
    problems, found, options = mismatch.problems, mismatch.found, mismatch.config
    names, noun = mismatch.weights.tensors, mismatch.weights.noun
    missing = [problem.name for problem in problems if problem.kind == "missing"]
    if not namings_in(names):
        return [
            f"the file contains no biLM {noun}s; pass the file of the biLM itself"
            if names
            else f"the file contains no {noun}s"
        ]
    hints = [*_size_hints(mismatch), *_count_hints(mismatch)]
    if options.is_published:
        hints = [_NO_OPTIONS, *hints]
    else:
        hints += _release_hints(options, found)
    if not any(name.endswith("/W_P_0") for name in found):
        same = options.dim == options.projection_dim
        hints.append(
            "W_P_0 is missing: the biLM was trained without projections"
            + (", since dim equals projection_dim" if same else "")
            + "; an ELMo needs them: train it with dim larger than projection_dim"
        )
    if any(name.startswith("CNN_proj/") for name in missing) and options.n_filters == options.projection_dim:
        hints.append(
            "CNN_proj is missing: the filters sum to projection_dim, for which bilm-tf trains no projection; ELMo needs it"
        )
    groups = [name for name in missing if name in mismatch.weights.groups]
    hints += [f"{name} is a group in the file, not a dataset" for name in groups[:1]]
    stored = sorted({problem.found.dtype for problem in problems if problem.kind == "dtype" and problem.found})
    if stored:
        hints.append(f"the file stores {', '.join(stored)}; save it in float32 or float16")
    return hints


def _size_hints(mismatch: Mismatch[ElmoOptions]) -> list[str]:
    claims = size_claims(mismatch.expected, mismatch.found)
    rows, n_found = claims.pop(CHARACTER_ROWS, (0, 0))
    wanted_sum, sum_found = claims.pop(SUM_OF_FILTERS, (0, 0))
    hints = [_hint(key, wanted, size, mismatch) for key, (wanted, size) in claims.items()]
    if sum_found != wanted_sum:  # not a key; the filters have theirs
        hints.append(f"{SUM_OF_FILTERS} is {wanted_sum} in the options but {sum_found} in the {mismatch.weights.title}")
    if n_found != rows:
        hints.append(
            f"char_embed has {n_found} rows where a character-level biLM has {rows}: it was not trained with n_characters {rows}, "
            "so its character ids are not those of AllenNLP and safeload.character_ids"
        )
    return hints


def _count_hints(mismatch: Mismatch[ElmoOptions]) -> list[str]:
    options, found, title = mismatch.config, mismatch.found, mismatch.weights.title
    hints = [
        _hint(key, wanted, n_found, mismatch)
        for key, wanted, pattern in (
            ("lstm.n_layers", options.n_layers, r"RNN_\d+/RNN/MultiRNNCell/Cell(\d+)/"),
            ("char_cnn.n_highway", options.n_highway, r"CNN_high_(\d+)/"),
        )
        if (n_found := count_numbered(found, pattern)) != wanted
    ]
    kernels = sorted((int(match[1]), spec.shape) for name, spec in found.items() if (match := _KERNEL.match(name)))
    numbers, shapes = [number for number, _ in kernels], [shape for _, shape in kernels]
    if shapes and len(shapes) != len(options.filters) and all(len(shape) == KERNEL_AXES for shape in shapes):
        hint = f"char_cnn.filters has {len(options.filters)} entries in the options but {len(shapes)} in the {title}"
        filters = [[shape[1], shape[3]] for shape in shapes]
        is_whole = not options.is_published and numbers == list(range(len(shapes))) and len(shapes) <= MAX_FILTERS_SHOWN
        hints.append(f'{hint}; to load it, set "char_cnn.filters": {filters} in {options.path}' if is_whole else hint)
    return hints


def _release_hints(options: ElmoOptions, found: Mapping[str, TensorSpec]) -> list[str]:
    """Return hints that name the published model whose sizes the file or the options have."""

    def size(name: str, axis: int) -> int:
        shape = found[name].shape if name in found else ()
        return shape[axis] if len(shape) > axis else 0

    cell = cell_of(0, 0)
    stored = {
        "lstm.dim": size(f"{cell}/W_P_0", 0),
        "lstm.projection_dim": size(f"{cell}/W_P_0", 1),
        "lstm.n_layers": count_numbered(found, r"RNN_\d+/RNN/MultiRNNCell/Cell(\d+)/"),
        "char_cnn.n_highway": count_numbered(found, r"CNN_high_(\d+)/"),
        SUM_OF_FILTERS: size("CNN_proj/W_proj", 0),
        "char_cnn.embedding.dim": size(CHAR_EMBED, 1),
    }
    wanted = {
        "lstm.dim": options.dim,
        "lstm.projection_dim": options.projection_dim,
        "lstm.n_layers": options.n_layers,
        "char_cnn.n_highway": options.n_highway,
        SUM_OF_FILTERS: options.n_filters,
        "char_cnn.embedding.dim": options.char_dim,
    }
    if stored == wanted:
        return []
    names = {"file has": published_elmo(stored), "options have": published_elmo(wanted)}
    return [
        f"the {what} the sizes of {name}; take both files from that release" for what, name in names.items() if name
    ]


def _hint(key: str, wanted: int, size: int, mismatch: Mismatch[ElmoOptions]) -> str:
    title, path = mismatch.weights.title, mismatch.config.path
    if mismatch.config.is_published:
        return f"{key} is {wanted} in {path} but {size} in the {title}"
    return size_hint(key, wanted, size, config="options", weights=title, path=path)
