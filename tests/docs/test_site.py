"""The site builds without a warning, fits a phone, and its picture is the house."""

from __future__ import annotations

import html
import importlib.util
import json
import re
import subprocess
import sys

import pytest

import safeload
from safeload import errors
from safeload._bytes.kinds import kinds_of
from safeload.bert.namings import NAMINGS
from tests.bert.test_written_elsewhere import WRITTEN
from tests.browser import CHROMIUM
from tests.docs.blocks import PAGES, ROOT
from tests.test_house import FLOORS, MODULES, PACKAGE, entry_of, imported_files

DOCS = ROOT / "docs"
KEPT = {"docs/how-to/troubleshooting.md", "docs/reference/forms.md", "docs/reference/testing.md"}
"""Pages that keep what the code says, for a reader of a clone."""
NARROW = 400
MEASURE = """<!DOCTYPE html><body><script>
const pages = PAGES, widths = {};
let left = pages.length;
for (const page of pages) {
  const frame = document.createElement("iframe");
  frame.style = "width: WIDTHpx; height: 800px; border: 0";
  frame.onload = () => {
    const shown = [...frame.contentDocument.querySelectorAll("article *")];
    const free = shown.filter(each => !each.closest(".table-wrapper, pre"));
    widths[page] = Math.max(0, ...free.map(each => Math.ceil(each.getBoundingClientRect().right)));
    if (--left === 0) document.title = JSON.stringify(widths);
  };
  frame.src = page;
  document.body.append(frame);
}
</script>"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Return the folder of the built site."""
    if importlib.util.find_spec("sphinx") is None or importlib.util.find_spec("sphinx_copybutton") is None:
        pytest.skip("needs the extra 'docs'")
    folder = tmp_path_factory.mktemp("site")
    flags = ["--fresh-env", "--nitpicky", "--fail-on-warning", "--keep-going", "--quiet", "-d", str(folder / "trees")]
    command = [sys.executable, "-m", "sphinx", *flags, str(DOCS), str(folder / "html")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder / "html"


def test_the_site_has_every_page(site):
    pages = {path.relative_to(DOCS).with_suffix(".html") for path in DOCS.rglob("*.md") if "_build" not in path.parts}
    assert {page for page in pages if not (site / page).exists()} == set()
    assert "from-code" not in "".join((site / page).read_text(encoding="utf-8") for page in pages)


def test_a_page_has_what_readers_and_previews_need(site):
    page = (site / "how-to/save-a-model.html").read_text(encoding="utf-8")

    assert '<meta property="og:title" content="Save a model"' in page
    assert re.search(r'<meta property="og:description" content="\w[^"]{40,}', page)
    assert "og:url" not in page
    assert f"safeload {safeload.__version__}" in page  # the header
    assert "theme-toggle" in page
    assert 'action="../search.html"' in page
    assert "copybutton.js" in page
    assert "clipboard" in (site / "_static/copybutton.js").read_text(encoding="utf-8")


def test_a_page_that_is_not_there_has_a_way_back(site):
    page = (site / "404.html").read_text(encoding="utf-8")

    assert "Page not found" in page
    assert {link for link in re.findall(r'href="([^"#]+)"', page) if not link.startswith(("/", "https:"))} == set()
    assert (site / "how-to/troubleshooting.html").exists()


def test_the_changelog_is_a_page_whose_links_lead_to_pages(site):
    page = (site / "changes.html").read_text(encoding="utf-8")

    assert "0.1.0 (2026-11-24)" in page
    assert 'href="explanation/stability.html"' in page


def test_the_site_shows_every_golden_message(site):
    shown = html.unescape(re.sub("<[^>]*>", "", (site / "reference/messages.html").read_text(encoding="utf-8")))
    golden = sorted((ROOT / "tests/faults/golden").rglob("*.txt"))
    assert [path.name for path in golden if path.read_text(encoding="utf-8").strip() not in shown] == []
    assert len(golden) > 200


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
def test_no_page_is_wider_than_a_phone(site, tmp_path):
    pages = sorted(str(path.relative_to(site)) for path in site.rglob("*.html"))
    (site / "measure.html").write_text(MEASURE.replace("PAGES", json.dumps(pages)).replace("WIDTH", str(NARROW)))
    quiet = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-sync"]
    command = [
        CHROMIUM,
        "--headless",
        "--no-sandbox",
        *quiet,
        "--disable-component-update",
        "--allow-file-access-from-files",
    ]
    command += [f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=60000", "--dump-dom"]
    done = subprocess.run(
        [*command, (site / "measure.html").as_uri()], capture_output=True, text=True, check=True, timeout=120
    )
    widths = json.loads(html.unescape(re.search(r"<title>(.*)</title>", done.stdout)[1]))

    assert sorted(widths) == pages
    assert {page: width for page, width in widths.items() if width > NARROW} == {}


@pytest.fixture
def facts(monkeypatch):
    """Return the module that fills the pages."""
    monkeypatch.syspath_prepend(str(DOCS / "_ext"))
    return importlib.import_module("facts")


@pytest.mark.parametrize("page", [page for page in PAGES if page.startswith("docs/")])
def test_what_a_page_keeps_of_the_code_is_what_the_code_says(page, facts):
    assert facts
    text = (ROOT / page).read_text(encoding="utf-8")
    assert text == importlib.import_module("pages").for_file(text), "run: python docs/_ext/pages.py"
    marks, ends = text.count("<!-- from-code: "), text.count("<!-- end of from-code -->")
    assert ends == marks if page in KEPT else ends == 0
    assert ends or not marks or "`make docs`" in text, "says where its facts are to be seen"


def test_the_picture_has_every_module_and_its_arrows_are_the_imports(facts):
    picture = facts.house_picture()
    imports = {entry: set() for floor in FLOORS[:-1] for entry in floor}
    for path in MODULES:
        here = entry_of(path)
        if here in imports:
            imports[here] |= {entry_of(other) for other in imported_files(path)} - {here}
    drawn = re.findall(r'data-from="(\S+)" data-to="(\S+)"', picture)

    assert sorted(re.findall(r'data-module="(\S+)"', picture)) == sorted(imports)
    assert all(other in imports[module] for module, other in drawn)
    assert {module: reached(module, drawn) for module in imports} == {
        module: reached(module, [(above, each) for above, others in imports.items() for each in others])
        for module in imports
    }
    height = {module: float(y) for module, y in re.findall(r'data-module="(\S+)">.*?<rect x="\d+" y="(\d+)"', picture)}
    assert all(height[module] < height[other] for module, other in drawn)


def reached(module, arrows):
    """Return the modules to which arrows lead from this one."""
    near = {other for above, other in arrows if above == module}
    return near.union(*(reached(other, arrows) for other in near))


def test_every_error_that_a_check_raises_is_shown_with_a_message(facts):
    raised = {path.read_text(encoding="utf-8").split(":")[0] for path in facts.GOLDEN.rglob("*.txt")}
    assert raised == set(facts.EXAMPLES)
    for cls in vars(errors).values():
        if isinstance(cls, type) and issubclass(cls, errors.SafeLoadError):
            assert f"## {cls.__name__}\n" in facts.error_classes()


def test_a_table_of_variables_has_the_names_that_a_check_reads(facts, tiny_bert, tiny_elmo):
    shown = facts.bert_variables("encoder") + facts.bert_variables("heads")
    for spec in safeload.check_bert(tiny_bert, training=True).read:
        assert f"`{re.sub('layer_[0-9]+', 'layer_N', spec.name)}`" in shown
    for spec in safeload.check_elmo(tiny_elmo).read:
        assert f"`{spec.name}`" in facts.elmo_datasets()


def test_every_form_and_naming_is_in_the_table(facts):
    shown = facts.bert_forms()
    pairs = set(re.findall(r"^\| `([\w-]+)` \| `([\w-]+)` \|", shown, re.MULTILINE)) - {("form", "naming")}
    assert {form for form, _ in pairs} == {kind.form for kind in kinds_of("BERT")}, (
        "the table has what FORMS of safeload/testing/_forms.py and MORE of docs/_ext/bert_files.py write"
    )
    assert {naming for _, naming in pairs} == {naming.id for naming in NAMINGS}
    assert {(form, naming) for form, naming, _ in WRITTEN.values()} <= pairs
    for name in ("model.weights.h5", "model.weights.json", "pytorch_model.bin.index.json", "variables/variables.index"):
        assert f"`{name}`" in shown


def test_every_limit_is_in_the_table():
    """But for the numbers of lines that are printed, of threads, and what `MAX_` counts for a user's own arguments."""
    others = {
        "MAX_NAMES_PRINTED", "MAX_PRINTED_PROBLEMS", "MAX_PRINTED", "MAX_ROWS", "MAX_THREADS", "MAX_SAFETENSORS_HEADER",
        "MAX_NUMBER", "MAX_REPRESENTATIONS", "MAX_CHARACTERS_PER_TOKEN", "MAX_PADDING_ROWS", "MAX_SHARDS",
        "MAX_LISTED", "MAX_SCOPE_PARTS", "MAX_FILTERS_SHOWN", "MAX_NAME", "MAX_TENSORS", "MAX_COPIED", "MAX_WORD",
    }  # fmt: skip
    sys.path.insert(0, str(DOCS / "_ext"))
    try:
        facts = importlib.import_module("facts")
    finally:
        sys.path.remove(str(DOCS / "_ext"))
    defined = {
        (".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__"), name)
        for path in MODULES
        for name in re.findall(r"^(MAX_[A-Z_]+)\b.* = ", path.read_text(encoding="utf-8"), re.MULTILINE)
    }

    listed = {(module, name) for module, names in facts.LIMITS.items() for name in names if name.startswith("MAX_")}
    assert listed == {(module, name) for module, name in defined if name not in others}, (
        "each limit of a file has a row in LIMITS of docs/_ext/facts.py"
    )
    assert facts.limits().count("\n") > len(listed)
