"""The command line, run as a person runs it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import h5py
import pytest
from checkpoints import bert_tensors, write_checkpoint

import safeload
from safeload import testing
from safeload.cli._models import find_models
from safeload.cli._weights import layer_of

HEAVY = ("tensorflow", "torch", "keras", "tf_keras", "allennlp")


def safeload_cli(*arguments, code=0, env=None):
    """Run `safeload` in a process of its own; return the finished process."""
    command = [sys.executable, "-m", "safeload", *map(str, arguments)]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **(env or {})}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


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


def test_help_teaches_every_command():
    shown = safeload_cli("--help").stdout
    for command in ("check", "inspect", "diff", "lock", "doctor", "demo"):
        assert f"\n  {command} " in shown
        assert "--help" in safeload_cli(command, "--help").stdout
    for command in (("check", "bert"), ("check", "elmo"), ("inspect",), ("diff",), ("lock",), ("doctor",)):
        assert "Examples:\n    safeload" in safeload_cli(*command, "-h").stdout
    assert safeload_cli("--version").stdout.strip() == f"safeload, version {safeload.__version__}"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_names_can_be_completed(shell):
    def completing(mode, **env):
        code = "import sys; sys.argv = ['safeload']; from safeload.cli import main; main()"
        environment = {**os.environ, "_SAFELOAD_COMPLETE": f"{shell}_{mode}", **env}
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment
        )
        return done.stdout

    if shutil.which(shell) or shell != "bash":
        assert "_SAFELOAD_COMPLETE" in completing("source")
    assert "bert" in completing("complete", COMP_WORDS="safeload check b", COMP_CWORD="b" if shell == "fish" else "2")


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
    for line in str(caught.value).splitlines():
        assert line.strip() in done.stdout
    assert done.stderr == ""
    assert "\x1b" not in done.stdout


def test_quiet_prints_bad_models_alone(tree):
    assert safeload_cli("check", "bert", tree / "a", "-q").stdout == ""
    assert safeload_cli("check", "bert", tree, "-q", code=1).stdout.startswith(
        f"BAD  {tree}/b/c  VariableMismatchError\n"
    )


def test_json_is_one_object_of_the_documented_schema(tree):
    found = json.loads(safeload_cli("check", "bert", tree, "--json", code=1).stdout)

    assert {key: found[key] for key in ("schema", "kind", "n_good", "n_bad")} == {
        "schema": "safeload-check/1",
        "kind": "bert",
        "n_good": 2,
        "n_bad": 1,
    }
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


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("check",),
        ("check", "gpt", "x"),
        ("check", "bert"),
        ("check", "bert", "a", "b", "--vocab", "v"),
        ("check", "elmo", "a", "b", "--weights", "w"),
        ("check", "bert", "a", "--jobs", "0"),
        ("inspect",),
        ("diff", "a"),
        ("nothing",),
    ],
)
def test_a_wrong_command_is_exit_code_2(arguments):
    assert "Usage: " in (done := safeload_cli(*arguments, code=2)).stderr + done.stdout


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


def test_a_linked_folder_is_entered_once(tree):
    (tree / "a/loop").symlink_to(tree)
    (tree.parent / "linked").mkdir()
    (tree.parent / "linked/x").symlink_to(tree / "a")
    assert find_models("bert", [str(tree)]) == [str(tree / name) for name in ("a", "b/c", "b/d")]
    assert find_models("bert", [str(tree.parent / "linked")])[0] == str(tree.parent / "linked/x")


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "bert", "{bert}"),
        ("check", "elmo", "{elmo}"),
        ("inspect", "{bert}", "--stats"),
        ("inspect", "{elmo}", "--stats"),
        ("diff", "{bert}", "{bert}"),
        ("--help",),
    ],
)
def test_no_framework_is_imported(arguments, tiny_bert, tiny_elmo):
    arguments = [text.format(bert=tiny_bert, elmo=tiny_elmo) for text in arguments]
    code = f"""
import sys
from safeload.cli import main
try:
    main({arguments!r})
