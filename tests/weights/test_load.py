"""State dicts of any model's weights, with NumPy and with torch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import safeload
from safeload import testing
from safeload.errors import ArgumentError, CorruptFileError, LockError
from safeload.testing._forms import FORMS
from safeload.weights import _loading
from tests.forms.test_memory import PEAK
from tests.weights.files import write_lock, write_safetensors, write_shards, write_typed

OF_SAFETENSORS = (
    *("bool", "uint8", "int8", "int16", "uint16", "float16", "bfloat16", "int32", "uint32", "float32", "complex64"),
    *("float64", "int64", "uint64", "float8_e5m2", "float8_e4m3fn", "float8_e8m0fnu", "float8_e4m3fnuz"),
    *("float8_e5m2fnuz", "float4_e2m1fn_x2"),
)
"""Torch's names of the types that safetensors writes for it."""

SMALL = ("float8_e4m3fn", "float8_e8m0fnu", "float8_e4m3fnuz", "float8_e5m2fnuz", "float8_e5m2", "float4_e2m1fn_x2")


@pytest.fixture
def torch():
    return pytest.importorskip("torch")


def bits_of(tensor):
    return tensor.contiguous().reshape(-1).view(sys.modules["torch"].uint8).tolist()


def typed(torch, names=OF_SAFETENSORS):
    """Return a matrix of each type that this torch has."""
    zeros_and_ones = (torch.arange(64, dtype=torch.uint8) % 2).reshape(4, 16)
    return {name: zeros_and_ones.clone().view(getattr(torch, name)) for name in names if hasattr(torch, name)}


def require_equal(found, wanted):
    assert found.keys() == wanted.keys()
    for name, tensor in wanted.items():
        assert (found[name].dtype, found[name].shape) == (tensor.dtype, tensor.shape), name
        assert bits_of(found[name]) == bits_of(tensor), name


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_loaded(tmp_path, form):
    testing.write_bert(tmp_path, form=form)
    report = safeload.check_weights(tmp_path)
    found = safeload.load_state_dict(tmp_path)

    assert list(found) == [spec.name for spec in report.read]
    assert {name: values.shape for name, values in found.items()} == {spec.name: spec.shape for spec in report.read}


@pytest.mark.parametrize("is_locked", [False, True])
def test_every_type_of_safetensors_is_what_its_library_loads(tmp_path, torch, is_locked):
    st = pytest.importorskip("safetensors.torch")
    tensors = typed(torch)
    try:
        st.save_file(tensors, tmp_path / "model.safetensors")
    except KeyError as exc:
        pytest.skip(f"this safetensors does not write {exc}")
    if is_locked:
        write_lock(tmp_path)
    found = safeload.load_state_dict(tmp_path, framework="torch")

    require_equal(found, st.load_file(tmp_path / "model.safetensors"))
    for tensor in found.values():
        tensor.view(torch.uint8)[0] = 1  # may be written to


@pytest.mark.parametrize("is_old", [False, True])
def test_every_type_of_torch_is_what_torch_loads(tmp_path, torch, is_old):
    tensors = typed(torch, ("complex128", *OF_SAFETENSORS))
    tensors["turned"] = torch.arange(6.0).reshape(2, 3).T
    tensors["scalar"] = torch.tensor(3.0)
    tensors["empty"] = torch.ones(0, 4)
    path = tmp_path / "a.pt"
    torch.save(tensors, path, _use_new_zipfile_serialization=not is_old)

    require_equal(safeload.load_state_dict(path, framework="torch"), tensors)
    assert safeload.load_state_dict(path, framework="torch")["turned"].stride() == (1, 3)


def test_numpy_widens_bfloat16_and_keeps_the_others(tmp_path, torch):
    values = torch.tensor([1.5, -2.0, 3.140625])
    torch.save(
        {"b": values.bfloat16(), "h": values.half(), "d": values.double(), "i": torch.tensor(3)}, tmp_path / "a.pt"
    )
    found = safeload.load_state_dict(tmp_path / "a.pt")

    assert {name: each.dtype.name for name, each in found.items()} == {
        "b": "float32",
        "h": "float16",
        "d": "float64",
        "i": "int64",
    }
    assert found["b"].tolist() == values.tolist()


