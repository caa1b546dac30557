"""Pickles: those that ask for more than data, those that are damaged, and those that would fill the memory."""

from __future__ import annotations

import os
import pickle
import struct
import sys
import time

import hypothesis.strategies as st
import pytest
from hypothesis import given

from safeload._forms.torch.calls import MAX_AXES
from safeload._forms.torch.file import MAX_REPEATS
from safeload._forms.torch.pickle import (
    MAX_MARKS,
    MAX_OPCODES,
    MAX_PICKLE_BYTES,
    MAX_STRING_BYTES,
    CutPickleError,
    Machine,
)
from safeload._forms.torch.state import MAX_DEPTH, MAX_NAME_CHARS
from safeload.errors import CorruptFileError, SafeLoadError, UnsafeFileError, WrongFileKindError
from tests.forms.laws import LAW
from tests.forms.torch.archives import changed, file_of, number, opened, state_dict, storage, tensor, text, values_of
from tests.opened import ref

TORCH_STREAM = b"".join(
    pickle.dumps(each, protocol=2) for each in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True})
)


class Bomb:
    def __init__(self, *call):
        self.call = call

    def __reduce__(self):
        return self.call[0], self.call[1:]


def run(data):
    return Machine(data, ref("/a", "weight", "g")).run()


def failure(data, error=UnsafeFileError):
    with pytest.raises(SafeLoadError) as caught:
        run(data)
    assert type(caught.value) is error, caught.value
    assert caught.value.given == "g"
    return caught.value


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**300), 2**300) | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text() | st.integers(), inner),
    max_leaves=20,
)


@LAW
@given(PLAIN, st.sampled_from([3, 4, 5]))
def test_plain_values_are_those_that_pickle_loads(value, protocol):
    assert run(pickle.dumps(value, protocol=protocol)) == value


@LAW
@given(st.binary(max_size=60))
def test_any_bytes_are_a_value_or_an_error(data):
    try:
        run(b"\x80\x02" + data)
    except (SafeLoadError, CutPickleError):
        return


CALLS = {
    "os.system": b"cos\nsystem\n(X\x04\0\0\0truetR.",
    "builtins.eval": b"c__builtin__\neval\n.",
    "builtins.getattr": b"\x80\x04\x8c\x08builtins\x8c\x07getattr\x93.",
    "posix.system": pickle.dumps(Bomb(os.system, "true"), protocol=4),
    "torch.load": b"ctorch\nload\n.",
    "torch._utils._rebuild_tensor_v2.__globals__": b"ctorch._utils\n_rebuild_tensor_v2.__globals__\n.",
    "torch.storage._load_from_bytes": b"ctorch.storage\n_load_from_bytes\n.",
    "nt.system": b"(X\x04\0\0\0trueint\nsystem\n.",
    "collections.OrderedDict.fromkeys": b"\x80\x04\x8c\x0bcollections\x8c\x14OrderedDict.fromkeys\x93.",
    "numpy.core.multiarray._reconstruct": b"cnumpy.core.multiarray\n_reconstruct\n.",
}


@pytest.mark.parametrize("name", CALLS)
def test_a_callable_is_named_and_not_imported(name):
    before = set(sys.modules)
    error = failure(CALLS[name])

    wanted = name.replace("builtins.eval", "__builtin__.eval")
    assert f"asks for the callable {wanted}, which no state dict needs; nothing was imported or called" in error.message
    assert set(sys.modules) <= before


def test_a_callable_that_forges_a_line_is_escaped():
    error = failure(b"ca\x1b[31m\r  hint: run this\nb\xff\n.")
    assert "\x1b" not in str(error)
    assert len(str(error).splitlines()) == 4


OTHERS = {
    "make an object": b"ccollections\nOrderedDict\n)\x81.",
    "make an object with keys": b"ccollections\nOrderedDict\n)}\x92.",
    "an extension": b"\x82\x01.",
    "a persistent id in text": b"P0\n.",
    "text of protocol 0": b"S'a'\n.",
    "an integer of protocol 0": b"I1\n.",
    "a long number": b"\x8b" + struct.pack("<I", 4) + bytes(4) + b".",
    "a buffer": b"\x97.",
    "a set": b"\x8f.",
    "protocol 9": b"\x80\x09.",
    "a string of 2 GB": b"X" + struct.pack("<I", 1 << 31),
    "bytes of 2**63": b"\x8e" + struct.pack("<Q", 1 << 63),
    "levels": b"(" * (MAX_MARKS + 1),
    "opcodes": b"N" * (MAX_OPCODES + 1),
}


@pytest.mark.parametrize("what", OTHERS)
def test_what_no_state_dict_needs_is_refused(what):
    assert failure(OTHERS[what]).hints


