"""Loads in threads of a running event loop: the same models, and nothing is left of a load that nobody waits for."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys

import pytest

from safeload import testing
from tests.docs.blocks import ROOT

LOADS = """
import asyncio, sys, safeload
import numpy as np

def tensors(model):
    if hasattr(model, "state_dict"):
        return {name: tensor.numpy() for name, tensor in model.state_dict().items()}
    return {weight.name: weight.numpy() for weight in model.weights}

load, backend = getattr(safeload, sys.argv[1]), sys.argv[2]

async def main():
    beats = 0

    async def beat():
        nonlocal beats
        while True:
            beats += 1
            await asyncio.sleep(0.001)

    other = asyncio.create_task(beat())
    models = await asyncio.gather(
        *(asyncio.to_thread(load, sys.argv[3 + number % 2], backend=backend) for number in range(4))
    )
    other.cancel()
    return models, beats

models, beats = asyncio.run(main())
alone = [load(folder, backend=backend) for folder in sys.argv[3:5]]
assert beats > 3, beats  # the loop went on
for number, model in enumerate(models):
    found, wanted = tensors(model), tensors(alone[number % 2])
    assert found.keys() == wanted.keys(), found.keys() ^ wanted.keys()
    assert all(np.array_equal(found[name], wanted[name]) for name in wanted)
    assert safeload.report_of(model).digest == safeload.report_of(alone[number % 2]).digest
assert safeload.report_of(models[0]).digest != safeload.report_of(models[1]).digest
"""
CANCELLED = """
import asyncio, gc, os, sys, tempfile, threading, safeload

def left():
    gc.collect()
    opened = []
    for number in os.listdir("/proc/self/fd"):
        try:
            opened.append(os.readlink(f"/proc/self/fd/{number}"))
        except FileNotFoundError:  # that of the list itself
            continue
    return sorted(opened), sorted(os.listdir(tempfile.gettempdir()))

async def main():
    started, go_on = threading.Event(), threading.Event()

    def load():
        started.set()
        go_on.wait()
        return safeload.check_bert(sys.argv[1])

    task = asyncio.create_task(asyncio.to_thread(load))
    await asyncio.to_thread(started.wait)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        go_on.set()
    try:
        await asyncio.wait_for(asyncio.to_thread(safeload.check_bert, sys.argv[1]), 1e-9)
    except (asyncio.TimeoutError, TimeoutError):
        pass
    else:
        raise AssertionError("nothing was cancelled")
    assert "37 variables" in str(await asyncio.to_thread(safeload.check_bert, sys.argv[1]))

before = left()
asyncio.run(main())
assert left() == before, (before, left())
assert threading.enumerate() == [threading.main_thread()]
"""


def run(script, *arguments, **env):
    done = subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, **env},
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


@pytest.mark.parametrize(
    ("call", "backend", "package"),
    [
        ("load_bert", "keras-bert", "keras_bert"),
        ("load_bert", "transformers", "transformers"),
        ("load_bert", "keras-hub", "keras_hub"),
        ("load_elmo", "torch", "torch"),
        ("load_elmo", "allennlp", "allennlp"),
        ("load_elmo", "keras", "tensorflow"),
    ],
)
def test_loads_in_threads_give_what_one_after_the_other_gives(call, backend, package, tmp_path):
    if importlib.util.find_spec(package) is None or (package == "transformers" and sys.version_info < (3, 11)):
        pytest.skip(f"needs {package}")
    write = testing.write_bert if call == "load_bert" else testing.write_elmo
    folders = [write(tmp_path / name, seed=seed) for seed, name in enumerate("ab")]
    run(LOADS, call, backend, *folders)


@pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="needs a list of open files")
def test_a_check_that_nobody_waits_for_leaves_nothing(tmp_path):
    model = testing.write_bert_checkpoint(tmp_path / "model")
    subprocess.run([sys.executable, "-m", "safeload", "lock", model], check=True, cwd=ROOT, capture_output=True)
    (tmp_path / "temporary").mkdir()
    assert run(CANCELLED, model, TMPDIR=str(tmp_path / "temporary")) == ""
