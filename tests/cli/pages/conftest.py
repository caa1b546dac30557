"""A browser for the tests of the pages."""

from __future__ import annotations

import pytest

from tests.browser import chromium


@pytest.fixture(scope="module")
def _browser(tmp_path_factory):
    with chromium(tmp_path_factory.mktemp("profile")) as running:
        yield running


@pytest.fixture
def tab(_browser):
    """Return a tab of a browser."""
    return _browser.page()
