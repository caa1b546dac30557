"""Every side that is measured runs; how long it takes is not looked at."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from safeload import testing

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
TOGETHER = {
    "keras_bert": (
        "bert",
        "load_bert keras_bert keras_bert_graph tensorflow_restore raw_read check_bert raw_scan load_google",
    ),
    "numpy": ("bert", "cold_check_bert cold_scan save_converted copy_files process_convert"),
    "rich": ("tree", "check_tree raw_scan"),
    "requests": ("bert", "check_address download"),
    "model_signing": ("signed", "write_signature check_signed verify_signature sha256sum"),
    "tensorflow": ("bert", "process_check_bert process_import_tensorflow"),
    "safetensors": (
        "bert",
        "write_safetensors safetensors load_state_dict safetensors_torch load_state_dict_locked sha256sum",
    ),
    "keras": ("elmo", "load_elmo_keras forward_keras"),
    "torch": (
        "elmo",
        "load_elmo_torch forward_torch check_elmo process_check_elmo process_load_elmo process_import_torch embed_elmo embed_elmo_sorted save_elmo raw_write",
    ),
    "keras_hub": (
        "both",
        "load_transformers load_google_transformers write_outputs load_expected_outputs from_pretrained from_pretrained_read build_transformers raw_read process_load_transformers process_from_pretrained process_import_transformers load_keras_hub from_preset build_keras_hub",
    ),
    "keras.layers": ("module", "write_module saved_model load_elmo_text"),
    "allennlp": ("elmo", "load_elmo_allennlp allennlp forward_allennlp process_allennlp embed_allennlp"),
}
RUN = """
import json, models, pathlib, sides, sys
models.ELMO.update(dim=12, projection=8, filters=((1, 4), (2, 6)))
folder, *names = sys.argv[1:]
print(json.dumps([sides.sample(name, pathlib.Path(folder)) for name in names]))
"""
LIST = "import groups, json; print(json.dumps([group.sides for group in groups.groups()]))"


def printed(code, *arguments):
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, cwd=BENCHMARKS, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture
def both(tmp_path):
    """Return a folder of Hugging Face's files, with Google's in a folder of it."""
    testing.write_bert_checkpoint(tmp_path / "google")
    return testing.write_bert(tmp_path, form="safetensors")


@pytest.fixture
def signed(tmp_path):
    """Return a folder of Hugging Face's files alone."""
    return testing.write_bert(tmp_path / "signed", form="safetensors")


@pytest.fixture
def tree(tmp_path):
    """Return the tree that other scanners check too."""
    printed(
        f"import fleet, json, pathlib; print(json.dumps(fleet.make(pathlib.Path({str(tmp_path / '300 folders')!r}))))"
    )
    return tmp_path / "300 folders"


@pytest.fixture
def module(tmp_path):
    """Return the folder that the first side writes."""
    return tmp_path / "module"


@pytest.mark.parametrize("needed", TOGETHER)
def test_every_side_runs(needed, request):
    if not importlib.util.find_spec(needed):
        pytest.skip(f"needs {needed}")
    model, names = TOGETHER[needed]
    folder = request.getfixturevalue(model)
    if "load_google" in names:
        testing.write_bert_checkpoint(folder / "google")
    taken = printed(RUN, folder, *names.split())
    assert len(taken) == len(names.split())
    assert all(sample["seconds"] > 0 for sample in taken)


def test_the_pages_are_written_from_what_was_measured(tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")
    monkeypatch.syspath_prepend(BENCHMARKS)
    import pages

    samples = {"load_bert": [{"seconds": 0.5, "memory": 1.1}], "keras_bert": [{"seconds": 3.0, "memory": 1.8}]}
    group = {"model": "BERT-Base", "what": "load", "against": "keras_bert", "samples": samples}
    kinds = {"load_bert": "safeload", "keras_bert": "peer"}
    deep = {**group, "model": "BERT of 48 layers"}
    run = {"versions": {"h5py": "3.14.0"}, "groups": [{**each, "kinds": kinds} for each in (group, deep)]}
    (tmp_path / "bench-3.11.json").write_text(json.dumps(run))
    for name in ("README", "PERFORMANCE"):
        page = tmp_path / name
        page.write_text("a\n<!-- from-bench: speed -->\nold\n<!-- end of from-bench -->\nb\n")
        monkeypatch.setattr(pages, name, page)
    monkeypatch.setattr(pages, "PICTURE", tmp_path / "speed.svg")
    monkeypatch.setattr(sys, "argv", ["pages.py", str(tmp_path)])

    pages.main()

    row = "| load BERT-Base into keras-bert | 0.50 | keras-bert's loader: 6.0 times faster |"
    assert row in (tmp_path / "README").read_text().splitlines()
    rows = (tmp_path / "PERFORMANCE").read_text().splitlines()
    assert "| **safeload, every check** | 0.50 | 0.17 | 1.10 |" in rows
    assert "| keras-bert's own loader | 3.0 | 1.0 | 1.80 |" in rows
    assert "| 48 layers | 0.50 | 0.17 |" in rows
    assert "| h5py | 3.14.0 |" in rows
    assert "load BERT-Base" in (tmp_path / "speed.svg").read_text()


def test_no_side_is_left_out_and_none_takes_two_turns():
    groups = printed(LIST)
    assert {side for sides in groups for side in sides} <= {
        name for _, names in TOGETHER.values() for name in names.split()
    }
    assert all(len(set(sides)) == len(sides) for sides in groups)
