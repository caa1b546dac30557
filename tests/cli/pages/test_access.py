"""Both pages in a browser: no violation of axe-core's rules, no wider than a phone, no request, readable in light, dark and print."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from safeload import testing
from safeload.testing._bert import BERT_CONFIG, bert_tensors
from tests.browser import CHROMIUM, count
from tests.checkpoints import write_checkpoint
from tests.command_line import safeload_cli
from tests.docs.blocks import ROOT

AXE = ROOT / "build/npm/axe-core@4.14.1/axe.min.js"
NARROW = 400
PAGES = ("model", "sound", "elmo", "fleet", "good")

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Return the folder of the pages: a spoiled model, a good one, an ELMo, a fleet with failures, and one without."""
    folder = tmp_path_factory.mktemp("pages")
    tensors = bert_tensors({**BERT_CONFIG, "num_hidden_layers": 6})
    write_checkpoint(folder / "sound", tensors)
    layer = "bert/encoder/layer_"
    tensors[f"{layer}1/attention/self/key/kernel"][0, 0] = np.nan
    tensors[f"{layer}2/output/dense/kernel"][:] = 0
    tensors[f"{layer}3/attention/self/query/kernel"] *= 50
    tensors[f"{layer}4/output/dense/kernel"][:6] = 0
    tensors[f"{layer}5/intermediate/dense/kernel"] /= 50
    tensors[f"{layer}0/intermediate/dense/kernel"] *= 1.6
    write_checkpoint(folder / f"model_{'with_a_long_name_' * 5}", tensors)
    for name in ("a", "b", f"c_{'with_a_long_name_' * 5}"):
        testing.write_bert(folder / "tree" / name)
    testing.write_elmo(folder / "tree/elmo")
    testing.write_elmo(folder / "good/elmo")
    testing.truncate(folder / "tree/b")
    for name, given, code in (
        ("model", f"model_{'with_a_long_name_' * 5}", 1),
        ("sound", "sound", 0),
        ("elmo", "good/elmo", 0),
    ):
        safeload_cli("inspect", folder / given, "--html", folder / f"{name}.html", code=code)
    for name, given, code in (("fleet", "tree", 1), ("good", "good", 0)):
        safeload_cli("check", folder / given, "--format", "html", "--output", folder / f"{name}.html", code=code)
    return folder


@pytest.mark.skipif(not AXE.exists(), reason=f"needs {AXE.relative_to(ROOT)}, which needs npm: make npm")
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1200, NARROW])
@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_no_violation(name, width, dark, pages, tab):
    tab.open((pages / f"{name}.html").as_uri(), width=width, dark=dark)
    tab.value(f"{AXE.read_text(encoding='utf-8')}; 0")
    tab.value("for (const each of document.querySelectorAll('details')) each.open = true")
    found = tab.value(
        "axe.run(document).then(found => [found.passes.map(each => each.id), found.violations.map(each => "
        "[each.id, each.nodes.map(node => node.html + ' ' + node.failureSummary)])])"
    )

    assert found[1] == []
    assert {"color-contrast", "document-title", "page-has-heading-one", "region"} <= set(found[0])


@pytest.mark.skipif(not AXE.exists(), reason=f"needs {AXE.relative_to(ROOT)}, which needs npm: make npm")
def test_axe_would_find_a_faint_text_and_a_table_without_a_name(pages, tab):
    tab.open((pages / "model.html").as_uri())
    tab.value(f"{AXE.read_text(encoding='utf-8')}; 0")
    tab.value(
        "document.querySelector('.scroll').removeAttribute('tabindex'); document.querySelector('h1').style.color = '#aaa'"
    )
    tab.send("Emulation.setDeviceMetricsOverride", width=NARROW, height=900, deviceScaleFactor=1, mobile=False)
    found = tab.value("axe.run(document).then(found => found.violations.map(each => each.id))")

    assert "color-contrast" in found


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("width", [NARROW, 320])
def test_a_page_is_no_wider_than_a_phone(name, width, pages, tab):
    tab.open((pages / f"{name}.html").as_uri(), width=width)
    wide = "[...document.querySelectorAll('body *')].filter(each => !each.parentElement.closest('.scroll, .sr')).map(each => each.getBoundingClientRect().right)"

    assert tab.value("document.documentElement.scrollWidth") <= width
    assert tab.value(f"Math.ceil(Math.max(...{wide}))") <= width
    assert tab.value("[...document.querySelectorAll('.scroll')].every(each => each.tabIndex === 0 && each.ariaLabel)")


@pytest.mark.parametrize("name", PAGES)
def test_a_page_asks_for_nothing_and_its_policy_allows_what_it_has(name, pages, tab):
    said = "document.addEventListener('securitypolicyviolation', event => { document.title = 'VIOLATION ' + event.violatedDirective; });"
    tab.send("Page.enable")
    tab.send("Page.addScriptToEvaluateOnNewDocument", source=said)
    tab.open((pages / f"{name}.html").as_uri())

    assert "VIOLATION" not in tab.value("document.title")
    assert tab.value("performance.getEntriesByType('resource').length") == 0
    assert tab.value("document.querySelectorAll('.copy').length") > 0
    assert tab.value("getComputedStyle(document.querySelector('.verdict')).borderLeftWidth") == "5px"
    tab.value(
        "document.body.append(Object.assign(document.createElement('img'), {src: 'data:image/gif;base64,R0lGODlhAQABAAAAACw='}))"
    )
    tab.value("new Promise(done => setTimeout(done, 200))")
    assert "VIOLATION img-src" in tab.value("document.title")


@pytest.mark.parametrize("name", PAGES)
def test_a_page_follows_the_colours_of_the_system_and_prints_light(name, pages, tab):
    address = (pages / f"{name}.html").as_uri()
    pictures = {}
    for dark, media in ((False, "screen"), (True, "screen"), (True, "print")):
        tab.open(address, dark=dark, media=media)
        pictures[dark, media] = tab.picture()

    assert count(pictures[False, "screen"], (255, 255, 255)) > pictures[False, "screen"][..., 0].size / 2
    assert count(pictures[True, "screen"], (21, 23, 26)) > pictures[True, "screen"][..., 0].size / 2
    assert count(pictures[True, "print"], (255, 255, 255)) > pictures[True, "print"][..., 0].size / 2
    assert tab.visible(".copy, .filter, fieldset > input") == []


@pytest.mark.parametrize("name", PAGES)
def test_tables_have_captions_and_heads_and_headings_go_down_step_by_step(name, pages, tab):
    tab.open((pages / f"{name}.html").as_uri())
    tables = tab.value(
        "[...document.querySelectorAll('table')].map(each => [each.caption?.textContent ?? '', [...each.tHead.rows[0].cells].every("
        "cell => cell.tagName === 'TH' && cell.scope === 'col'), [...each.tBodies[0].rows].every(row => row.querySelector('th[scope=row]'))])"
    )
    levels = tab.value("[...document.querySelectorAll('h1, h2, h3')].map(each => Number(each.tagName[1]))")

    assert tables
    assert all(caption and has_heads and has_rows for caption, has_heads, has_rows in tables), tables
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    assert levels.count(1) == 1
