"""The reports of the models that were loaded."""

from __future__ import annotations

import gc

import pytest

from safeload._reports import remember, report_of
from safeload.errors import ArgumentError
from safeload.report import LoadReport


class Model:
    """A model that can be forgotten."""


def test_a_report_lives_as_long_as_its_model():
    model, other = Model(), Model()
    report = LoadReport(model="BERT")
    remember(model, report)

    assert report_of(model) is report
    with pytest.raises(ArgumentError, match="no report for this Model"):
        report_of(other)
    key = id(model)
    del model
    gc.collect()
    from safeload import _reports

    assert key not in map(id, _reports._REPORTS)


@pytest.mark.parametrize("model", [None, 3, [], {}, "model"])
def test_what_is_no_model_has_no_report(model):
    with pytest.raises(ArgumentError, match="safeload did not load it in this process") as caught:
        report_of(model)
    assert caught.value.argument == "model"
    assert caught.value.hints == ("pass the object that safeload.load_bert or safeload.load_elmo returned",)
