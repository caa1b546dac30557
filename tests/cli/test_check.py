"""`safeload check`."""

from __future__ import annotations

import json
import shutil

import pytest

import safeload
from safeload import testing
from safeload.bert._runtimes import RUNTIMES
from tests.command_line import safeload_cli


@pytest.fixture
def tree(tiny_bert, tmp_path):
    """Return a folder with three models in it, one of them bad."""
    for name in ("a", "b/c", "b/d"):
        shutil.copytree(tiny_bert, tmp_path / "tree" / name)
    path = tmp_path / "tree/b/c/bert_config.json"
    path.chmod(0o644)
    path.write_text(path.read_text().replace('"hidden_size": 16', '"hidden_size": 32'))
    (tmp_path / "tree/.cache").mkdir()
    shutil.copytree(tiny_bert, tmp_path / "tree/.cache/e")
    return tmp_path / "tree"


def test_a_good_model_is_one_line(tiny_bert, tiny_elmo):
    assert safeload_cli("check", "bert", tiny_bert).stdout.startswith(f"ok   {tiny_bert}  37 variables, ")
    assert safeload_cli("check", "elmo", tiny_elmo).stdout.startswith(f"ok   {tiny_elmo}  29 datasets, ")


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_tree_is_checked_in_order_and_the_bad_model_is_told_in_full(jobs, tree):
    done = safeload_cli("check", "bert", tree, "--jobs", jobs, code=1)
    lines = [line for line in done.stdout.splitlines() if line and not line.startswith(" ")]

    assert [line.split()[:2] for line in lines[:3]] == [
        ["ok", str(tree / "a")],
        ["BAD", str(tree / "b/c")],
        ["ok", str(tree / "b/d")],
    ]
    assert lines[3].startswith("2 good, 1 bad, ")
    with pytest.raises(safeload.SafeLoadError) as caught:
        safeload.check_bert(tree / "b/c")
    for line in caught.value.text("with --json").splitlines():
        assert line.strip() in done.stdout
    assert done.stderr == ""
    assert "\x1b" not in done.stdout


def test_quiet_prints_bad_models_and_the_counts_alone(tree):
    assert safeload_cli("check", "bert", tree / "a", "-q").stdout.startswith("1 good, 0 bad, ")
    shown = safeload_cli("check", "bert", tree, "-q", code=1).stdout
    assert shown.startswith(f"BAD  {tree}/b/c  VariableMismatchError\n")
    assert shown.splitlines()[-1].startswith("2 good, 1 bad, ")
    assert shown.count("b/c  VariableMismatchError") == 1


def test_json_is_one_object_of_the_documented_schema(tree):
    found = json.loads(safeload_cli("check", "bert", tree, "--json", code=1).stdout)

    assert {key: found[key] for key in ("schema", "kind", "n_good", "n_bad")} == {
        "schema": "safeload-check/1",
        "kind": "bert",
        "n_good": 2,
        "n_bad": 1,
    }
    assert list(found)[:3] == ["schema", "time", "version"]
    assert (found["version"], found["complete"]) == (safeload.__version__, True)
    good, bad, _ = found["models"]
    assert (good["path"], good["ok"], good["error"]) == (str(tree / "a"), True, None)
    assert len(good["report"]["read"]) == 37
    assert (bad["ok"], bad["report"], bad["error"]["type"]) == (False, None, "VariableMismatchError")
    assert len(bad["error"]["problems"]) == 35
    assert bad["error"]["resolved"].endswith("bert_model.ckpt")
    assert set(bad["error"]) == {
        "type", "message", "text", "label", "resolved", "given", "context", "details", "hints", "problems",
    }  # fmt: skip


def test_a_path_that_leads_nowhere_is_a_bad_model(tmp_path):
    assert "MissingFileError" in safeload_cli("check", "bert", tmp_path / "none", code=1).stdout
    assert "there is no config file" in safeload_cli("check", "bert", tmp_path, code=1).stdout


def test_what_a_good_model_leaves_open_is_said(bert):
    testing.edit_vocabulary(bert, lambda lines: lines[:-13])

    assert "warning: " in safeload_cli("check", "bert", bert).stdout
    assert "13" in safeload_cli("check", "bert", bert).stdout.splitlines()[1]


