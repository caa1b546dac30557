"""The pages that safeload writes, as a browser shows them."""

from __future__ import annotations

import html.parser
import re
import shutil
import subprocess

import numpy as np
import pytest

import safeload
from tests.checkpoints import bert_tensors, write_checkpoint
from tests.command_line import safeload_cli

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
NAN, ZERO, SAME, HUGE = (209, 0, 209), (17, 17, 17), (107, 74, 0), (139, 0, 0)
BRIGHT = (214, 74, 74)


class Reader(html.parser.HTMLParser):
    """Reads a page, and complains where a tag is not closed."""

    VOID = ("meta", "input", "br", "hr")

    def __init__(self, text):
        super().__init__()
        self.open = []
        self.cells = {}
        self.text = []
        self.links = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        if tag not in self.VOID:
            self.open.append(tag)
        if "data-name" in attributes:
            self.cells.setdefault(attributes["data-name"], []).append(attributes)
        self.links += [value for name, value in attrs if name in ("src", "href")]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


@pytest.fixture
def broken(tmp_path):
    """Return the prefix of a checkpoint with a NaN, a zeroed, a constant and an exploded variable."""
    tensors = bert_tensors()
    layer = "bert/encoder/layer_1"
    tensors[f"{layer}/attention/self/key/kernel"][0, 0] = np.nan
    tensors[f"{layer}/output/dense/kernel"][:] = 0
    tensors[f"{layer}/intermediate/dense/kernel"][:] = 0.25
    tensors["bert/embeddings/word_embeddings"][3, 3] = 1e6
    tensors[f"{layer}/attention/self/query/kernel"] *= 50
    write_checkpoint(tmp_path / "broken", tensors)
    return tmp_path / "broken"


def screenshot(path, width=1280, height=1600):
    from PIL import Image

    picture = path.with_suffix(".png")
    quiet = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-sync"]
    command = [CHROMIUM, "--headless", "--no-sandbox", *quiet, "--disable-component-update", "--hide-scrollbars"]
    command += [f"--user-data-dir={path.parent / 'profile'}", f"--window-size={width},{height}"]
    subprocess.run([*command, f"--screenshot={picture}", path.as_uri()], capture_output=True, check=True, timeout=120)
    return np.asarray(Image.open(picture).convert("RGB"))


def count(picture, colour):
    return int(np.all(picture == colour, axis=2).sum())


def test_a_broken_variable_has_a_mark_of_its_own(broken, tmp_path):
    page = tmp_path / "page.html"
    safeload_cli("inspect", broken, "--html", page, code=1)
    read = Reader(page.read_text())
    classes = {name: cells[0].get("class") for name, cells in read.cells.items()}

    assert {name: mark for name, mark in classes.items() if mark} == {
        "bert/encoder/layer_1/attention/self/key/kernel": "nan",
        "bert/encoder/layer_1/output/dense/kernel": "zero",
        "bert/encoder/layer_1/intermediate/dense/kernel": "same",
        "bert/embeddings/word_embeddings": "huge",
    }
    assert len(read.cells) == 46
    assert all(len(cells) == 3 for cells in read.cells.values())
    assert "4 of 46 tensors look broken: " in "".join(read.text)
    assert "style" not in read.links
    assert read.links == []


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
def test_what_is_broken_leaps_to_the_eye(broken, tmp_path):
    page, sound = tmp_path / "page.html", tmp_path / "sound.html"
    write_checkpoint(tmp_path / "sound", bert_tensors())
    safeload_cli("inspect", broken, "--html", page, code=1)
    safeload_cli("inspect", tmp_path / "sound", "--html", sound)
    shown, calm = screenshot(page), screenshot(sound)

    for colour in (NAN, ZERO, SAME, HUGE):
        assert count(shown, colour) > count(calm, colour) + 500, colour
    assert count(shown, BRIGHT) > count(calm, BRIGHT) + 500


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
def test_the_page_fits_a_phone(broken, tmp_path):
    safeload_cli("inspect", broken, "--html", tmp_path / "page.html", code=1)
    picture = screenshot(tmp_path / "page.html", width=500)
    assert picture.shape[1] == 500
    assert count(picture, NAN) > 100


def test_names_are_escaped(tmp_path):
    write_checkpoint(tmp_path / "m", {"<script>alert(1)</script>/w": np.ones((2, 2), np.float32)})
    safeload_cli("inspect", tmp_path / "m", "--html", tmp_path / "page.html")
    assert "<script" not in (tmp_path / "page.html").read_text()


def test_an_elmo_has_a_page_too(tiny_elmo, tmp_path):
    safeload_cli("inspect", tiny_elmo, "--html", tmp_path / "page.html")
    assert "no tensor looks broken" in (tmp_path / "page.html").read_text()


def test_a_page_that_cannot_be_written_is_told(tiny_bert, tmp_path):
    (tmp_path / "file").write_text("")
    done = safeload_cli("inspect", tiny_bert, "--html", tmp_path / "file" / "page.html", code=1)
    assert done.stderr.startswith("MissingFileError: the system cannot write the page file: Not a directory")


def test_a_report_is_html_for_a_notebook(tiny_bert, tmp_path):
    report = safeload.check_bert(tiny_bert)
    text = report._repr_html_()
    read = Reader(text)

    shown = "".join(read.text)
    for fact in (report.headline(), str(tiny_bert / "vocab.txt"), "CRC32C of 37 variables", "num_attention_heads=4"):
        assert fact in shown
    assert len(re.findall("<details>", text)) == 3
    assert read.links == []
    if CHROMIUM:
        page = tmp_path / "report.html"
        page.write_text(f"<!DOCTYPE html><meta charset='utf-8'>{text}")
        assert len(np.unique(screenshot(page, height=600))) > 10


def test_a_report_escapes_what_a_file_says():
    report = safeload.LoadReport(model="BERT", given="<b>", place="folder", notes=("<i>note</i>",))
    assert "<i>" not in report._repr_html_()
    assert "&lt;b&gt;" in report._repr_html_()
