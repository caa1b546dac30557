"""A report in a notebook, as HTML."""

from __future__ import annotations

import html.parser
import re

import safeload


class Reader(html.parser.HTMLParser):
    """Reads a page, and complains where a tag is not closed."""

    VOID = ("meta", "input", "br", "hr")

    def __init__(self, text):
        super().__init__()
        self.open = []
        self.text = []
        self.links = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        if tag not in self.VOID:
            self.open.append(tag)
        self.links += [value for name, value in attrs if name in ("src", "href")]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def test_a_report_is_html_for_a_notebook(tiny_bert):
    report = safeload.check_bert(tiny_bert)
    text = report._repr_html_()
    read = Reader(text)

    shown = "".join(read.text)
    for fact in (report.headline(), str(tiny_bert / "vocab.txt"), "CRC32C of 37 variables", "num_attention_heads=4"):
        assert fact in shown
    assert len(re.findall("<details>", text)) == 3
    assert read.links == []


def test_a_report_escapes_what_a_file_says():
    report = safeload.LoadReport(model="BERT", given="<b>", place="folder", notes=("<i>note</i>",))
    assert "<i>" not in report._repr_html_()
    assert "&lt;b&gt;" in report._repr_html_()
