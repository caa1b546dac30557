"""Describe what the callables of a state dict would return; none is imported or called.

Source:
    torch/_utils.py, _rebuild_tensor_v2 and others; torch/serialization.py, persistent_id and persistent_load, torch 1.12 and
    2.13.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from safeload._forms.torch.described import INERT, SAVE_STATE_DICT, Global, Storage, Tensor, View, unsafe
from safeload._text.words import escaped

if TYPE_CHECKING:
    from collections.abc import Callable

    from safeload._bytes.files import FileRef
    from safeload.errors import UnsafeFileError

MAX_AXES = 32
_MAX_SIZE = 1 << 63
_UTILS = "torch._utils"
STORAGES = {
    "FloatStorage": ("float32", 4), "DoubleStorage": ("float64", 8), "HalfStorage": ("float16", 2),
    "BFloat16Storage": ("bfloat16", 2), "LongStorage": ("int64", 8), "IntStorage": ("int32", 4),
    "ShortStorage": ("int16", 2), "CharStorage": ("int8", 1), "ByteStorage": ("uint8", 1), "BoolStorage": ("bool", 1),
    "ComplexFloatStorage": ("complex64", 8), "ComplexDoubleStorage": ("complex128", 16),
    "UntypedStorage": ("uint8", 1), "_UntypedStorage": ("uint8", 1),
    "QInt8Storage": ("qint8", 1), "QUInt8Storage": ("quint8", 1), "QInt32Storage": ("qint32", 4),
}  # fmt: skip
"""torch's class of a storage -> element type and its size in bytes."""

_DTYPES = {
    "uint16": 2, "uint32": 4, "uint64": 8, "float8_e4m3fn": 1, "float8_e5m2": 1, "float8_e4m3fnuz": 1, "float8_e5m2fnuz": 1,
    "float8_e8m0fnu": 1, "float4_e2m1fn_x2": 1, "complex32": 4,
}  # fmt: skip
"""The types that have no class of storage; their sizes in bytes."""

_TENSORS = {
    Global(_UTILS, "_rebuild_tensor"): (4, 4), Global(_UTILS, "_rebuild_tensor_v2"): (6, 7),
    Global(_UTILS, "_rebuild_tensor_v3"): (7, 8),
}  # fmt: skip
"""The functions that return a tensor, and how many arguments they take."""

_MARKED = ", negated or conjugated"
"""What the type of a tensor is called whose values torch changes when it reads them; such a tensor is not read."""

_PARAMETERS = {Global(_UTILS, "_rebuild_parameter"): 3, Global(_UTILS, "_rebuild_parameter_with_state"): 4}
_ORDERED_DICT, _SIZE = Global("collections", "OrderedDict"), Global("torch", "Size")
_INERT = {
    Global("torch", "device"), Global("collections", "Counter"), Global("_codecs", "encode"),
    Global("torch.serialization", "_get_layout"),
    *(Global(module, name) for module in ("builtins", "__builtin__") for name in ("set", "complex", "bytearray")),
}  # fmt: skip
"""What training scripts save beside the weights, of which nothing is read."""

_PLAIN_DTYPES = {
    *_DTYPES, "float32", "float64", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool", "complex64",
    "complex128",
}  # fmt: skip
_SCHEMES = {"per_tensor_affine", "per_channel_affine", "per_channel_affine_float_qparams"}


class BadCallError(Exception):
    """The arguments are not those that torch writes; internal to `torch`."""


def is_known(found: Global) -> bool:
    """Return whether a state dict may name this."""
    return (
        found in _TENSORS
        or found in _PARAMETERS
        or found in _UNREAD
        or found in (_ORDERED_DICT, _SIZE)
        or found in _INERT
        or _is_storage(found)
        or (found.module == "torch" and found.name in _PLAIN_DTYPES | _SCHEMES)
    )


def not_needed(ref: FileRef, found: Global) -> UnsafeFileError:
    """Return the error for a file that names anything else."""
    what = f"asks for the callable {escaped(str(found))}, which no state dict needs; nothing was imported or called"
    return unsafe(ref, what, SAVE_STATE_DICT)


def described(function: Global, args: tuple[Any, ...]) -> Any:  # noqa: ANN401  (what a pickle holds)
    """Return what a call would return, as data.

    Raises:
        BadCallError: The arguments are not those that torch writes.
    """
    if function in _TENSORS:
        low, high = _TENSORS[function]
        if not low <= len(args) <= high:
            raise BadCallError(f"{len(args)} arguments")
        return _tensor(args)
    if function in _UNREAD:
        return _UNREAD[function](args)
    if function in _PARAMETERS:
        if len(args) != _PARAMETERS[function] or type(args[0]) is not Tensor:
            raise BadCallError("no tensor")
        return args[0]
    if function == _ORDERED_DICT:
        return _ordered_dict(args)
    if function == _SIZE:
        if len(args) != 1 or type(args[0]) is not tuple:
            raise BadCallError("no sizes")
        return args[0]
    if function in _INERT:
        return INERT
    raise BadCallError("it is no function")


