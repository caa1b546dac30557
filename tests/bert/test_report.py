from __future__ import annotations

import json

import pytest

import safeload
from safeload.errors import ArgumentError


def test_a_report_is_text_and_json(tiny_bert):
    report = safeload.check_bert(tiny_bert)

    assert str(report).splitlines()[0] == "BERT: 37 variables read and verified, 9 unused"
    assert str(tiny_bert / "bert_model.ckpt.index") in str(report)
    believed = json.loads(json.dumps(report.to_dict()))["taken_from_config"]
    assert believed == {"num_attention_heads": 4, "hidden_act": "gelu"}
    assert set(report.seconds) == {"resolve", "read", "list", "compare"}


def test_a_loaded_model_has_a_report(tiny_bert):
    report = safeload.report_of(safeload.load_bert(tiny_bert))

    assert {"import", "build", "fill"} < set(report.seconds)
    assert {"tensorflow", "keras-bert", "safeload", "python"} < set(report.versions)


@pytest.mark.parametrize("other", [object(), {}, None])
def test_another_object_has_no_report(other):
    with pytest.raises(ArgumentError, match="safeload did not load it"):
        safeload.report_of(other)
