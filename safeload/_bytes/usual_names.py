"""Choose the weight files in a folder by their names."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from safeload._bytes.kinds import CHECKPOINT, ELMO, KINDS, kinds_of
from safeload._bytes.names import is_shown

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from safeload._bytes.kinds import FileKind

_SHARD = re.compile(r"(?s).*(-\d{5}-of-\d{5}\.[^.]+|_\d{5}\.weights\.h5)")
_OF_VARIANTS = ("model.safetensors", "pytorch_model.bin", "tf_model.h5")
"""The usual names before whose ending transformers puts the name of a variant, as in `model.fp16.safetensors`.

Source:
    transformers/modeling_utils.py, _add_variant, transformers 4.49 and 5.24.
"""


TRIED = (
    "bert_config.json", "config.json", "options.json", "vocab.txt", "safeload.lock",
    *(name for kind, _ in KINDS for name in kind.usual),
    "bert_model.ckpt.index", "bert_model.ckpt.data-00000-of-00001", "weights.hdf5", "weights.th", "best.th",
)  # fmt: skip
"""The names of files that are asked for in a folder of a server that lists none."""


def files_of_forms(names: list[str], model: str | None) -> list[tuple[str, str]]:
    """Return (name, form) of the files of a form; checkpoints are found by prefix instead.

    Where a file has a usual name, it is the only one, and else that of the only variant with such a name; else they are those
    with the extension of a form, sorted.
    """
    kinds = [kind for kind in kinds_of(model) if kind.form != CHECKPOINT]
    if model != ELMO and (usual := _usual_files(names, kinds)):
        return usual
    return [
        (name, kind.form)
        for name in sorted(without_usual(names))
        if is_shown(name)
        for kind in kinds
        if name.endswith(kind.endings)
    ]


def is_usual(name: str) -> bool:
    """Return whether a file has a usual name of a BERT's weights, or one of a variant."""
    return any(_variant(name, usual) is not None for kind, _ in KINDS for usual in kind.usual)


def _usual_files(names: Collection[str], kinds: Iterable[FileKind]) -> list[tuple[str, str]]:
    """Return (name, form) of the first file with a usual name; where there is none, of the first of each variant."""
    found: dict[str, tuple[str, str]] = {}
    for kind in kinds:
        for usual in kind.usual:
            for name in sorted(names):
                if (variant := _variant(name, usual)) is not None:
                    found.setdefault(variant, (name, kind.form))
    return [found[""]] if "" in found else list(found.values())


def _variant(name: str, usual: str) -> str | None:
    """Return the variant in a name, which is "" in a usual name itself; None if it is another name."""
    if name == usual:
        return ""
    stem, _, ending = usual.rpartition(".")
    variant = name.removeprefix(f"{stem}.").removesuffix(f".{ending}")
    is_one = usual.startswith(_OF_VARIANTS) and name == f"{stem}.{variant}.{ending}"
    return variant if is_one and variant and "." not in variant and not _SHARD.fullmatch(name) else None


def without_usual(names: Iterable[str]) -> list[str]:
    """Return the names in a folder that are no BERT's: neither usual ones, nor, beside an index of such a name, shards."""
    listed = {name: is_usual(name) for name in names}
    has_index = any(is_one and name.endswith(".json") for name, is_one in listed.items())
    return [name for name, is_one in listed.items() if not is_one and not (has_index and _SHARD.fullmatch(name))]
