"""Files that torch writes: the same values as torch.load returns, whatever shares, turns or cuts its storage."""

from __future__ import annotations

import json
import pickle
from collections import OrderedDict
from contextlib import suppress

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from safeload._forms.seen import Seen
from safeload.errors import CorruptFileError, SafeLoadError, UnsafeFileError, WrongFileKindError
from safeload.testing._torch import write_torch
from tests.forms.laws import LAW
from tests.forms.torch import archives
from tests.forms.torch.archives import changed_file, opened, values_of

BOTH = pytest.mark.parametrize("new", [True, False], ids=["zip", "stream"])
TENSORS = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.float32(7), "c": np.zeros((0, 3), np.float32)}


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch")


def save(torch, content, path, new=True, **options):  # noqa: FBT002  (torch names it)
    torch.save(content, path, _use_new_zipfile_serialization=new, **options)
    return path


def same(found, tensors):
    """Require the values that torch has; bfloat16 is compared by its bits."""
    import torch

    assert set(found) == set(tensors)
    for name, wanted in tensors.items():
        is_half = wanted.dtype == torch.bfloat16
        values = (wanted.detach().contiguous().view(torch.int16) if is_half else wanted.detach()).numpy()
        np.testing.assert_array_equal(found[name].view(np.int16) if is_half else found[name], values, err_msg=name)
        assert is_half or found[name].dtype == values.dtype


def awkward(torch):
    """Return tensors of all types, and views of all kinds."""
    base = torch.arange(24.0).reshape(4, 6)
    types = {
        name: torch.arange(5).to(getattr(torch, name)) for name in ("float64", "float16", "bfloat16", "int64", "int32")
    }
    types |= {name: torch.arange(5).to(getattr(torch, name)) for name in ("int16", "int8", "uint8", "bool")}
    views = {
        "turned": base.t(), "all": base, "row": base[1], "column": base[:, 2], "part": base[1:3, 2:5], "every other": base[::2, ::3],
        "axes": torch.arange(24).reshape(2, 3, 4).permute(2, 0, 1), "one axis": torch.ones(3, 1).t(), "repeated": torch.ones(1, 3).expand(4, 3),
        "scalar": torch.tensor(3.5), "empty": torch.zeros(0, 3), "empty part": base[2:2], "parameter": torch.nn.Parameter(torch.ones(2)),
        "last": base.flatten()[-1:],
    }  # fmt: skip
    return OrderedDict({**types, **views})


@BOTH
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_tensors_of_each_type_and_view_have_torch_s_values(tmp_path, torch, new, protocol):
    tensors = awkward(torch)
    path = save(torch, tensors, tmp_path / "a.pt", new, pickle_protocol=protocol)

    with opened(path) as file:
        same(file.read(file.tensors), tensors)
        assert {name: each.spec.shape for name, each in file.tensors.items()} == {
            name: tuple(each.shape) for name, each in tensors.items()
        }
        file.verify(file.tensors)
        for name in tensors:
            values, fault = file.look(name)
            assert (values is not None, fault) == (True, "")


@BOTH
def test_a_module_s_state_dict_is_read(tmp_path, torch, new):
    module = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2), torch.nn.LSTM(2, 2))
    path = save(torch, module.state_dict(), tmp_path / "a.bin", new)

    same(values_of(path), module.state_dict())


