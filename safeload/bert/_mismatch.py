"""Write hints for a checkpoint that does not fit its config."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from safeload._compare import NUMBER, size_claims

if TYPE_CHECKING:
    from collections.abc import Mapping

    from safeload._model_kind import Mismatch
    from safeload.bert._config import BertConfig
    from safeload.report import TensorSpec

_LAYER = re.compile(rf"bert/encoder/layer_{NUMBER}/")
_NUMBER = re.compile(r"(?<!layer)_[0-9]+(?=/|$)")


def hints(mismatch: Mismatch[BertConfig]) -> list[str]:
    """Return hints for a checkpoint that does not fit its config."""
    problems, found, config = mismatch.problems, mismatch.found, mismatch.config
    hints = _size_hints(mismatch.expected, found)
    missing = [problem.name for problem in problems if problem.kind == "missing"]
    layers = {int(m[1]) for name in found if (m := _LAYER.match(name))}
    n_layers = max(layers) + 1 if layers else 0
    if n_layers and n_layers != config.num_hidden_layers:
        hints.append(
            f"num_hidden_layers is {config.num_hidden_layers} in the config but {n_layers} in the checkpoint; "
            "use both files from the same release"
        )
    elif any(problem.kind == "unexpected" for problem in problems):
        hints.append("to allow extra variables, pass ignore_unused=['bert/...']")
    if len(missing) == len(problems) and not any(name.startswith("bert/") for name in found):
        few = ", ".join(sorted(found)[:3])
        hints.append(f"the checkpoint contains no BERT variables; its first ones are {few}, ...")
    stored = {problem.found.dtype for problem in problems if problem.kind == "dtype" and problem.found}
    if stored:
        hints.append(f"the checkpoint stores {', '.join(sorted(stored))}; save it in float32, float16 or bfloat16")
    heads = [name for name in missing if name.startswith(("cls/", "bert/pooler/"))]
    if heads and len(heads) == len(missing):
        hints.append("the checkpoint was saved without the MLM and NSP heads; load it with training=False")
    unnumbered = {_NUMBER.sub("", name) for name in found} - set(found)
    if any(name in unnumbered for name in missing):
        hints.append("names in the checkpoint end in a number (_1, _2): the graph was built twice before it was saved")
    return hints


def _size_hints(expected: Mapping[str, TensorSpec], found: Mapping[str, TensorSpec]) -> list[str]:
    """Return a hint for each config key whose size differs from the checkpoint wherever it occurs."""
    hints = []
    for key, (wanted, size) in size_claims(expected, found).items():
        if key == "type_vocab_size":
            hints.append(f"the checkpoint has {size} segments; keras-bert always builds {wanted}")
        else:
            hints.append(
                f"{key} is {wanted} in the config but {size} in the checkpoint; use both files from the same release"
            )
    return hints
