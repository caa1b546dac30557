"""Load the tensors of weights of any model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from safeload._arguments import as_python, bad_argument
from safeload._forms.element_types import TYPES
from safeload._text.words import one_line, some_of
from safeload.errors import ArgumentError
from safeload.weights._checking import opened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    from safeload._forms.weight_file import StoredTensor, WeightFile
    from safeload.weights._checking import Request

    Array = NDArray[Any]

_TORCH = "torch"
FRAMEWORKS = ("numpy", _TORCH)
_OF_EVERY_TORCH = (
    *("bool", "uint8", "int8", "int16", "int32", "int64"),
    *("float16", "bfloat16", "float32", "float64", "complex64", "complex128"),
)
"""The types that torch has had since its first release that is supported."""

_BFLOAT16 = "bfloat16"
_AS_OTHERS = (_BFLOAT16, "string")
"""The types that NumPy lacks and that it can still hold: as float32, as objects."""


def load(request: Request, framework: object) -> dict[str, Any]:
    """Verify all tensors and return them.

    Raises:
        SafeLoadError: As `load_state_dict`.
    """
    wanted = as_python(framework)
    if wanted not in FRAMEWORKS:
        raise bad_argument("framework", framework, " or ".join(map(repr, FRAMEWORKS)), ["pass framework='torch'"])
    from safeload._frameworks.elmo import require_torch, require_torch_installed  # noqa: PLC0415

    if wanted == _TORCH:
        require_torch_installed()
    with opened(request, is_kept=True) as weights:
        file = weights.file
        _require_types(file, wanted, _is_of_numpy if wanted != _TORCH else _types_of_torch(file, require_torch))
        arrays = _read(file, widened=wanted != _TORCH)
        weights.prove()
        specs = file.tensors
    if wanted != _TORCH:
        return arrays
    from safeload.weights._torch import tensor_of  # noqa: PLC0415

    torch = require_torch()
    return {name: tensor_of(torch, values, specs[name].spec) for name, values in arrays.items()}


def _types_of_torch(file: WeightFile, require_torch: Callable[[], Any]) -> Callable[[StoredTensor], bool]:
    """Return what tells whether torch has the type of a tensor; torch is imported only where not every torch has them all."""
    from safeload.weights._torch import has_type_in  # noqa: PLC0415

    if all(_is_of_every_torch(each) for name, each in file.tensors.items() if file.has_readable_type(name)):
        return _is_of_every_torch
    return has_type_in(require_torch())


def _is_of_every_torch(tensor: StoredTensor) -> bool:
    return tensor.spec.dtype in _OF_EVERY_TORCH


def _is_of_numpy(tensor: StoredTensor) -> bool:
    dtype = tensor.spec.dtype
    return dtype in _AS_OTHERS or (dtype in TYPES and TYPES[dtype].numpy == dtype)


def _read(file: WeightFile, *, widened: bool) -> dict[str, Array]:
    """Read each tensor once; with `widened`, those of bfloat16 in float32."""
    firsts = {name: file.first_with_same_bytes(name) for name in file.tensors}
    unique = dict.fromkeys(firsts.values())
    as_floats = [name for name in unique if widened and file.tensors[name].spec.dtype == _BFLOAT16]
    found = file.read([name for name in unique if name not in {*as_floats}])
    if as_floats:
        found |= file.read(as_floats, floats=True)
    return {name: found[first] for name, first in firsts.items()}


def _require_types(file: WeightFile, framework: str, has_type: Callable[[StoredTensor], bool]) -> None:
    """Require types that the framework has, before any value is read.

    Raises:
        ArgumentError: It lacks some; names all tensors.
    """
    lacking = [each for name, each in file.tensors.items() if not (file.has_readable_type(name) and has_type(each))]
    if lacking:
        raise _lacking_types(file, framework, lacking)


def _lacking_types(file: WeightFile, framework: str, lacking: Iterable[StoredTensor]) -> ArgumentError:
    rows = [f"TYPE       {one_line(each.spec.name)}: {one_line(str(each.spec))}" for each in lacking]
    kinds = ", ".join(sorted({each.spec.dtype for each in lacking}))
    message = f"{some_of(len(rows), len(file.tensors), file.noun)} of a type that {framework} cannot hold: {kinds}"
    hints = ["pass framework='torch', with a torch that has the type"] if framework == "numpy" else []
    hints.append("safeload.check_weights verifies the file without loading it")
    return ArgumentError(message, argument="framework", **file.ref.facts, details=rows, hints=hints)