@BOTH
def test_what_training_scripts_save_has_names_with_dots(tmp_path, torch, new):
    module = torch.nn.Linear(3, 2)
    optimizer = torch.optim.Adam(module.parameters())
    module(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    more = {
        "epoch": 3,
        "loss": 0.5,
        "best": None,
        "done": True,
        "big": 2**70,
        "size": torch.Size([2]),
        "where": torch.device("cpu"),
    }
    more |= {
        "type": torch.float16,
        "bytes": b"x",
        "steps": [1, (2, 3)],
        "seen": {1, 2},
        "name": "x" * 300,
        "text": "\u00fc",
    }
    content = {"model": module.state_dict(), "optimizer": optimizer.state_dict(), **more}
    path = save(torch, content, tmp_path / "a.pt", new)

    found = values_of(path)
    assert {"model.weight", "model.bias", "optimizer.state.0.exp_avg", "optimizer.state.1.exp_avg_sq"} <= set(found)
    np.testing.assert_array_equal(found["model.weight"], module.weight.detach().numpy())


@BOTH
def test_tied_tensors_are_equal_without_being_read(tmp_path, torch, new):
    weight = torch.arange(6.0).reshape(2, 3)
    content = {"a": weight, "b": weight, "turned": weight.t(), "other": weight.clone(), "more": weight.clone() + 1}
    path = save(torch, content, tmp_path / "a.pt", new)

    with opened(path) as file:
        assert file.is_equal("a", "b")
        assert file.is_equal("a", "other")
        assert not file.is_equal("a", "more")
        assert not file.is_equal("a", "turned")
        assert file.seen.keys() == {"a", "more"}


@BOTH
@pytest.mark.parametrize("dtype", ["float64", "float16", "bfloat16"])
def test_a_copy_of_another_type_is_equal_if_it_makes_the_same_float32(tmp_path, torch, new, dtype):
    table = torch.arange(6.0).reshape(2, 3) / 8
    copy = table.to(getattr(torch, dtype))
    content = {"table": table, "copy": copy, "turned": copy.t().contiguous().t(), "other": copy + 1, "ints": copy.int()}
    content["nearly"] = table.double() * (1 + 1e-12)
    content["bad"] = copy * float("nan")
    path = save(torch, content, tmp_path / "a.pt", new)

    with opened(path) as file:
        names = [name for name in content if name != "bad"]
        assert [name for name in names if file.is_equal(name, "table")] == ["table", "copy", "turned", "nearly"]
        with pytest.raises(CorruptFileError, match="NaN"):
            file.is_equal("bad", "table")


@BOTH
def test_float64_is_read_as_float32_and_what_is_rounded_is_seen(tmp_path, torch, new):
    base = torch.arange(24.0, dtype=torch.float64).reshape(4, 6)
    base[2, 3] = 0.1
    content = {"all": base, "turned": base.t(), "part": base[1:, 2:], "turned part": base[1:, 2:].t(), "even": base[:2]}
    path = save(torch, content, tmp_path / "a.pt", new)

    with opened(path) as file:
        found = file.read(content, floats=True)
        for name, wanted in content.items():
            assert found[name].dtype == np.float32
            np.testing.assert_array_equal(found[name], wanted.float().numpy(), err_msg=name)
        seen = {name: file.seen[name].inexact for name in content}
        places = {name: file.place_of(name, each.at) for name, each in seen.items() if each}
    assert {(each.n_values, each.first) for each in seen.values() if each} == {(1, 0.1)}
    assert places == {"all": (2, 3), "turned": (3, 2), "part": (1, 1), "turned part": (1, 1)}


def test_the_checksums_of_the_storages_are_counted(tmp_path, torch):
    base = torch.arange(24.0).reshape(4, 6)
    path = save(torch, {"a": base[0], "b": base[1], "c": base, "d": torch.ones(2)}, tmp_path / "a.pt")

    with opened(path) as file:
        assert file.checksums(0).startswith("none")
        file.verify(["a", "b"])
        assert file.checksums(2) == "CRC-32 of 1 storage"
        file.verify(["c", "d"])
        assert file.checksums(4) == "CRC-32 of 2 storages"


@BOTH
def test_values_beside_a_view_are_not_its_own(tmp_path, torch, new):
    base = torch.ones(4, 6)
    base[:, 3] = float("nan")
    path = save(torch, {"part": base[:, :3], "turned": base[:, :3].t(), "column": base[:, 3]}, tmp_path / "a.pt", new)

    with opened(path) as file:
        file.verify(["part", "turned"])
        assert file.seen["part"]._replace(checksum="") == Seen(constant=1.0, rows="equal")
        with pytest.raises(CorruptFileError) as caught:
            file.verify(["part", "column"])
    assert caught.value.variables == ("column",)


def test_a_turned_tensor_is_aligned_and_keeps_its_bytes(tmp_path, torch):
    path = save(torch, {"a": torch.arange(6.0).reshape(2, 3).t()}, tmp_path / "a.pt")

    with opened(path) as file:
        values = file.read(["a"])["a"]
    assert values.T.flags.c_contiguous
    assert values.T.ctypes.data % 64 == 0


@pytest.mark.parametrize("damaged", ["whole", "part"])
def test_a_changed_value_is_found_by_its_crc(tmp_path, torch, damaged):
    content = {"whole": torch.arange(20.0, 27.0), "part": torch.arange(9.0)[2:4]}
    path = save(torch, content, tmp_path / "a.pt")
    data = path.read_bytes()
    at = data.rindex(content[damaged].numpy().tobytes())

    with changed_file(path, data[:at] + b"\1" + data[at + 1 :]), opened(path) as file:
        values, fault = file.look(damaged)
        assert fault.startswith("CHECKSUM: stored ")
        assert values is not None
        for verb in (file.verify, file.read):
            with pytest.raises(CorruptFileError) as caught:
                verb(file.tensors)
            assert caught.value.variables == (damaged,)
            assert "copy or download the file again" in caught.value.hints


def test_a_file_that_was_saved_without_checksums_has_the_same_values(tmp_path, torch):
    config = pytest.importorskip("torch.utils.serialization.config", reason="torch 2.6 has compute_crc32 first")
    content = {"whole": torch.arange(20.0, 27.0), "part": torch.arange(9.0)[2:4]}
    with config.patch({"save.compute_crc32": False}):
        path = save(torch, content, tmp_path / "a.pt")

    same(values_of(path), content)
    with opened(path) as file:
        file.verify(file.tensors)
        assert file.checksums(2).startswith("none: ")


def without_values(torch):
    """Return name -> a tensor that safeload lists and cannot read, and the type that it shows."""
    scales, zeros = torch.tensor([0.1, 0.2]), torch.tensor([0, 0])
    return {
        "coo": (torch.eye(2).to_sparse(), "float32, sparse"),
        "csr": (torch.eye(2).to_sparse_csr(), "float32, sparse"),
        "meta": (torch.empty(2, 3, device="meta"), "float32, without values"),
        "of a tensor": (torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8), "qint8"),
        "of channels": (torch.quantize_per_channel(torch.ones(2, 2), scales, zeros, 0, torch.quint8), "quint8"),
    }


