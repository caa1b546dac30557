"""The formats of `safeload check`: each names what is wrong, and the file in which it is."""

from __future__ import annotations

import json
import os
import re
import shutil
from urllib.parse import unquote, urlparse
from xml.etree import ElementTree as ET

import pytest

import safeload
from safeload import testing
from safeload.cli.formats import FORMATS, Head, Totals, writer_of
from safeload.errors import CorruptFileError, WrongFileKindError
from safeload.fleet._result import CheckResult
from tests.command_line import safeload_cli
from tests.docs.blocks import ROOT
from tests.text.test_html import Reader

SARIF = ROOT / "build/npm/@microsoft/jest-sarif@1.0.0-beta.0/lib/schemas/sarif-2.1.0-rtm.5.json"
SHARD = "bert_model.ckpt.data-00000-of-00001"


@pytest.fixture
def tree(tiny_bert, tiny_elmo, tmp_path):
    """Return a folder with a good BERT, a damaged one, an ELMo with a warning, and loose weights."""
    root = tmp_path / "tree"
    for name, model in (("a", tiny_bert), ("b, c: 50%", tiny_bert), ("e", tiny_elmo)):
        shutil.copytree(model, root / name)
        for path in (root / name).iterdir():
            path.chmod(0o644)
    testing.poison(root / "b, c: 50%")
    testing.edit_vocabulary(root / "a", lambda lines: lines[:-5])
    loose = testing.write_bert(root / "loose", form="safetensors")
    for name in ("config.json", "vocab.txt"):
        (loose / name).unlink()
    return root


def written(form, tree, *options, code=1):
    return safeload_cli("check", tree, "--format", form, *options, code=code).stdout


def test_json_lines_are_a_head_a_line_a_model_and_the_totals(tree):
    head, *models, totals = map(json.loads, written("jsonl", tree).splitlines())

    assert (head["schema"], head["version"]) == ("safeload-check-lines/1", safeload.__version__)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", head["time"])
    assert [(each["kind"], each["ok"]) for each in models] == [("bert", True), ("bert", False), ("elmo", True)]
    assert models == [
        {**each, "seconds": found["seconds"], "report": found["report"]}
        for each, found in zip(json.loads(written("json", tree))["models"], models, strict=True)
    ]
    assert (totals["n_good"], totals["n_bad"], totals["complete"]) == (2, 1, True)
    assert [each["path"] for each in totals["skipped"]] == [str(tree / "loose")]


def test_junit_has_a_test_case_for_each_model(tree):
    suite = ET.fromstring(written("junit", tree)).find("testsuite")
    cases = {os.path.relpath(case.get("name"), tree): case for case in suite}

    assert {key: suite.get(key) for key in ("tests", "failures", "errors", "skipped")} == {
        "tests": "4", "failures": "1", "errors": "0", "skipped": "1",
    }  # fmt: skip
    assert {name: case.get("classname") for name, case in cases.items()} == {
        "a": "safeload.bert", "b, c: 50%": "safeload.bert", "e": "safeload.elmo", "loose": "safeload.skipped",
    }  # fmt: skip
    (failure,) = cases["b, c: 50%"]
    assert failure.get("type") == "CorruptFileError"
    assert SHARD in failure.text
    assert list(cases["a"]) == []
    strict = ET.fromstring(written("junit", tree, "--strict", "--expect", "9")).find("testsuite")
    assert strict.get("failures") == "3"


def test_github_annotations_name_the_file_and_keep_to_one_line(tree, monkeypatch):
    monkeypatch.chdir(tree)
    warning, error, counts = written("github", ".").splitlines()

    assert warning.startswith("::warning file=a,title=SafeLoadWarning::the embedding table has 5 more rows")
    assert error.startswith(
        f"::error file=b%2C c%3A 50%25/{SHARD},title=CorruptFileError::1 of 37 variables is damaged"
    )
    assert "%0A  shard: " in error
    assert re.match("2 good, 1 bad, ", counts)
    assert "::error title=safeload check::3 models found, 7 expected\n" in written("github", ".", "--expect", "7")


def test_sarif_names_the_file_of_each_fault(tree, monkeypatch):
    monkeypatch.chdir(tree / "e")
    found = json.loads(written("sarif", tree))
    (run,) = found["runs"]
    warning, error = run["results"]
    (location,) = error["locations"]

    assert found["version"] == "2.1.0"
    assert (error["ruleId"], error["level"], warning["level"]) == ("CorruptFileError", "error", "warning")
    rule = run["tool"]["driver"]["rules"][error["ruleIndex"]]
    assert (rule["id"], rule["shortDescription"]["text"][:21]) == ("CorruptFileError", "The bytes are damaged")
    uri = location["physicalLocation"]["artifactLocation"]["uri"]
    assert unquote(urlparse(uri).path) == str(tree / "b, c: 50%" / SHARD)
    assert "loose" in run["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"]
    monkeypatch.chdir(tree)
    below = json.loads(written("sarif", ".", "--expect", "9"))["runs"][0]
    assert below["results"][1]["locations"][0]["physicalLocation"]["artifactLocation"] == {
        "uri": f"b%2C%20c%3A%2050%25/{SHARD}", "uriBaseId": "SRCROOT",
    }  # fmt: skip
    assert below["originalUriBaseIds"]["SRCROOT"]["uri"] == f"{tree.as_uri()}/"
    assert below["results"][2]["message"]["text"] == "3 models found, 9 expected"
    assert below["results"][1]["partialFingerprints"] != below["results"][0]["partialFingerprints"]


