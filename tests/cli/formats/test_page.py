"""The HTML page of a check, as a browser shows it: its filter, its colours in light and dark, and no request to anywhere."""

from __future__ import annotations

import re
import subprocess

import numpy as np
import pytest

from safeload import testing
from tests.command_line import safeload_cli
from tests.text.test_html import CHROMIUM, count, screenshot

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")

FILTER = """
<script>
const requests = performance.getEntriesByType("resource").length;
const visible = () => [...document.querySelectorAll("#models tbody tr")].filter(row => row.checkVisibility());
const names = () => visible().map(row => row.children[1].firstChild.textContent.split("/").pop()).join(" ");
const said = [names()];
for (const word of ["elmo", "bert corrupt", "nothing has this", ""]) {
  box.value = word;
  box.dispatchEvent(new Event("input"));
  said.push(names());
}
said.push("wide " + (document.documentElement.scrollWidth > innerWidth), "requests " + requests);
document.title = said.join("|");
</script>
"""
DARK = "--blink-settings=preferredColorScheme=0"


@pytest.fixture
def page(tmp_path):
    """Return the page of two good models and a damaged one."""
    for name in ("a_bert", "z_bert"):
        testing.write_bert(tmp_path / "tree" / name)
    testing.write_elmo(tmp_path / "tree/m_elmo")
    testing.truncate(tmp_path / "tree/z_bert")
    safeload_cli("check", tmp_path / "tree", "--format", "html", "--output", tmp_path / "page.html", code=1)
    return tmp_path / "page.html"


@pytest.mark.parametrize("width", [1200, 500])
def test_the_filter_hides_what_has_not_each_word(page, width):
    page.write_text(page.read_text() + FILTER)
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={page.parent / 'profile'}"]
    command += [f"--window-size={width},900", "--dump-dom", page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)

    said = re.search("<title>(.*)</title>", done.stdout)[1].split("|")

    every = "z_bert a_bert m_elmo"  # the bad one first
    assert said == [every, "m_elmo", "z_bert", "", every, "wide false", "requests 0"]


def test_the_page_follows_the_colours_of_the_system(page, monkeypatch):
    light = screenshot(page)
    run = subprocess.run
    monkeypatch.setattr(subprocess, "run", lambda command, **more: run([*command[:-1], DARK, command[-1]], **more))
    dark = screenshot(page)

    assert count(light, (255, 255, 255)) > light[..., 0].size / 2
    assert count(dark, (22, 24, 28)) > dark[..., 0].size / 2
    for picture, red in ((light, (164, 0, 0)), (dark, (255, 128, 128))):
        assert count(picture, red) > 50
    assert np.mean(dark) < np.mean(light) / 3