@BOTH
@pytest.mark.filterwarnings("ignore:torch.quantize", "ignore:.*deprecated", "ignore:Sparse CSR")
def test_tensors_without_values_of_their_own_are_listed_and_those_beside_them_read(tmp_path, torch, new):
    table = without_values(torch)
    beside = {name: tensor for name, (tensor, _) in table.items()}
    path = save(torch, {"a": torch.arange(3.0), **beside}, tmp_path / "a.pt", new)

    with opened(path) as file:
        assert file.read(["a"])["a"].tolist() == [0, 1, 2]
        for name, (tensor, dtype) in table.items():
            spec = file.tensors[name].spec
            assert (spec.shape, spec.dtype) == (tuple(tensor.shape), dtype)
            assert file.look(name) == (None, "")
            with pytest.raises(CorruptFileError, match=f"{dtype} cannot be read"):
                file.verify([name])


@BOTH
def test_keys_that_name_no_tensor_are_skipped(tmp_path, torch, new):
    content = {"model": {"a": torch.ones(2), "0": torch.zeros(1)}, ("x", 1): torch.ones(3), 7: torch.ones(1)}
    content["model"][0] = torch.ones(4)
    content["cache"] = {(1, (2, "b")): {"c": torch.ones(1)}}
    found = values_of(save(torch, content, tmp_path / "a.pt", new))

    assert {name: values.tolist() for name, values in found.items()} == {"model.a": [1, 1], "model.0": [0], "7": [1]}


@BOTH
def test_complex_tensors_are_read(tmp_path, torch, new):
    content = {"x": torch.tensor([1 + 2j, 3]), "y": torch.tensor([1j, 2], dtype=torch.complex128)}
    found = values_of(save(torch, content, tmp_path / "a.pt", new))

    assert found["x"].dtype == np.complex64
    assert found["x"].tolist() == [1 + 2j, 3]
    assert found["y"].tolist() == [1j, 2]


@BOTH
def test_a_tensor_that_torch_negates_is_not_read_as_it_is_stored(tmp_path, torch, new):
    if not hasattr(torch._utils, "set_tensor_metadata"):
        pytest.skip("torch 2 saves the mark first")
    marked = torch.complex(torch.zeros(2), -torch.ones(2)).conj().imag
    assert marked.is_neg()
    path = save(torch, {"x": marked, "y": torch.ones(2)}, tmp_path / "a.pt", new)

    with opened(path) as file:
        assert file.read(["y"])["y"].tolist() == torch.load(path)["x"].tolist() == [1, 1]
        with pytest.raises(CorruptFileError, match="float32, negated or conjugated cannot be read"):
            file.read(["x"])


def test_types_without_a_storage_of_their_own_are_read(tmp_path, torch):
    if not hasattr(torch, "uint16"):
        pytest.skip("torch 2.3 has them first")
    content = {"x": torch.tensor([1, 65535], dtype=torch.uint16), "f": torch.ones(2).to(torch.float8_e4m3fn)}
    with opened(save(torch, content, tmp_path / "a.pt")) as file:
        assert file.read(["x"])["x"].tolist() == [1, 65535]
        assert file.tensors["f"].spec.dtype == "float8_e4m3fn"
        assert file.read(["f"])["f"].tolist() == [0x38, 0x38]