@pytest.mark.skipif(not SARIF.exists(), reason=f"needs {SARIF.relative_to(ROOT)}, which needs npm: make npm")
@pytest.mark.parametrize("options", [(), ("--strict", "--expect", "9"), ("--fail-fast",)])
def test_sarif_is_valid_by_its_schema(options, tree):
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads(SARIF.read_text(encoding="utf-8"))
    found = json.loads(written("sarif", tree, *options))
    jsonschema.Draft4Validator(schema, format_checker=jsonschema.FormatChecker()).validate(found)
    found["runs"][0]["results"][0]["level"] = "bad"
    assert not jsonschema.Draft4Validator(schema).is_valid(found)


def test_the_page_has_the_counts_the_faults_and_the_failures_first(tree):
    page = written("html", tree)
    read = Reader(page)
    shown = "".join(read.text)

    assert read.links == []
    assert "2 good, 1 bad" in shown
    assert str(tree / "loose") in shown
    rows = re.findall(r'<tr><td class="short (good|bad)">.*?</th><td class="short">(\w*)<', page)
    assert rows == [("bad", "CorruptFileError"), ("good", "warnings"), ("good", "")]
    assert re.findall('<article class="(good|bad)">', page) == ["bad", "good"]


HEAD = Head(time="2026-01-02T03:04:05.678Z", version="1")


def results(folder, count):
    """Yield results with the reports and errors of real checks, under many paths."""
    folder = testing.write_bert(folder)
    report = safeload.check_bert(folder)
    (folder / "vocab.txt").write_text("")
    with pytest.raises(WrongFileKindError) as caught:
        safeload.check_bert(folder)
    for number in range(count):
        facts = {"error": caught.value} if number % 10 == 0 else {"report": report}
        yield CheckResult(
            path=f"/models/group-{number % 7}/model-{number}", kind="bert", seconds=number / 1000, **facts
        )


def test_a_page_of_a_thousand_models_is_below_a_megabyte(tmp_path):
    parts = []
    writer = writer_of("html", parts.append, HEAD)
    for result in results(tmp_path, 1000):
        writer.add(result)
    writer.end(Totals(n_good=900, n_bad=100, n_models=1000))
    page = "".join(parts)

    assert len(page.encode()) < 1_000_000
    assert page.count('<tr><td class="short ') == 1000
    assert "model-999" in page
    Reader(page)


@pytest.mark.parametrize("form", [each for each in FORMATS if each != "text"])
def test_what_a_path_holds_cannot_break_a_format(form):
    odd = 'x\n"><script>&,::%\x1b[31m\x00\udc80]]>'
    error = CorruptFileError("a\n::error::b <b>", resolved=f"/{odd.replace(chr(0), '')}", given=odd)
    parts = []
    writer = writer_of(form, parts.append, HEAD)
    writer.add(CheckResult(path=odd, kind="bert", error=error))
    writer.end(Totals(n_bad=1, n_models=1))
    text = "".join(parts)

    assert "\x1b" not in text
    assert "\x00" not in text
    {
        "json": json.loads,
        "jsonl": lambda found: [json.loads(line) for line in found.splitlines()],
        "sarif": json.loads,
        "junit": ET.fromstring,
        "html": Reader,
        "github": lambda found: [None] * (found.count("\n") == 2) or pytest.fail(found),
    }[form](text)
    assert form not in ("junit", "html") or "<script>&" not in text


def test_the_format_goes_into_a_file_and_the_text_to_the_terminal(tree, tmp_path):
    path = tmp_path / "out.json"
    shown = written("json", tree, "--output", path)
    assert "2 good, 1 bad" in shown
    assert json.loads(path.read_text())["n_bad"] == 1
    shown = written("text", tree, "-o", path)
    assert re.sub(r"[\d.]+ s\b", "", path.read_text()) == re.sub(r"[\d.]+ s\b", "", shown)


def test_a_file_that_cannot_be_written_is_exit_code_2(tiny_bert, tmp_path):
    done = safeload_cli("check", tiny_bert, "--format", "json", "-o", tmp_path / "none/out", code=2)
    assert done.stderr.startswith("MissingFileError: the system cannot write the output file")