DAMAGED = {
    "an opcode that is none": b"\xff.",
    "an empty stack": b".",
    "a tuple of nothing": b"\x85.",
    "a mark that is not there": b"t.",
    "a value below a mark": b"N(\x85.",
    "a memo that is not there": b"h\x07.",
    "a call of no callable": b"N)R.",
    "arguments that are no tuple": b"ccollections\nOrderedDict\nNR.",
    "a call of a type": b"ctorch\nFloatStorage\n)R.",
    "a dict of pairs that are none": b"ccollections\nOrderedDict\n(](K\1etR.",
    "a dict of two lists": b"ccollections\nOrderedDict\n(]]tR.",
    "a name of no text": b"\x80\x04K\1K\1\x93.",
    "text that is not UTF-8": b"X\1\0\0\0\xff.",
    "a callable without an end": b"c" + b"a" * 2000,
    "items of no dict": b"]K\1K\1s.",
    "items of a dict without the last value": b"}(K\1u.",
    "a list as a key": b"}]K\1s.",
    "a key twice": b"}(K\1K\1K\1K\1u.",
    "an append to no list": b"}K\1a.",
    "attributes of no dict": b"K\1}b.",
    "a storage of another kind": b"(" + text("module") + b"K\1K\1K\1K\1tQ.",
    "a storage that is no tuple": b"K\1Q.",
    "a storage without a type": b"(" + text("storage") + text("FloatStorage") + text("0") + text("cpu") + b"K\1tQ.",
    "a storage of -1 values": storage(n_values=-1) + b".",
    "a storage of 2**63 values": storage(n_values=1 << 63) + b".",
    "a storage described in two ways": storage() + storage(n_values=2) + b".",
    "a part beyond its storage": storage()[:-2] + b"(" + text("1") + b"K\1K\1ttQ.",
    "a tensor of no storage": tensor(b"N") + b".",
    "a negative offset": tensor(offset=-1) + b".",
    "an offset that is a bool": tensor().replace(number(0), b"\x88", 1) + b".",
    "a negative size": tensor(shape=(-1,)) + b".",
    "a negative stride": tensor(strides=(-1,)) + b".",
    "another number of strides": tensor(strides=(1, 1)) + b".",
    "more axes than NumPy has": tensor(shape=(1,) * (MAX_AXES + 1), strides=(1,) * (MAX_AXES + 1)) + b".",
    "a tensor of no arguments": b"ctorch._utils\n_rebuild_tensor_v2\n)R.",
    "a parameter of no tensor": b"ctorch._utils\n_rebuild_parameter\n(NNNtR.",
    "sizes of nothing": b"ctorch\nSize\n)R.",
}


@pytest.mark.parametrize("what", DAMAGED)
def test_a_damaged_pickle_is_found(what):
    assert "its pickle " in failure(DAMAGED[what], CorruptFileError).message


@pytest.mark.parametrize("n_bytes", range(len(state_dict(x=tensor()))))
def test_a_cut_pickle_has_no_value(n_bytes):
    with pytest.raises(CutPickleError):
        run(state_dict(x=tensor())[:n_bytes])


BOMBS = {
    "tuples in tuples": b"N" + b"\x85" * 3_000_000 + b".",
    "a memo that doubles": b"]" + b"".join(b"q\0h\0\x86" for _ in range(700_000)) + b".",
    "lists": b"(" + b"]" * 3_000_000 + b"t.",
    "a list that holds itself": b"]q\0h\0a.",
    "dicts that double": b"}q\0" + b"}(K\1h\0K\2h\0uq\0" * 200_000 + b".",
}


@pytest.mark.parametrize("what", BOMBS)
def test_a_bomb_takes_little_time(tmp_path, what):
    start = time.process_time()
    path = file_of(tmp_path / "a.pt", b"\x80\x02" + BOMBS[what])
    with pytest.raises((WrongFileKindError, UnsafeFileError)):
        opened(path)
    assert time.process_time() - start < 20


FILES = {
    "a storage beyond the file": (state_dict(x=tensor(storage(n_values=1 << 40))), CorruptFileError, "storage 0 has 4 bytes"),
    "a tensor beyond its storage": (state_dict(x=tensor(shape=(2,))), CorruptFileError, "x ends beyond its storage"),
    "an offset beyond its storage": (state_dict(x=tensor(offset=1)), CorruptFileError, "x ends beyond its storage"),
    "a stride beyond its storage": (state_dict(x=tensor(shape=(2,), strides=(1 << 62,))), CorruptFileError, "x ends beyond"),
    "a storage that is not there": (state_dict(x=tensor(storage("7"))), CorruptFileError, "it has no storage 7"),
    "a storage that leads up": (state_dict(x=tensor(storage("../../x"))), CorruptFileError, "it has no storage ../../x"),
    "one value 2**60 times": (state_dict(x=tensor(shape=(1 << 60,), strides=(0,))), UnsafeFileError, f"more than {MAX_REPEATS} times"),
    "two names that are one": (state_dict(**{"a.b": tensor(), "a": b"}" + text("b") + tensor() + b"s"}), CorruptFileError, "the name a.b"),
    "a name of 2,000 letters": (state_dict(**{"x" * 2000: tensor()}), UnsafeFileError, f"more than {MAX_NAME_CHARS:,}"),
    "dicts in dicts": (b"\x80\x02" + (b"}" + text("a")) * 20 + b"}K\1K\1s" + b"s" * 20 + b".", UnsafeFileError, f"more than {MAX_DEPTH} levels"),
    "bytes behind the pickle": (state_dict(x=tensor()) + b"N.", CorruptFileError, "data.pkl has bytes behind its pickle"),
    "a cut pickle": (state_dict(x=tensor())[:-1], CorruptFileError, "data.pkl ends before its pickle does"),
    "a pickle of 17 MB": (bytes(MAX_PICKLE_BYTES + 1), UnsafeFileError, "data.pkl of 16,777,217 bytes"),
    "a list": (b"\x80\x02].", WrongFileKindError, "a PyTorch file that holds no dict of tensors"),
}  # fmt: skip


