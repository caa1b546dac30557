"""Reports that a fault of the catalogue reproduces: what safeload says, word for word."""

from __future__ import annotations

import os

import pytest

from tests.faults.catalogue import BY_REPORT
from tests.faults.hostile import MARK


@pytest.mark.parametrize("number", BY_REPORT)
def test_a_reported_fault(number, said, request):
    fault = BY_REPORT[number]
    folder = request.getfixturevalue(fault.model)
    fault.spoil(folder)
    said.typed(fault.error, lambda: fault.check(folder))
    assert not os.path.exists(MARK)
