"""Write hints for a weight file that does not fit its options."""

from __future__ import annotations

from typing import TYPE_CHECKING

from safeload._compare import NUMBER, size_claims
from safeload.elmo._parameters import CHARACTER_ROWS
from safeload.elmo.namings import NAMINGS
from safeload.elmo.namings.hdf5 import count_numbered

if TYPE_CHECKING:
    from safeload._model_kind import Mismatch
    from safeload.elmo._options import ElmoOptions


def hints(mismatch: Mismatch[ElmoOptions]) -> list[str]:
    """Return hints for a weight file that does not fit its options."""
    problems, found, options = mismatch.problems, mismatch.found, mismatch.config
    names = mismatch.weights.tensors
    missing = [problem.name for problem in problems if problem.kind == "missing"]
    hints = []
    if not any(naming.scopes(names) for naming in NAMINGS):
        few = ", ".join(sorted(names)[:3]) or "none"
        return [f"the file contains no biLM datasets; its first ones are {few}"]
    for key, (wanted, size) in size_claims(mismatch.expected, found).items():
        hints.append(_size_hint(key, wanted, size))
    for key, wanted, pattern, least in (
        ("lstm.n_layers", options.n_layers, rf"RNN_[01]/RNN/MultiRNNCell/Cell{NUMBER}/", 0),
        ("char_cnn.n_highway", options.n_highway, rf"CNN_high_{NUMBER}/", 0),
        ("the number of char_cnn.filters", len(options.filters), rf"CNN/W_cnn_{NUMBER}$", 1),
    ):
        n_found = count_numbered(names, pattern)
        if n_found != wanted and n_found >= least:
            hints.append(
                f"{key} is {wanted} in the options but {n_found} in the file; use both files from the same release"
            )
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


def _size_hint(key: str, wanted: int, size: int) -> str:
    if key == CHARACTER_ROWS:
        return (
            f"char_embed has {size} rows where a character-level biLM has {wanted}: it was not trained with n_characters {wanted}, "
            "so its character ids are not those of AllenNLP and safeload.character_ids"
        )
    return f"{key} is {wanted} in the options but {size} in the file; use both files from the same release"