except SystemExit as exc:
    print(exc.code, [name for name in {HEAVY} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("0 []\n")


def test_inspect_lists_tensors_by_layer(tiny_bert):
    shown = safeload_cli("inspect", tiny_bert / "bert_model.ckpt").stdout
    lines = [line.rstrip() for line in shown.splitlines()]

    assert lines[:3] == [
        "a TensorFlow checkpoint of 1 shard, given as a checkpoint prefix",
        f"  {tiny_bert}/bert_model.ckpt",
        "  46 tensors, 23.8 kB",
    ]
    row = next(line.split() for line in lines if "position_embeddings" in line)
    assert row == ["position_embeddings", "(20,", "16)", "float32", "1.3", "kB"]
    assert sum(line.startswith("bert/encoder/layer_") for line in lines) == 2


@pytest.mark.parametrize("form", ["", "bert_model.ckpt.index", "bert_model.ckpt.data-00000-of-00001"])
def test_inspect_takes_every_form(form, tiny_bert):
    assert len(json.loads(safeload_cli("inspect", tiny_bert / form, "--json").stdout)["tensors"]) == 46


def test_inspect_tells_what_a_file_is(tiny_bert, tiny_elmo, tmp_path):
    assert safeload_cli("inspect", tiny_bert / "bert_config.json").stdout.startswith("the config of a BERT\n")
    assert safeload_cli("inspect", tiny_elmo / "options.json").stdout.startswith("the options of an ELMo\n")
    assert "vocabulary of 30 tokens" in safeload_cli("inspect", tiny_bert / "vocab.txt").stdout
    assert "an HDF5 file" in safeload_cli("inspect", tiny_elmo).stdout
    (tmp_path / "x.json").write_text('{"model_type": "gpt2", "hidden_size": 1, "num_hidden_layers": 1}')
    assert "another model: gpt2" in safeload_cli("inspect", tmp_path / "x.json").stdout
    (tmp_path / "x.zip").write_bytes(b"PK\x03\x04")
    assert "zip archive" in safeload_cli("inspect", tmp_path / "x.zip", code=1).stderr
    assert json.loads(safeload_cli("inspect", tmp_path / "x.zip", "--json", code=1).stdout)["error"]["type"]


def test_inspect_counts_what_is_odd(tmp_path):
    import numpy as np

    tensors = bert_tensors()
    names = sorted(name for name in tensors if name.endswith("kernel"))
    tensors[names[0]][0, :3] = [np.nan, np.inf, 0]
    tensors[names[1]][:] = 0
    tensors[names[2]][:] = 0.5
    tensors["global_step"] = np.array(7, np.int64)
    write_checkpoint(tmp_path / "m", tensors)
    found = json.loads(safeload_cli("inspect", tmp_path / "m", "--stats", "--json", code=1).stdout)
    statistics = {each["name"]: each["statistics"] for each in found["tensors"]}

    odd = statistics[names[0]]
    assert (odd["n_nan"], odd["n_infinite"], odd["n_zero"]) == (1, 1, 1)
    assert odd["fault"].startswith("NOT FINITE")
    assert statistics[names[1]]["n_zero"] == statistics[names[1]]["count"]
    assert (statistics[names[2]]["mean"], statistics[names[2]]["std"]) == (0.5, 0)
    assert (statistics["global_step"]["low"], statistics["global_step"]["count"]) == (7, 1)
    name = names[3]
    for key, value in {
        "low": tensors[name].min(),
        "high": tensors[name].max(),
        "mean": tensors[name].astype(float).mean(),
        "std": tensors[name].astype(float).std(),
    }.items():
        assert statistics[name][key] == pytest.approx(float(value), rel=1e-9, abs=1e-12)
    shown = safeload_cli("inspect", tmp_path / "m", "--stats", code=1).stdout
    assert "all zeros" in shown
    assert "all the same" in shown


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("bert/encoder/layer_10/attention/self/key/bias", "bert/encoder/layer_10"),
        ("bert/embeddings/LayerNorm/beta", "bert/embeddings"),
        ("cls/predictions/output_bias", "cls/predictions"),
        ("RNN_0/RNN/MultiRNNCell/Cell1/LSTMCell/W_0", "RNN_0/RNN/MultiRNNCell/Cell1"),
        ("CNN/W_cnn_3", "CNN"),
        ("CNN_high_0/W_carry", "CNN_high_0"),
        ("char_embed", "char_embed"),
    ],
)
def test_a_tensor_belongs_to_the_layer_that_its_name_says(name, layer):
    assert layer_of(name) == layer