def storage_of(found: Any) -> Storage | View:  # noqa: ANN401  (what a pickle holds)
    """Return the storage that a persistent id names, or the part of one.

    Raises:
        BadCallError: It is no id of a storage.
    """
    if type(found) is not tuple or len(found) not in (5, 6) or type(found[0]) is not str or found[0] != "storage":
        raise BadCallError("no id of a storage")
    kind, key, location, n_values = found[1:5]
    if type(kind) is not Global or not _is_storage(kind) or type(key) is not str or type(location) is not str:
        raise BadCallError("no type, key and device")
    if not _is_size(n_values):
        raise BadCallError("no number of values")
    storage = Storage(key, *STORAGES[kind.name], n_values)
    return _view(found[5], storage) if len(found) > 5 and found[5] is not None else storage  # noqa: PLR2004


def _view(found: Any, storage: Storage) -> View:  # noqa: ANN401  (what a pickle holds)
    """Return a part of a storage, as torch before 0.4 describes it: by a name, an offset and a number of values."""
    if type(found) is not tuple or len(found) != 3:  # noqa: PLR2004
        raise BadCallError("no part of a storage")
    key, start, n_values = found
    if type(key) is not str or not _is_size(start) or not _is_size(n_values) or start + n_values > storage.n_values:
        raise BadCallError("no part of a storage")
    return View(key, storage, start, n_values)


def _is_storage(found: Global) -> bool:
    return found.module in ("torch", "torch.cuda", "torch.storage") and found.name in STORAGES


def _is_size(found: object) -> bool:
    return type(found) is int and 0 <= found < _MAX_SIZE


def _sizes(found: Any) -> tuple[int, ...]:  # noqa: ANN401  (what a pickle holds)
    if type(found) is not tuple or len(found) > MAX_AXES or not all(map(_is_size, found)):
        raise BadCallError("no sizes or strides")
    return found


def _tensor(args: tuple[Any, ...]) -> Tensor:
    if len(args) < 4:  # noqa: PLR2004
        raise BadCallError("no storage, offset, sizes and strides")
    storage: Storage | View = args[0]
    offset, shape, strides = args[1], _sizes(args[2]), _sizes(args[3])
    if type(storage) not in (Storage, View) or not _is_size(offset) or len(shape) != len(strides):
        raise BadCallError("no storage, offset, sizes and strides")
    if isinstance(storage, View):
        offset = _offset_in_storage(storage, offset, shape, strides)
        storage = storage.storage
    has_type = len(args) > 6 and type(args[6]) is Global  # noqa: PLR2004  (the type, of version 3)
    marked = _MARKED * any(args[7 if has_type else 6 :])
    if not has_type:
        return Tensor(storage, offset, shape, strides, storage.dtype + marked, storage.item_bytes)
    name = args[6].name
    if args[6].module != "torch" or name not in _DTYPES:
        raise BadCallError("no type of a tensor")
    return Tensor(storage, offset, shape, strides, name + marked, _DTYPES[name])


def _sparse(args: tuple[Any, ...]) -> Tensor:
    """Return a sparse tensor: tensors of its indices, the tensor of its values, and its shape."""
    data = args[1] if len(args) == 2 and type(args[1]) is tuple else ()  # noqa: PLR2004
    at = next((at for at, each in enumerate(data) if type(each) is tuple), 0)
    if not at or type(data[at - 1]) is not Tensor:
        raise BadCallError("no values and shape")
    return _without_values((Global("torch", data[at - 1].dtype), data[at]), "sparse")


def _without_values(args: tuple[Any, ...], what: str) -> Tensor:
    """Return a tensor of a type and shape that has no values to read."""
    if len(args) != 2 or type(args[0]) is not Global:  # noqa: PLR2004
        raise BadCallError("no type and shape")
    shape = _sizes(args[1])
    return Tensor(None, 0, shape, (0,) * len(shape), f"{args[0].name}, {what}", 0)


def _offset_in_storage(view: View, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> int:
    """Return where a tensor that is in a part of a storage begins in the whole storage."""
    last = sum(stride * (size - 1) for stride, size in zip(strides, shape, strict=True))
    if all(shape) and offset + last >= view.n_values:
        raise BadCallError("a tensor beyond its part of a storage")
    return view.start + offset


def _ordered_dict(args: tuple[Any, ...]) -> dict[Any, Any]:
    """Return a dict; Python 2 passes its items as a list of lists."""
    if not args:
        return {}
    items = args[0]
    if len(args) > 1 or type(items) is not list:
        raise BadCallError("no items")
    table: dict[Any, Any] = {}
    for item in items:
        if type(item) not in (list, tuple) or len(item) != 2 or type(item[0]) is not str or item[0] in table:  # noqa: PLR2004
            raise BadCallError("no pairs of different names and values")
        table[item[0]] = item[1]
    return table


_UNREAD: dict[Global, Callable[[tuple[Any, ...]], Tensor]] = {
    Global(_UTILS, "_rebuild_sparse_tensor"): _sparse,
    Global(_UTILS, "_rebuild_sparse_csr_tensor"): _sparse,
    Global(_UTILS, "_rebuild_meta_tensor_no_storage"): lambda args: _without_values(args[:2], "without values"),
    Global(_UTILS, "_rebuild_qtensor"): lambda args: _tensor(args[:4]),
}
"""The functions that return a tensor whose values are not read, and what describes it."""