def test_what_numpy_lacks_is_told_before_a_value_is_read(tmp_path, torch, monkeypatch):
    st = pytest.importorskip("safetensors.torch")
    tensors = typed(torch, (*SMALL, "float32"))
    if len(tensors) < len(SMALL):
        pytest.skip("this torch has not all of them")
    st.save_file(tensors, tmp_path / "model.safetensors")
    monkeypatch.setattr(_loading, "_read", None)
    with pytest.raises(ArgumentError) as caught:
        safeload.load_state_dict(tmp_path)

    assert caught.value.argument == "framework"
    assert caught.value.message.startswith("6 of 7 tensors are of a type that numpy cannot hold: float4_e2m1fn, float8")
    assert "TYPE       float8_e5m2: (4, 16) float8_e5m2" in str(caught.value)


@pytest.mark.usefixtures("torch")
def test_what_torch_lacks_is_told(tmp_path):
    header = '{"a.weight":{"dtype":"F6_E2M3","shape":[4],"data_offsets":[0,3]}}'
    (tmp_path / "a.safetensors").write_bytes(len(header).to_bytes(8, "little") + header.encode() + b"abc")
    assert safeload.check_weights(tmp_path).not_looked_at == {"float6_e2m3fn": 1}
    with pytest.raises(
        ArgumentError, match="1 of 1 tensor is of a type that torch cannot hold: float6_e2m3fn"
    ) as caught:
        safeload.load_state_dict(tmp_path, framework="torch")
    assert "a.weight: (4) float6_e2m3fn" in str(caught.value)


def test_an_old_torch_is_told_what_it_lacks(tmp_path, torch):
    if hasattr(torch, "uint16"):
        pytest.skip("torch 2.3 has unsigned integers")
    write_safetensors(tmp_path / "a.safetensors", {"x": np.ones(2, np.uint16)})
    with pytest.raises(ArgumentError, match="torch cannot hold: uint16"):
        safeload.load_state_dict(tmp_path, framework="torch")
    assert safeload.load_state_dict(tmp_path)["x"].tolist() == [1, 1]


@pytest.mark.parametrize("framework", ["tensorflow", "", None, 3, ["torch"]])
def test_another_framework_is_refused(tmp_path, framework):
    with pytest.raises(ArgumentError, match="framework must be 'numpy' or 'torch', not"):
        safeload.load_state_dict(tmp_path, framework=framework)


@pytest.mark.parametrize("is_locked", [False, True])
def test_tensors_that_are_the_same_share_memory_and_other_views_do_not(tmp_path, torch, is_locked):
    storage = torch.arange(12.0)
    matrix = storage.reshape(3, 4)
    tensors = {"a": matrix, "tied": matrix, "turned": matrix.T, "row": matrix[1], "alone": torch.ones(2)}
    torch.save(tensors, tmp_path / "a.pt")
    if is_locked:
        write_lock(tmp_path)
    found = safeload.load_state_dict(tmp_path, framework="torch")
    require_equal(found, torch.load(tmp_path / "a.pt"))

    assert found["a"].data_ptr() == found["tied"].data_ptr()
    found["tied"][1, 0] = 99
    assert found["a"][1, 0] == 99
    assert found["turned"][0, 1] == found["row"][0] == 4


@pytest.mark.parametrize("is_locked", [False, True])
def test_a_model_takes_the_state_dict(tmp_path, torch, is_locked):
    saved, loaded = (torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.LayerNorm(4)) for _ in range(2))
    torch.save(saved.state_dict(), tmp_path / "model.pt")
    if is_locked:
        write_lock(tmp_path)
    state = safeload.load_state_dict(tmp_path / "model.pt", framework="torch")
    loaded.load_state_dict(state)

    inputs = torch.ones(2, 3)
    assert torch.equal(saved(inputs), loaded(inputs))


def test_shards_are_one_state_dict(tmp_path):
    write_shards(tmp_path, "diffusion_pytorch_model", 3)
    assert {name: values[0, 0] for name, values in safeload.load_state_dict(tmp_path).items()} == {
        "w0": 1,
        "w1": 2,
        "w2": 3,
    }


