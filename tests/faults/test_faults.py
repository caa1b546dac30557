from __future__ import annotations

import os
import pickle
import re
from copy import deepcopy
from pathlib import Path

import pytest

import safeload
from safeload.errors import LockError, SafeLoadError
from safeload.lock import LOCK_NAME
from tests.faults.catalogue import CATALOGUE

GOLDEN = Path(__file__).parent / "golden"
FAULTS = {key: fault for key, fault in CATALOGUE.items() if fault.has_message or not fault.is_hostile}
each_fault = pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)


@pytest.fixture
def folder(fault, request):
    return request.getfixturevalue(fault.model)


def failure(call, folder):
    with pytest.raises(SafeLoadError) as caught:
        call(folder)
    return caught.value


def neutral(text, folder):
    """Take out of a message what differs from machine to machine."""
    text = re.sub(r"(stored|found) [0-9a-f]{8}", r"\1 <crc>", text)
    text = re.sub(r"(?m)^(  hdf5: +).*$", r"\1<what HDF5 says>", text)
    return text.replace(str(folder), "<model>").replace(os.getcwd(), "<cwd>").replace(str(folder.parent), "<models>")


@each_fault
def test_a_fault_has_its_type_its_path_and_its_message(fault, folder, request):
    fault.spoil(folder)
    given = fault.arguments(folder)
    error = failure(fault.check, folder)

    assert type(error) is fault.error
    of_the_lock = isinstance(error, LockError) or fault.path == LOCK_NAME
    assert error.given in [*given.values(), str(folder), str(folder / "vocab.txt"), *([None] if of_the_lock else [])]
    if fault.path is not None:
        assert os.path.join(folder, fault.path).rstrip("/") in str(error).splitlines()[1]
    assert str(error).isascii()
    if not fault.has_message:
        return
    golden = GOLDEN / f"{fault.key}.txt"
    text = f"{type(error).__name__}: {neutral(str(error), folder)}\n"
    if request.config.getoption("--write-golden"):
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")


@each_fault
def test_a_load_fails_as_the_check_does(fault, folder):
    fault.spoil(folder)

    checked, loaded = failure(fault.check, folder), failure(fault.load, folder)

    assert (type(loaded), str(loaded)) == (type(checked), str(checked))


@each_fault
def test_an_error_pickles_and_copies_with_every_fact(fault, folder):
    fault.spoil(folder)
    error = failure(fault.check, folder)

    for twin in (pickle.loads(pickle.dumps(error)), deepcopy(error)):
        assert type(twin) is type(error)
        assert str(twin) == str(error)
        assert vars(twin).keys() == vars(error).keys()
        assert twin.args == error.args


def test_every_golden_message_belongs_to_a_fault():
    assert sorted(f"{path.parent.name}/{path.stem}" for path in GOLDEN.rglob("*.txt")) == sorted(
        key for key, fault in FAULTS.items() if fault.has_message
    )


def test_no_check_wrote_into_the_model(tiny_bert, tiny_elmo):
    for folder, check in ((tiny_bert, safeload.check_bert), (tiny_elmo, safeload.check_elmo)):
        before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
        check(folder)
        assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before
