"""Define `safeload inspect` and `safeload diff`."""

from __future__ import annotations

import sys

import click

from safeload.cli._options import PATH, as_json, ending


@click.command(
    short_help="Show what a file or folder is, and what it contains.",
    epilog=ending(
        "inspect",
        "safeload inspect models/uncased/bert_model.ckpt",
        "safeload inspect models/elmo/weights.hdf5 --stats",
        "safeload inspect models/uncased --html uncased.html",
        "safeload inspect models/uncased/bert_config.json",
    ),
)
@click.argument("path", type=PATH)
@click.option("--stats", is_flag=True, help="Read every value: min, max, mean, std, NaN, zeros.")
@click.option(
    "--html",
    type=click.Path(dir_okay=False, writable=True),
    help="Write a page: facts, findings, and each layer against its neighbours.",
)
@as_json
def inspect(path: str, *, stats: bool, html: str | None, as_json: bool) -> None:
    """Show what PATH is: a checkpoint in any form, an HDF5 file, a config, a vocabulary, or a model's folder.

    Its tensors are listed by layer, with shape, dtype and size.
    """
    from safeload.cli import _inspection  # noqa: PLC0415  (not for `safeload --help`)

    sys.exit(_inspection.run(path, stats=stats, html=html, as_json=as_json))


@click.command(
    epilog=ending(
        "diff",
        "safeload diff pretrained/bert_model.ckpt finetuned/model.ckpt-3000",
        "safeload diff elmo/weights.hdf5 copy/weights.hdf5 --json",
        "safeload diff bert/model.safetensors both.safetensors --scope teacher",
    ),
)
@click.argument("first", type=PATH)
@click.argument("second", type=PATH)
@click.option("--scope", metavar="NAME", help="Of several encoders in a file, the one to compare.")
@as_json
def diff(first: str, second: str, *, scope: str | None, as_json: bool) -> None:
    """Compare two weight files: names, shapes, dtypes and values.

    A scope before every name, such as `module/`, is ignored, and so is one before the names of a BERT's encoder, such as
    `bert.`.
    """
    from safeload.cli import _difference  # noqa: PLC0415  (not for `safeload --help`)

    sys.exit(_difference.run(first, second, scope=scope, as_json=as_json))
