"""A Jupyter kernel that loads, shows the report and starts again; the report in the colours of the notebook."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest

import safeload
from safeload import testing
from tests.browser import CHROMIUM, DARK
from tests.docs.blocks import ROOT
from tests.text.test_html import Reader
from tests.weights.files import write_safetensors

WAIT = 120
LOAD = """
import sys
import safeload
first = "loaded" not in globals()
loaded = safeload.load_bert({folder!r}, backend="transformers")
report = safeload.report_of(loaded)
report
"""
BAR = """
import time
from safeload._text import progress
from safeload.cli import _console
progress.PROGRESS_AFTER = -1.0
with progress.progress(_console.progress_console(), 3, "checking") as advance:
    advance(1)
    advance(3)
_console.line(_console.console(), "end")
"""
READABLE = """<!DOCTYPE html><meta charset="utf-8">
<style>
  body { background: white; color: rgba(0, 0, 0, 0.87) }
  @media (prefers-color-scheme: dark) { body { background: #111; color: white } }
</style>
<body>REPORT<script>
const light = text => {
  const [r, g, b, a = 1] = text.match(/[\\d.]+/g).map(Number);
  const part = each => each / 255 <= 0.03928 ? each / 255 / 12.92 : ((each / 255 + 0.055) / 1.055) ** 2.4;
  return {a, value: 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b)};
};
const behind = element => {
  const found = light(getComputedStyle(element).backgroundColor);
  return found.a || !element.parentElement ? found.value : behind(element.parentElement);
};
const contrasts = {};
for (const each of document.querySelectorAll(".safeload-report, .safeload-report *")) {
  const said = [...each.childNodes].some(node => node.nodeType === 3 && node.data.trim());
  if (!said) continue;
  const [low, high] = [light(getComputedStyle(each).color).value, behind(each)].sort((a, b) => a - b);
  contrasts[each.tagName] = Math.min(contrasts[each.tagName] ?? 21, (high + 0.05) / (low + 0.05));
}
contrasts.BACKGROUND = behind(document.body);
document.title = JSON.stringify(contrasts);
</script>"""


class Notebook:
    """A kernel, and what its cells show."""

    def __init__(self, manager):
        self.manager = manager
        self.client = manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=WAIT)

    def run(self, cell):
        """Return the reply to a cell, and its messages by type."""
        shown = {}

        def keep(message):
            shown.setdefault(message["msg_type"], []).append(message["content"])

        reply = self.client.execute_interactive(cell, timeout=WAIT, output_hook=keep)["content"]
        return reply, shown

    def value(self, cell):
        """Return what a cell prints, and nothing else may."""
        reply, shown = self.run(cell)
        assert reply["status"] == "ok", shown
        assert {each["name"] for each in shown.get("stream", [])} <= {"stdout"}, shown
        return "".join(each["text"] for each in shown.get("stream", []))

    def restart(self):
        self.manager.restart_kernel(now=True)
        self.client.wait_for_ready(timeout=WAIT)


@pytest.fixture(scope="module")
def notebook():
    pytest.importorskip("ipykernel")
    manager = pytest.importorskip("jupyter_client.manager").KernelManager(kernel_name="python3")
    manager.kernel_spec.argv[0] = sys.executable  # not that of another environment
    manager.start_kernel(cwd=str(ROOT))
    started = Notebook(manager)
    yield started
    started.client.stop_channels()
    manager.shutdown_kernel(now=True)


def html_of(shown):
    (result,) = shown["execute_result"]
    return result["data"]["text/html"]


def test_a_kernel_loads_shows_the_report_and_loads_again_after_a_restart(notebook, tiny_bert):
    pytest.importorskip("transformers")
    found = []
    for _ in range(2):
        # tqdm complains of a notebook without widgets, once
        notebook.run("import transformers")
        reply, shown = notebook.run(LOAD.format(folder=str(tiny_bert)))
        assert reply["status"] == "ok", shown
        assert set(shown) == {"status", "execute_input", "execute_result"}, shown  # no stream: nothing was printed
        assert notebook.value("print(first)") == "True\n"
        found.append((html_of(shown), notebook.value("print(report.digest)").strip()))
        notebook.restart()

    (page, digest), (_, again) = found
    assert "39 variables read and verified" in "".join(Reader(page).text)
    assert digest == again
    assert re.fullmatch("[0-9a-f]{64}", digest)


def test_an_error_and_a_warning_stand_under_their_cell(notebook, tmp_path):
    testing.poison(testing.write_bert(tmp_path / "poisoned"))
    write_safetensors(tmp_path / "x.safetensors", {})

    notebook.value("import safeload")
    reply, _ = notebook.run(f"safeload.check_bert({str(tmp_path / 'poisoned')!r})")
    assert reply["ename"] == "CorruptFileError"
    assert str(tmp_path / "poisoned") in reply["evalue"]
    _, shown = notebook.run(f"report = safeload.check_weights({str(tmp_path / 'x.safetensors')!r})")
    (warning,) = shown["stream"]
    place, _, text = warning["text"].partition(": SafeLoadWarning: ")
    assert re.fullmatch(r".*ipykernel_\d+/\d+\.py:1", place), warning
    assert "there is no tensor in it" in text


def test_worker_processes_of_a_cell_end_with_it(notebook, tmp_path):
    for name in ("a", "b", "c"):
        testing.write_bert(tmp_path / name)
    cell = f"""
import multiprocessing, safeload
print(sorted(each.is_bad for each in safeload.check_many({str(tmp_path)!r}, jobs=2)), multiprocessing.active_children())
"""
    assert notebook.value(cell) == "[False, False, False] []\n"


@pytest.mark.parametrize(
    "command",
    [
        "!{sys.executable} SCRIPT",
        "print(subprocess.run([sys.executable, 'SCRIPT'], capture_output=True, text=True, check=True).stdout)",
    ],
    ids=["!", "subprocess.run"],
)
def test_a_command_in_a_cell_moves_no_cursor(notebook, command, tmp_path):
    (tmp_path / "script.py").write_text(BAR)
    shown = notebook.value("import subprocess, sys\n" + command.replace("SCRIPT", str(tmp_path / "script.py")))

    assert shown.split() == ["end"]


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_report_is_readable_in_the_colours_of_the_notebook(scheme, tiny_bert, tmp_path):
    page = tmp_path / "page.html"
    page.write_text(READABLE.replace("REPORT", safeload.check_bert(tiny_bert)._repr_html_()))
    quiet = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    command = [CHROMIUM, *quiet, *([DARK] if scheme == "dark" else []), "--dump-dom", page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=WAIT)
    contrasts = json.loads(re.search("<title>(.*)</title>", done.stdout)[1])

    assert (contrasts.pop("BACKGROUND") < 0.1) is (scheme == "dark")
    assert {"TH", "TD", "CODE", "SUMMARY", "STRONG"} <= set(contrasts)
    assert all(contrast > 7 for contrast in contrasts.values()), contrasts