@pytest.mark.parametrize(
    ("change", "verdict", "code"),
    [
        (lambda tensors: tensors, "the same weights: 46 tensors equal", 0),
        (lambda tensors: {f"module/{k}": v for k, v in tensors.items()}, "the same weights, under another scope", 0),
        (lambda tensors: {k: v * 1.01 for k, v in tensors.items()}, "one is fine-tuned from the other", 1),
        (lambda _: bert_tensors(seed=9), "unrelated weights", 1),
        (lambda tensors: {f"x{k}".replace("/", "."): v for k, v in tensors.items()}, "nothing in common", 1),
        (lambda tensors: dict(list(tensors.items())[:-1]), "the same weights: 45 tensors equal; 1 tensor more", 1),
        (
            lambda tensors: {k: (v * 9 if k.endswith("query/kernel") else v) for k, v in tensors.items()},
            "the same weights but for a few tensors",
            1,
        ),
    ],
)
def test_diff_says_what_it_means(change, verdict, code, tmp_path):
    write_checkpoint(tmp_path / "a", bert_tensors())
    write_checkpoint(tmp_path / "b", change(bert_tensors()))
    shown = safeload_cli("diff", tmp_path / "a", tmp_path / "b", code=code).stdout
    assert shown.startswith(verdict)
    found = json.loads(safeload_cli("diff", tmp_path / "a", tmp_path / "b", "--json", code=code).stdout)
    assert found["is_same"] == (code == 0)
    assert shown.splitlines()[0] == found["verdict"]


def test_diff_measures_values(tmp_path):
    import numpy as np

    a, b = bert_tensors(), bert_tensors()
    name = "bert/pooler/dense/kernel"
    b[name][2, 3] += np.float32(0.5)
    b["bert/pooler/dense/bias"] = b["bert/pooler/dense/bias"].astype(np.float64)
    b["cls/predictions/output_bias"][0] = np.nan
    write_checkpoint(tmp_path / "a", a)
    write_checkpoint(tmp_path / "b", b)
    found = json.loads(safeload_cli("diff", tmp_path / "a", tmp_path / "b", "--json", code=1).stdout)

    changed = {each["name"]: each for each in found["changed"]}
    assert (changed[name]["n_different"], changed[name]["count"]) == (1, 256)
    assert changed[name]["max_abs"] == pytest.approx(0.5, rel=1e-6)
    assert [(each["kind"], each["name"]) for each in found["problems"]] == [("dtype", "bert/pooler/dense/bias")]
    assert "NOT FINITE" in found["faults"][0]


def test_a_damaged_file_is_the_same_as_itself(tmp_path):
    import numpy as np

    odd = {
        "nan": np.full(3, np.nan, np.float32),
        "big": np.array([1e38, -3e38], np.float32),
        "none": np.zeros((0, 3), "f"),
    }
    odd |= {"scalar": np.float32(1), "flags": np.array([True, False]), "text": np.array([b"a", b"bc"], object)}
    write_checkpoint(tmp_path / "odd", odd)
    done = safeload_cli("diff", tmp_path / "odd", tmp_path / "odd")
    assert done.stdout.startswith("the same weights: 6 tensors equal\n")
    assert done.stdout.count("NOT FINITE") == 2
    assert done.stderr == ""
    odd["text"][1] = b"other"
    odd["flags"][0] = False
    write_checkpoint(tmp_path / "other", odd)
    found = json.loads(safeload_cli("diff", tmp_path / "odd", tmp_path / "other", "--json", code=1).stdout)
    assert {each["name"]: each["n_different"] for each in found["changed"]} == {"text": 1, "flags": 1}