@BOTH
def test_a_whole_module_is_refused_by_name(tmp_path, torch, new):
    with pytest.raises(UnsafeFileError) as caught:
        opened(save(torch, torch.nn.Linear(1, 1), tmp_path / "a.pt", new))
    assert "asks for the callable torch.nn.modules.linear.Linear," in caught.value.message
    assert caught.value.hints == ("save model.state_dict() alone, with torch.save, where the file was made",)


@BOTH
def test_what_is_no_dict_is_refused(tmp_path, torch, new):
    with pytest.raises(WrongFileKindError) as caught:
        opened(save(torch, [torch.ones(1)], tmp_path / "a.pt", new))
    assert caught.value.found == "a PyTorch file that holds no dict of tensors"


def test_torchscript_is_refused(tmp_path, torch):
    class Module(torch.nn.Module):
        def forward(self, x):
            return x

    torch.jit.save(torch.jit.script(Module()), str(tmp_path / "a.pt"))
    with pytest.raises(WrongFileKindError) as caught:
        opened(tmp_path / "a.pt")
    assert caught.value.found == "a TorchScript archive"
    assert "torch.jit.load" in caught.value.hints[0]


@pytest.mark.parametrize("transposed", [False, True])
def test_the_testing_kit_writes_what_torch_reads(tmp_path, torch, transposed):
    write_torch(tmp_path / "a.bin", TENSORS, transposed=transposed)

    found, ours = torch.load(tmp_path / "a.bin"), values_of(tmp_path / "a.bin")
    assert found["a"].stride() == ((1, 2) if transposed else (3, 1))
    for name, values in TENSORS.items():
        np.testing.assert_array_equal(found[name].numpy(), values)
        np.testing.assert_array_equal(ours[name], values)


@pytest.fixture(scope="module")
def small(tmp_path_factory, torch):
    """Return a file of each format, and its values."""
    folder = tmp_path_factory.mktemp("small")
    weight = torch.arange(6.0).reshape(2, 3)
    content = OrderedDict({"a.weight": weight.t(), "b": weight[1], "c": torch.ones(3), "n": torch.tensor(5)})
    paths = {new: save(torch, content, folder / f"{new}.pt", new) for new in (True, False)}
    return {new: (path, path.read_bytes(), values_of(path)) for new, path in paths.items()}


def values_after_a_change(path, before, data):
    """Change a byte, or the length, of a file; return the values that are read, None if the change is found."""
    at = data.draw(st.integers(0, len(before) - 1))
    kind = data.draw(st.sampled_from(["change", "cut", "remove", "add"]))
    byte = b"" if kind == "remove" else bytes([data.draw(st.integers(0, 255))])
    after = before[:at] if kind == "cut" else before[:at] + byte + before[at + (kind != "add") :]
    with changed_file(path, after), suppress(SafeLoadError):
        return values_of(path)
    return None


@LAW
@given(data=st.data())
def test_any_changed_byte_of_a_zip_is_found_or_changes_nothing(small, data):
    path, before, wanted = small[True]
    found = values_after_a_change(path, before, data)
    assert found is None or set(found) == set(wanted)
    assert found is None or all(np.array_equal(found[name], values) for name, values in wanted.items())


@LAW
@given(data=st.data())
def test_any_changed_byte_of_a_stream_is_found_or_leaves_finite_values(small, data):
    """The stream has no checksum: a changed byte may make other names, other views and other finite values."""
    path, before, _ = small[False]
    found = values_after_a_change(path, before, data)
    assert found is None or all(np.isfinite(values).all() for values in found.values())


@pytest.fixture
def sharded(tmp_path):
    """Return the index of a model in two shards, and a function that changes it."""
    for number, name in enumerate(("a", "b"), start=1):
        write_torch(tmp_path / f"pytorch_model-0000{number}-of-00002.bin", {name: TENSORS[name]})
    weight_map = {"a": "pytorch_model-00001-of-00002.bin", "b": "pytorch_model-00002-of-00002.bin"}
    path = tmp_path / "pytorch_model.bin.index.json"

    def write(**changes):
        path.write_text(json.dumps({"metadata": {"total_size": 28}, "weight_map": weight_map, **changes}))
        return path

    return write


