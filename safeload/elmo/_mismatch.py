"""Write hints for a weight file that does not fit its options."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from safeload._compare import size_claims, size_hint
from safeload._published import published_elmo
from safeload.elmo._characters import N_CHARACTERS
from safeload.elmo._module import CHARACTERS, ENCODER, LSTMS, ROWS
from safeload.elmo._parameters import CHAR_EMBED, CHARACTER_ROWS, SUM_OF_FILTERS, cell_of
from safeload.elmo.namings import namings_in
from safeload.elmo.namings._cells import count_numbered

if TYPE_CHECKING:
    from collections.abc import Mapping

    from safeload._model_kind import Mismatch
    from safeload.elmo._options import ElmoOptions
    from safeload.report import TensorSpec

MAX_FILTERS_SHOWN = 20
_NO_OPTIONS = (
    "there are no options beside the weights: pass the options.json that they were made with as options_file, and the weights as "
    "weight_file"
)
_KERNELS = (
    (re.compile(r"CNN/W_cnn_(\d{1,9})$"), 4, (1, 3)),
    (re.compile(rf"{ENCODER}\.char_conv_(\d{{1,9}})\.weight$"), 3, (2, 0)),
)
"""The names of convolutions in HDF5 files and in AllenNLP's modules, their number of axes, and those of width and number."""

_LAYERS = (r"RNN_\d+/RNN/MultiRNNCell/Cell(\d+)/", rf"{LSTMS}\.forward_layer_(\d+)\.")
_HIGHWAYS = (r"CNN_high_(\d+)/", rf"{ENCODER}\._highways\._layers\.(\d+)\.")
_PROJECTIONS = ("/W_P_0", ".state_projection.weight")
_AXES = {
    "lstm.dim": ((f"{cell_of(0, 0)}/W_P_0", 0), (f"{LSTMS}.forward_layer_0.state_projection.weight", 1)),
    "lstm.projection_dim": ((f"{cell_of(0, 0)}/W_P_0", 1), (f"{LSTMS}.forward_layer_0.state_projection.weight", 0)),
    SUM_OF_FILTERS: (("CNN_proj/W_proj", 0), (f"{ENCODER}._projection.weight", 1)),
    "char_cnn.embedding.dim": ((CHAR_EMBED, 1), (CHARACTERS, 1)),
}
"""Size -> the tensor and axis that has it, in HDF5 files and in AllenNLP's modules."""


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
        hints = [*([_NO_OPTIONS] if CHARACTERS not in mismatch.expected else []), *hints]
    else:
        hints += _release_hints(options, found)
    if not any(name.endswith(_PROJECTIONS) for name in found):
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
    table = CHARACTERS if CHARACTERS in mismatch.expected else CHAR_EMBED
    rows, n_found = claims.pop(ROWS if table == CHARACTERS else CHARACTER_ROWS, (0, 0))
    wanted_sum, sum_found = claims.pop(SUM_OF_FILTERS, (0, 0))
    hints = [_hint(key, wanted, size, mismatch) for key, (wanted, size) in claims.items()]
    if sum_found != wanted_sum:  # not a key; the filters have theirs
        hints.append(f"{SUM_OF_FILTERS} is {wanted_sum} in the options but {sum_found} in the {mismatch.weights.title}")
    if n_found != rows:
        hints.append(
            f"{table} has {n_found} rows where a character-level biLM has {rows}: it was not trained with n_characters "
            f"{N_CHARACTERS - 1}, so its character ids are not those of AllenNLP and safeload.character_ids"
        )
    return hints


def _count_hints(mismatch: Mismatch[ElmoOptions]) -> list[str]:
    options, found, title = mismatch.config, mismatch.found, mismatch.weights.title
    hints = [
        _hint(key, wanted, n_found, mismatch)
        for key, wanted, patterns in (
            ("lstm.n_layers", options.n_layers, _LAYERS),
            ("char_cnn.n_highway", options.n_highway, _HIGHWAYS),
        )
        if (n_found := _count(found, patterns)) != wanted
    ]
    kernels = sorted(
        (int(match[1]), [spec.shape[at] for at in axes] if len(spec.shape) == n_axes else [])
        for pattern, n_axes, axes in _KERNELS
        for name, spec in found.items()
        if (match := pattern.match(name))
    )
    numbers, filters = [number for number, _ in kernels], [sizes for _, sizes in kernels]
    if filters and len(filters) != len(options.filters) and all(filters):
        hint = f"char_cnn.filters has {len(options.filters)} entries in the options but {len(filters)} in the {title}"
        is_whole = not options.is_published and numbers == list(range(min(len(filters), MAX_FILTERS_SHOWN)))
        hints.append(f'{hint}; to load it, set "char_cnn.filters": {filters} in {options.path}' if is_whole else hint)
    return hints


def _release_hints(options: ElmoOptions, found: Mapping[str, TensorSpec]) -> list[str]:
    """Return hints that name the published model whose sizes the file or the options have."""
    stored = {
        **{key: _size(found, places) for key, places in _AXES.items()},
        "lstm.n_layers": _count(found, _LAYERS),
        "char_cnn.n_highway": _count(found, _HIGHWAYS),
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


def _count(found: Mapping[str, TensorSpec], patterns: tuple[str, ...]) -> int:
    return max(count_numbered(found, pattern) for pattern in patterns)


def _size(found: Mapping[str, TensorSpec], places: tuple[tuple[str, int], ...]) -> int:
    shapes = [(found[name].shape, axis) for name, axis in places if name in found]
    return next((shape[axis] for shape, axis in shapes if len(shape) > axis), 0)


def _hint(key: str, wanted: int, size: int, mismatch: Mismatch[ElmoOptions]) -> str:
    title, path = mismatch.weights.title, mismatch.config.path
    if mismatch.config.is_published:
        return f"{key} is {wanted} in {path} but {size} in the {title}"
    return size_hint(key, wanted, size, config="options", weights=title, path=path)
