"""What the tests of conversion share: BERTs in every form, and the values that a load of them gives."""

from __future__ import annotations

import json
import shutil
import zipfile

import numpy as np

from safeload import testing
from safeload._model_kind import Request
from safeload._steps import check
from safeload.bert._arguments import build_options
from safeload.bert._content import ANY, stored_parameters
from safeload.bert._model import bert
from safeload.testing._forms import FORMS

READABLE = (*FORMS, "tensorflow in a zip", "safetensors in a tar")
WRITTEN = ("safetensors", "google", "keras-bert-h5", "keras-hub")
HEADS = ["cls/*"]
TANH = "gelu_tanh"


def write_source(folder, form, **arguments):
    """Write a BERT in a readable form, and return its path."""
    name, _, container = form.partition(" in a ")
    path = testing.write_bert(folder, form=name, **arguments)
    if container == "zip":
        with zipfile.ZipFile(folder.with_suffix(".zip"), "w") as archive:
            for each in sorted(path.iterdir()):
                archive.write(each, f"model/{each.name}")
        return folder.with_suffix(".zip")
    if container == "tar":
        return shutil.make_archive(str(folder), "gztar", folder)
    return path


def read_values(path, **arguments):
    """Return the config and the values of a BERT: parameter -> array."""
    options = build_options(training=False, seq_len=None)._replace(runtime=ANY)
    checked = check(bert(options, listed=stored_parameters), Request(config=path, **arguments), keep_values=True)
    return checked.config, checked.values


def assert_same_values(ours, theirs, *, without=()):
    """Assert that two dicts of values have the same bits, but for parameters that begin so."""
    wanted = {name: value for name, value in ours.items() if not name.startswith(tuple(without) or ("-",))}
    assert wanted.keys() == theirs.keys()
    for name, value in wanted.items():
        assert np.array_equal(value.view(np.uint32), theirs[name].view(np.uint32)), name


def change_config(folder, name="bert_config.json", **changes):
    """Change keys of a config; None removes one."""
    path = folder / name
    config = {**json.loads(path.read_text()), **changes}
    path.write_text(json.dumps({key: value for key, value in config.items() if value is not None}))
    return folder


def contents(folder):
    """Return the bytes of every file below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
