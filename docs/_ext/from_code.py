"""What Sphinx does for this site: puts facts from the code into pages, and links the names that docstrings mention.

`pages.py` says how a page asks for a fact.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import facts
import pages
from docutils import nodes
from sphinx.pycode import ModuleAnalyzer
from sphinx.util.nodes import make_refnode

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect the functions below."""
    app.connect("builder-inited", show_one_signature)
    app.connect("source-read", fill_in)
    app.connect("autodoc-process-docstring", link_names, priority=600)
    app.connect("autodoc-process-signature", leave_out_signature)
    app.connect("doctree-read", word_fields)
    app.connect("missing-reference", find_name)
    app.connect("html-page-context", leave_out_address, priority=900)
    return {"parallel_read_safe": True}


def show_one_signature(_app: Sphinx) -> None:
    """Show every parameter of a call once, and not again for each of its overloads."""
    for module in facts.public_modules():
        analyzer = ModuleAnalyzer.for_module(module)
        analyzer.analyze()
        analyzer.overloads.clear()


def fill_in(_app: Sphinx, _page: str, source: list[str]) -> None:
    """Put the facts into a page."""
    source[0] = pages.for_site(source[0])


def link_names(_app: Sphinx, _what: str, _name: str, _object: object, _options: object, lines: list[str]) -> None:
    """Make what a docstring has between backquotes code, and a link where it is a public name."""
    lines[:] = map(facts.linked, lines)


def leave_out_signature(
    _app: Sphinx, what: str, _name: str, _object: object, _options: object, signature: str | None, returns: str | None
) -> tuple[str | None, str | None]:
    """Show no constructor of an error, which nobody calls."""
    return ("", None) if what == "exception" else (signature, returns)


def word_fields(_app: Sphinx, page: nodes.document) -> None:
    """Call attributes by their name, where Sphinx says "Variables", and put a dash between a name and what it is."""
    for label in page.findall(nodes.field_name):
        if label.astext() == "Variables":
            label[:] = [nodes.Text("Attributes")]
    for body in page.findall(nodes.field_body):
        for text in [text for text in body.findall(nodes.Text) if text == " -- "]:
            text.parent.replace(text, nodes.Text(" \N{EN DASH} "))


def leave_out_address(
    _app: Sphinx, _page: str, _template: str, context: dict[str, Any], _document: nodes.document | None
) -> None:
    """Leave out a page's own address, which is not known where the site has none."""
    context["metatags"] = re.sub(r'<meta property="og:url"[^>]*>\n?', "", context.get("metatags", ""))


def find_name(app: Sphinx, env: BuildEnvironment, node: Any, content: nodes.TextElement) -> nodes.Element | None:  # noqa: ANN401
    """Resolve a name that stands in an annotation without its module."""
    if node.get("refdomain") != "py":
        return None
    domain = env.domains["py"]
    found = domain.find_obj(env, None, None, node["reftarget"], None, 1)  # type: ignore[attr-defined]
    if len(found) != 1:
        return None
    (_, place), *_ = found
    return make_refnode(app.builder, node["refdoc"], place.docname, place.node_id, content)