def test_a_word_that_is_neither_a_kind_nor_a_path_is_told():
    assert "'brt' is neither a kind of model nor an existing path" in safeload_cli("check", "brt", code=2).stderr
    told = safeload_cli("check", "models/", "--expect", "0", code=2).stderr
    assert "safeload check [bert|elmo|weights] [OPTIONS] PATH...\nTry 'python -m safeload check --help'" in told


def test_separate_paths_are_options(bert, tmp_path):
    shutil.move(bert / "vocab.txt", tmp_path / "v.txt")
    config = shutil.move(bert / "bert_config.json", tmp_path / "c.json")
    done = safeload_cli("check", "bert", config, "--checkpoint", bert, "--vocab", tmp_path / "v.txt", "--training")
    assert "46 variables" in done.stdout
    safeload_cli("check", "bert", config, "--checkpoint", tmp_path / "nothing", code=1)


def test_unexpected_tensors_can_be_named(bert):
    path = bert / "bert_config.json"
    path.write_text(path.read_text().replace('"num_hidden_layers": 2', '"num_hidden_layers": 1'))
    safeload_cli("check", "bert", bert, code=1)
    safeload_cli("check", "bert", bert, "--ignore-unused", "bert/encoder/layer_1/*")


def test_elmo_weights_apart(elmo, tmp_path):
    weights = shutil.move(elmo / "weights.hdf5", tmp_path / "w.hdf5")
    safeload_cli("check", "elmo", elmo, code=1)
    safeload_cli("check", "elmo", elmo / "options.json", "--weights", weights)


@pytest.mark.parametrize("kind", ["bert", "elmo"])
def test_isolated_says_the_same(kind, request, tree):
    model = request.getfixturevalue(f"tiny_{kind}")
    assert safeload_cli("check", kind, model, "--isolated").stdout.startswith(f"ok   {model}  ")
    done = safeload_cli("check", "bert", tree, "--isolated", "--jobs", "2", code=1)
    assert [line.split()[0] for line in done.stdout.splitlines() if line[:1].isalpha()] == ["ok", "BAD", "ok"]


@pytest.mark.parametrize(("death", "told"), [("os.abort()", "the signal SIGABRT"), ("os._exit(3)", "the exit code 3")])
def test_a_process_that_a_file_ends_is_told(death, told, tiny_elmo, tmp_path):
    (tmp_path / "h5py.py").write_text(f"import os; {death}")
    done = safeload_cli("check", "elmo", tiny_elmo, "--isolated", code=1, env={"PYTHONPATH": str(tmp_path)})
    assert f"could not be checked: its process ended with {told}" in done.stdout


def test_in_a_shell_a_long_message_ends_with_the_option_that_shows_all(bert):
    testing.edit_config(bert, num_hidden_layers=9)
    printed, as_json = (safeload_cli("check", "bert", bert, *options, code=1).stdout for options in ([], ["--json"]))
    error = json.loads(as_json)["models"][0]["error"]

    assert "... and 102 more with --json" in printed
    assert "error." not in printed + as_json
    assert len(error["problems"]) == len(error["details"]) == 112


@pytest.fixture
def suspicious(bert):
    """Return a good model with five rows that no token explains."""
    testing.edit_vocabulary(bert, lambda lines: lines[:-5])
    return bert


def test_a_warning_is_printed_and_the_model_is_good(suspicious):
    done = safeload_cli("check", "bert", suspicious)

    assert "warning: the embedding table has 5 more rows" in done.stdout
    assert done.stdout.startswith("ok")
    assert done.stderr == ""


@pytest.mark.parametrize("quiet", [[], ["-q"]])
def test_strict_makes_a_warning_a_failure(suspicious, quiet):
    done = safeload_cli("check", "bert", suspicious, "--strict", *quiet, code=1)

    assert done.stdout.startswith("BAD")
    assert "warning: the embedding table has 5 more rows" in done.stdout
    found = json.loads(safeload_cli("check", "bert", suspicious, "--strict", "--json", code=1).stdout)
    assert (found["n_bad"], found["models"][0]["ok"], found["models"][0]["error"]) == (1, False, None)


