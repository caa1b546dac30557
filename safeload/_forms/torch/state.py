"""List the tensors of what a pickle describes: a state dict, or a dict that holds some among other things."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from safeload._bytes.kinds import FileKind, wrong_kind
from safeload._forms.torch.described import SAVE_STATE_DICT, Tensor, damaged, unsafe
from safeload._text.words import one_line

if TYPE_CHECKING:
    from safeload._bytes.files import FileRef

MAX_NAMED = 100_000
"""The number of tensors in a file."""

MAX_ENTRIES = 1_000_000
"""The number of entries in the dicts of a file, each counted as often as it is named."""

MAX_NAME_CHARS = 1024
MAX_DEPTH = 16
"""How many dicts may be inside each other."""

_NO_DICT = FileKind("other", "a PyTorch file that holds no dict of tensors", SAVE_STATE_DICT)


def tensors_of(value: Any, ref: FileRef) -> dict[str, Tensor]:  # noqa: ANN401  (what a pickle holds)
    """Return name -> tensor.

    Names of tensors in inner dicts begin with the keys that lead there: in what training scripts save,
    `{"model": state_dict, "optimizer": ..., "epoch": 3}`, the tensors of the model are `model.bert.embeddings...`, and those
    of the optimizer `optimizer.state.0.exp_avg`. What is no tensor and no dict, such as a number or a list, is left out, and what
    is under a number where the same text is a key.

    Raises:
        WrongFileKindError: The value is no dict.
        CorruptFileError: Two tensors have one name.
        UnsafeFileError: There are more entries, deeper dicts or longer names than any model has.
    """
    if type(value) is not dict:
        raise wrong_kind(ref, _NO_DICT, wanted="a PyTorch file of a state dict")
    found: dict[str, Tensor] = {}
    left: list[tuple[str, dict[Any, Any], int]] = [("", value, 1)]
    n_entries = 0
    while left:
        scope, table, depth = left.pop()
        n_entries += len(table)
        if n_entries > MAX_ENTRIES or depth > MAX_DEPTH:
            raise unsafe(ref, f"has more than {MAX_ENTRIES:,} entries or dicts in more than {MAX_DEPTH} levels")
        for key, each in table.items():
            if type(key) is not str and repr(key) in table:
                continue
            if type(each) is Tensor:
                _add(found, _named(scope, key, ref), each, ref)
            elif type(each) is dict and each:
                left.append((f"{_named(scope, key, ref)}.", each, depth + 1))
    return found


def _add(found: dict[str, Tensor], name: str, tensor: Tensor, ref: FileRef) -> None:
    if name in found:
        raise damaged(ref, f"two tensors have the name {one_line(name)}", name)
    if len(found) >= MAX_NAMED:
        raise unsafe(ref, f"has more than {MAX_NAMED:,} tensors; no weight file needs more")
    found[name] = tensor


def _named(scope: str, key: Any, ref: FileRef) -> str:  # noqa: ANN401  (a key of a dict)
    name = scope + (key if type(key) is str else repr(key))
    if len(name) > MAX_NAME_CHARS:
        raise unsafe(ref, f"has a name of {len(name):,} characters; no tensor needs more than {MAX_NAME_CHARS:,}")
    return name
