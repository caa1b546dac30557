"""`safeload inspect`."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

import safeload
from safeload import testing
from safeload.errors import VariableMismatchError
from tests.checkpoints import bert_tensors, write_checkpoint
from tests.command_line import safeload_cli


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


def test_names_are_folded_where_the_terminal_is_narrow(tmp_path):
    names = ["語" * 60, "a" * 120]
    write_checkpoint(tmp_path / "m", {name: np.ones(1, np.float32) for name in names})
    shown = "".join(safeload_cli("inspect", tmp_path / "m", "--stats", env={"COLUMNS": "80"}).stdout.split())
    assert all(f"{name[:5]}" in shown for name in names)
    assert shown.count("語") == 120


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
    assert "the archive is truncated" in safeload_cli("inspect", tmp_path / "x.zip", code=1).stderr
    assert json.loads(safeload_cli("inspect", tmp_path / "x.zip", "--json", code=1).stdout)["error"]["type"]


def test_inspect_counts_what_is_odd(tmp_path):
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


def test_a_name_cannot_forge_a_line(tmp_path):
    write_checkpoint(
        tmp_path / "m", {"a\nok  /models/b/w": np.ones(3, np.float32), "[red]x/\x1b[31mw": np.ones(2, np.float32)}
    )
    shown = safeload_cli("inspect", tmp_path / "m", "--stats").stdout
    assert "\nok" not in shown
    assert "\x1b" not in shown
    assert "[red]x" in shown


def test_names_bring_no_control_characters_into_the_page(bert, tmp_path):
    testing.rename_variable(bert, "bert/pooler/dense/bias", "a\x1b[31m\u202e<script>")
    safeload_cli("inspect", bert, "--html", tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")

    assert "a\\x1b[31m\\u202e&lt;script&gt;" in page
    assert not {"\x1b", "\u202e"} & set(page)


def test_the_verdict_of_the_page_is_printed(bert, tmp_path):
    page = tmp_path / "page.html"
    assert "\nNo tensor looks broken.\nwritten  " in safeload_cli("inspect", bert, "--html", page).stdout
    testing.poison(bert)
    assert "\n1 tensor looks broken.\nwritten  " in safeload_cli("inspect", bert, "--html", page, code=1).stdout


def test_a_value_that_exploded_is_marked(bert):
    testing.poison(bert, "bert/pooler/dense/kernel", 1e30)

    rows = safeload_cli("inspect", bert, "--stats", env={"COLUMNS": "200"}).stdout.splitlines()
    assert [row.split()[0] for row in rows if "exploded: beyond 1,000" in row] == ["dense/kernel"]


def test_a_shape_that_no_array_has_is_told(elmo):
    with h5py.File(elmo / "weights.hdf5", "a") as file:
        space = h5py.h5s.create_simple((0, 1 << 62, 1 << 62))
        h5py.h5d.create(file.id, b"odd", h5py.h5t.IEEE_F64LE, space)

    assert "TOO LARGE" in safeload_cli("inspect", elmo, "--stats", "--json", code=1).stdout


@pytest.mark.parametrize(("arguments", "n_tensors"), [(("--html", "{}"), 21_000), (("--json",), 10_000), ((), 10_000)])
def test_many_tensors_take_bounded_memory_and_linear_time(arguments, n_tensors, tmp_path):
    names = [f"{'x' * 300}/part{number:06d}/{'y' * 40}" for number in range(n_tensors)]
    write_checkpoint(tmp_path / "m", dict.fromkeys(names, np.float32(1)))
    code = (
        "import resource, sys\n"
        f"sys.argv = ['safeload', 'inspect', {str(tmp_path / 'm')!r}, *{[text.format(tmp_path / 'p') for text in arguments]!r}]\n"
        "resource.setrlimit(resource.RLIMIT_CPU, (60, 60))\n"
        "from safeload.cli import main\n"
        "try:\n    main()\n"
        'finally:\n    sys.stderr.write(open("/proc/self/status").read().split("VmHWM:")[1].split()[0])\n'
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stderr) < 300_000
    if arguments[:1] == ("--html",):
        page = (tmp_path / "p").read_text(encoding="utf-8")
        assert "The first 20,000 tensors are shown" in page
        assert len(page) < 100_000_000


def test_values_whose_quotient_overflows_have_a_page(tmp_path):
    tensors = {
        f"layer_{number}/w": np.array([size, 2 * size, size]) for number, size in enumerate((1e200, 1e-200, 1.0))
    }
    write_checkpoint(tmp_path / "m", tensors)
    safeload_cli("inspect", tmp_path / "m", "--html", tmp_path / "page.html")
    assert "layer_2" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_names_in_configs_and_paths_reach_no_terminal(tmp_path):
    config = tmp_path / "x\x7f.json"
    config.write_text('{"model_type": "\\u001b[31m\\u009b", "hidden_size": 1, "num_hidden_layers": 1}')
    link = tmp_path / "a\u202eb.json"
    link.symlink_to(config)
    done = safeload_cli("inspect", link)
    assert not {"\x1b", "\x9b", "\u202e"} & set(done.stdout)
    assert r"\x1b[31m\x9b" in done.stdout
    assert r"a\u202eb.json" in done.stdout


def test_hints_of_a_shell_name_no_attribute(bert):
    config = bert / "bert_config.json"
    config.write_text(config.read_text().replace('"hidden_size": 16', '"hidden_size": 32'))
    for command in (("check", "bert"), ("lock",)):
        done = safeload_cli(*command, bert, code=1)
        assert "error." not in done.stdout + done.stderr
        assert "and 25 more with --json" in done.stdout + done.stderr
    with pytest.raises(VariableMismatchError, match=r"and 25 more in error\.report\.problems"):
        safeload.check_bert(bert)


def test_inspect_lists_the_files_of_a_model_in_several(tmp_path):
    folder = Path(__file__).parent.parent / "bert/golden/transformers_safetensors_sharded"
    names = ["model.safetensors.index.json", *(f"model-0000{number}-of-00002.safetensors" for number in (1, 2))]
    lines = ["3.5 kB  " + names[0], "9.6 kB  " + names[1], "8.5 kB  " + names[2]]
    shown = safeload_cli("inspect", folder, "--html", tmp_path / "page.html").stdout

    assert shown.splitlines()[1:5] == [f"  {folder / names[0]}", *(f"  {line}" for line in lines)]
    page = (tmp_path / "page.html").read_text()
    assert all(f"{folder / name}</code> {size}" in page for size, name in (line.split("  ") for line in lines))
    listed = json.loads(safeload_cli("inspect", folder, "--json").stdout)["files"]
    assert [file["path"] for file in listed] == [str(folder / name) for name in names]
    assert [file["n_bytes"] for file in listed] == [(folder / name).stat().st_size for name in names]


def test_the_models_of_a_folder_with_several_are_listed(bert, tiny_elmo, tmp_path):
    shutil.copytree(tiny_elmo, tmp_path / "z")
    shown = safeload_cli("inspect", tmp_path).stdout.splitlines()
    assert shown == ["a folder with 2 models", f"  {tmp_path}", f"  bert    {bert}", f"  elmo    {tmp_path}/z"]

    testing.write_elmo(bert)
    listed = json.loads(safeload_cli("inspect", bert, "--json").stdout)
    assert listed["models"] == [{"path": str(bert), "kind": kind} for kind in ("bert", "elmo")]