def test_a_scope_is_passed_on(bert):
    assert (
        "no encoder under the scope 'other'" in safeload_cli("check", "bert", bert, "--scope", "other", code=1).stdout
    )
    safeload_cli("check", "bert", bert, "--scope", "bert", code=0)


def test_messages_name_the_options_of_the_command(tmp_path):
    bert = testing.write_bert(tmp_path, form="safetensors", heads=False)
    assert "load it without --training" in safeload_cli("check", "bert", bert, "--training", code=1).stdout
    bert = testing.write_bert(tmp_path, form="safetensors")
    testing.rename_variable(bert, "bert.pooler.dense.weight", "bert.more.weight")
    assert "pass --ignore-unused 'bert.more.weight'" in safeload_cli("check", "bert", bert, code=1).stdout


def test_the_gelu_of_a_load_is_checked_on_request(tmp_path):
    bert = testing.write_bert(tmp_path, form="safetensors")
    report = json.loads(safeload_cli("check", "bert", bert, "--activation", "gelu_tanh", "--json").stdout)
    assert report["models"][0]["report"]["activation"] == "gelu_tanh"
    assert "'relu' is not one of" in safeload_cli("check", "bert", bert, "--activation", "relu", code=2).stderr


@pytest.fixture
def mixed(tree, tiny_elmo):
    """Return the tree with an ELMo in it too."""
    shutil.copytree(tiny_elmo, tree / "z")
    return tree


def test_a_tree_is_checked_whatever_its_models_are(mixed):
    done = safeload_cli("check", mixed, "-j", "2", "--expect", "4", code=1)
    lines = [line for line in done.stdout.splitlines() if line[:1].isalnum()]

    assert [line.split()[0] for line in lines[:4]] == ["ok", "BAD", "ok", "ok"]
    assert lines[4].startswith("3 good, 1 bad, ")
    assert done.stdout.splitlines()[-1].startswith(
        f"  BAD  {mixed}/b/c  VariableMismatchError: the BERT checkpoint does not fit"
    )
    found = json.loads(safeload_cli("check", mixed, "--json", code=1).stdout)
    assert (found["kind"], [model["kind"] for model in found["models"]]) == (None, ["bert", "bert", "bert", "elmo"])
    assert found["models"][3]["n_bytes"] == sum(path.stat().st_size for path in (mixed / "z").iterdir())


def test_what_is_excluded_is_not_looked_at(mixed):
    assert safeload_cli("check", mixed, "--exclude", "c").stdout.count("ok ") == 3
    assert safeload_cli("check", mixed, "--exclude", "b/*", "--exclude", "[yz]").stdout.count("ok ") == 1
    safeload_cli("check", "bert", mixed, "--exclude", "b", "--expect", "1")


def test_the_first_bad_model_ends_a_check_that_fails_fast(mixed):
    done = safeload_cli("check", mixed, "--fail-fast", "--json", "-j", "1", code=1)
    found = json.loads(done.stdout)

    assert [model["ok"] for model in found["models"]] == [True, False]
    assert found["complete"] is False
    assert (
        json.loads(safeload_cli("check", mixed, "--exclude", "c", "--fail-fast", "--json").stdout)["complete"] is True
    )


def test_json_and_another_format_contradict(tiny_bert):
    assert "--format sarif is given" in safeload_cli("check", tiny_bert, "--json", "--format", "sarif", code=2).stderr


def test_options_that_contradict_each_other_are_an_error_before_a_model_is_looked_for(tmp_path):
    for arguments in ((tmp_path / "none",), (tmp_path / "none", tmp_path / "other")):
        told = safeload_cli("check", "bert", *arguments, "--backend", "keras-hub", "--training", code=2).stderr
        assert told.startswith("ArgumentError: training must be False for keras-hub, which builds no MLM and NSP heads")
        assert "leave training out, or pass --backend transformers" in told
    found = json.loads(
        safeload_cli("check", "bert", tmp_path, "--backend", "keras-hub", "--training", "--json", code=2).stdout
    )
    assert found["error"]["type"] == "ArgumentError"


def test_the_choices_are_those_of_the_runtimes():
    told = safeload_cli("check", "bert", "--help").stdout
    assert f"[{'|'.join(RUNTIMES)}]" in " ".join(told.split())
