"""Workers that load the same model, as a page shows it: a checkpoint that is replaced in the middle is found by the digests."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from safeload import testing
from tests.docs.blocks import ROOT, blocks_of

PAGE = "docs/how-to/load-in-many-workers.md"
TENSORFLOW, TORCH = (
    next(block.text for block in blocks_of(PAGE) if block.language == "python" and f"import {name}" in block.text)
    for name in ("tensorflow", "torch")
)
WRITE = {"bert": testing.write_bert, "elmo": testing.write_elmo}

FIRST = """
import logging, pathlib

class Told(logging.Handler):
    def emit(self, record):
        if record.getMessage().startswith("checked"):
            pathlib.Path("read").touch()

logging.getLogger("safeload").addHandler(Told())
logging.getLogger("safeload").setLevel(logging.INFO)
"""
"""The first worker says when it has read the model, before it builds it."""

SECOND = """
import pathlib, time
import safeload
from safeload import testing

def after_the_first(load):
    def later(*args, **options):
        while not pathlib.Path("read").exists():
            time.sleep(0.05)
        testing.write_{kind}("models/{kind}", seed={seed})
        return load(*args, **options)
    return later

safeload.load_{kind} = after_the_first(safeload.load_{kind})
"""
"""The second loads once the first has read, and before it writes the model again, with other values or the same."""


def free_ports():
    sockets = [socket.socket() for _ in range(2)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def environments(ports):
    """Return what each worker is told of the others, by TensorFlow's and torch's own variables."""
    workers = {"worker": [f"127.0.0.1:{port}" for port in ports]}
    for rank in (0, 1):
        tf_config = json.dumps({"cluster": workers, "task": {"type": "worker", "index": rank}})
        yield os.environ | {
            "PYTHONPATH": str(ROOT),
            "TF_CONFIG": tf_config,
            "RANK": str(rank),
            "WORLD_SIZE": "2",
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(ports[0]),
            "GLOO_SOCKET_IFNAME": "lo",
        }


def run_workers(folder, block, kind, seed):
    """Run a block of the page in two workers; the model is replaced between their loads."""
    WRITE[kind](folder / "models" / kind)
    scripts = [FIRST + block, SECOND.format(kind=kind, seed=seed) + block + "print('trains')"]
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", script],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for script, environment in zip(scripts, environments(free_ports()), strict=True)
    ]
    return [(*worker.communicate(timeout=240), worker.returncode) for worker in workers]


@pytest.mark.parametrize(("block", "kind", "package"), [(TENSORFLOW, "bert", "keras_bert"), (TORCH, "elmo", "torch")])
@pytest.mark.parametrize("seed", [0, 1], ids=["same", "replaced"])
def test_digests_tell_whether_two_workers_read_the_same_weights(block, kind, package, seed, tmp_path):
    pytest.importorskip(package)

    done = run_workers(Path(tmp_path), block, kind, seed)

    for _, errors, code in done:
        assert ("the workers read different weights" in errors) == (seed == 1), errors[-2000:]
        assert code == seed, errors[-2000:]
    assert ("trains" in done[1][0]) == (seed == 0)
