"""The site: `make docs` builds it into `docs/_build/html`."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "_ext"), str(HERE.parent)]

import safeload  # noqa: E402  (the one beside this file)

logging.getLogger("safeload").setLevel(logging.WARNING)  # pages are made of real checks

project = "safeload"
author = "the safeload authors"
version = release = safeload.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinxext.opengraph",
    "notfound.extension",
    "from_code",
]
exclude_patterns = ["_build"]
smartquotes = False  # people search for the very text that was printed
myst_heading_anchors = 3
myst_enable_extensions = ["deflist"]

html_theme = "furo"  # it has dark colours and a search
html_title = f"safeload {version}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_use_index = False
html_show_sphinx = False
html_show_copyright = False

copybutton_prompt_text = "$ "
copybutton_only_copy_prompt_lines = True
copybutton_selector = "div:not(.highlight-text) > div.highlight > pre"  # printed texts are read, not copied

ogp_site_name = "safeload"
ogp_site_url = ""  # the site has no address yet; `from_code` leaves out the address that would follow from it
ogp_social_cards = {"enable": False}
ogp_enable_meta_description = True

notfound_urls_prefix = "/"
notfound_context = {
    "title": "Page not found",
    "body": "<h1>Page not found</h1>\n<p>The address is wrong, or the page has moved. The search and the contents in the "
    'sidebar find it; an error\'s text is in <a href="/how-to/troubleshooting.html">troubleshooting</a>.</p>',
}

autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints = "signature"
autodoc_type_aliases = {"StrPath": "StrPath"}
python_maximum_signature_line_length = 88
python_use_unqualified_type_names = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False
napoleon_custom_sections = ["Source"]

nitpicky = True
# types of the standard library and of NumPy and pytest, whose documents are not at hand where this is built
nitpick_ignore_regex = [
    ("py:class", r"(collections\.abc\.)?(Callable|Collection|Iterable|Mapping|Sequence)"),
    ("py:class", r"(pathlib\.)?Path"),
    ("py:class", r"os\.PathLike"),
    ("py:class", r"NDArray"),
    ("py:class", r"_?pytest\..*"),
]
