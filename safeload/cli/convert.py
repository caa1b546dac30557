"""Define `safeload convert`."""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from safeload._convert import FORMS
from safeload.cli._options import PATH, activation, as_json, ending, scope, vocab


@click.command(
    short_help="Write a model in another form.",
    epilog=ending(
        "convert",
        "safeload convert models/uncased hf --form safetensors --activation gelu_tanh",
        "safeload convert models/uncased.zip hf --form safetensors",
        "safeload convert hf preset --form keras-hub --activation gelu_tanh --ignore-unused 'cls*'",
        "safeload convert elmo.tar.gz elmo --form hdf5 --ignore-unused '*scalar_mix_*'    out of AllenNLP's archive, without its sums",
    ),
)
@click.argument("source", type=PATH)
@click.argument("target", type=PATH)
@click.option(
    "--form",
    required=True,
    type=click.Choice(FORMS),
    help="The form to write; hdf5 is for an ELMo, the others are for a BERT.",
)
@click.option("--weights", type=PATH, help="The weights, if they are not in the folder of SOURCE.")
@vocab
@activation
@scope
@click.option(
    "--ignore-unused",
    multiple=True,
    metavar="PATTERN",
    help="Shell-style pattern of tensors that may be left out. May be repeated.",
)
@click.option("--overwrite", is_flag=True, help="Replace the files of these names in TARGET.")
@click.option("--lock", is_flag=True, help="Write a safeload.lock of the new files too.")
@as_json
def convert(source: str, target: str, *, form: str, as_json: bool, **options: Any) -> None:  # noqa: ANN401  (click's own)
    """Check the model in SOURCE, write it in another form to the folder TARGET, and compare what was written with it.

    SOURCE may be an archive. What was written is read back: the CRC32C and the sum of the bits of each tensor must be
    those of the source. Config and vocabulary are translated. What the form cannot express is an error, and then TARGET is
    as it was.
    """
    from safeload.cli import _converting  # noqa: PLC0415  (not for `safeload --help`)

    places = _converting.Places(os.fspath(source), os.fspath(target))
    sys.exit(_converting.run(places, form, options, as_json=as_json))
