"""The page of `safeload inspect --html`: its facts, what it finds, its map, and what a browser makes of it."""

from __future__ import annotations

import json
import re
import shutil
from contextlib import closing
from datetime import datetime, timezone

import numpy as np
import pytest

import safeload
from safeload import testing
from safeload.cli._inspection import _statistics
from safeload.cli._weights import open_given
from safeload.cli.pages.compared import compared
from safeload.cli.pages.frame import MAX_COPIED
from safeload.cli.pages.model import page
from safeload.testing._bert import BERT_CONFIG, bert_tensors
from tests.browser import CHROMIUM, count
from tests.checkpoints import write_checkpoint
from tests.command_line import safeload_cli
from tests.text.test_html import Reader

LAYER = "bert/encoder/layer_"
TIME = datetime(2026, 1, 2, 3, 4, tzinfo=timezone.utc)
N_LAYERS = 6


def tensors_of(**sizes):
    return bert_tensors({**BERT_CONFIG, "num_hidden_layers": N_LAYERS, **sizes})


def write_page(path, target, code=0):
    safeload_cli("inspect", path, "--html", target, code=code)
    return target


def section(text, title):
    """Return the text of the section with this title, one line for each row or item; None if there is none."""
    found = re.search(rf"<section><h2[^>]*>{title}</h2>(.*?)</section>", text, re.DOTALL)
    if found is None:
        return None
    broken = re.sub("<(li|tr|p|dt)[ >]", r"\n\g<0>", found[1])
    return [line for line in "".join(Reader(f"<div>{broken}</div>").text).split("\n") if line.strip()]


def verdict(text):
    return re.sub("<[^>]*>", "", re.search('<p id="verdict".*?</p>', text)[0])


def facts_of(text):
    pairs = re.findall("<dt>(.*?)</dt><dd>(.*?)</dd>", text, re.DOTALL)
    return {title: re.sub("<[^>]*>", " ", value).strip() for title, value in pairs}


@pytest.fixture
def spoiled(tmp_path):
    """Return the prefix of a checkpoint with broken variables, and some that are unlike their neighbours."""
    tensors = tensors_of()
    tensors[f"{LAYER}1/attention/self/key/kernel"][0, 0] = np.nan
    tensors[f"{LAYER}1/output/dense/kernel"][:] = 0
    tensors[f"{LAYER}2/intermediate/dense/kernel"][:] = 0.25
    tensors[f"{LAYER}3/output/LayerNorm/gamma"][:] = 1
    tensors["bert/embeddings/word_embeddings"][3, 3] = 1e6
    tensors["bert/pooler/dense/bias"][:] = 0
    tensors[f"{LAYER}4/attention/self/query/kernel"] *= 50
    tensors[f"{LAYER}5/output/dense/kernel"][:6] = 0
    write_checkpoint(tmp_path / "spoiled", tensors)
    return tmp_path / "spoiled"


def test_the_findings_are_in_words(spoiled, tmp_path):
    text = write_page(spoiled, tmp_path / "page.html", code=1).read_text(encoding="utf-8")

    assert verdict(text) == "\N{WARNING SIGN} 5 tensors look broken, and 2 tensors are unlike their neighbours."
    found = section(text, "Findings")
    assert found[:1] == [
        "bert/embeddings/word_embeddings: its largest magnitude is 1e+06, and that of trained weights is below 1,000"
    ]
    assert found[1] == "Layer 1: 2 of its 16 tensors stand out"
    assert set(found[2:4]) == {
        f"{LAYER}1/attention/self/key/kernel: 1 of 256 values is NaN or infinite",
        f"{LAYER}1/output/dense/kernel: all 512 values are 0",
    }
    assert found[4:6] == [
        f"Layer 2, {LAYER}2/intermediate/dense/kernel: all 512 values are 0.25",
        f"Layer 3, {LAYER}3/output/LayerNorm/gamma: all 16 values are 1",
    ]
    first, _, second = found[6].partition("; ")
    assert re.fullmatch(
        rf"Layer 4, {LAYER}4/attention/self/query/kernel: its standard deviation, (1|0\.9\d?), is (4\d|5\d) times that of its neighbours, 0\.0(2|19|21)",
        first,
    )
    assert second.startswith("its largest magnitude, ")
    assert found[7:] == [
        f"Layer 5, {LAYER}5/output/dense/kernel: 19% of its values are 0, and 0% of those of its neighbours"
    ]


