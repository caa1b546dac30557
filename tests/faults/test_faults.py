from __future__ import annotations

import os
import pickle
import re
from copy import deepcopy
from pathlib import Path

import pytest
from table import FAULTS

import safeload
from safeload.errors import SafeLoadError

GOLDEN = Path(__file__).parent / "golden"


def filled(value, folder):
    return value.replace("{}", str(folder)) if isinstance(value, str) else value


def arguments(fault, folder):
    given = {"config_file": "{}", **fault.call}
    return {name: filled(value, folder) for name, value in given.items()}


def failure(call, **given):
    with pytest.raises(SafeLoadError) as caught:
        call(**given)
    return caught.value


def neutral(text, folder):
    """Take out of a message what differs from machine to machine."""
    text = re.sub(r"(stored|found) [0-9a-f]{8}", r"\1 <crc>", text)
    return text.replace(str(folder), "<model>").replace(os.getcwd(), "<cwd>").replace(str(folder.parent), "<models>")


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_has_its_type_its_path_and_its_message(fault, bert, request):
    fault.spoil(bert)
    error = failure(safeload.check_bert, **arguments(fault, bert))

    assert type(error) is fault.error
    if fault.path is not None:
        assert os.path.join(bert, fault.path).rstrip("/") in str(error).splitlines()[1]
    assert str(error).isascii()
    golden = GOLDEN / f"{fault.name}.txt"
    text = f"{type(error).__name__}: {neutral(str(error), bert)}\n"
    if request.config.getoption("--write-golden"):
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_load_fails_as_the_check_does(fault, bert):
    fault.spoil(bert)
    given = arguments(fault, bert)

    checked, loaded = failure(safeload.check_bert, **given), failure(safeload.load_bert, **given)

    assert (type(loaded), str(loaded)) == (type(checked), str(checked))


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_an_error_pickles_and_copies_with_every_fact(fault, bert):
    fault.spoil(bert)
    error = failure(safeload.check_bert, **arguments(fault, bert))

    for twin in (pickle.loads(pickle.dumps(error)), deepcopy(error)):
        assert type(twin) is type(error)
        assert str(twin) == str(error)
        assert vars(twin).keys() == vars(error).keys()
        assert twin.args == error.args


def test_every_golden_message_belongs_to_a_fault():
    assert {path.stem for path in GOLDEN.iterdir()} == {fault.name for fault in FAULTS}


def test_no_check_wrote_into_the_model(tiny_bert):
    before = {path.name: path.stat().st_mtime_ns for path in tiny_bert.iterdir()}
    safeload.check_bert(tiny_bert)
    assert {path.name: path.stat().st_mtime_ns for path in tiny_bert.iterdir()} == before