def test_a_name_cannot_forge_a_line(tmp_path):
    import numpy as np

    write_checkpoint(
        tmp_path / "m", {"a\nok  /models/b/w": np.ones(3, np.float32), "[red]x/\x1b[31mw": np.ones(2, np.float32)}
    )
    shown = safeload_cli("inspect", tmp_path / "m", "--stats").stdout
    assert "\nok" not in shown
    assert "\x1b" not in shown
    assert "[red]x" in shown


def test_diff_of_what_cannot_be_read_is_exit_code_2(tiny_bert, tmp_path):
    assert "CheckpointNotFoundError" in safeload_cli("diff", tiny_bert, tmp_path / "none", code=2).stderr


def test_diff_of_two_elmos(tiny_elmo, elmo):
    import h5py

    safeload_cli("diff", tiny_elmo, elmo)
    with h5py.File(elmo / "weights.hdf5", "r+") as file:
        file["CNN_proj/b_proj"][0] = 3.0
    assert "CNN_proj/b_proj" in safeload_cli("diff", tiny_elmo, elmo, code=1).stdout


@pytest.mark.parametrize("kind", ["bert", "elmo"])
def test_lock_and_check(kind, request):
    folder = request.getfixturevalue(kind)
    assert "the model has no lock file" in safeload_cli("check", kind, folder, "--lock", code=1).stdout
    assert safeload_cli("lock", folder).stdout.startswith(f"written  {folder}/safeload.lock\n")
    before = (folder / "safeload.lock").read_bytes()
    assert safeload_cli("lock", folder).stdout.startswith(f"unchanged  {folder}/safeload.lock\n")
    assert ", locked, " in safeload_cli("check", kind, folder, "--lock").stdout
    config = folder / ("bert_config.json" if kind == "bert" else "options.json")
    config.write_text(config.read_text() + " ")
    assert "LockError" in safeload_cli("check", kind, folder, code=1).stdout
    assert "LockError" in safeload_cli("lock", folder, code=1).stderr
    assert (folder / "safeload.lock").read_bytes() == before
    assert json.loads(safeload_cli("lock", folder, "--update", "--json").stdout)["done"] == "written"
    safeload_cli("check", kind, folder, "--lock")
    assert sorted(path.name for path in folder.iterdir() if "lock" in path.name) == ["safeload.lock"]


def test_a_bad_model_is_not_locked(bert):
    (bert / "vocab.txt").write_text("")
    assert "empty file" in safeload_cli("lock", bert, code=1).stderr
    assert not (bert / "safeload.lock").exists()


def test_a_folder_without_a_model_is_not_locked(tmp_path):
    assert "neither a BERT nor an ELMo" in safeload_cli("lock", tmp_path, code=1).stderr
    assert "MissingFileError" in safeload_cli("lock", tmp_path / "none", code=1).stderr


@pytest.mark.skipif(os.getuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_told(bert):
    bert.chmod(0o555)
    assert "cannot be written" in safeload_cli("lock", bert, code=1).stderr
    bert.chmod(0o755)


def test_names_bring_no_control_characters_into_the_page(bert, tmp_path):
    testing.rename_variable(bert, "bert/pooler/dense/bias", "a\x1b[31m\u202e<script>")
    safeload_cli("inspect", bert, "--html", tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")

    assert "a\\x1b[31m\\u202e&lt;script&gt;" in page
    assert not {"\x1b", "\u202e"} & set(page)


def test_a_shape_that_no_array_has_is_told(elmo):
    with h5py.File(elmo / "weights.hdf5", "a") as file:
        space = h5py.h5s.create_simple((0, 1 << 62, 1 << 62))
        h5py.h5d.create(file.id, b"odd", h5py.h5t.IEEE_F64LE, space)

    assert "TOO LARGE" in safeload_cli("inspect", elmo, "--stats", "--json", code=1).stdout