def test_shards_are_one_file(sharded):
    with opened(sharded(), "index") as file:
        found = file.read(["a", "b"])
        assert [role for role, _ in file.files()] == ["index", "shard", "shard"]
        assert file.summary == "state dict of PyTorch in 2 files"
    np.testing.assert_array_equal(found["a"], TENSORS["a"])
    assert found["b"] == 7


def test_a_total_size_that_is_not_true_is_found(sharded):
    with pytest.raises(CorruptFileError, match="29 bytes, but they have 28"):
        opened(sharded(metadata={"total_size": 29}), "index")


def test_a_tensor_in_another_shard_than_the_index_says_is_found(sharded):
    names = [f"pytorch_model-0000{number}-of-00002.bin" for number in (2, 1)]
    with pytest.raises(CorruptFileError, match="a shard does not hold what its index says"):
        opened(sharded(weight_map=dict(zip("ab", names, strict=True))), "index")


def test_a_total_size_may_leave_out_shared_storages(tmp_path, torch):
    weight = torch.ones(4)
    save(torch, {"a": weight, "b": weight}, tmp_path / "x.bin")
    for size in (16, 32):
        index = {"metadata": {"total_size": size}, "weight_map": {"a": "x.bin", "b": "x.bin"}}
        (tmp_path / "i.json").write_text(json.dumps(index))
        opened(tmp_path / "i.json", "index").close()


def view(name="v", start=2, n_values=3, key="0", whole=6):
    """Return the opcodes of a part of a storage, as torch before 0.4 wrote them."""
    part = b"(" + archives.text(name) + archives.number(start) + archives.number(n_values) + b"t"
    return archives.storage(key, n_values=whole)[:-2] + part + b"tQ"


def stream_of(path, rows, n_values=6):
    """Write a stream with one storage."""
    head = b"".join(pickle.dumps(each, protocol=2) for each in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}))
    values = np.arange(n_values, dtype=np.float32)
    data = archives.state_dict(**rows) + pickle.dumps(["0"], protocol=2)
    path.write_bytes(head + data + np.int64(n_values).tobytes() + values.tobytes())
    return path


def test_parts_of_a_storage_have_torch_s_values(tmp_path, torch):
    whole = archives.storage(n_values=6)[:-2] + b"NtQ"
    rows = {
        "part": archives.tensor(view(), shape=(3,), call="_rebuild_tensor"),
        "again": archives.tensor(view(), offset=1, shape=(2,)),
        "turned": archives.tensor(view("w", 1, 4), shape=(2, 2), strides=(1, 2)),
        "last": archives.tensor(view("x", 6, 0), shape=(0,)),
        "all": archives.tensor(whole, shape=(2, 3), strides=(3, 1)),
    }
    rows["part"] = rows["part"].replace(b"\x89ccollections\nOrderedDict\n)R", b"")  # it has four arguments
    path = stream_of(tmp_path / "a.pt", rows)

    found, wanted = values_of(path), torch.load(path)
    assert found.keys() == wanted.keys() == rows.keys()
    for name, values in wanted.items():
        np.testing.assert_array_equal(found[name], values.numpy(), err_msg=name)
    np.testing.assert_array_equal(found["part"], [2, 3, 4])


PARTS = {
    "a tensor beyond its part": archives.tensor(view(), offset=1, shape=(3,)),
    "a row beyond its part": archives.tensor(view(), shape=(2, 2), strides=(2, 1)),
    "a part beyond the storage": archives.tensor(view(start=4), shape=(1,)),
    "a part at -1": archives.tensor(view(start=-1), shape=(1,)),
    "a part of -1": archives.tensor(view(n_values=-1), shape=(1,)),
    "a part without a size": archives.tensor(archives.storage(n_values=6)[:-2] + b"(" + archives.text("v") + b"ttQ", shape=(1,)),
    "a part of something": archives.tensor(archives.storage(n_values=6)[:-2] + b"K\1tQ", shape=(1,)),
    "a part with the name of a storage": archives.tensor(view("0"), shape=(1,)),
    "two parts of one name": archives.tensor(view(), shape=(1,)) + archives.text("y") + archives.tensor(view(start=1), shape=(1,)),
    "two storages of one name": archives.tensor(view(), shape=(1,)) + archives.text("y") + archives.tensor(view("w", whole=7), shape=(1,)),
}  # fmt: skip


@pytest.mark.parametrize("what", PARTS)
def test_parts_of_a_storage_that_are_none_are_refused(tmp_path, what):
    with pytest.raises(CorruptFileError):
        opened(stream_of(tmp_path / "a.pt", {"x": PARTS[what]}))
