"""Every reported class has its test, and the page is what the tests say."""

from __future__ import annotations

import re
from pathlib import Path

from tests.faults.catalogue import BY_REPORT
from tests.reports.reported import OUT_OF_REACH, REPORTS
from tests.reports.reports_page import PAGE, page

TESTS = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_reports_*.py"))


def test_every_class_has_one_test_or_a_reason():
    tested = {*re.findall(r"\ndef test_([A-M]\d+)_", TESTS), *BY_REPORT}
    assert sorted(tested) == sorted(set(REPORTS) - set(OUT_OF_REACH))
    assert len(REPORTS) >= 224
    assert len(tested) >= len(REPORTS) - len(OUT_OF_REACH)


def test_the_page_is_what_the_tests_say():
    assert PAGE.read_text(encoding="utf-8") == page(), "run: python -m tests.reports.reports_page"
