"""A check of a tree of models, and of a model at an address."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import fleet
import remote

if TYPE_CHECKING:
    from sides.process import Call


def check_tree(folder: Path) -> Call:
    """safeload, every model in the tree."""
    return _scanner("safeload", folder)


def modelaudit(folder: Path) -> Call:
    """ModelAudit, the same tree."""
    return _scanner("ModelAudit", folder)


def modelscan(folder: Path) -> Call:
    """ModelScan, the same tree: it looks for opcodes in pickles, and reads no values."""
    return _scanner("ModelScan", folder)


def check_address(folder: Path) -> Call:
    """safeload, a check of a BERT on an HTTP server that waits 20 ms before each answer and sends 200 MB/s."""
    import numpy as np  # noqa: F401  (which the check would import)

    import safeload
    import safeload._bytes.remote.http
    import safeload._forms.arrays

    address = remote.serve(folder)
    return lambda: safeload.check_bert(address)


def download(folder: Path) -> Call:
    """Download the same files from the same server: the floor of a check at an address."""
    import requests

    address, block = remote.serve(folder), bytearray(remote.N_BLOCK_BYTES)

    def get() -> None:
        with requests.Session() as session:
            for path in sorted(folder.iterdir()):
                with session.get(address + path.name, stream=True) as answer:
                    while answer.raw.readinto(block):
                        pass

    return get


def _scanner(name: str, folder: Path) -> Call:
    commands = {
        "safeload": [sys.executable, "-m", "safeload"],
        "ModelAudit": [_found("modelaudit")],
        "ModelScan": [_found("modelscan")],
    }
    out = Path(tempfile.mkdtemp(dir=folder.parent), "found.json")
    command = [*commands[name], *fleet.arguments(name, folder, out)]
    return lambda: subprocess.run(command, check=False, capture_output=True)


def _found(command: str) -> str:
    return shutil.which(command) or command