def test_a_model_of_good_values_has_no_findings(tmp_path):
    write_checkpoint(tmp_path / "m", tensors_of())
    text = write_page(tmp_path / "m", tmp_path / "page.html").read_text(encoding="utf-8")

    assert verdict(text) == "\N{CHECK MARK} No tensor looks broken, and each layer is like its neighbours."
    assert section(text, "Findings") is None
    assert not re.findall('<td class="(?:a3|b3|e|x)"', text)
    assert text.count('class="map"') == 4
    assert "odd" not in re.findall('<tr class="(.*?)"', text)


def test_a_layer_that_is_all_unlike_its_neighbours_is_one_finding(tmp_path):
    tensors = tensors_of()
    for name in tensors:
        if name.startswith(f"{LAYER}3/"):
            tensors[name] *= 100
    write_checkpoint(tmp_path / "m", tensors)
    text = write_page(tmp_path / "m", tmp_path / "page.html").read_text(encoding="utf-8")

    found = section(text, "Findings")
    assert found[0] == "Layer 3: 16 of its 16 tensors stand out"
    assert [line.split("/")[2] for line in found[1:4]] == ["layer_3"] * 3
    assert found[4:] == ["and 13 more, marked in the map"]


def test_the_map_marks_an_outlier_in_its_statistic_and_in_the_others(spoiled, tmp_path):
    text = write_page(spoiled, tmp_path / "page.html", code=1).read_text(encoding="utf-8")
    std, _, _, zeros = re.findall(r'<table class="map">.*?</table>', text, re.DOTALL)
    cells = {panel: dict(zip(columns(panel), row_of(panel, 4), strict=True)) for panel in (std, zeros)}
    query = "attention/self/query/kernel"

    assert 'class="a3"' in cells[std][query]
    assert "far above its neighbours</span>" in cells[std][query]
    assert 'class="e"' in cells[zeros][query]
    assert "far from its neighbours: standard deviation, largest magnitude, mean</span>" in cells[zeros][query]
    assert [kind for kind in ("a3", "b3", "e", "x") if f'class="{kind}"' in "".join(row_of(std, 0))] == []
    assert sorted(re.findall(r'class="x">([^<]+)<span class="sr"> ([^<]+)<', std)) == [
        ("0", "all zeros"), ("=", "all the same value"), ("=", "all the same value"), ("NaN", "NaN or infinite values"),
    ]  # fmt: skip


def columns(panel):
    return re.findall(r'<th scope="col"><span>(.*?)</span>', panel)


def row_of(panel, layer):
    row = re.search(rf'<tr><th scope="row">{layer}</th>(.*?)</tr>', panel, re.DOTALL)[1]
    return re.findall(r"<td.*?</td>", row, re.DOTALL)


def test_the_facts_are_on_top(tmp_path):
    testing.write_bert_checkpoint(tmp_path / "bert", layers=N_LAYERS, slots=True)
    text = write_page(tmp_path / "bert", tmp_path / "page.html").read_text(encoding="utf-8")
    facts = facts_of(text.partition("<main>")[0])
    report = safeload.check_weights(tmp_path / "bert")
    n_values = sum(values.size for values in tensors_of().values())

    assert facts["Path"] == str(tmp_path / "bert/bert_model.ckpt")
    assert facts["Config"].split()[0] == str(tmp_path / "bert/bert_config.json")
    assert (
        "BERT: 6 layers, hidden size 16, 4 heads, intermediate size 32, 30 tokens, 20 positions, gelu"
        in facts["Config"]
    )
    assert facts["Parameters"] == f"{n_values:,} in {len(tensors_of())} tensors"
    assert facts["Digest"].split()[0] == report.digest
    assert f"{report.n_bytes:,} bytes" in facts["Size"]
    assert facts["Written"].endswith(f"UTC, by safeload {safeload.__version__}")
    assert all(f"{path}  " in facts["Files"] for path in map(str, (tmp_path / "bert").glob("bert_model.ckpt.*")))
    parts = section(text, "Where the parameters are")
    assert any(line.startswith(f"{LAYER}N, 6 layers96") for line in parts)
    assert any(line.startswith("state of the optimizer") for line in parts)


