"""Hostile archives and state dicts of AllenNLP, of the catalogue."""

from __future__ import annotations

import io
import os
import pickle
import tarfile

import numpy as np

from safeload import errors, testing
from safeload.testing._allennlp import SCOPE, WEIGHTS_NAME
from safeload.testing._torch import write_torch
from tests.elmos import OPTIONS_NAME
from tests.elmos import WEIGHTS_NAME as HDF5_NAME
from tests.faults.bert import Config, Unsafe
from tests.faults.fault import Fault, then, write
from tests.faults.hostile import Bomb
from tests.forms.torch import archives as t

ARCHIVE = "model.tar.gz"
TABLE = f"{SCOPE}_token_embedder._char_embedding_weights"
OUTPUT = f"{SCOPE}_elmo_lstm.forward_layer_{{}}.state_projection.weight"


def model(folder):
    """Put a model of AllenNLP in the place of the ELMo's files."""
    for name in (OPTIONS_NAME, HDF5_NAME):
        (folder / name).unlink()
    testing.write_elmo(folder, form="torch/model")


def weights(pickle):
    return lambda folder: t.file_of(folder / WEIGHTS_NAME, pickle)


def tensors(make):
    return lambda folder: write_torch(folder / WEIGHTS_NAME, make())


def packed(*members):
    """Pack the model and further members, (info, data), into the archive that is then all there is."""

    def spoil(folder):
        with tarfile.open(folder / ARCHIVE, "w:gz") as archive:
            for name in ("config.json", WEIGHTS_NAME):
                archive.add(folder / name, name)
            for info, data in members:
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))

    return spoil


def link(name, target):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = tarfile.SYMTYPE, target
    return info, b""


def options_fifo(folder):
    (folder / "fta").mkdir()
    os.mkfifo(folder / "fta" / "model.elmo.options_file")


def many_elmos():
    one = np.ones((2, 3), np.float32)
    return {f"e{number}.{OUTPUT.format(0)}": one for number in range(5000)}


def attack(name, what, spoil, error, **call):
    call = {"call": {"options_file": f"{{}}/{ARCHIVE}"}} if call.get("is_packed") else {}
    return Fault(model="elmo", name=f"allennlp_{name}", what=what, spoil=then(model, spoil), error=error, has_message=False, **call)  # fmt: skip


RUNS_CODE = weights(pickle.dumps(Bomb(), protocol=2))
Mismatch = errors.VariableMismatchError
FAULTS = [
    attack("weights_run_code", "the weights.th of a model whose pickle calls os.system", RUNS_CODE, Unsafe),
    attack("archive_runs_code", "the same in an archive", then(RUNS_CODE, packed()), Unsafe, is_packed=True),
    attack("archive_leads_up", "an archive of a model with a member ../x", packed((tarfile.TarInfo("../x"), b"x")), Unsafe, is_packed=True),
    attack("archive_links_out", "options in an archive that are a link to /etc/passwd", packed(link("options.json", "/etc/passwd")), Unsafe, is_packed=True),
    attack("archive_has_weights_twice", "two weights.th in an archive", packed((tarfile.TarInfo(WEIGHTS_NAME), b"x")), Unsafe, is_packed=True),
    attack("options_are_a_fifo", "archived options that are a FIFO", options_fifo, Unsafe),
    attack("config_of_nested_lists", "a config of 100,000 nested lists", write("config.json", '{"a":' + "[" * 100_000), Config),
    attack("config_is_a_device", "the config is /dev/zero", then(
        lambda folder: (folder / "config.json").unlink(), lambda folder: (folder / "config.json").symlink_to("/dev/zero")), Unsafe),
    attack("five_thousand_elmos", "a state dict of 5,000 biLMs", tensors(many_elmos), errors.AmbiguousCheckpointError),
    attack("table_without_columns", "a table of characters without values", tensors(lambda: {
        TABLE: np.zeros((262, 0), np.float32), OUTPUT.format(0): np.ones((8, 12), np.float32)}), Mismatch),
    attack("layer_of_900_digits", "a layer whose number has 900 digits", tensors(lambda: {
        OUTPUT.format("9" * 900): np.ones((8, 12), np.float32)}), Mismatch),
    attack("twenty_thousand_layers", "a state dict of 20,000 layers", tensors(lambda: {
        TABLE: np.ones((262, 5), np.float32), **{OUTPUT.format(at): np.ones((1, 1), np.float32) for at in range(20_000)}}), Mismatch),
]  # fmt: skip
