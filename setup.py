"""The sdist and the wheel as the same bytes from the same files, and the README for an index; setup.cfg has everything else."""

from __future__ import annotations

import gzip
import os
import re
import tarfile
from pathlib import Path

from setuptools import setup
from setuptools.command.sdist import sdist

os.environ.setdefault("SOURCE_DATE_EPOCH", "1577836800")  # 2020-01-01, unless the builder has a date of its own


class ReproducibleSdist(sdist):
    """setuptools' sdist, without what differs between two builds.

    setuptools makes the wheel by SOURCE_DATE_EPOCH, but its sdist keeps the times, modes and owners of the files, and the
    time of the build.
    """

    def make_archive(self, base_name: str, *_: object, base_dir: str, **__: object) -> str:
        """Write the .tar.gz in the order of the names, with one time, no owner, and modes 644 and 755."""
        epoch = int(os.environ["SOURCE_DATE_EPOCH"])

        def plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
            entry.mode = 0o755 if entry.isdir() or entry.mode & 0o100 else 0o644
            entry.mtime, entry.uid, entry.gid, entry.uname, entry.gname = epoch, 0, 0, "", ""
            return entry

        archive = f"{base_name}.tar.gz"
        with (
            open(archive, "wb") as file,
            gzip.GzipFile("", "wb", fileobj=file, mtime=epoch) as packed,
            tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
        ):
            tar.add(base_dir, filter=plain)
        return archive


def readme_for_an_index() -> str:
    """Return the README without links into the sources, which an index does not have: the path in code, after the text."""
    text = Path(__file__).with_name("README.md").read_text(encoding="utf-8")
    code_or_link = r"(?P<code>^```.*?^```|``?[^`\n]+``?)|(?P<image>!?)\[(?P<text>(?:[^]`]|`[^`]*`)*)\]\((?!\w+:|#)(?P<path>[^)\s]+)\)"

    def plain(match: re.Match[str]) -> str:
        if match["code"]:
            return match[0]
        return f"({match['text']})" if match["image"] else f"{match['text']} (`{match['path'].partition('#')[0]}`)"

    return re.sub(code_or_link, plain, text, flags=re.MULTILINE | re.DOTALL)


setup(
    long_description=readme_for_an_index(),
    long_description_content_type="text/markdown",
    cmdclass={"sdist": ReproducibleSdist},
)