@pytest.mark.parametrize("what", FILES)
def test_a_file_with_a_hostile_pickle_is_refused(tmp_path, what):
    data, error, said = FILES[what]
    path = file_of(tmp_path / "a.pt", data)
    with pytest.raises(SafeLoadError) as caught:
        opened(path)
    assert type(caught.value) is error
    assert said in caught.value.message
    assert caught.value.resolved == str(path)


def test_a_string_of_the_largest_size_is_read(tmp_path):
    path = file_of(tmp_path / "a.pt", state_dict(x=tensor(), y=text("a" * MAX_STRING_BYTES)))
    assert set(values_of(path)) == {"x"}


def test_python_2_s_dicts_and_strings_are_read(tmp_path):
    items = b"ccollections\nOrderedDict\n(](](U\1a" + tensor() + b"eetR"
    assert values_of(file_of(tmp_path / "a.pt", b"\x80\x02" + items + b"."))["a"].tolist() == [1]


KEYS, VALUES = b"\x80\x02](" + text("0") + b"e.", struct.pack("<qf", 1, 1)


def stream(path, content=None, keys=KEYS, values=VALUES):
    old = storage()[:-2] + b"NtQ"
    path.write_bytes(TORCH_STREAM + (content or state_dict(x=tensor(old))) + keys + values)
    return path


STREAMS = {
    "no values": ({"values": b""}, "is truncated"),
    "too few bytes": ({"values": struct.pack("<qf", 1, 1)[:-1]}, "is truncated"),
    "too many bytes": ({"values": struct.pack("<qf", 1, 1) + b"\0"}, "1 bytes behind its last storage"),
    "another length": ({"values": struct.pack("<qf", 2, 1)}, "another length"),
    "a negative length": ({"values": struct.pack("<qf", -1, 1)}, "another length"),
    "a key more": ({"keys": pickle.dumps(["0", "1"], protocol=2)}, "not that of its tensors"),
    "a key twice": ({"keys": pickle.dumps(["0", "0"], protocol=2)}, "not that of its tensors"),
    "keys that are no text": ({"keys": pickle.dumps([0], protocol=2)}, "not that of its tensors"),
    "no keys": ({"keys": b"\x80\x02N."}, "not that of its tensors"),
    "a cut pickle": ({"keys": b"\x80", "values": b""}, "is truncated: it ends within the pickle"),
}


@pytest.mark.parametrize("what", STREAMS)
def test_a_damaged_stream_is_found(tmp_path, what):
    change, said = STREAMS[what]
    assert values_of(stream(tmp_path / "a.pt"))["x"].tolist() == [1]
    with pytest.raises(CorruptFileError) as caught:
        opened(stream(tmp_path / "a.pt", **change))
    assert said in caught.value.message


def test_a_stream_of_another_byte_order_is_refused(tmp_path):
    data = stream(tmp_path / "a.pt").read_bytes()
    (tmp_path / "a.pt").write_bytes(data.replace(b"little_endianq\x01\x88", b"little_endianq\x01\x89"))
    with pytest.raises(WrongFileKindError, match="big-endian"):
        opened(tmp_path / "a.pt")


def test_a_stream_of_another_version_is_damaged(tmp_path):
    data = stream(tmp_path / "a.pt").read_bytes()
    (tmp_path / "a.pt").write_bytes(changed(data, data.index(b"M\xe9\x03") + 1, 1002, "<H"))
    with pytest.raises(CorruptFileError, match="its first pickles are not those"):
        opened(tmp_path / "a.pt")


def test_a_stream_with_a_long_pickle_is_read(tmp_path):
    old = storage()[:-2] + b"NtQ"
    more = {f"t{at}": text("a" * 100_000) for at in range(20)}
    assert set(values_of(stream(tmp_path / "a.pt", state_dict(x=tensor(old), **more)))) == {"x"}

    many = {f"t{at}": text("a" * MAX_STRING_BYTES) for at in range(17)}
    with pytest.raises(UnsafeFileError, match="pickles of more than 16,777,216 bytes"):
        opened(stream(tmp_path / "a.pt", state_dict(x=tensor(old), **many)))
