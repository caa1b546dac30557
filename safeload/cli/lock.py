"""Define `safeload lock`."""

from __future__ import annotations

import os
import sys

import click

from safeload.cli._options import PATH, as_json, examples


@click.command(
    short_help="Record the SHA-256 of a model's files.",
    epilog=examples(
        "safeload lock models/uncased                writes safeload.lock into it",
        "safeload lock models/uncased --update       after an intended change",
        "safeload check bert models/uncased --lock   fails if any byte differs",
    ),
)
@click.argument("folder", type=PATH)
@click.option("--update", is_flag=True, help="Replace an existing lock that differs.")
@as_json
def lock(folder: str, *, update: bool, as_json: bool) -> None:
    """Check the model in FOLDER and write its safeload.lock: the size and SHA-256 of each of its files.

    From then on, every load and check of the model compares its files with the lock. Exit code: 0 the lock exists and
    matches, 1 the model is bad or differs from its lock, 2 wrong usage.
    """
    from safeload.cli import _locking  # noqa: PLC0415  (not for `safeload --help`)

    sys.exit(_locking.run(os.fspath(folder), update=update, as_json=as_json))
