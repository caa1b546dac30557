"""The bytes themselves, read and written by the system: the floors."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

from models import safetensors_of, weight_files

if TYPE_CHECKING:
    from pathlib import Path

    from sides.process import Call

N_BLOCK_BYTES = 1 << 20


def raw_read(folder: Path) -> Call:
    """Read the weights' bytes and keep them: the floor of a load."""
    return lambda: [path.read_bytes() for path in weight_files(folder)]


def raw_scan(folder: Path) -> Call:
    """Read the weights' bytes once into one block that is used again: the floor of a check."""
    block = memoryview(bytearray(N_BLOCK_BYTES))

    def scan() -> None:
        for path in weight_files(folder):
            with path.open("rb", buffering=0) as file:
                while file.readinto(block):
                    pass

    return scan


def cold_scan(folder: Path) -> Call:
    """The same from a disk whose pages are not in memory."""
    return after_dropping_pages(folder, raw_scan(folder))


def raw_write(folder: Path) -> Call:
    """Write as many bytes to the disk, and read them: the floor of saving."""
    data = b"".join(path.read_bytes() for path in weight_files(folder))

    def write() -> object:
        with (folder / "raw").open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        content = (folder / "raw").read_bytes()
        (folder / "raw").unlink()
        return content

    return write


def copy_files(folder: Path) -> Call:
    """Copy the bytes with cp, which does not bring them to the disk."""
    (folder / "copied").mkdir(exist_ok=True)
    return lambda: subprocess.run(["cp", *weight_files(folder), folder / "copied"], check=True)  # noqa: S607  (the system's own)


def sha256sum(folder: Path) -> Call:
    """The SHA-256 of the same bytes."""
    command = [shutil.which("sha256sum") or "sha256sum", safetensors_of(folder)]
    return lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def after_dropping_pages(folder: Path, call: Call) -> Call:
    """Return a call after the weights were taken out of the page cache."""
    for path in weight_files(folder):
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return call