@pytest.mark.parametrize("framework", ["numpy", "torch"])
def test_damage_is_told(tmp_path, framework):
    if framework == "torch":
        pytest.importorskip("torch")
    write_safetensors(tmp_path / "a.safetensors", {"x": np.array([1, np.nan], np.float32)})
    with pytest.raises(CorruptFileError, match="1 of 1 tensor is damaged"):
        safeload.load_state_dict(tmp_path, framework=framework)
    write_safetensors(tmp_path / "a.safetensors", {"x": np.array([1, 2], np.float32)})
    write_lock(tmp_path)
    write_safetensors(tmp_path / "a.safetensors", {"x": np.array([1, 3], np.float32)})
    with pytest.raises(LockError):
        safeload.load_state_dict(tmp_path, framework=framework)


def test_what_was_hashed_is_what_is_loaded(tmp_path, monkeypatch):
    write_safetensors(tmp_path / "a.safetensors", {"x": np.arange(300_000, dtype=np.float32)})
    write_lock(tmp_path)
    real = _loading._require_types

    def overwriting(*args):
        (tmp_path / "a.safetensors").write_bytes(b"\0" * (tmp_path / "a.safetensors").stat().st_size)
        return real(*args)

    monkeypatch.setattr(_loading, "_require_types", overwriting)
    assert np.array_equal(safeload.load_state_dict(tmp_path)["x"], np.arange(300_000, dtype=np.float32))


MEASURED = """
import sys, safeload
import numpy, crc32c, zlib_ng.zlib_ng, hashlib
from safeload.weights import _loading
before = start()
values = safeload.load_state_dict(sys.argv[1])
print((peak() - before) / sum(each.nbytes for each in values.values()))
"""


@pytest.mark.parametrize("is_locked", [False, True])
@pytest.mark.parametrize("form", ["safetensors", "shifted", "torch", "old torch"])
def test_no_value_is_twice_in_memory(tmp_path, form, is_locked):
    if not Path("/proc/self/clear_refs").exists():
        pytest.skip("the peak is Linux's to tell")
    values = {f"w{number}": np.ones((4_000, 512), np.float32) for number in range(5)}
    path = tmp_path / "a.safetensors"
    if "torch" in form:
        torch = pytest.importorskip("torch")
        state = {name: torch.from_numpy(each) for name, each in values.items()}
        torch.save(state, tmp_path / "a.pt", _use_new_zipfile_serialization=form == "torch")
    else:
        write_safetensors(path, values)
    if form == "shifted":
        data, n_header = path.read_bytes(), int.from_bytes(path.read_bytes()[:8], "little")
        path.write_bytes((n_header + 3).to_bytes(8, "little") + data[8 : 8 + n_header] + b"   " + data[8 + n_header :])
    if is_locked:
        write_lock(tmp_path)
    command = [sys.executable, "-c", PEAK + MEASURED, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)

    assert 1 <= float(done.stdout) < 1.25


def test_locked_bfloat16_is_widened_without_a_second_copy(tmp_path):
    """What is widened is given back meanwhile: no more than the result is in memory, where the file would be half of it again."""
    if not Path("/proc/self/clear_refs").exists():
        pytest.skip("the peak is Linux's to tell")
    values = (np.random.default_rng(0).random((5, 2_000, 1_024), np.float32).view(np.uint32) >> 16).astype(np.uint16)
    write_typed(tmp_path / "a.safetensors", {f"w{at}": ("BF16", each) for at, each in enumerate(values)})
    write_lock(tmp_path)
    found = safeload.load_state_dict(tmp_path)
    for at, each in enumerate(values):
        assert np.array_equal(found[f"w{at}"], (each.astype(np.uint32) << 16).view(np.float32))
    del found
    command = [sys.executable, "-c", PEAK + MEASURED, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)

    assert 1 <= float(done.stdout) < 1.25


def test_errors_come_before_torch_is_imported(tmp_path, torch):
    write_safetensors(tmp_path / "a.safetensors", {"x": np.float32([1, np.nan])})
    code = "\n".join(
        [
            "import sys, safeload",
            f"try: safeload.load_state_dict({str(tmp_path)!r}, framework='torch')",
            "except safeload.errors.CorruptFileError: print('torch' in sys.modules)",
        ]
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
    assert torch.__name__ == "torch"


def test_load_state_dict_imports_no_framework_for_numpy(tmp_path):
    write_safetensors(tmp_path / "a.safetensors", {"x": np.ones(2)})
    code = f"import sys, safeload; safeload.load_state_dict({str(tmp_path)!r}); safeload.check_weights({str(tmp_path)!r}); print('torch' in sys.modules or 'tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
