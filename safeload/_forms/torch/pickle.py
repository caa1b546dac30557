"""Interpret a pickle as data: nothing that it names is imported, called or built.

The opcodes are those that a state dict needs, in the protocols 2 to 5; the callables are those of `calls.py`.

Source:
    pickletools.py, Python 3.13; torch/_weights_only_unpickler.py, torch 2.13.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

from safeload._forms.torch import calls
from safeload._forms.torch.described import Global, Storage, View, damaged, unsafe
from safeload._text.words import escaped

if TYPE_CHECKING:
    from collections.abc import Callable

    from safeload._bytes.files import FileRef

MAX_PICKLE_BYTES = 1 << 24
"""The size of a pickle, in bytes: some 100,000 tensors."""

MAX_OPCODES = 4_000_000
"""The number of opcodes in a pickle."""

MAX_STRING_BYTES = 1 << 20
MAX_MARKS = 1000
"""How deep tuples, lists and dicts may be opened inside each other."""

_MAX_GLOBAL_BYTES = 1000
_PROTOCOLS = range(2, 6)
_KEYS = (str, int, bool, float, bytes, type(None))
"""The keys of dicts; no name of a tensor comes from another, such as a tuple, and what is under it is not read."""

_STOP = ord(".")
_OTHER_OPCODES = {
    **dict.fromkeys(b"PSVFIL\x8b", "of protocols 0 and 1, or for long numbers"),
    **dict.fromkeys(b"o\x81\x92", "to make an object"),
    **dict.fromkeys(b"\x82\x83\x84", "to call what is registered by number"),
    **dict.fromkeys(b"012dl\x8f\x90\x91\x96\x97\x98", "for objects that are no part of it"),
}
"""Opcodes of other pickles, and what for."""


class CutPickleError(Exception):
    """The bytes end before the pickle does; internal to `torch`."""


class Machine:
    """The state of an interpretation.

    Attributes:
        at: The offset of the next byte.
        storages: Key -> storage, of all that were named or of which a part was.
        stack: The values since the last mark.
        memo: The values that are used again, by number.
    """

    def __init__(self, data: bytes, ref: FileRef, at: int = 0) -> None:
        """Begin at an offset."""
        self.at = at
        self.storages: dict[str, Storage] = {}
        self._named: dict[str, Storage | View] = {}
        self._data, self._ref = data, ref
        self.stack: list[Any] = []
        self._below: list[list[Any]] = []
        self.memo: dict[int, Any] = {}

    def run(self) -> Any:  # noqa: ANN401  (what a pickle holds)
        """Return the value that the pickle describes.

        Raises:
            CutPickleError: The bytes end before it does.
            CorruptFileError: It contradicts itself.
            UnsafeFileError: It asks for a callable or an opcode that no state dict needs, or exceeds a limit.
        """
        data, steps = self._data, _STEPS
        try:
            for _ in range(MAX_OPCODES):
                if self.at >= len(data):
                    raise CutPickleError
                code = data[self.at]
                self.at += 1
                if code == _STOP:
                    return self.stack.pop()
                step = steps.get(code)
                if step is None:
                    raise self.unknown(code)
                step(self)
        except (IndexError, KeyError) as exc:
            raise self.damaged("uses a value that is not there") from exc
        raise unsafe(self._ref, f"has a pickle of more than {MAX_OPCODES:,} opcodes, which no weight file needs")

    def damaged(self, what: str) -> Exception:
        return damaged(self._ref, f"its pickle {what}, at byte {self.at:,} of it")

    def unknown(self, code: int) -> Exception:
        if code in _OTHER_OPCODES:
            what = f"has a pickle with the opcode {code:#04x}, {_OTHER_OPCODES[code]}, which no state dict needs"
            return unsafe(self._ref, what)
        return self.damaged(f"has no opcode {code:#04x}")

    def take(self, n_bytes: int) -> bytes:
        end = self.at + n_bytes
        if end > len(self._data):
            raise CutPickleError
        found = self._data[self.at : end]
        self.at = end
        return found

    def number(self, n_bytes: int) -> int:
        return int.from_bytes(self.take(n_bytes), "little")

    def text(self, n_length_bytes: int) -> None:
        self.stack.append(self.decoded(self.string(n_length_bytes)))

    def data(self, n_length_bytes: int) -> None:
        self.stack.append(self.string(n_length_bytes))

    def string(self, n_length_bytes: int) -> bytes:
        n_bytes = self.number(n_length_bytes)
        if n_bytes > MAX_STRING_BYTES:
            raise unsafe(
                self._ref, f"has a string of {n_bytes:,} bytes; no state dict needs more than {MAX_STRING_BYTES:,}"
            )
        return self.take(n_bytes)

    def decoded(self, data: bytes) -> str:
        try:
            return data.decode()
        except UnicodeDecodeError as exc:
            raise self.damaged("has a string that is not UTF-8") from exc

    def integer(self, n_bytes: int) -> None:
        self.stack.append(int.from_bytes(self.take(n_bytes), "little", signed=True))

    def popped_to_mark(self) -> list[Any]:
        found, self.stack = self.stack, self._below.pop()
        return found

    def proto(self) -> None:
        found = self.number(1)
        if found not in _PROTOCOLS:
            raise unsafe(self._ref, f"has a pickle of protocol {found}; torch writes 2 to 5")

    def mark(self) -> None:
        if len(self._below) >= MAX_MARKS:
            raise unsafe(self._ref, f"has a pickle of more than {MAX_MARKS:,} levels, which no state dict needs")
        self._below.append(self.stack)
        self.stack = []

    def line(self) -> str:
        end = self._data.find(b"\n", self.at, self.at + _MAX_GLOBAL_BYTES)
        if end < 0 and len(self._data) < self.at + _MAX_GLOBAL_BYTES:
            raise CutPickleError
        if end < 0:
            raise self.damaged("names a callable without an end")
        return self.take(end + 1 - self.at)[:-1].decode("utf-8", "backslashreplace")

    def named(self) -> None:
        self.stack.append(self.known(Global(self.line(), self.line())))

    def stack_global(self) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        if type(name) is not str or type(module) is not str:
            raise self.damaged("names a callable by something else than text")
        self.stack.append(self.known(Global(module, name)))

    def instance(self) -> None:
        raise calls.not_needed(self._ref, Global(self.line(), self.line()))

    def known(self, found: Global) -> Global:
        if not calls.is_known(found):
            raise calls.not_needed(self._ref, found)
        return found

    def reduce(self) -> None:
        args, function = self.stack.pop(), self.stack.pop()
        if type(function) is not Global or type(args) is not tuple:
            raise self.damaged("calls something that is no callable")
        try:
            self.stack.append(calls.described(function, args))
        except calls.BadCallError as exc:
            raise self.damaged(f"has {escaped(str(function))} with other values than torch writes: {exc}") from exc

    def persistent(self) -> None:
        try:
            found = calls.storage_of(self.stack.pop())
        except calls.BadCallError as exc:
            raise self.damaged(f"names a storage in another way than torch does: {exc}") from exc
        for each in (found.storage, found) if type(found) is View else (found,):
            if self._named.setdefault(each.key, each) != each:
                raise self.damaged(f"describes the storage {escaped(each.key)} in two ways")
            if type(each) is Storage:
                self.storages[each.key] = each
        self.stack.append(found)

    def build(self) -> None:
        """Drop the attributes of an OrderedDict, such as the `_metadata` of a module."""
        self.stack.pop()
        if type(self.stack[-1]) is not dict:
            raise self.damaged("sets the attributes of something else than a dict")

    def tuple(self, size: int) -> None:
        if size > len(self.stack):
            raise IndexError
        self.stack[-size:] = [tuple(self.stack[-size:])]

    def marked_tuple(self) -> None:
        found = self.popped_to_mark()
        self.stack.append(tuple(found))

    def extend(self, values: list[Any]) -> None:
        if type(self.stack[-1]) is not list:
            raise self.damaged("appends to something else than a list")
        self.stack[-1].extend(values)

    def set(self, items: list[Any]) -> None:
        table = self.stack[-1]
        if type(table) is not dict or len(items) % 2:
            raise self.damaged("sets items of something else than a dict")
        for key, value in zip(items[::2], items[1::2], strict=True):
            if type(key) in (list, dict):
                raise self.damaged("has a dict with a key that cannot be one")
            if type(key) not in _KEYS:
                continue
            if key in table:
                raise self.damaged(f"has {escaped(repr(key))} twice in a dict")
            table[key] = value

    def put(self, number: int) -> None:
        self.memo[number] = self.stack[-1]


_STEPS: dict[int, Callable[[Machine], Any]] = {
    ord(code): step
    for code, step in {
        "\x80": Machine.proto,
        "\x95": lambda machine: machine.take(8),  # the length of a frame
        "(": Machine.mark,
        "c": Machine.named,
        "i": Machine.instance,
        "\x93": Machine.stack_global,
        "R": Machine.reduce,
        "Q": Machine.persistent,
        "b": Machine.build,
        ")": lambda machine: machine.stack.append(()),
        "]": lambda machine: machine.stack.append([]),
        "}": lambda machine: machine.stack.append({}),
        "N": lambda machine: machine.stack.append(None),
        "\x88": lambda machine: machine.stack.append(True),
        "\x89": lambda machine: machine.stack.append(False),
        "t": Machine.marked_tuple,
        "\x85": lambda machine: machine.tuple(1),
        "\x86": lambda machine: machine.tuple(2),
        "\x87": lambda machine: machine.tuple(3),
        "a": lambda machine: machine.extend([machine.stack.pop()]),
        "e": lambda machine: machine.extend(machine.popped_to_mark()),
        "s": lambda machine: machine.set([machine.stack.pop(), machine.stack.pop()][::-1]),
        "u": lambda machine: machine.set(machine.popped_to_mark()),
        "X": lambda machine: machine.text(4),
        "\x8c": lambda machine: machine.text(1),
        "\x8d": lambda machine: machine.text(8),
        "U": lambda machine: machine.text(1),  # Python 2's strings
        "T": lambda machine: machine.text(4),
        "B": lambda machine: machine.data(4),
        "C": lambda machine: machine.data(1),
        "\x8e": lambda machine: machine.data(8),
        "J": lambda machine: machine.integer(4),
        "K": lambda machine: machine.stack.append(machine.number(1)),
        "M": lambda machine: machine.stack.append(machine.number(2)),
        "\x8a": lambda machine: machine.integer(machine.number(1)),
        "G": lambda machine: machine.stack.append(struct.unpack(">d", machine.take(8))[0]),
        "h": lambda machine: machine.stack.append(machine.memo[machine.number(1)]),
        "j": lambda machine: machine.stack.append(machine.memo[machine.number(4)]),
        "q": lambda machine: machine.put(machine.number(1)),
        "r": lambda machine: machine.put(machine.number(4)),
        "\x94": lambda machine: machine.put(len(machine.memo)),
    }.items()
}
"""Opcode -> what it does."""
