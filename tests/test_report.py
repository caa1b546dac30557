"""Reports, as text and as JSON, and those of loaded models."""

from __future__ import annotations

import json

import pytest

import safeload
from safeload.errors import ArgumentError
from safeload.report import FileRead, KeyProblem, LoadReport, Problem, TensorSpec


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


SPEC = TensorSpec(name="w", shape=(3, 2), dtype="float32", size_keys=("vocab_size", ""))
FOUND = TensorSpec(name="w", shape=(4, 2), dtype="float16")


def test_a_spec_names_the_keys_of_its_sizes():
    assert str(SPEC) == "(vocab_size=3, 2) float32"
    assert str(FOUND) == "(4, 2) float16"
    assert str(TensorSpec(name="s", shape=(), dtype="int64")) == "() int64"


@pytest.mark.parametrize(
    ("kind", "expected", "found", "text"),
    [
        ("missing", SPEC, None, "MISSING    w\n               expected (vocab_size=3, 2) float32"),
        ("unexpected", None, FOUND, "UNEXPECTED w\n               found (4, 2) float16"),
        ("shape", SPEC, FOUND, "SHAPE      w\n               expected (vocab_size=3, 2), found (4, 2)"),
        ("dtype", SPEC, FOUND, "DTYPE      w\n               expected float32, found float16"),
    ],
)
def test_a_problem_says_what_differs(kind, expected, found, text):
    assert str(Problem(kind=kind, name="w", expected=expected, found=found)) == text


def test_the_text_has_a_row_for_each_fact():
    file = FileRead(role="vocab", path="/a", n_bytes=1234, real_path="/b", sha256="c" * 64)
    report = LoadReport(
        model="ELMo", noun="datasets", backend="torch", files=(file,), given="m", place="index file", scope="module/",
        read=(SPEC,), unused={"steps": ("global_step",)}, ignored=("extra",), initialised=("task",), checksums="none",
        taken_from_config={"dim": 4}, notes=("odd",), seconds={"read": 0.5}, versions={"python": "3"},
    )  # fmt: skip

    assert str(report).splitlines() == [
        "ELMo: 1 dataset read and verified, 1 unused",
        "  vocab:       /a (1,234 bytes)",
        "  real path:   /b",
        f"  sha256:      {'c' * 64} of the vocab",
        "  given:       'm', an index file",
        "  backend:     torch",
        "  scope:       module/",
        "  unused:      1 steps",
        "  ignored:     extra",
        "  initialised: task",
        "  checksums:   none",
        "  from config: dim=4",
        "  note:        odd",
        "  seconds:     read 0.500",
        "  versions:    python 3",
    ]
    assert file.facts_text() == f"1,234 bytes, leads to /b, SHA-256 {'c' * 64}"


def test_nothing_of_a_file_is_printed_as_it_is():
    odd = "a\x1b[31m\n  scope:       b\u202e"
    report = LoadReport(
        model="BERT",
        files=(FileRead(role="config", path=odd, n_bytes=1, real_path=odd),),
        scope=odd,
        place="folder",
        unused={"heads": (odd,)},
        ignored=(odd,),
        initialised=(odd,),
        taken_from_config={"hidden_act": odd},
        notes=(odd,),
    )
    for text in (str(report), str(KeyProblem(key=odd, problem=odd)), str(Problem(kind="missing", name=odd))):
        assert text.isascii()
        assert "\x1b" not in text
        assert "\n  scope:       b" not in text
    page = report._repr_html_()
    assert not {"\x1b", "\u202e"} & set(page)
