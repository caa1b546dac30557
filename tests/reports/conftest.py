"""What safeload says for each report is kept beside the tests, and the page in the docs is made of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from safeload._text.words import escaped
from safeload.errors import SafeLoadWarning
from tests.faults.catalogue import BY_REPORT

SAID = Path(__file__).parent / "said"


class Said:
    """Records the outcome of one report, and compares it with the one that is kept."""

    def __init__(self, number, folder, *, write):
        self.path = SAID / f"{number}.txt"
        self.folder = str(folder)
        self.write = write

    def typed(self, error, call):
        """Expect exactly this error; its first line and its hints are what the page shows."""
        with pytest.raises(error) as caught:
            call()
        assert type(caught.value) is error
        rows = [escaped(" ".join(row.split())) for row in caught.value.details[:2]]
        hints = [f"hint: {hint}" for hint in caught.value.hints]
        self._keep("typed", "\n".join([f"{error.__name__}: {caught.value.message}", *rows, *hints]))
        return caught.value

    def handled(self, text):
        """Keep a text; the test has shown that the model loads as it says."""
        self._keep("handled", text)

    def told(self, text):
        """Keep a text; the test has shown that a command does or prints what it says."""
        self._keep("told", text)

    def noted(self, report):
        """Expect notes in the report, and no warning."""
        assert report.notes
        assert not report.warnings
        self._keep("noted", "; ".join(report.notes))

    def warned(self, call):
        """Expect one warning; return what the call returns."""
        with pytest.warns(SafeLoadWarning) as caught:
            found = call()
        (warning,) = [each for each in caught if each.category is SafeLoadWarning]
        self._keep("warned", " ".join(str(warning.message).split()))
        return found

    def _keep(self, kind, text):
        text = text.replace(self.folder, "...").replace(str(Path(self.folder).parent), "...")
        text = re.sub(r"(stored|found) [0-9a-f]{8}", r"\1 ...", text)
        kept = f"{kind}\n{text}\n"
        if self.write:
            self.path.write_text(kept, encoding="utf-8")
        assert kept == self.path.read_text(encoding="utf-8")


@pytest.fixture
def settings(tmp_path):
    """Return the folder of a settings file."""
    return tmp_path


@pytest.fixture
def number(request):
    """Return the id that a test has in its name."""
    return re.match(r"test_([A-M]\d+)_", request.node.originalname)[1]


@pytest.fixture
def reported(number, request):
    """Return the error for the fault of the catalogue that reproduces the report."""
    fault = BY_REPORT[number]
    folder = request.getfixturevalue(fault.model)
    fault.spoil(folder)
    with pytest.raises(fault.error) as caught:
        fault.check(folder)
    return caught.value


@pytest.fixture
def said(number, request, tmp_path):
    return Said(number, tmp_path, write=request.config.getoption("--write-golden"))
