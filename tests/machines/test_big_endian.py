"""Checks, values and new files on a real big-endian host, where there is one: `big_endian.sh` makes a Python of one.

SAFELOAD_BIG_ENDIAN_PYTHON is the command that runs it.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys

import pytest

from safeload import testing
from safeload.testing._elmo_forms import ELMO_FORMS
from safeload.testing._forms import FORMS
from tests.docs.blocks import ROOT

PYTHON = shlex.split(os.environ.get("SAFELOAD_BIG_ENDIAN_PYTHON", ""))
pytestmark = pytest.mark.skipif(not PYTHON, reason="SAFELOAD_BIG_ENDIAN_PYTHON names no Python of a big-endian host")

SCRIPT = """
import hashlib, json, sys, warnings
from pathlib import Path
warnings.simplefilter("ignore")  # there is no wheel of crc32c
import numpy as np
import safeload
from safeload import testing
from safeload._forms.byte_order import little

def facts(folder):
    check = safeload.check_bert if folder.name.startswith("bert") else safeload.check_elmo
    report = check(folder)
    values = safeload.load_state_dict(folder, framework="numpy")
    digest = hashlib.sha256()
    for name in sorted(values):
        digest.update(name.encode() + little(np.ascontiguousarray(values[name])).tobytes())
    return [len(report.read), report.digest, list(report.warnings), digest.hexdigest()]

def written(folder):
    return {each.name: hashlib.sha256(each.read_bytes()).hexdigest() for each in sorted(folder.iterdir())}

found = {"order": sys.byteorder}
models, new = map(Path, sys.argv[1:])
for folder in sorted(models.iterdir()):
    found[folder.name] = facts(folder)
for source, form in (("bert tensorflow", "safetensors"), ("bert keras", "google"), ("elmo torch", "hdf5")):
    safeload.convert(models / source, new / form, form=form)
    found[f"convert to {form}"] = written(new / form)
for form in ("tensorflow", "safetensors", "torch", "keras"):
    testing.write_bert(new / f"bert {form}", form=form)
    found[f"write {form}"] = written(new / f"bert {form}"), facts(new / f"bert {form}")
print(json.dumps(found))
"""


def run(python, models, new):
    new.mkdir()
    command = [*python, "-c", SCRIPT, str(models), str(new)]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=env, timeout=600)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_checks_values_and_new_files_are_the_same(tmp_path):
    models = tmp_path / "models"
    for form in FORMS:
        testing.write_bert(models / f"bert {form.replace('/', ' ')}", form=form)
    for form in ELMO_FORMS:
        testing.write_elmo(models / f"elmo {form.replace('/', ' ')}", form=form)

    there, here = run(PYTHON, models, tmp_path / "there"), run([sys.executable], models, tmp_path / "here")
    assert there.pop("order") == "big"
    assert here.pop("order") == "little"
    assert there == here
