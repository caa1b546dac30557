"""The page of the tokenizers lists exactly where those of the three runtimes differ, and this compares the real ones."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import unicodedata

import pytest

from tests.docs.blocks import ROOT

PAGE = "docs/reference/tokenizers.md"
SAME = (
    "OK ok",
    "don't ok-ok",
    "$5 ^ok",
    "中文ok",
    "ok、ok",
    "ok 😀 👍🏽",
    "ok\tok\nok",
    "Cafe\u0301",
    "Café",
    "o\u0308k",
    "İstanbul",
    "“ok”",
    "",
)
OTHER = (
    "straße", "ΟΔΟΣ", "ﬁn", "\uff2f\uff2b", "한국어", "ok\x07ok", "ok\u200bok", "ok\xadok",
    "ok\u00a0ok", "ok\ufffdok", "ok [MASK] ok", "ok" * 51,
)  # fmt: skip


def vocabulary():
    """Return tokens that have each letter of the texts, however a tokenizer normalises it."""
    forms = {form for text in (*SAME, *OTHER) for form in (text, text.lower(), text.casefold())}
    letters = {
        letter for text in forms for form in ("NFC", "NFD", "NFKC") for letter in unicodedata.normalize(form, text)
    }
    kept = sorted(letter for letter in letters if letter.isprintable() and not letter.isspace())
    return ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *kept, *(f"##{letter}" for letter in kept), "ok", "##ok"]


SCRIPT = """
import json, sys
from safeload._frameworks.tensorflow import require_keras_bert

of_keras_bert = require_keras_bert().keras_bert  # before keras_hub, which makes tf.keras Keras 3
import keras_hub, transformers

path, texts = sys.argv[1], json.load(sys.stdin)
tokens = open(path, encoding="utf-8").read().split("\\n")
found = {}
for lowercase in (True, False):
    bert = of_keras_bert.Tokenizer({token: n for n, token in enumerate(tokens)}, cased=not lowercase)
    of_transformers = transformers.BertTokenizer(path, do_lower_case=lowercase)
    hub = keras_hub.models.BertTokenizer(path, lowercase=lowercase, strip_accents=lowercase)
    for text in texts:
        ids = [bert.encode(text)[0][1:-1], of_transformers(text)["input_ids"][1:-1], [int(n) for n in hub(text)]]
        found[f"{lowercase} {text}"] = [" ".join(tokens[n] for n in each) for each in ids]
print(json.dumps(found))
"""


def rows_of_the_page():
    """Return (text, is_uncased) -> the tokens of the three runtimes, as the page shows them."""
    rows = {}
    for line in (ROOT / PAGE).read_text(encoding="utf-8").splitlines():
        cells = [cell.strip().strip("`") for cell in line.strip("|").split(" | ")]
        if line.startswith('| `"'):
            literal, _, times = cells[0].strip("| `").partition(" * ")
            text = ast.literal_eval(literal) * int(times or 1)
            for is_uncased in {"uncased": [True], "cased": [False], "both": [True, False]}[cells[1]]:
                rows[text, is_uncased] = cells[2:5]
    return rows


def is_shown_as(shown, tokens):
    start, is_cut, _ = shown.partition(" ...")
    return tokens.startswith(start) if is_cut else tokens == shown


@pytest.fixture(scope="module")
def tokens(tmp_path_factory):
    """Return (text, is_uncased) -> the tokens of the three runtimes, in one process of their own."""
    pytest.importorskip("keras_hub")
    path = tmp_path_factory.mktemp("tokens") / "vocab.txt"
    path.write_text("\n".join(vocabulary()), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, path],
        input=json.dumps([*SAME, *OTHER]),
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    return {(key.partition(" ")[2], key.startswith("True")): each for key, each in found.items()}


def test_the_page_lists_exactly_the_texts_that_differ(tokens):
    assert set(rows_of_the_page()) == {key for key, found in tokens.items() if len(set(found)) > 1}
    assert {text for text, _ in rows_of_the_page()} <= set(OTHER)


def test_the_page_shows_the_tokens_of_each(tokens):
    for key, shown in rows_of_the_page().items():
        assert all(map(is_shown_as, shown, tokens[key])), (key, shown, tokens[key])