def test_a_published_model_is_named_and_a_million_is_a_unit(tmp_path):
    sizes = {"vocab_size": 30_522, "hidden_size": 768, "num_hidden_layers": 12, "intermediate_size": 3072}
    config = {**BERT_CONFIG, **sizes, "num_attention_heads": 12, "max_position_embeddings": 512}
    (tmp_path / "bert_config.json").write_text(json.dumps(config))
    write_checkpoint(
        tmp_path / "bert_model.ckpt", {"w": np.ones((1500, 1000), np.float32) * np.arange(1000, dtype=np.float32)}
    )
    facts = facts_of(write_page(tmp_path, tmp_path / "page.html").read_text(encoding="utf-8"))

    assert facts["Config"].endswith(
        "12 heads, intermediate size 3,072, 30,522 tokens, 512 positions, gelu; the sizes of BERT-Base, uncased: uncased_L-12_H-768_A-12"
    )
    assert facts["Parameters"] == "1.5 M in 1 tensor"


def test_an_elmo_has_facts_and_no_map(tiny_elmo, tmp_path):
    text = write_page(tiny_elmo, tmp_path / "page.html").read_text(encoding="utf-8")

    assert verdict(text) == "\N{CHECK MARK} No tensor looks broken."
    assert "ELMo: 2 LSTM layers" in facts_of(text)["Config"]
    assert facts_of(text)["Digest"].split()[0] == safeload.check_weights(tiny_elmo).digest
    assert 'class="map"' not in text


def test_damaged_values_have_no_digest(spoiled, tmp_path):
    text = write_page(spoiled, tmp_path / "page.html", code=1).read_text(encoding="utf-8")
    assert facts_of(text)["Digest"] == "none, because some values are damaged or not finite"


def test_the_page_of_a_real_sized_bert_is_small_and_is_the_same_each_time(tmp_path):
    testing.write_bert_checkpoint(tmp_path, layers=24, hidden=32, intermediate=64)
    with closing(open_given(str(tmp_path))) as weights:
        found = _statistics(weights)
        result = compared(list(weights.tensors.values()), found)
        one, two = ("".join(page(weights, found, result, TIME)) for _ in range(2))

    assert one == two
    assert len(one.encode()) < 300_000
    Reader(one)


def test_names_are_escaped_and_the_page_asks_for_nothing(tmp_path):
    names = ["<script>alert(1)</script>/w", '"onload=alert(1) x="/w', "'><img src=x>/w", "a" * (MAX_COPIED + 1)]
    write_checkpoint(tmp_path / "m", {name: np.ones((2, 2), np.float32) for name in names})
    (tmp_path / "<b>x").mkdir()
    for path in tmp_path.glob("m.*"):
        shutil.copy(path, tmp_path / "<b>x" / path.name)
    text = write_page(tmp_path / "<b>x/m", tmp_path / "page.html").read_text(encoding="utf-8")
    read = Reader(text)

    assert text.count("<script") == 1
    assert read.links == []
    assert not {"<b>", "<img"} & set(re.findall("<[a-z]+>?", text))
    assert not re.search(r"<[a-z]+ [^>]*\bon\w+=", text)
    assert "style=" not in text
    policy = re.search('Content-Security-Policy" content="([^"]*)"', text)[1]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_a_config_that_is_none_or_hostile_leaves_the_page_as_it_is(bert, tmp_path):
    (bert / "a_config.json").write_text("{")
    (bert / "b_config.json").write_text('{"hidden_size": [1], "num_hidden_layers": "<b>", "vocab_size": {"a": 1}}')
    text = write_page(bert, tmp_path / "page.html").read_text(encoding="utf-8")

    configs = re.findall("<dt>Config</dt><dd>(.*?)</dd>", text, re.DOTALL)
    assert len(configs) == 2
    assert configs[0].endswith("BERT: &lt;b&gt; layers, hidden size [1], {&quot;a&quot;: 1} tokens")


