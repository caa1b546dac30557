"""The page of a check of many models: its counts, its failures, its filter and its digests."""

from __future__ import annotations

import re

import pytest

import safeload
from safeload import testing
from tests.browser import CHROMIUM
from tests.command_line import safeload_cli
from tests.text.test_html import Reader

NAMES = "[...document.querySelectorAll('#models {}')].filter(row => row.checkVisibility()).map(row => row.querySelector('[data-copy]').textContent.split('/').pop()).join(' ')"


@pytest.fixture
def page(tmp_path):
    """Return the page of two good models and a damaged one."""
    for name in ("a_bert", "z_bert"):
        testing.write_bert(tmp_path / "tree" / name)
    testing.write_elmo(tmp_path / "tree/m_elmo")
    testing.truncate(tmp_path / "tree/z_bert")
    safeload_cli("check", tmp_path / "tree", "--format", "html", "--output", tmp_path / "page.html", code=1)
    return tmp_path / "page.html"


def test_the_page_has_facts_on_top_and_the_whole_message_of_a_failure(page, tmp_path):
    text = page.read_text(encoding="utf-8")
    top, rest = text.partition("<main>")[::2]

    assert "2 good, 1 bad" in "".join(Reader(f"<div>{re.search('<p id=.counts.*?</p>', top)[0]}</div>").text)
    titles = re.findall("<dt>(.*?)</dt>", top)
    assert titles == ["Run in", "Models", "Verified", "Checked"]
    assert re.search(r"Checked</dt><dd>\d{4}-\d\d-\d\d \d\d:\d\d UTC, by safeload ", top)
    article = re.search('<article class="bad">.*?</article>', rest, re.DOTALL)[0]
    assert str(tmp_path / "tree/z_bert") in article
    assert "a data shard is truncated" in article
    assert "hint:" in article
    assert rest.index("<article") < rest.index("Every model, the bad ones first")


def test_the_digest_of_each_good_model_is_there_to_copy(page, tmp_path):
    text = page.read_text(encoding="utf-8")
    digests = [
        safeload.check_bert(tmp_path / "tree/a_bert").digest,
        safeload.check_elmo(tmp_path / "tree/m_elmo").digest,
    ]

    assert re.findall('data-copy="the digest">([0-9a-f]{64})<', text) == digests


def test_what_was_expected_and_a_check_that_ends_early_are_said(tmp_path):
    testing.write_bert(tmp_path / "tree/a")
    testing.write_bert(tmp_path / "tree/b")
    testing.truncate(tmp_path / "tree/a")
    target = tmp_path / "page.html"
    safeload_cli("check", tmp_path / "tree/b", "--expect", "3", "--format", "html", "--output", target, code=1)
    assert "1 good, 0 bad; 1 model found, 3 expected" in target.read_text(encoding="utf-8")
    assert 'class="verdict bad"' in target.read_text(encoding="utf-8")
    safeload_cli(
        "check", tmp_path / "tree", "--fail-fast", "--jobs", "1", "--format", "html", "--output", target, code=1
    )
    assert "; stopped early" in target.read_text(encoding="utf-8")


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
@pytest.mark.parametrize("width", [1200, 400])
def test_the_filter_hides_what_has_not_each_word(page, width, tab):
    tab.open(page.as_uri(), width=width)
    said = []
    for words in ("", "elmo", "bert corrupt", "nothing has this", ""):
        tab.value(
            f"(box => {{ box.value = '{words}'; box.dispatchEvent(new Event('input')); }})(document.getElementById('filter'))"
        )
        said.append([tab.value(NAMES.format(kind)) for kind in ("tbody tr", "article")])
        said[-1].append(tab.value("document.querySelector('output').textContent"))

    every = ["z_bert a_bert m_elmo", "z_bert", ""]  # the bad one first
    assert said == [every, ["m_elmo", "", "1 shown"], ["z_bert", "z_bert", "1 shown"], ["", "", "0 shown"], every]
