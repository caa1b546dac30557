"""Archives of folders, written by `zipfile`, `tarfile` and the commands `zip` and `tar`."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest


def _by_zipfile(method, top=""):
    def write(folder, target):
        with zipfile.ZipFile(target, "w", method) as archive:
            for path in sorted(folder.rglob("*")):
                archive.write(path, f"{top}{path.relative_to(folder)}")

    return write


def _zip64(folder, target):
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.iterdir()):
            with archive.open(path.name, "w", force_zip64=True) as member:
                member.write(path.read_bytes())


def _streamed_zip(folder, target):
    """Write a zip into a pipe, so that the sizes follow the data."""
    _need("zip")
    with target.open("wb") as out:
        subprocess.run(["zip", "-q", "-r", "-", folder.name], cwd=folder.parent, stdout=out, check=True)


def _by_zip(*options):
    def write(folder, target):
        _need("zip")
        subprocess.run(["zip", "-q", "-r", *options, target, folder.name], cwd=folder.parent, check=True)

    return write


def _by_tarfile(mode, layout, top=""):
    def write(folder, target):
        with tarfile.open(target, mode, format=layout) as archive:
            archive.add(folder, arcname=top or ".")

    return write


def _by_tar(*options):
    def write(folder, target):
        _need("tar")
        subprocess.run(["tar", *options, "-cf", target, "-C", folder, "."], check=True)

    return write


def _without_end(folder, target):
    """Write a tar without the blocks of zeros that end one, as when archives are put together by hand."""
    _by_tarfile("w", tarfile.USTAR_FORMAT)(folder, target)
    with tarfile.open(target) as archive:
        last = archive.getmembers()[-1]
    end = last.offset_data + -(-last.size // 512) * 512
    target.write_bytes(target.read_bytes()[:end])


def _behind_a_program(folder, target):
    """Write a zip that extracts itself: a program, then the archive, whose offsets do not count the program."""
    _by_zipfile(zipfile.ZIP_DEFLATED)(folder, target)
    target.write_bytes(b"#!/bin/sh\nunzip $0; exit\n" + target.read_bytes())


def _need(command):
    if shutil.which(command) is None:
        pytest.skip(f"there is no {command} here")


WRITERS = {
    "stored.zip": _by_zipfile(zipfile.ZIP_STORED, "uncased_L-12_H-768_A-12/"),
    "deflated.zip": _by_zipfile(zipfile.ZIP_DEFLATED, "uncased_L-12_H-768_A-12/"),
    "flat.zip": _by_zipfile(zipfile.ZIP_DEFLATED),
    "zip64.zip": _zip64,
    "piped.zip": _streamed_zip,
    "command.zip": _by_zip(),
    "command_stored.zip": _by_zip("-0"),
    "gnu.tar": _by_tarfile("w", tarfile.GNU_FORMAT, "model"),
    "pax.tar": _by_tarfile("w", tarfile.PAX_FORMAT, "m" * 150),
    "long.tar": _by_tarfile("w", tarfile.GNU_FORMAT, "m" * 150),
    "ustar.tar.gz": _by_tarfile("w:gz", tarfile.USTAR_FORMAT),
    "pax.tgz": _by_tarfile("w:gz", tarfile.PAX_FORMAT, "model"),
    "program.zip": _behind_a_program,
    "v7.tar": _by_tar("--format=v7"),
    "no_end.tar": _without_end,
    "command.tar": _by_tar(),
    "command.tar.gz": _by_tar("-z"),
}
"""Name of an archive -> what writes it, of a folder."""


def write_archive(folder, target):
    """Write the archive that its name asks for."""
    WRITERS[Path(target).name](Path(folder), Path(target))
    return Path(target)