def test_a_page_that_cannot_be_written_is_told(tiny_bert, tmp_path):
    (tmp_path / "file").write_text("")
    done = safeload_cli("inspect", tiny_bert, "--html", tmp_path / "file" / "page.html", code=1)
    assert done.stderr.startswith("MissingFileError: the system cannot write the page file: Not a directory")


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
def test_what_stands_out_has_colours_that_nothing_else_has(spoiled, tmp_path, tab):
    write_checkpoint(tmp_path / "sound", tensors_of())
    pictures = []
    for name, code in ((spoiled, 1), (tmp_path / "sound", 0)):
        tab.open(write_page(name, tmp_path / "page.html", code=code).as_uri())
        tab.value("document.querySelector('.key').remove()")
        pictures.append(tab.picture(whole=True))

    for colour in ((125, 17, 129), (162, 60, 0)):
        assert count(pictures[0], colour) > 300
        assert count(pictures[1], colour) == 0


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
def test_the_statistic_is_chosen_without_a_script(spoiled, tmp_path, tab):
    address = write_page(spoiled, tmp_path / "page.html", code=1).as_uri()
    shown = (
        "[...document.querySelectorAll('.panel')].filter(each => each.checkVisibility()).map(each => each.id).join()"
    )
    tab.open(address, scripts=False)

    assert tab.visible(".panel") == ["by-std"]
    assert tab.visible(".copy, .filter") == []
    tab.open(address)
    assert tab.value(shown) == "by-std"
    tab.value("document.getElementById('show-zeros').click()")
    assert tab.value(shown) == "by-zeros"


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
def test_buttons_copy_and_the_box_filters_under_the_policy_of_the_page(spoiled, tmp_path, tab):
    tab.open(write_page(spoiled, tmp_path / "page.html", code=1).as_uri())
    tab.value("navigator.clipboard.writeText = async text => { window.copied = text; }")

    assert tab.value("document.querySelectorAll('header .copy').length") == 3  # the path, two files
    tab.value("document.querySelector('header .copy').click()")
    assert tab.value("window.copied") == str(spoiled)
    assert tab.value("document.getElementById('said').textContent") == "Copied: the path"
    tab.value("navigator.clipboard.writeText = async text => { throw new Error('no'); }")
    tab.value("document.querySelectorAll('header .copy')[1].click()")
    assert tab.value("getSelection().toString()") == f"{spoiled}.index"

    filtered = "box => { box.value = 'QUERY layer_4'; box.dispatchEvent(new Event('input')); }"
    tab.value(f"({filtered})(document.getElementById('filter'))")
    assert tab.value("document.querySelector('output').textContent") == "2 shown"
    rows = tab.value(
        "[...document.querySelectorAll('#tensors tbody tr')].filter(each => !each.hidden).map(each => each.cells[0].firstChild.textContent)"
    )
    assert rows == [f"{LAYER}4/attention/self/query/{end}" for end in ("bias", "kernel")]


def test_the_sheet_and_the_script_are_ascii_so_that_their_hashes_hold_in_every_encoding():
    from safeload.cli.pages import heat_map, script, style

    assert (style.STYLE + heat_map.STYLE + script.SCRIPT).isascii()
    assert not set("<&") & set(style.STYLE + heat_map.STYLE)
