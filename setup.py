"""The sdist as the same bytes from the same files; all else about the package stands in setup.cfg."""

from __future__ import annotations

import gzip
import os
import tarfile
import time

from setuptools import setup
from setuptools.command.sdist import sdist


class ReproducibleSdist(sdist):
    """setuptools' sdist, without what differs between two builds.

    setuptools makes the wheel by SOURCE_DATE_EPOCH, but its sdist keeps the times, modes and owners of the files, and the
    time of the build.
    """

    def make_archive(self, base_name: str, *_: object, base_dir: str, **__: object) -> str:
        """Write the .tar.gz in the order of the names, with one time, no owner, and modes 644 and 755."""
        epoch = int(os.environ.get("SOURCE_DATE_EPOCH", time.time()))

        def plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
            mode = 0o755 if entry.isdir() or entry.mode & 0o100 else 0o644
            return entry.replace(deep=False, mtime=epoch, mode=mode, uid=0, gid=0, uname="", gname="")

        archive = f"{base_name}.tar.gz"
        with (
            open(archive, "wb") as file,
            gzip.GzipFile("", "wb", fileobj=file, mtime=epoch) as packed,
            tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
        ):
            tar.add(base_dir, filter=plain)
        return archive


setup(cmdclass={"sdist": ReproducibleSdist})
